//! The page of fitted curves, and their pictures.

mod flags;

use std::collections::BTreeMap;
use std::path::Path;

use halfmax_core::{Result, Seed};
use halfmax_data::{CurveKey, Readings, counted, write_atomically};
use halfmax_dose::{CurveFit, CurveFitter, CurvePicture, CurveReadings, Flag, Learnt, Position};
use halfmax_report::{
    Card, DoseCurvePoint, DoseMark, DosePicture, DoseReading, Finding, Gallery, GalleryOrder,
    HistogramPicture, Measure, Picture, QualityChapter, QualityPart, QualityReport, Tally, curve_svg,
    render_quality,
};
use rayon::prelude::*;

use super::shown::{Shown, within_limit};
use super::svg::SvgFolder;
use super::words::{decimals, digits, interval};
use super::{fact, thousands};
use flags::{CONCERNS, concern, meaning, words};

/// At most so many curves are shown.
const MOST_SHOWN: usize = 1_500;
/// Points of a curve that are drawn.
const POINTS: usize = 33;
/// Bins of the histogram of IC50 a decade.
const BINS: f64 = 4.0;

/// A curve that may be shown, with readings of its own, so that those of the file need not be kept.
#[derive(Clone)]
struct OwnCurve {
    key: CurveKey,
    dose_um: Vec<f64>,
    viability: Vec<f64>,
    batch: Option<Vec<u32>>,
}

impl OwnCurve {
    fn readings(&self) -> CurveReadings<'_> {
        CurveReadings {
            dose_um: &self.dose_um,
            viability: &self.viability,
            batch: self.batch.as_deref(),
            divisions: None,
        }
    }
}

/// Gathers what the page shows while curves are fitted part by part.
pub struct CurvePage {
    shown: Shown<OwnCurve>,
    within: usize,
    flagged: usize,
    flags: [usize; Flag::ALL.len()],
    /// Counts of IC50 by the bin of its decimal logarithm.
    ic50: BTreeMap<i32, usize>,
}

impl CurvePage {
    /// A page that has seen no curve.
    pub fn new() -> Self {
        Self {
            shown: Shown::new(MOST_SHOWN, Seed::new(1)),
            within: 0,
            flagged: 0,
            flags: [0; Flag::ALL.len()],
            ic50: BTreeMap::new(),
        }
    }

    /// Adds curves and their fits.
    pub fn add(&mut self, keys: &[CurveKey], curves: &[CurveReadings<'_>], fits: &[CurveFit]) {
        for ((key, curve), fit) in keys.iter().zip(curves).zip(fits) {
            for (at, flag) in Flag::ALL.into_iter().enumerate() {
                self.flags[at] += usize::from(fit.flags.contains(flag));
            }
            self.flagged += usize::from(!fit.flags.is_empty());
            if fit.ic50_position == Position::Within {
                self.within += 1;
                *self.ic50.entry((fit.ic50.value.log10() * BINS).floor() as i32).or_default() += 1;
            }
            self.shown.offer(rank(fit), || OwnCurve {
                key: key.clone(),
                dose_um: curve.dose_um.to_vec(),
                viability: curve.viability.to_vec(),
                batch: curve.batch.map(<[u32]>::to_vec),
            });
        }
    }

    /// Writes the page.
    pub fn write(
        &mut self,
        path: &Path,
        file: &Path,
        readings: &Readings,
        fitter: &CurveFitter,
    ) -> Result<()> {
        let (all, _) = self.shown.chosen(MOST_SHOWN);
        let html = within_limit(all.len(), |most| {
            let (chosen, sampled) = self.shown.chosen(most);
            let drawn: Vec<Drawn> = chosen.par_iter().map(|own| Drawn::of(own, fitter)).collect();
            render_quality(&self.report(file, readings, fitter, &drawn, sampled))
        });
        write_atomically(path, |file| file.write_all(html.as_bytes()))
    }

    fn report(
        &self,
        file: &Path,
        readings: &Readings,
        fitter: &CurveFitter,
        drawn: &[Drawn],
        sampled: usize,
    ) -> QualityReport {
        let overview =
            QualityChapter { title: "Overview".into(), parts: self.overview(readings, &fitter.learnt()) };
        let mut parts = vec![QualityPart::Text(self.which(drawn.len(), sampled))];
        parts.push(QualityPart::Note(format!(
            "Worst fit first: {}; of these, those with the larger residual standard error first.",
            CONCERNS.join("; then ")
        )));
        parts.push(QualityPart::Gallery(gallery(drawn)));
        let curves = QualityChapter { title: "Curves".into(), parts };
        let name =
            file.file_name().map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into());
        QualityReport {
            title: "Dose–response curves".into(),
            subtitle: format!("{name}: {}", counted(self.shown.offered(), "curve")),
            chapters: vec![overview, curves],
        }
    }

