//! Galleries of curves, dose matrices and plates with made-up values, written to the file that `HALFMAX_GALLERIES_OUT` names, if any.
//!
//! ```text
//! HALFMAX_GALLERIES_OUT=/tmp/galleries.html cargo test --release -p halfmax-report --test galleries
//! python tests/report/check_report.py /tmp/galleries.html
//! ```

use halfmax_report::{
    Card, DoseCurvePoint, DoseMark, DosePicture, DoseReading, Gallery, GalleryOrder, MatrixPicture, Measure,
    Panel, PanelPicture, Picture, PlatePicture, QualityChapter, QualityPart, QualityReport, SurfacePicture,
    Tally, Well, WellKind, curve_svg, matrix_svg, panels_svg, plate_svg, render_quality,
};
use proptest::prelude::*;

/// A name that causes harm if it is not escaped.
const HOSTILE: &str = "\"><img src=x onerror=alert(1)></style><script>alert(2)</script>]]>\u{202e}";

/// A pseudo-random number between −1 and 1 that is the same every time.
fn chance(seed: usize, at: usize) -> f64 {
    let mixed = (seed as u64 * 1_000_003 + at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 40) as f64 / (1_u64 << 23) as f64) - 1.0
}

fn dose_picture(seed: usize, replicates: usize) -> DosePicture {
    let ec50 = 10_f64.powf(2.0 * chance(seed, 0) - 0.5);
    let bottom = 0.4 + 0.4 * chance(seed, 1);
    let curve = |dose: f64| bottom + (1.0 - bottom) / (1.0 + (dose / ec50).powf(1.3));
    let dose = |at: usize| 0.005 * 10_f64.powf(at as f64 / 2.0);
    let readings = (0..8 * replicates).map(|at| {
        let dose = dose(at % 8);
        DoseReading { dose, value: curve(dose) + 0.15 * chance(seed, at + 9), left_out: at % 37 == 36 }
    });
    let points = (0..33).map(|at| {
        let dose = 0.005 * 10_f64.powf(3.5 * at as f64 / 32.0);
        let (value, half) = (curve(dose), 0.03 + 0.04 * (at as f64 / 10.0).sin().abs());
        let known = seed % 7 != 3 || at > 8;
        let [lower, upper] = [value - half, value + half].map(|end| if known { end } else { f64::NAN });
        DoseCurvePoint { dose, value, lower, upper }
    });
    let upper = if seed.is_multiple_of(5) { f64::NAN } else { ec50 * 1.6 };
    DosePicture {
        description: format!("made-up curve {seed}"),
        x_name: "dose, µM".into(),
        y_name: "viability".into(),
        y_range: [0.0, 1.3],
        readings: readings.collect(),
        curve: points.collect(),
        mark: Some(DoseMark { level: 0.5, dose: ec50, interval: [ec50 / 1.5, upper] }),
        plateaus: [1.0, bottom],
    }
}

fn measure(name: &str, value: &str, interval: &str) -> Measure {
    Measure { name: name.into(), value: value.into(), interval: interval.into() }
}

const FLAGS: [&str; 4] = ["poor fit", "open interval", "outliers", "EC50 outside the tested doses"];

fn curve_card(seed: usize, replicates: usize) -> Card {
    let cell = ["A375", "MCF7", "HT-29", HOSTILE][seed % 4];
    Card {
        title: format!("{cell} · Drug-{}", seed / 4),
        subtitle: String::new(),
        flags: FLAGS
            .iter()
            .enumerate()
            .filter(|(at, _)| seed.is_multiple_of(at + 3))
            .map(|(_, flag)| (*flag).into())
            .collect(),
        picture: Picture::Dose(dose_picture(seed, replicates)),
        measures: vec![
            measure("IC50", "0.455 µM", "0.18 to 1.33"),
            measure("Plateau", "0.23", "0.00 to 0.45"),
            measure("Hill slope", "1.07", "0.48 to 2.39"),
            measure("AUC", "0.70", "0.59 to 0.82"),
            measure("R²", "0.37", "residual error 0.338"),
            measure("Readings", "72 at 8 doses", ""),
            measure("Curve", "3 parameters, the top fixed", ""),
        ],
    }
}

fn curves(count: usize, replicates: usize) -> Gallery {
    Gallery {
        noun: "curves".into(),
        order: "worst fit first".into(),
        orders: vec![GalleryOrder { name: "in reverse".into(), cards: (0..count).rev().collect() }],
        cards: (0..count).map(|seed| curve_card(seed, replicates)).collect(),
    }
}

