//! The page of dose matrices, and their pictures.

mod facts;
mod panels;

use std::path::Path;

use halfmax_core::{Result, Seed};
use halfmax_data::{Matrices, OutputSet, counted};
use halfmax_dose::synergy::{BlockScores, ModelScores, MultiMatrix, SynergyModel};
use halfmax_report::{
    Card, DoseCurvePoint, DosePicture, DoseReading, Finding, Gallery, GalleryOrder, MatrixPicture, Picture,
    QualityChapter, QualityPart, QualityReport, QualityTable, TableColumn, TableValue, Tally, matrix_svg,
    panels_svg, render_quality,
};
use rayon::prelude::*;

use super::shown::{Shown, within_limit};
use super::svg::SvgFolder;
use super::thousands;
use super::words::{digits, drug_letter};
use crate::dose::synergy::ScoredBlock;
use facts::{facts_of, flags, flags_of, signed};

/// The maximum number of shown blocks.
const MOST_SHOWN: usize = 600;
/// One in this many places is for the least certain blocks.
const DOUBTFUL_OF: usize = 4;
/// The number of points at which a drug's curve is drawn.
const POINTS: usize = 33;

/// Collects the content of the page while blocks are scored part by part.
pub struct BlockPage {
    strongest: Shown<(usize, ScoredBlock)>,
    doubtful: Shown<(usize, ScoredBlock)>,
    flags: Vec<usize>,
    synergistic: usize,
    antagonistic: usize,
    certain: usize,
    /// The level of the intervals in percent.
    level: f64,
    /// The largest number of drugs in a block.
    drugs: usize,
}

/// The model whose mean orders the blocks: the first of these models with a score.
const RANKING: [SynergyModel; 4] =
    [SynergyModel::Zip, SynergyModel::Bliss, SynergyModel::Hsa, SynergyModel::Loewe];

fn ranking(scores: &BlockScores) -> Option<&ModelScores> {
    RANKING.into_iter().filter_map(|model| scores.of(model)).find(|scores| !scores.summary.mean.is_nan())
}

fn mean(scored: &ScoredBlock) -> f64 {
    ranking(&scored.scores).map_or(f64::NAN, |scores| scores.summary.mean)
}

impl BlockPage {
    /// An empty page.
    pub fn new(confidence: f64) -> Self {
        Self {
            strongest: Shown::new(MOST_SHOWN, Seed::new(1)),
            doubtful: Shown::new(MOST_SHOWN / DOUBTFUL_OF, Seed::new(1)),
            flags: vec![0; flags().len()],
            synergistic: 0,
            antagonistic: 0,
            certain: 0,
            level: 100.0 * confidence,
            drugs: 2,
        }
    }

    /// Adds a block.
    pub fn add(&mut self, scored: &ScoredBlock) {
        let at = self.strongest.offered();
        self.drugs = self.drugs.max(scored.drugs.len());
        let flags = flags_of(scored);
        flags.iter().for_each(|flag| self.flags[*flag] += 1);
        if let Some([low, high]) = ranking(&scored.scores).map(|scores| scores.summary.interval) {
            self.certain += usize::from(low.is_finite());
            self.synergistic += usize::from(low > 0.0);
            self.antagonistic += usize::from(high < 0.0);
        }
        self.strongest.offer((0, -mean(scored)), || (at, scored.clone()));
        self.doubtful.offer((0, -(flags.len() as f64)), || (at, scored.clone()));
    }

    /// The strongest blocks, the least certain blocks and a sample of the others, with the number of each.
    fn chosen(&mut self, most: usize) -> (Vec<ScoredBlock>, [usize; 3]) {
        let doubtful = if self.strongest.offered() > most { most / DOUBTFUL_OF } else { 0 };
        let (strongest, sampled) = self.strongest.chosen(most - doubtful);
        let (doubtful, _) = self.doubtful.chosen(doubtful);
        let (first, sample) = strongest.split_at(strongest.len() - sampled);
        let has = |list: &[(usize, ScoredBlock)], at: usize| list.iter().any(|(other, _)| *other == at);
        let doubtful: Vec<_> = doubtful.into_iter().filter(|(at, _)| !has(first, *at)).collect();
        let sample: Vec<_> = sample.iter().filter(|(at, _)| !has(&doubtful, *at)).cloned().collect();
        let counts = [first.len(), doubtful.len(), sample.len()];
        let all = first.iter().cloned().chain(doubtful).chain(sample);
        (all.map(|(_, scored)| scored).collect(), counts)
    }