    fn overview(&self, readings: &Readings, learnt: &Learnt) -> Vec<QualityPart> {
        let finding = |count: usize, text: &str| Finding { figure: thousands(count), text: text.into() };
        let curves = self.shown.offered();
        let mut parts = vec![QualityPart::Findings(vec![
            finding(curves, "curves"),
            finding(self.within, "with an IC50 within the tested doses"),
            finding(curves - self.flagged, "without any flag"),
        ])];
        parts.extend(self.histogram().map(QualityPart::Histogram));
        parts.push(QualityPart::Heading("Flags".into()));
        let tally = Flag::ALL.into_iter().zip(self.flags).filter(|(_, count)| *count > 0);
        let mut tally: Vec<Tally> = tally
            .map(|(flag, count)| Tally { flag: words(flag), meaning: meaning(flag).into(), count })
            .collect();
        tally.sort_by_key(|tally| std::cmp::Reverse(tally.count));
        parts.push(match tally.is_empty() {
            true => QualityPart::Text("No curve has a flag.".into()),
            false => QualityPart::Tally(tally),
        });
        let facts = learnt_facts(learnt);
        if !facts.is_empty() {
            parts.push(QualityPart::Heading("Learnt from all curves".into()));
            parts.push(QualityPart::Facts(facts));
            parts.push(QualityPart::Note(
                "Curves whose own readings say little of these are drawn towards them.".into(),
            ));
        }
        parts.push(QualityPart::Heading("What was assumed and left out".into()));
        parts.push(QualityPart::List(assumed(readings)));
        parts
    }

    /// IC50 within the tested doses, on a scale of whole decades.
    fn histogram(&self) -> Option<HistogramPicture> {
        let (first, last) = (*self.ic50.keys().next()?, *self.ic50.keys().next_back()?);
        let (low, high) = (f64::from(first).div_euclid(BINS), (f64::from(last) + 1.0) / BINS);
        let (low, high) = (low.floor(), high.ceil());
        let bins = ((high - low) * BINS) as i32;
        let start = (low * BINS) as i32;
        Some(HistogramPicture {
            title: format!("log10 IC50 in µM of {} within the tested doses", counted(self.within, "curve")),
            low,
            high,
            counts: (start..start + bins).map(|bin| self.ic50.get(&bin).copied().unwrap_or(0)).collect(),
        })
    }

    /// Which curves are shown.
    fn which(&self, drawn: usize, sampled: usize) -> String {
        let all = self.shown.offered();
        match drawn < all {
            true => format!(
                "Shown are {} of {} curves: the {} worst fits, and a random sample of {} of the others, after them. The file that \
                 the command wrote has all of them.",
                thousands(drawn),
                thousands(all),
                thousands(drawn - sampled),
                thousands(sampled)
            ),
            false => format!("All {} are shown.", counted(all, "curve")),
        }
    }
}

/// The worst first.
fn rank(fit: &CurveFit) -> (u8, f64) {
    let error = fit.residual_standard_error;
    (concern(fit.flags), if error.is_finite() { -error } else { f64::INFINITY })
}

fn learnt_facts(learnt: &Learnt) -> Vec<halfmax_report::Fact> {
    let mut facts = Vec::new();
    if let Some([mean, spread]) = learnt.ln_hill {
        let value = format!("{}, within a factor of {}", digits(mean.exp()), digits(spread.exp()));
        facts.push(fact("Hill slopes", &value));
    }
    if let Some([mean, spread]) = learnt.top {
        facts.push(fact("Tops", &format!("{} ± {}", decimals(mean), decimals(spread))));
    }
    if let Some(spread) = learnt.batches {
        facts.push(fact("Batches differ by", &format!("{:.0} %", 100.0 * spread)));
    }
    if let Some([variance, _]) = learnt.variance {
        facts.push(fact("A reading errs by", &format!("{} of the control", digits(variance.sqrt()))));
    }
    facts
}

