//! A report as large as real ones, with made-up values, written to the file that `HALFMAX_REPORT_OUT` names, if any.
//! Next to it, `…-empty.html` is an empty report, and `…-parts.html` is a report with only some parts.
//!
//! ```text
//! HALFMAX_REPORT_OUT=/tmp/report.html cargo test --release -p halfmax-report --test made_up
//! python tests/report/check_report.py /tmp/report.html
//! ```

use halfmax_report::*;

const DRUGS: usize = 290;
const FEATURES: usize = 20;
const MECHANISMS: usize = 23;
/// A name that causes harm if it is not escaped.
const HOSTILE: &str = "\"><img src=x onerror=alert(1)></style><script>alert(2)</script>]]>\u{202e}";

/// Pseudo-random numbers that are the same every time.
struct Chance(u64);

impl Chance {
    /// A number between 0 and 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    fn below(&mut self, end: usize) -> usize {
        ((self.share() * end as f64) as usize).min(end - 1)
    }

    /// A number around 0, mostly within ±1.
    fn bell(&mut self) -> f64 {
        (0..6).map(|_| self.share()).sum::<f64>() - 3.0
    }

    fn pick<'a>(&mut self, names: &[&'a str]) -> &'a str {
        names[self.below(names.len())]
    }

    fn direction(&mut self) -> Direction {
        [Direction::Resistance, Direction::Sensitivity, Direction::Unclear][self.below(3)]
    }

    fn agreement(&mut self) -> Agreement {
        [Agreement::Agrees, Agreement::Differs, Agreement::Unknown][self.below(3)]
    }
}

const GENES: [&str; 16] = [
    "ABCB1", "ABCG2", "TP53", "EGFR", "KRAS", "BRAF", "SLFN11", "AXL", "VIM", "BCL2L1", "MCL1", "TUBB3",
    "PTEN", "RB1", "NQO1", "CDKN2A",
];
const KINDS: [&str; 5] = ["expression", "mutation", "copy number", "tissue", "drug structure"];
const PATHWAYS: [&str; 6] = [
    "Mitosis",
    "DNA replication",
    "EGFR signalling",
    "PI3K/MTOR signalling",
    "Apoptosis regulation",
    "Chromatin other",
];
const MODELS: [&str; 6] = [
    "mean of drug",
    "mean of drug and tissue",
    "elastic net",
    "boosted trees",
    "kernel ridge",
    "two-tower network",
];

fn fact(name: &str, value: &str) -> Fact {
    Fact { name: name.into(), value: value.into() }
}

fn spread(chance: &mut Chance, centre: f64) -> Spread {
    let mut ends: Vec<f64> = (0..7).map(|_| centre + chance.bell() * 0.2).collect();
    ends.sort_by(f64::total_cmp);
    Spread {
        min: ends[0],
        q05: ends[1],
        q25: ends[2],
        q50: ends[3],
        q75: ends[4],
        q95: ends[5],
        max: ends[6],
    }
}

fn feature(chance: &mut Chance, rank: usize) -> Feature {
    let direction = chance.direction();
    let shift = match direction {
        Direction::Resistance => 0.3,
        Direction::Sensitivity => -0.3,
        Direction::Unclear => 0.0,
    };
    Feature {
        kind: chance.pick(&KINDS).into(),
        name: format!("{}-{rank}", chance.pick(&GENES)),
        mean_abs: 0.5 / rank as f64,
        adjusted_mean_abs: Some(chance.between(0.1, 0.45) / rank as f64),
        adjusted_rank: Some(chance.below(60) + 1),
        direction,
        low: Some(spread(chance, -shift)),
        high: Some(spread(chance, shift)),
        expected: rank.is_multiple_of(3).then(|| chance.direction()),
    }
}

fn drug_mechanism(chance: &mut Chance, mechanism: usize) -> DrugMechanism {
    DrugMechanism {
        mechanism,
        attribution: Some(chance.bell() * 0.4),
        direction: chance.direction(),
        p: Some(chance.share().powi(4)),
        q_competitive: Some(chance.share().powi(2)),
        q_self_contained: Some(chance.share()),
        agreement: chance.agreement(),
        adjusted: Some(chance.bell() * 0.3),
        genes: (0..3).map(|_| chance.pick(&GENES).to_string()).collect(),
    }
}