fn matrix_picture(seed: usize, side: usize) -> MatrixPicture {
    let doses: Vec<f64> =
        (0..side).map(|at| if at == 0 { 0.0 } else { 0.002 * 4_f64.powi(at as i32) }).collect();
    let part = |at: usize| at as f64 / side as f64;
    let response = (0..side * side).map(|cell| {
        let (a, b) = (part(cell / side), part(cell % side));
        100.0 * (a + b - a * b) - 8.0 * chance(seed, cell)
    });
    let score = |model: usize| {
        let one = move |cell: usize| {
            let (a, b) = (cell / side, cell % side);
            if a == 0 || b == 0 || (seed == 1 && cell == side + 2) {
                return f64::NAN;
            }
            45.0 * (6.0 * part(a)).sin() * (4.0 * part(b)).cos() + 3.0 * chance(seed + model, cell)
        };
        (0..side * side).map(one).collect::<Vec<f64>>()
    };
    let surface = |(model, name): (usize, &str)| {
        let scores = score(model);
        let around = |by: f64| scores.iter().map(|score| score + by).collect();
        SurfacePicture {
            name: name.into(),
            summary: "mean +3.2 (+1.1 to +5.0)".into(),
            intervals: [around(-7.0), around(7.0)],
            scores,
        }
    };
    MatrixPicture {
        drugs: [if seed == 2 { HOSTILE.into() } else { "Drug-X".into() }, format!("Drug-{seed}")],
        doses: [doses.clone(), doses],
        units: ["µM", "nM"].map(str::to_owned),
        response: response.collect(),
        replicates: vec![3; side * side],
        surfaces: ["HSA", "Bliss", "Loewe", "ZIP"].into_iter().enumerate().map(surface).collect(),
        alone: vec![
            DosePicture { mark: None, ..dose_picture(seed, 2) },
            DosePicture { mark: None, ..dose_picture(seed + 50, 2) },
        ],
    }
}

fn matrix_card(seed: usize, side: usize) -> Card {
    Card {
        title: format!("{} + Drug-{seed} · A375", if seed == 2 { HOSTILE } else { "Drug-X" }),
        subtitle: format!("block {seed}"),
        flags: if seed == 1 { vec!["no replicates".into()] } else { Vec::new() },
        picture: Picture::Matrix(matrix_picture(seed, side)),
        measures: vec![measure("mean ZIP", "+3.2", "+1.1 to +5.0")],
    }
}

/// A block of more than two drugs: one matrix per panel.
fn panels_picture(seed: usize, side: usize, panels: usize) -> PanelPicture {
    let panel = |at: usize| {
        let matrix = matrix_picture(10 * seed + at + 3, side);
        let other = if seed == 1 { HOSTILE } else { "Drug-Z" };
        let name = if at == 0 { format!("no {other}") } else { format!("{other} {at} µM") };
        let drugs = ["Drug-X", "Drug-Y"].map(str::to_owned);
        Panel { name, matrix: MatrixPicture { drugs, alone: Vec::new(), ..matrix } }
    };
    PanelPicture {
        panels: (0..panels).map(panel).collect(),
        note: "Each map is of Drug-X with Drug-Y, at the dose of Drug-Z above it.".into(),
        alone: (0..3).map(|at| DosePicture { mark: None, ..dose_picture(60 + at, 2) }).collect(),
    }
}

fn panels_card(seed: usize, side: usize, panels: usize) -> Card {
    Card {
        title: format!("Drug-X + Drug-Y + Drug-Z · line {seed}"),
        subtitle: format!("block {}, 3 drugs", 100 + seed),
        flags: if seed == 0 { vec!["cells missing".into()] } else { Vec::new() },
        picture: Picture::Panels(panels_picture(seed, side, panels)),
        measures: vec![measure("mean ZIP", "+5.1", "+4.1 to +6.0"), measure("pairs", "blocks 1, 2, 3", "")],
    }
}

fn plate_card(seed: usize, rows: usize, columns: usize) -> Card {
    let well = |at: usize| {
        let (row, column) = (at / columns, at % columns);
        let kind = match (column, at % 53) {
            (0, _) => WellKind::Untreated,
            (1, _) => WellKind::Background,
            (_, 0) => WellKind::LeftOut,
            _ => WellKind::Treated,
        };
        let edge = row == 0 || column == 0 || row + 1 == rows || column + 1 == columns;
        let level = if kind == WellKind::Background { 900.0 } else { 30_000.0 };
        let value = level * (1.0 + 0.1 * chance(seed, at)) * if edge { 0.85 } else { 1.0 };
        Well { row, column, value, kind }
    };
    Card {
        title: format!("Plate {seed}"),
        subtitle: String::new(),
        flags: if seed == 0 { vec!["edge effect".into()] } else { Vec::new() },
        picture: Picture::Plate(PlatePicture {
            rows,
            columns,
            measure: "signal".into(),
            wells: (0..rows * columns).map(well).collect(),
            description: "signals of a made-up plate; the outermost wells are lower".into(),
        }),
        measures: vec![measure("Z′", "0.71", ""), measure("SSMD", "9.1", "")],
    }
}