fn assumed(readings: &Readings) -> Vec<String> {
    let mut said = vec![format!(
        "{} were taken as {}.",
        counted(readings.dose_um.len(), "reading"),
        readings.unit.name()
    )];
    if readings.dose_unit_assumed {
        said.push("Nothing says what unit the doses are in: they were taken as µM.".into());
    }
    for (count, what) in [
        (readings.controls, "dose 0 (controls), left out of the fits"),
        (readings.incomplete, "a missing cell line, drug, experiment, dose or reading, left out"),
    ] {
        if count > 0 {
            said.push(format!("{} with {what}.", counted(count, "row")));
        }
    }
    said.extend(readings.notes.iter().cloned());
    said.push("The IC50 is where the curve is at half of the control (absolute), the EC50 half way between its plateaus.".into());
    said.push("The plateau is that at high doses, which the tested doses need not reach.".into());
    said.push("Intervals hold 95 %, each by itself; the band is that of the curve at each dose, not of a single reading.".into());
    said
}

/// A curve with its picture.
struct Drawn {
    key: CurveKey,
    found: CurvePicture,
}

impl Drawn {
    fn of(own: &OwnCurve, fitter: &CurveFitter) -> Self {
        Self { key: own.key.clone(), found: fitter.picture(&own.readings(), POINTS) }
    }

    fn card(&self) -> Card {
        let fit = &self.found.fit;
        let flags = Flag::ALL.into_iter().filter(|flag| fit.flags.contains(*flag)).map(words);
        Card {
            title: title(&self.key),
            subtitle: self.key.experiment.clone(),
            flags: flags.collect(),
            picture: Picture::Dose(picture(&self.key, &self.found)),
            measures: measures(fit),
        }
    }
}

fn title(key: &CurveKey) -> String {
    format!("{} · {}", key.cell_line, key.drug)
}

fn gallery(drawn: &[Drawn]) -> Gallery {
    let number = |name: &str, of: &dyn Fn(&CurveFit) -> f64| {
        let mut cards: Vec<usize> = (0..drawn.len()).collect();
        let key = |at: &usize| {
            let value = of(&drawn[*at].found.fit);
            if value.is_nan() { f64::INFINITY } else { value }
        };
        cards.sort_by(|a, b| key(a).total_cmp(&key(b)));
        GalleryOrder { name: name.into(), cards }
    };
    let names = |name: &str, of: &dyn Fn(&CurveKey) -> [String; 3]| {
        let mut cards: Vec<usize> = (0..drawn.len()).collect();
        cards.sort_by_cached_key(|at| of(&drawn[*at].key).map(|text| text.to_lowercase()));
        GalleryOrder { name: name.into(), cards }
    };
    let within =
        |fit: &CurveFit| if fit.ic50_position == Position::Within { fit.ic50.value } else { f64::NAN };
    Gallery {
        noun: "curves".into(),
        order: "worst fit first".into(),
        orders: vec![
            names("by cell line, then drug", &|key| {
                [key.cell_line.clone(), key.drug.clone(), key.experiment.clone()]
            }),
            names("by drug, then cell line", &|key| {
                [key.drug.clone(), key.cell_line.clone(), key.experiment.clone()]
            }),
            number("lowest IC50 first", &within),
            number("lowest AUC first", &|fit| fit.auc.value),
            number("lowest R² first", &|fit| fit.r2),
            number("largest residual error first", &|fit| -fit.residual_standard_error),
        ],
        cards: drawn.iter().map(Drawn::card).collect(),
    }
}