fn drug(chance: &mut Chance, index: usize) -> Drug {
    let name = match index {
        0 => "Paclitaxel".into(),
        1 => HOSTILE.into(),
        _ => format!("Made-up drug {index}"),
    };
    Drug {
        name,
        classes: vec![chance.pick(&["taxane", "kinase inhibitor", "antimetabolite"]).into()],
        targets: (0..2).map(|_| chance.pick(&GENES).to_string()).collect(),
        pathway: chance.pick(&PATHWAYS).into(),
        facts: vec![fact("screened at", "0.001 to 10 µM")],
        performance: (index != 2).then(|| DrugPerformance {
            n: 100 + chance.below(850),
            pearson: Some(chance.between(0.05, 0.75)),
            rmse: Some(chance.between(0.6, 1.9)),
            r2: Some(if index == 3 { f64::NAN } else { chance.between(-0.1, 0.5) }),
            ceiling: Some(chance.between(0.7, 0.92)),
        }),
        features: (1..=FEATURES).map(|rank| feature(chance, rank)).collect(),
        mechanisms: (0..MECHANISMS).map(|mechanism| drug_mechanism(chance, mechanism)).collect(),
        confounders: vec![
            Confounder { name: "tissue".into(), before: Some(0.31), after: Some(0.02) },
            Confounder { name: "general sensitivity".into(), before: Some(0.22), after: Some(0.01) },
        ],
        notes: vec!["All values on this page are made up.".into()],
        sentences: vec![
            "ABL1 carriers (n = 5) are 3.1 more sensitive than the others; the model says the same.".into(),
            HOSTILE.into(),
        ],
        findings: (1..=10).map(|rank| finding(chance, rank)).collect(),
        strips: vec![strip(chance)],
        volcano: Volcano {
            points: (0..70)
                .map(|at| {
                    (
                        chance.bell(),
                        chance.between(0.0, 8.0),
                        if at < 3 { format!("G{at}") } else { String::new() },
                    )
                })
                .collect(),
            threshold: Some(3.0),
            note: "Made-up associations.".into(),
        },
    }
}

fn finding(chance: &mut Chance, rank: usize) -> DrugFinding {
    DrugFinding {
        kind: chance.pick(&KINDS).into(),
        name: if rank == 2 { HOSTILE.into() } else { format!("{}-{rank}", chance.pick(&GENES)) },
        members: (0..rank % 3).map(|_| chance.pick(&GENES).to_string()).collect(),
        is_target: rank == 1,
        mechanisms: vec![0, 9_999],
        support: "data and model".into(),
        direction: chance.direction(),
        effect: Some(chance.bell()),
        carriers: (rank % 2 == 1).then_some(7),
        p: Some(chance.share().powi(4)),
        q: (rank != 4).then(|| chance.share()),
        replicated: "yes".into(),
    }
}

fn strip(chance: &mut Chance) -> ResponseStrip {
    let mut group = |label: &str, carries: bool, count: usize| StripGroup {
        label: label.into(),
        carries,
        measured: (0..count).map(|_| chance.bell()).collect(),
        predicted: if carries { vec![0.1, f64::NAN] } else { Vec::new() },
    };
    ResponseStrip {
        title: HOSTILE.into(),
        groups: vec![group("carriers (4)", true, 4), group("others (25)", false, 25)],
        note: "Measured responses.".into(),
    }
}

fn strategy() -> Strategy {
    Strategy {
        text: "A made-up strategy: replace the drug by one that is not pumped out.".into(),
        reference: Reference {
            text: "Nobody et al. 2099, Journal of Made-up Results 1:1".into(),
            url: "https://example.org/made-up?a=1&b=2".into(),
        },
    }
}