fn gallery(noun: &str, cards: Vec<Card>) -> Gallery {
    Gallery { noun: noun.into(), order: "as given".into(), orders: Vec::new(), cards }
}

fn made_up(curve_count: usize, replicates: usize) -> QualityReport {
    let tally = |flag: &str| Tally {
        flag: flag.into(),
        meaning: "Made up: what this flag means in a sentence.".into(),
        count: 12_345,
    };
    let chapter = |title: &str, parts| QualityChapter { title: title.into(), parts };
    let mut blocks: Vec<Card> =
        [5, 8, 11].into_iter().enumerate().map(|(seed, side)| matrix_card(seed, side)).collect();
    blocks.extend([panels_card(0, 5, 4), panels_card(1, 3, 6)]);
    QualityReport {
        title: "Made-up pictures".into(),
        subtitle: "Nothing in it was measured".into(),
        chapters: vec![
            chapter("Overview", vec![QualityPart::Tally(FLAGS.map(tally).to_vec())]),
            chapter("Curves", vec![QualityPart::Gallery(curves(curve_count, replicates))]),
            chapter("Blocks", vec![QualityPart::Gallery(gallery("blocks", blocks))]),
            chapter(
                "Plates",
                vec![QualityPart::Gallery(gallery(
                    "plates",
                    vec![plate_card(0, 16, 24), plate_card(1, 8, 12)],
                ))],
            ),
        ],
    }
}

#[test]
fn a_page_of_pictures() {
    let html = render_quality(&made_up(40, 3));
    if let Some(path) = std::env::var_os("HALFMAX_GALLERIES_OUT") {
        std::fs::write(path, &html).unwrap();
    }
    assert_eq!(html, render_quality(&made_up(40, 3)));
    assert_eq!(html.matches("<svg class=dose").count(), 40 + 6 + 6);
    assert_eq!(html.matches("<table class=matrix").count(), 3 * 5 + 4 * 5 + 6 * 5);
    assert_eq!(html.matches("<caption>Drug-Z 3 µM</caption>").count(), 5);
    assert_eq!(html.matches("<svg class=square").count(), 3 * 5);
    assert_eq!(html.matches("<svg class=plate").count(), 2);
    assert_eq!(html.matches("data-find=").count(), 4);
}

#[test]
fn fifteen_hundred_curves_are_below_ten_megabytes() {
    // The number of readings per curve of the largest public screens.
    let html = render_quality(&made_up(1_500, 9));
    assert!(html.len() < 10_000_000, "{} bytes", html.len());
}

#[test]
fn a_file_of_three_drugs_has_every_map() {
    let svg = panels_svg("X + Y + Z", "ZIP +5.1", &panels_picture(0, 5, 6));
    // Six panels for the response and for each of four models, with 25 cells each.
    assert_eq!(svg.matches("<title>Inhibition, %, ").count(), 6);
    assert_eq!(svg.matches("<title>Synergy by ").count(), 4 * 6);
    assert_eq!(svg.matches("<rect class=\"h").count(), 6 * 25);
    assert!(svg.contains("<title>Synergy by ZIP, percentage points, Drug-Z 5 µM</title>"));
    let number = |name: &str| {
        let (_, after) = svg.split_once(&format!(" {name}=\"")).unwrap();
        after.split('"').next().unwrap().parse::<usize>().unwrap()
    };
    // Two rows of maps for each of five parts, four a row, and the drugs alone.
    assert_eq!([number("width"), number("height")], [4 * 360 + 20, 50 + 5 * (30 + 2 * 362) + 30 + 240]);
}

#[test]
fn hostile_names_stay_text() {
    let html = render_quality(&made_up(8, 1));
    assert_eq!(html.matches("<script").count(), 1);
    assert_eq!(html.matches("<style").count(), 1);
    assert!(!html.contains("<img") && !html.contains('\u{202e}'));
}