    /// Writes the page.
    pub fn write(
        &mut self,
        (path, files): (&Path, &OutputSet),
        file: &Path,
        found: &Matrices,
        left_out: &[String],
    ) -> Result<()> {
        let html = within_limit(MOST_SHOWN.min(self.strongest.offered().max(1)), |most| {
            let (chosen, counts) = self.chosen(most);
            render_quality(&self.report(file, found, left_out, &chosen, counts))
        });
        files.write(path, |file| file.write_all(html.as_bytes()))
    }

    fn report(
        &self,
        file: &Path,
        found: &Matrices,
        left_out: &[String],
        chosen: &[ScoredBlock],
        counts: [usize; 3],
    ) -> QualityReport {
        let by = chosen.iter().find_map(|scored| ranking(&scored.scores));
        let by = by.map_or("no model", |scores| title_of(scores.model));
        let mut parts = self.overview(found, left_out, by);
        parts.extend(means_table(chosen));
        let overview = QualityChapter { title: "Overview".into(), parts };
        let which = QualityPart::Text(self.which(counts));
        let order = QualityPart::Note(format!(
            "Strongest synergy first: by the mean score of {by} over the cells with {}.",
            if self.drugs > 2 { "every drug of the block" } else { "both drugs" }
        ));
        let parts = vec![which, order, QualityPart::Gallery(gallery(chosen))];
        let blocks = QualityChapter { title: "Blocks".into(), parts };
        let name =
            file.file_name().map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into());
        QualityReport {
            title: if self.drugs > 2 { "Synergy of two and more drugs" } else { "Synergy of two drugs" }
                .into(),
            subtitle: format!("{name}: {}", counted(self.strongest.offered(), "block")),
            chapters: vec![overview, blocks],
        }
    }

    fn overview(&self, found: &Matrices, left_out: &[String], by: &str) -> Vec<QualityPart> {
        let finding = |count: usize, text: String| Finding { figure: thousands(count), text };
        let of = if self.drugs > 2 { "two or more drugs" } else { "a pair of drugs" };
        let mut figures = vec![finding(self.strongest.offered(), format!("blocks: {of} in a cell line"))];
        if self.certain > 0 {
            figures.push(finding(
                self.synergistic,
                format!("whose mean score of {by} is above 0 with {} % confidence", digits(self.level)),
            ));
            figures.push(finding(
                self.antagonistic,
                format!("whose mean score of {by} is below 0 with {} % confidence", digits(self.level)),
            ));
        }
        let mut parts = vec![QualityPart::Findings(figures), QualityPart::Heading("Flags".into())];
        let tally = flags().into_iter().zip(&self.flags).filter(|(_, count)| **count > 0);
        let tally: Vec<Tally> = tally
            .map(|((flag, meaning), count)| Tally {
                flag: flag.into(),
                meaning: meaning.into(),
                count: *count,
            })
            .collect();
        parts.push(match tally.is_empty() {
            true => QualityPart::Text("No block has a flag.".into()),
            false => QualityPart::Tally(tally),
        });
        parts.push(QualityPart::Heading("What was assumed and left out".into()));
        let readings: usize = found.blocks.iter().map(|block| block.readings.len()).sum();
        let of_many: usize = found.many.iter().map(|block| block.readings.len()).sum();
        let readings = readings + of_many;
        let mut said = vec![format!("{} were taken as {}.", counted(readings, "reading"), found.unit.name())];
        if found.dose_unit_assumed {
            said.push("No unit was given for the doses: µM was assumed.".into());
        }
        if found.incomplete > 0 {
            said.push(format!("{} without a reading, left out.", counted(found.incomplete, "row")));
        }
        said.extend(found.notes.iter().cloned());
        said.extend(left_out.iter().map(|why| format!("Not scored: {why}")));
        said.push(
            "Scores are percentage points of inhibition: above 0 is synergy, below 0 antagonism.".into(),
        );
        said.push(format!(
            "Each interval by itself holds {} %. Intervals come from replicates; without replicates there are none.",
            digits(self.level)
        ));
        parts.push(QualityPart::List(said));
        parts
    }

    fn which(&self, [strongest, doubtful, sampled]: [usize; 3]) -> String {
        let (all, shown) = (self.strongest.offered(), strongest + doubtful + sampled);
        match shown < all {
            true => format!(
                "The page shows {} of {} blocks: the {} with the strongest synergy, then {} of the others with the most flags, \
                 then a random sample of {} of the rest. The output file has all of them.",
                thousands(shown),
                thousands(all),
                thousands(strongest),
                thousands(doubtful),
                thousands(sampled)
            ),
            false => format!("All {} are shown.", counted(all, "block")),
        }
    }
}