fn mechanism(chance: &mut Chance, index: usize) -> Mechanism {
    Mechanism {
        id: if index == 1 { HOSTILE.into() } else { format!("mechanism {index}") },
        name: format!("Made-up mechanism {index}: an escape"),
        summary: vec!["What the mechanism is, in plain words, would stand here.".into()],
        genes: vec![
            GeneSet {
                change: "higher expression".into(),
                genes: GENES[..8].iter().map(|gene| (*gene).into()).collect(),
            },
            GeneSet { change: "lost".into(), genes: GENES[8..].iter().map(|gene| (*gene).into()).collect() },
        ],
        drugs: (0..20)
            .map(|_| MechanismDrug {
                drug: chance.below(DRUGS),
                attribution: Some(chance.bell()),
                direction: chance.direction(),
                q: Some(chance.share().powi(6)),
            })
            .collect(),
        strategies: vec![strategy()],
        references: vec![
            strategy().reference,
            Reference { text: "A trap".into(), url: "javascript:alert(3)".into() },
        ],
    }
}

fn argument(chance: &mut Chance, side: f64) -> Argument {
    let gene = |chance: &mut Chance| GeneValue {
        gene: chance.pick(&GENES).into(),
        value: format!(
            "expression {:.1}, {:.1} SD above the mean",
            chance.between(4.0, 11.0),
            chance.between(0.5, 3.0)
        ),
        contribution: side * chance.between(0.05, 0.4),
    };
    Argument {
        mechanism: chance.below(MECHANISMS),
        contribution: side * chance.between(0.2, 0.9),
        genes: (0..3).map(|_| gene(chance)).collect(),
    }
}

fn sample_drug(chance: &mut Chance, works: bool) -> SampleDrug {
    let value = chance.between(-1.0, 1.0) + if works { -3.0 } else { 3.0 };
    SampleDrug {
        drug: chance.below(DRUGS),
        predicted: Estimate { value, interval: Some((value - 1.9, value + 2.1)) },
        ic50_um: Some(value.exp()),
        percentile: Some(chance.between(0.0, 0.1) + if works { 0.0 } else { 0.9 }),
        arguments_for: (0..if works { 3 } else { 1 }).map(|_| argument(chance, -1.0)).collect(),
        arguments_against: (0..if works { 1 } else { 3 }).map(|_| argument(chance, 1.0)).collect(),
        counterfactuals: vec![Counterfactual {
            condition: "ABCB1 were at the median".into(),
            predicted: value - 0.8,
        }],
        dominant: (!works).then(|| chance.below(MECHANISMS)),
        strategies: if works { vec![] } else { vec![strategy()] },
    }
}

fn sample(chance: &mut Chance, name: &str) -> Sample {
    Sample {
        name: name.into(),
        facts: vec![
            fact("tissue", "lung"),
            fact("cancer type", "non-small cell carcinoma"),
            fact("genes measured", "19 215"),
        ],
        notes: vec!["A made-up cell line. All values on this page are made up.".into()],
        works: (0..8).map(|_| sample_drug(chance, true)).collect(),
        fails: (0..8).map(|_| sample_drug(chance, false)).collect(),
    }
}

fn leaderboard(chance: &mut Chance) -> Leaderboard {
    let metric = |name: &str, better, rank, ceiling| Metric { name: name.into(), better, rank, ceiling };
    let score =
        |centre: f64| Some(Estimate { value: centre, interval: Some((centre - 0.02, centre + 0.02)) });
    let models = MODELS.iter().enumerate().map(|(index, name)| ModelScores {
        name: (*name).into(),
        family: "made up".into(),
        standing: if index < 2 { Standing::Naive } else { Standing::Model },
        scores: vec![
            if index == 0 { None } else { score(0.1 + 0.06 * index as f64 + 0.02 * chance.share()) },
            score(1.5 - 0.06 * index as f64),
            score(0.5 + 0.05 * index as f64),
        ],
        note: String::new(),
    });
    Leaderboard {
        metrics: vec![
            metric("per-drug Pearson", Better::Higher, MetricRank::Chief, Some(0.78)),
            metric("RMSE", Better::Lower, MetricRank::Chief, Some(0.71)),
            metric("R²", Better::Higher, MetricRank::Other, None),
        ],
        models: models.collect(),
        comparisons: vec!["boosted trees beat elastic net on 212 of 290 drugs (made up).".into()],
        notes: vec!["All scores are made up.".into()],
    }
}

