//! The page of fitted curves, and their pictures.

mod cards;
mod flags;

use std::collections::BTreeMap;
use std::path::Path;

use halfmax_core::{Result, Seed};
use halfmax_data::{CurveKey, OutputSet, ReadingFacts, counted};
use halfmax_dose::{CurveFit, CurveFitter, CurveReadings, Flag, Position};
use halfmax_report::{
    Card, Finding, Gallery, HistogramPicture, QualityChapter, QualityPart, QualityReport, Tally, curve_svg,
    render_quality,
};
use rayon::prelude::*;

use super::learnt::{LearntFrom, learnt_facts};
use super::shown::{Shown, within_limit};
use super::svg::SvgFolder;
use super::words::{capital, digits};
use super::{fact, thousands};
use cards::{Drawn, POINTS, gallery, ic50, picture, title};
use flags::{CONCERNS, concern, meaning, words};

/// The maximum number of shown curves.
const MOST_SHOWN: usize = 1_500;
/// The number of bins per decade in the histogram of IC50.
const BINS: f64 = 4.0;

/// A candidate curve with a copy of its readings, so that the readings of the file need not be kept.
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

/// Pictures of plates.
#[derive(Default)]
pub struct PlateCards {
    /// The candidate plates, failing plates first.
    pub cards: Vec<Card>,
    /// The number of plates.
    pub all: usize,
}

impl PlateCards {
    /// The maximum number of shown plates.
    pub const MOST: usize = 60;
}

/// Collects the content of the page while curves are fitted part by part.
pub struct CurvePage {
    shown: Shown<OwnCurve>,
    within: usize,
    flagged: usize,
    flags: [usize; Flag::ALL.len()],
    /// Counts of IC50 by the bin of its decimal logarithm.
    ic50: BTreeMap<i32, usize>,
    plates: PlateCards,
}

impl CurvePage {
    /// A page without curves, with pictures of the plates if wells have positions, failing plates first.
    pub fn new(plates: PlateCards) -> Self {
        Self {
            shown: Shown::new(MOST_SHOWN, Seed::new(1)),
            within: 0,
            flagged: 0,
            flags: [0; Flag::ALL.len()],
            ic50: BTreeMap::new(),
            plates,
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
        (path, files): (&Path, &OutputSet),
        file: &Path,
        readings: &ReadingFacts,
        fitter: &CurveFitter,
    ) -> Result<()> {
        let (all, _) = self.shown.chosen(MOST_SHOWN);
        let html = within_limit(all.len(), |most| {
            let (chosen, sampled) = self.shown.chosen(most);
            let drawn: Vec<Drawn> = chosen.par_iter().map(|own| Drawn::of(own, fitter)).collect();
            render_quality(&self.report(file, readings, fitter, &drawn, sampled))
        });
        files.write(path, |file| file.write_all(html.as_bytes()))
    }

    fn report(
        &self,
        file: &Path,
        readings: &ReadingFacts,
        fitter: &CurveFitter,
        drawn: &[Drawn],
        sampled: usize,
    ) -> QualityReport {
        let overview = QualityChapter { title: "Overview".into(), parts: self.overview(readings, fitter) };
        let mut parts = vec![QualityPart::Text(self.which(drawn.len(), sampled))];
        parts.push(QualityPart::Note(format!(
            "Worst fit first: {}; of these, those with the larger residual standard error first.",
            CONCERNS.join("; then ")
        )));
        parts.push(QualityPart::Gallery(gallery(drawn)));
        let curves = QualityChapter { title: "Curves".into(), parts };
        let plates = QualityChapter { title: "Plates".into(), parts: plates(&self.plates, drawn.len()) };
        let name =
            file.file_name().map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into());
        QualityReport {
            title: "Dose–response curves".into(),
            subtitle: format!("{name}: {}", counted(self.shown.offered(), "curve")),
            chapters: vec![overview, curves, plates],
        }
    }