/// All picture files of this report.
fn files(report: &QualityReport) -> Vec<String> {
    let galleries = report.chapters.iter().flat_map(|chapter| &chapter.parts).filter_map(|part| match part {
        QualityPart::Gallery(gallery) => Some(gallery),
        _ => None,
    });
    let file = |card: &Card| match &card.picture {
        Picture::Dose(picture) => curve_svg(&card.title, "IC50 <0.1 µM", picture),
        Picture::Matrix(picture) => matrix_svg(&card.title, "", picture),
        Picture::Panels(picture) => panels_svg(&card.title, "", picture),
        Picture::Plate(picture) => plate_svg(&card.title, "", picture),
    };
    galleries.flat_map(|gallery| &gallery.cards).map(file).collect()
}

/// Finds violations of XML: unclosed elements, attributes without quotation marks.
fn wrong_with(xml: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>')?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Some(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let mut outside = String::new();
        tag.split('"').step_by(2).for_each(|part| outside.push_str(part));
        let attributes = outside.matches('=').count();
        if tag.matches('"').count() != 2 * attributes {
            return Some(format!("<{tag}>: an attribute without quotation marks"));
        }
        if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or_default());
        }
    }
    open.pop().map(|name| format!("<{name}> is not closed"))
}

#[test]
fn files_are_svg() {
    let files = files(&made_up(6, 2));
    assert_eq!(files.len(), 6 + 3 + 2 + 2);
    for file in &files {
        assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="), "{file}");
        assert_eq!(wrong_with(file), None, "{file}");
        assert!(!file.contains("<img") && !file.contains("<script") && !file.contains("NaN"));
    }
}

/// Any number, including NaN and infinities.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(0.0), Just(-1.0), 0.0..1.0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_picture_can_be_drawn(
        numbers in prop::collection::vec(number(), 1..12),
        sides in [0usize..5, 0usize..5],
        wells in [0usize..70, 0usize..70],
        place in prop_oneof![0usize..4, Just(usize::MAX)],
    ) {
        let at = |place: usize| numbers[place % numbers.len()];
        let dose = DosePicture {
            y_range: [at(0), at(1)],
            readings: (0..5).map(|n| DoseReading { dose: at(n), value: at(n + 1), left_out: n == 2 }).collect(),
            curve: (0..5).map(|n| DoseCurvePoint { dose: at(n), value: at(n + 1), lower: at(n + 2), upper: at(n + 3) }).collect(),
            mark: Some(DoseMark { level: at(2), dose: at(3), interval: [at(4), at(5)] }),
            plateaus: [at(6), at(7)],
            ..DosePicture::default()
        };
        let list = |count: usize, from: usize| (0..count).map(|n| at(n + from)).collect::<Vec<f64>>();
        let cells = sides[0] * sides[1];
        let matrix = MatrixPicture {
            doses: [list(sides[0], 0), list(sides[1], 3)],
            response: list(cells, 1),
            surfaces: vec![SurfacePicture { scores: list(cells + 1, 2), ..SurfacePicture::default() }],
            alone: vec![dose.clone()],
            ..MatrixPicture::default()
        };
        let panels = (0..place.min(3))
            .map(|at| {
                let surfaces = matrix.surfaces.iter().take(at).cloned().collect();
                Panel { name: String::new(), matrix: MatrixPicture { surfaces, ..matrix.clone() } }
            })
            .collect();
        let panels = PanelPicture { panels, note: String::new(), alone: vec![dose.clone(); place.min(6)] };
        let well = Well { row: place, column: wells[0], value: at(0), kind: WellKind::LeftOut };
        let plate = PlatePicture { rows: wells[0], columns: wells[1], wells: vec![well], ..PlatePicture::default() };
        let card = |picture| Card { title: String::new(), subtitle: String::new(), flags: Vec::new(), picture, measures: Vec::new() };
        let cards = vec![card(Picture::Dose(dose)), card(Picture::Matrix(matrix)), card(Picture::Panels(panels)), card(Picture::Plate(plate))];
        let mut gallery = gallery("things", cards);
        gallery.orders.push(GalleryOrder { name: String::new(), cards: vec![place, 1] });
        let report = QualityReport {
            chapters: vec![QualityChapter { title: "Any".into(), parts: vec![QualityPart::Gallery(gallery)] }],
            ..QualityReport::default()
        };
        let html = render_quality(&report);
        let body = html.split_once("</head>").unwrap().1;
        prop_assert!(!body.contains("NaN") && !body.contains("=inf") && !body.contains(" inf"));
        for file in files(&report) {
            prop_assert_eq!(wrong_with(&file), None);
        }
    }
}