fn density(model: &str) -> Density {
    let bins = 48;
    let count = |row: usize, column: usize| {
        let (x, y) = (column as f64 - 26.0, row as f64 - 26.0);
        (2500.0 * (-(x * x + y * y) / 180.0 - (x - y) * (x - y) / 60.0).exp()) as u32
    };
    Density {
        model: model.into(),
        bins,
        counts: (0..bins * bins).map(|cell| count(cell / bins, cell % bins)).collect(),
        low: -6.0,
        high: 8.0,
        pearson: Some(0.87),
        note: "Made up.".into(),
    }
}

fn calibration(model: &str) -> Calibration {
    let levels = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95];
    let point = |nominal: f64| Coverage {
        nominal,
        held: nominal - 0.03 * (1.0 - nominal),
        width: Some(4.0 * nominal),
    };
    Calibration { model: model.into(), points: levels.map(point).to_vec(), note: "Made up.".into() }
}

fn importance() -> Importance {
    let groups = KINDS.iter().enumerate().map(|(index, name)| {
        let value = 0.4 / (index + 1) as f64 - 0.09;
        GroupImportance {
            name: (*name).into(),
            value: Estimate { value, interval: Some((value - 0.03, value + 0.03)) },
        }
    });
    Importance {
        title: "Kinds of features".into(),
        measure: "rise of RMSE when shuffled".into(),
        groups: groups.collect(),
        note: "Made up.".into(),
    }
}

fn heat_map(chance: &mut Chance) -> HeatMap {
    let cell = |chance: &mut Chance| HeatCell {
        value: chance.bell() * chance.share(),
        q: Some(chance.share()),
        agreement: if chance.share() < 0.1 { Agreement::Differs } else { Agreement::Agrees },
    };
    let row = |chance: &mut Chance, drug| HeatRow {
        drug,
        cells: (0..MECHANISMS).map(|_| (chance.share() > 0.03).then(|| cell(chance))).collect(),
    };
    let groups = PATHWAYS.iter().enumerate().map(|(group, name)| HeatGroup {
        name: (*name).into(),
        rows: (group..DRUGS).step_by(PATHWAYS.len()).map(|drug| row(chance, drug)).collect(),
    });
    HeatMap {
        measure: "Mean attribution (made up)".into(),
        mechanisms: (0..MECHANISMS).collect(),
        groups: groups.collect(),
        note: "Rows are grouped by target pathway.".into(),
    }
}

fn notes() -> Notes {
    Notes {
        sections: vec![NoteSection {
            heading: "Data".into(),
            paragraphs: vec!["This report was made from made-up values to show what a report looks like.".into()],
        }],
        files: vec![InputFile {
            name: "responses.csv".into(),
            content: "responses, 225,384 rows".into(),
            sha256: "0123456789abcdef".repeat(4),
        }],
        settings: vec![fact("seed", "42"), fact("halfmax", "0.1.0")],
        configuration: "[split]\nkind = \"cell lines\"\nfolds = 5\n\n[model]\nname = \"</pre><script>alert(4)</script>\"\n".into(),
        glossary: glossary(),
    }
}

fn made_up() -> Report {
    let mut chance = Chance(1);
    let chance = &mut chance;
    Report {
        title: "Drug responses and what explains them".into(),
        subtitle: "An example with made-up values: nothing in it was measured".into(),
        response: "ln IC50".into(),
        summary: Summary {
            paragraphs: vec![
                "This report shows what halfmax makes of a screen of 290 drugs. All of its values are made up.".into(),
                "In a real report, a few sentences would say here how well the models predict, and what the predictions rest on.".into(),
            ],
            findings: vec![
                Finding { figure: "0.42".into(), text: "median Pearson correlation of a drug, made up".into() },
                Finding { figure: "1.21".into(), text: "RMSE in ln IC50, made up".into() },
                Finding { figure: "14 of 23".into(), text: "mechanisms push the way the catalogue expects, made up".into() },
                Finding { figure: "ABCB1".into(), text: "is the gene that most often speaks against a drug, made up".into() },
            ],
            doubts: vec!["Everything: all values are made up.".into()],
        },
        samples: ["MADE-UP-1", "MADE-UP-2", HOSTILE].map(|name| sample(chance, name)).to_vec(),
        leaderboard: Some(leaderboard(chance)),
        densities: vec![density("boosted trees"), density("elastic net")],
        calibrations: vec![calibration("boosted trees")],
        importances: vec![importance()],
        drugs: (0..DRUGS).map(|index| drug(chance, index)).collect(),
        heat_map: Some(heat_map(chance)),
        mechanisms: (0..MECHANISMS).map(|index| mechanism(chance, index)).collect(),
        notes: notes(),
    }
}