/// The usual spelling of a model's name.
fn title_of(model: SynergyModel) -> &'static str {
    match model.name() {
        "hsa" => "HSA",
        "bliss" => "Bliss",
        "loewe" => "Loewe",
        "zip" => "ZIP",
        other => other,
    }
}

fn names(scored: &ScoredBlock) -> String {
    let drugs = scored.drugs.join(" + ");
    match &scored.cell_line {
        Some(cell) => format!("{drugs} · {cell}"),
        None => drugs,
    }
}

/// A sortable table of the mean scores of the shown blocks.
fn means_table(chosen: &[ScoredBlock]) -> Option<QualityPart> {
    let models: Vec<SynergyModel> = chosen.first()?.scores.models.iter().map(|scores| scores.model).collect();
    let drugs = chosen.iter().map(|scored| scored.drugs.len()).max()?;
    let text = |words: String| TableColumn::Words(words);
    let mut columns = vec![text("block".into())];
    columns.extend((0..drugs).map(|drug| text(format!("drug {}", drug_letter(drug)))));
    columns.push(text("cell line".into()));
    columns.extend(models.iter().map(|model| TableColumn::Numbers(format!("mean {}", title_of(*model)))));
    let row = |scored: &ScoredBlock| {
        let words = |text: &str| TableValue::Words(text.into());
        let mut row = vec![words(&scored.id)];
        row.extend(
            (0..drugs).map(|drug| scored.drugs.get(drug).map_or(TableValue::Missing, |drug| words(drug))),
        );
        row.push(scored.cell_line.as_deref().map_or(TableValue::Missing, words));
        let mean = |model: &SynergyModel| match scored.scores.of(*model) {
            Some(scores) if !scores.summary.mean.is_nan() => TableValue::Number(scores.summary.mean),
            _ => TableValue::Missing,
        };
        row.extend(models.iter().map(mean));
        row
    };
    Some(QualityPart::Table(QualityTable {
        caption: "Mean scores of the blocks shown, in percentage points".into(),
        noun: "blocks".into(),
        columns,
        rows: chosen.iter().map(row).collect(),
    }))
}

fn gallery(chosen: &[ScoredBlock]) -> Gallery {
    let order = |name: &str, key: &dyn Fn(&ScoredBlock) -> f64| {
        let mut cards: Vec<usize> = (0..chosen.len()).collect();
        let key = |at: &usize| {
            let value = key(&chosen[*at]);
            if value.is_nan() { f64::INFINITY } else { value }
        };
        cards.sort_by(|a, b| key(a).total_cmp(&key(b)));
        GalleryOrder { name: name.into(), cards }
    };
    let mut by_name: Vec<usize> = (0..chosen.len()).collect();
    by_name.sort_by_cached_key(|at| names(&chosen[*at]).to_lowercase());
    Gallery {
        noun: "blocks".into(),
        order: "as described above".into(),
        orders: vec![
            order("strongest synergy first", &|scored| -mean(scored)),
            order("strongest antagonism first", &mean),
            order("least certain (most flags) first", &|scored| -(flags_of(scored).len() as f64)),
            GalleryOrder { name: "by name".into(), cards: by_name },
        ],
        cards: chosen.iter().map(card).collect(),
    }
}

fn card(scored: &ScoredBlock) -> Card {
    Card {
        title: names(scored),
        subtitle: match scored.drugs.len() {
            2 => format!("block {}", scored.id),
            more => format!("block {}, {more} drugs", scored.id),
        },
        flags: flags_of(scored).into_iter().map(|flag| flags()[flag].0.into()).collect(),
        picture: picture(scored),
        measures: facts_of(scored),
    }
}