fn picture(key: &CurveKey, found: &CurvePicture) -> DosePicture {
    let fit = &found.fit;
    let [low, high] = fit.dose_range.map(digits);
    let curve = found.band.iter().map(|point| DoseCurvePoint {
        dose: point.dose_um,
        value: point.viability,
        lower: point.lower,
        upper: point.upper,
    });
    let reading = |one: &halfmax_dose::DrawnReading| DoseReading {
        dose: one.dose_um,
        value: one.viability,
        left_out: one.left_out,
    };
    let mark = (fit.ic50_position == Position::Within).then_some(DoseMark {
        level: 0.5,
        dose: fit.ic50.value,
        interval: [fit.ic50.lower, fit.ic50.upper],
    });
    // A constant has no EC50, and no plateaus either.
    let is_curve = fit.ec50.is_known();
    DosePicture {
        description: format!(
            "{}: viability at {} from {low} to {high} µM",
            title(key),
            counted(fit.doses, "dose")
        ),
        x_name: "dose, µM".into(),
        y_name: "viability".into(),
        y_range: [0.0, 1.3],
        readings: found.readings.iter().map(reading).collect(),
        curve: curve.collect(),
        mark,
        plateaus: if is_curve { [fit.top.value, fit.bottom.value] } else { [f64::NAN; 2] },
    }
}

/// What was fitted, in words.
fn curve_in_words(name: &str) -> String {
    match name {
        "none" => "none fitted".into(),
        "three_parameter" => "3 parameters, the top fixed".into(),
        "four_parameter" => "4 parameters".into(),
        other => other.replace('_', " "),
    }
}

/// The IC50 in words and its interval.
fn ic50(fit: &CurveFit) -> [String; 2] {
    let [low, high] = fit.dose_range.map(digits);
    let extrapolated = match fit.ic50.value.is_finite() {
        true => format!("extrapolated: {} µM", digits(fit.ic50.value)),
        false => String::new(),
    };
    match fit.ic50_position {
        Position::Within => {
            [format!("{} µM", digits(fit.ic50.value)), interval([fit.ic50.lower, fit.ic50.upper], digits)]
        }
        Position::Below => [format!("below {low} µM"), extrapolated],
        Position::Above => [format!("above {high} µM"), extrapolated],
        Position::Nowhere => ["none".into(), String::new()],
    }
}

fn measures(fit: &CurveFit) -> Vec<Measure> {
    let [value, ends] = ic50(fit);
    let mut measures = vec![Measure { name: "IC50".into(), value, interval: ends }];
    let mut add = |name: &str, estimate: halfmax_dose::Estimate| {
        if estimate.is_known() {
            let ends = interval([estimate.lower, estimate.upper], decimals);
            measures.push(Measure { name: name.into(), value: decimals(estimate.value), interval: ends });
        }
    };
    if fit.ec50.is_known() {
        add("Plateau", fit.bottom);
        add("Hill slope", fit.hill);
    }
    add("AUC", fit.auc);
    let mut plain = |name: &str, value: String, more: String| {
        measures.push(Measure { name: name.into(), value, interval: more });
    };
    if fit.r2.is_finite() {
        plain("R²", decimals(fit.r2), format!("residual error {}", digits(fit.residual_standard_error)));
    }
    let left = if fit.outliers > 0 { format!("{} left out", fit.outliers) } else { String::new() };
    plain("Readings", format!("{} at {}", fit.readings, counted(fit.doses, "dose")), left);
    plain("Curve", curve_in_words(fit.model.name()), String::new());
    measures
}

/// Writes a picture of each curve into a folder.
pub fn write_svgs(
    folder: &mut SvgFolder,
    keys: &[CurveKey],
    curves: &[CurveReadings<'_>],
    fitter: &CurveFitter,
) -> Result<()> {
    let place = |key: &CurveKey| folder.place(&[&key.cell_line, &key.drug, &key.experiment]);
    let places: Vec<_> = keys.iter().map(place).collect();
    let all: Vec<usize> = (0..keys.len()).collect();
    all.par_iter().try_for_each(|at| {
        let found = fitter.picture(&curves[*at], POINTS);
        let set = Flag::ALL.into_iter().filter(|flag| found.fit.flags.contains(*flag));
        let [value, ends] = ic50(&found.fit);
        let ends = if ends.is_empty() { ends } else { format!(" ({ends})") };
        let said: Vec<String> =
            std::iter::once(format!("IC50 {value}{ends}")).chain(set.map(words)).collect();
        let svg = curve_svg(&title(&keys[*at]), &said.join(" · "), &picture(&keys[*at], &found));
        SvgFolder::write(&places[*at], &svg)
    })
}