    fn overview(&self, readings: &ReadingFacts, fitter: &CurveFitter) -> Vec<QualityPart> {
        let learnt = &fitter.learnt();
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
        let facts = learnt_facts(LearntFrom::Curves, learnt);
        let facts: Vec<_> = facts.iter().map(|(name, value)| fact(&capital(name), value)).collect();
        if !facts.is_empty() {
            parts.push(QualityPart::Heading("Learnt from all curves".into()));
            parts.push(QualityPart::Facts(facts));
            parts.push(QualityPart::Note(
                "Curves with uninformative readings are drawn towards these values.".into(),
            ));
        }
        parts.push(QualityPart::Heading("What was assumed and left out".into()));
        parts.push(QualityPart::List(assumed(readings, fitter.params().confidence)));
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

    /// A note on the shown curves.
    fn which(&self, drawn: usize, sampled: usize) -> String {
        let all = self.shown.offered();
        match drawn < all {
            true => format!(
                "The page shows {} of {} curves: the {} worst fits, and a random sample of {} of the others, after them. The output \
                 file has all of them.",
                thousands(drawn),
                thousands(all),
                thousands(drawn - sampled),
                thousands(sampled)
            ),
            false => format!("All {} are shown.", counted(all, "curve")),
        }
    }
}

/// The maximum number of shown plates per hundred shown curves.
const PLATES_PER_HUNDRED: usize = 4;
const FEWEST_PLATES: usize = 12;

/// The plates, failing plates first, up to the maximum. Pages with fewer curves show fewer plates, so that they become smaller.
fn plates(plates: &PlateCards, curves: usize) -> Vec<QualityPart> {
    let most = (curves * PLATES_PER_HUNDRED / 100).max(FEWEST_PLATES);
    if plates.cards.is_empty() {
        return Vec::new();
    }
    let shown: Vec<Card> = plates.cards.iter().take(most).cloned().collect();
    let all = counted(plates.all, "plate");
    let which = match shown.len() < plates.all {
        true => format!("The page shows {} of {all}, those that fail first.", shown.len()),
        false => format!("All {all} are shown, those that fail first."),
    };
    let gallery = Gallery {
        noun: "plates".into(),
        order: "those that fail first".into(),
        orders: Vec::new(),
        cards: shown,
    };
    vec![QualityPart::Text(which), QualityPart::Gallery(gallery)]
}

/// The order with the worst fits first.
fn rank(fit: &CurveFit) -> (u8, f64) {
    let error = fit.residual_standard_error;
    (concern(fit.flags), if error.is_finite() { -error } else { f64::INFINITY })
}

fn assumed(readings: &ReadingFacts, confidence: f64) -> Vec<String> {
    let mut said =
        vec![format!("{} were taken as {}.", counted(readings.readings, "reading"), readings.unit.name())];
    if readings.dose_unit_assumed {
        said.push("No unit was given for the doses: µM was assumed.".into());
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
    said.push("The IC50 is the dose at which the curve is at half of the control (absolute). The EC50 is the dose half way \
        between its plateaus.".into());
    said.push("The plateau is the level at high doses; the tested doses may not reach it.".into());
    said.push(format!(
        "Each interval by itself holds {} %. The band is for the curve at each dose, not for a single reading.",
        digits(100.0 * confidence)
    ));
    said
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

#[cfg(test)]
mod tests {
    use halfmax_report::{Picture, PlatePicture};

    use super::*;

    #[test]
    fn of_many_plates_the_first_are_shown() {
        let card = |at: usize| Card {
            title: format!("plate {at}"),
            subtitle: String::new(),
            flags: Vec::new(),
            picture: Picture::Plate(PlatePicture::default()),
            measures: Vec::new(),
        };
        let of = PlateCards { cards: (0..PlateCards::MOST).map(card).collect(), all: 100 };
        let shown = |curves: usize| match plates(&of, curves).as_slice() {
            [QualityPart::Text(which), QualityPart::Gallery(gallery)] => (which.clone(), gallery.cards.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown(1_500), ("The page shows 60 of 100 plates, those that fail first.".into(), 60));
        assert_eq!(shown(3).1, 12);
        assert!(plates(&PlateCards::default(), 10).is_empty());
    }
}