fn picture(scored: &ScoredBlock) -> Picture {
    let alone: Vec<DosePicture> = (0..scored.drugs.len()).map(|drug| alone(scored, drug)).collect();
    match scored.drugs.len() {
        2 => Picture::Matrix(MatrixPicture {
            alone,
            ..panels::matrix(scored, (0..scored.matrix.len()).collect())
        }),
        _ => Picture::Panels(panels::picture(scored, alone)),
    }
}

/// The unit that gives a drug's doses few digits, and the factor from µM.
fn unit_of(matrix: &MultiMatrix, drug: usize) -> (&'static str, f64) {
    match matrix.doses(drug).last() {
        Some(highest) if *highest < 0.1 => ("nM", 1_000.0),
        _ => ("µM", 1.0),
    }
}

/// The single-drug panel: the readings as inhibitions, shifted by the baseline correction of their mean, and the curve.
fn alone(scored: &ScoredBlock, drug: usize) -> DosePicture {
    let ScoredBlock { drugs, matrix, scores, .. } = scored;
    let mut places = vec![0; drugs.len()];
    let cells: Vec<usize> = (0..matrix.doses(drug).len())
        .filter_map(|place| {
            places[drug] = place;
            matrix.cell(&places)
        })
        .collect();
    let (unit, factor) = unit_of(matrix, drug);
    let readings = cells.into_iter().flat_map(|cell| {
        let own = matrix.readings(cell);
        let moved = scores.response[cell] - own.iter().sum::<f64>() / own.len() as f64;
        let dose = factor * matrix.dose(cell, drug);
        own.iter().map(move |reading| DoseReading { dose, value: reading + moved, left_out: false })
    });
    let doses: Vec<f64> = matrix.doses(drug).iter().copied().filter(|dose| *dose > 0.0).collect();
    let curve = scores.alone[drug].as_ref().map_or_else(Vec::new, |curve| {
        let [low, high] = [doses.first(), doses.last()].map(|dose| dose.map_or(0.0, |dose| dose.ln()));
        let point = |at: usize| {
            let dose = (low + (high - low) * at as f64 / (POINTS - 1) as f64).exp();
            let value = 100.0 * (1.0 - curve.at(dose));
            DoseCurvePoint { dose: factor * dose, value, lower: f64::NAN, upper: f64::NAN }
        };
        (0..POINTS).map(point).collect()
    });
    DosePicture {
        description: format!("{} alone: inhibition at {}", drugs[drug], counted(doses.len(), "dose")),
        x_name: format!("{} alone, {unit}", drugs[drug]),
        y_name: "inhibition, %".into(),
        y_range: [-20.0, 120.0],
        readings: readings.collect(),
        curve,
        mark: None,
        plateaus: [f64::NAN; 2],
    }
}

/// Writes a picture of each block into a folder.
pub fn write_svgs(folder: &mut SvgFolder, blocks: &[ScoredBlock]) -> Result<()> {
    let place = |scored: &ScoredBlock| {
        let mut names: Vec<&str> = scored.drugs.iter().map(String::as_str).collect();
        names.extend([scored.cell_line.as_deref().unwrap_or_default(), &scored.id]);
        folder.place(&names)
    };
    let places: Vec<_> = blocks.iter().map(place).collect();
    blocks.par_iter().zip(&places).try_for_each(|(scored, path)| {
        let means = scored.scores.models.iter().map(|scores| match scores.summary.mean.is_nan() {
            true => format!("{} none", title_of(scores.model)),
            false => format!("{} {}", title_of(scores.model), signed(scores.summary.mean)),
        });
        let flags = flags_of(scored).into_iter().map(|flag| flags()[flag].0.to_owned());
        let said: Vec<String> = means.chain(flags).collect();
        let (title, note) = (names(scored), said.join(" · "));
        match picture(scored) {
            Picture::Matrix(picture) => SvgFolder::write(path, &matrix_svg(&title, &note, &picture)),
            Picture::Panels(picture) => SvgFolder::write(path, &panels_svg(&title, &note, &picture)),
            Picture::Dose(_) | Picture::Plate(_) => Ok(()),
        }
    })
}