#[test]
fn a_large_report_is_below_six_megabytes() {
    let html = render(&made_up());
    if let Some(path) = std::env::var_os("HALFMAX_REPORT_OUT") {
        std::fs::write(path, &html).unwrap();
    }
    assert!(html.len() < 6_000_000, "{} bytes", html.len());
}

/// Drugs without features, a leaderboard without ceilings, no mechanisms, but references to them.
fn parts() -> Report {
    let mut report = made_up();
    report.mechanisms.clear();
    report.samples.truncate(1);
    report.summary = Summary::default();
    report.densities.clear();
    report.importances.clear();
    report.heat_map = None;
    report.drugs.truncate(3);
    for drug in &mut report.drugs {
        drug.features.clear();
        drug.performance = None;
    }
    for metric in report.leaderboard.iter_mut().flat_map(|board| &mut board.metrics) {
        metric.ceiling = None;
    }
    report
}

#[test]
fn a_report_may_have_only_some_parts() {
    let (empty, parts) = (render(&Report::default()), render(&parts()));
    assert!(empty.contains("Research use only"));
    assert!(parts.contains("not available"), "what is referred to but not there is shown as missing");
    assert!(!parts.contains("id=map") && !parts.contains("id=mechanisms") && !parts.contains("id=observed"));
    if let Some(path) = std::env::var_os("HALFMAX_REPORT_OUT").map(std::path::PathBuf::from) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        std::fs::write(path.with_file_name(format!("{stem}-empty.html")), empty).unwrap();
        std::fs::write(path.with_file_name(format!("{stem}-parts.html")), parts).unwrap();
    }
}

#[test]
fn the_same_report_makes_the_same_bytes() {
    assert_eq!(render(&made_up()), render(&made_up()));
}

#[test]
fn hostile_names_stay_text() {
    let html = render(&made_up());
    assert_eq!(html.matches("<script").count(), 1);
    assert_eq!(html.matches("</script").count(), 1);
    assert_eq!(html.matches("<style").count(), 1);
    assert_eq!(html.matches("</style").count(), 1);
    assert!(!html.contains("<img"));
    assert!(!html.contains('\u{202e}'));
    assert!(!html.contains("href=\"javascript:"));
}

#[test]
fn every_page_is_for_research_only() {
    let html = render(&made_up());
    let pages = html.matches("<section class=page").count();
    assert!(pages > DRUGS + MECHANISMS + 3);
    assert_eq!(html.matches("<p class=use>Research use only</p>").count(), pages + 1);
}

#[test]
fn numbers_that_are_none_are_not_shown() {
    let html = render(&made_up());
    let body = html.split_once("</head>").unwrap().1;
    assert!(!body.contains("NaN") && !body.contains("inf\""));
}

#[test]
fn an_empty_report_is_a_page() {
    let html = render(&Report::default());
    assert!(html.contains("<title>Drug response report</title>"));
    assert!(html.ends_with("</html>\n"));
    assert_eq!(html.matches("<section").count(), 1);
}

#[test]
fn a_report_survives_being_stored() {
    let text = serde_json::to_string(&made_up().notes).unwrap();
    assert_eq!(serde_json::from_str::<Notes>(&text).unwrap(), made_up().notes);
    assert_eq!(serde_json::from_str::<Report>("{}").unwrap(), Report::default());
}
