//! Bootstrap intervals of metrics, over entities.

use halfmax_core::{Result, Seed, check};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::draw::{Draw, DrugPart, Pooled};
use crate::metric::{COUNT, Intervals, METRICS, Metrics};
use crate::metrics::{Scored, Stored};
use crate::moments::Moments;

/// What a bootstrap draws with replacement: the entities that make up the test sets of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// Cell lines, each with all its test responses.
    Cells,
    /// Drugs (or combinations), each with all its test responses.
    Drugs,
}

/// The metrics of one draw of the bootstrap, in the order of [`METRICS`].
pub(crate) type DrawnMetrics = [Option<f64>; COUNT];

/// Bootstrap draws of the metrics.
pub(crate) struct Bootstrap {
    /// Number of entities in each draw.
    pub(crate) entities: usize,
    pub(crate) draws: Vec<DrawnMetrics>,
}

impl Scored {
    /// 95 % intervals of the metrics: percentiles over bootstrap draws (Efron & Tibshirani 1993, chapter 13). Each draw
    /// takes as many entities as there are, with replacement. With many entities, the percentiles are 2.5 and 97.5. With
    /// few, they lie as far out as Student's t requires (Hesterberg 2015, "expanded percentile").
    ///
    /// Responses of one cell line share its biology, and those of one drug its mechanism. Therefore entities are drawn,
    /// not single responses. Models are not fitted again.
    ///
    /// A draw repeats cell lines and so has fewer different ones. A drug's variance around a mean estimated in the draw
    /// would be too small: by a tenth for a drug with ten responses. Three quantities are therefore taken from the whole
    /// test set: the ranks (Spearman), the drugs' means (within-drug R²; each response counts by the jackknife), and the
    /// choice of drugs with enough cell lines for the per-drug Pearson. The draws of the per-drug Pearson are shifted so
    /// that their mean is the estimate. There is no interval for a single entity, nor for a metric that is undefined in
    /// more than half of the draws. The result depends on the seed, not on the number of threads.
    ///
    /// # Errors
    /// If there are fewer than 10 draws, or more than 1,000,000.
    pub fn intervals(&self, resample: Resample, draws: usize, seed: Seed) -> Result<Intervals> {
        Ok(self.bootstrap(resample, draws, seed)?.intervals(&self.metrics()))
    }

    /// The metrics of every draw. For two models with the same test responses and seed, draws with the same number take
    /// the same entities.
    pub(crate) fn bootstrap(&self, resample: Resample, draws: usize, seed: Seed) -> Result<Bootstrap> {
        check::within("bootstrap_draws", draws, 10..=1_000_000)?;
        if self.rows.is_empty() {
            return Ok(Bootstrap { entities: 0, draws: vec![[None; COUNT]; draws] });
        }
        Ok(match resample {
            Resample::Cells => Bootstrap { entities: self.cells, draws: self.over_cells(draws, seed) },
            Resample::Drugs => Bootstrap { entities: self.drugs.len(), draws: self.over_drugs(draws, seed) },
        })
    }

    /// Sums over all responses are kept per cell line, so that a draw visits the rows only for the drugs' sums.
    fn over_cells(&self, draws: usize, seed: Seed) -> Vec<DrawnMetrics> {
        let mut parts = vec![Pooled::default(); self.cells];
        for row in &self.rows {
            let part = &mut parts[row.cell as usize];
            *part = part.plus(&self.row(row));
        }
        let whole: Vec<Moments> = self.drugs.iter().map(|drug| self.moments(drug)).collect();
        each_draw(draws, |at| {
            let times = multiplicities(self.cells, seed.derive(at));
            let drugs = self.drugs.iter().zip(&whole).map(|(drug, whole)| {
                let rows = &self.rows[drug.rows.clone()];
                let add = |sum: Moments, row: &Stored| sum.plus(times[row.cell as usize], row.within(drug));
                let moments = rows.iter().fold(Moments::default(), add);
                let spread = whole.spread_of_observed_in(&moments);
                DrugPart { times: 1.0, counted: drug.counted, moments, spread }
            });
            let areas = self.areas(|row| times[self.rows[row].cell as usize]);
            values(weighted(&parts, &times).draw(drugs, areas))
        })
    }

    fn over_drugs(&self, draws: usize, seed: Seed) -> Vec<DrawnMetrics> {
        let part = |rows: &[Stored]| rows.iter().fold(Pooled::default(), |sum, row| sum.plus(&self.row(row)));
        let parts: Vec<Pooled> = self.drugs.iter().map(|drug| part(&self.rows[drug.rows.clone()])).collect();
        let whole: Vec<DrugPart> = self.drugs.iter().map(|drug| self.part(drug)).collect();
        each_draw(draws, |at| {
            let times = multiplicities(self.drugs.len(), seed.derive(at));
            let drugs = whole.iter().zip(&times).map(|(drug, times)| DrugPart { times: *times, ..*drug });
            let drug_of_row = self.positive.as_ref().map_or(&[][..], |positive| &positive.drug_of_row);
            let areas = self.areas(|row| times[drug_of_row[row] as usize]);
            values(weighted(&parts, &times).draw(drugs, areas))
        })
    }
}

fn values(draw: Option<Draw>) -> DrawnMetrics {
    draw.map_or([None; COUNT], |draw| draw.metrics())
}

fn each_draw(draws: usize, one: impl Fn(u64) -> DrawnMetrics + Sync + Send) -> Vec<DrawnMetrics> {
    (0..draws as u64).into_par_iter().map(one).collect()
}

/// How often each of `entities` occurs in a draw of the same size with replacement.
fn multiplicities(entities: usize, seed: Seed) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed.value());
    let mut times = vec![0.0; entities];
    for _ in 0..entities {
        times[random.random_range(0..entities as u32) as usize] += 1.0;
    }
    times
}

fn weighted(parts: &[Pooled], times: &[f64]) -> Pooled {
    parts.iter().zip(times).fold(Pooled::default(), |sum, (part, times)| sum.plus_times(*times, part))
}

impl Bootstrap {
    /// The 95 % intervals. For metrics whose draws are biased, the draws are shifted to the estimates.
    pub(crate) fn intervals(&self, estimates: &Metrics) -> Intervals {
        let mut intervals = Intervals::default();
        for (at, metric) in METRICS.iter().enumerate() {
            let ends = self.interval(at);
            intervals.values[at] = match metric.shifted_within() {
                None => ends,
                Some([least, most]) => estimates.values[at].zip(ends).map(|(estimate, ends)| {
                    let values: Vec<f64> = self.values(at).collect();
                    let shift = estimate - values.iter().sum::<f64>() / values.len() as f64;
                    ends.map(|end| (end + shift).clamp(least, most))
                }),
            };
        }
        intervals
    }

    fn values(&self, metric: usize) -> impl Iterator<Item = f64> {
        self.draws.iter().filter_map(move |one| one[metric])
    }

    fn interval(&self, metric: usize) -> Option<[f64; 2]> {
        let mut values: Vec<f64> = self.values(metric).collect();
        values.sort_by(f64::total_cmp);
        percentiles(&values, self.entities).filter(|_| 2 * values.len() >= self.draws.len())
    }
}

/// The ends of a 95 % interval from the ascending values of draws of this many entities, interpolated between neighbours.
/// `None` for no values and for a single entity.
pub(crate) fn percentiles(values: &[f64], entities: usize) -> Option<[f64; 2]> {
    let below = share_below(entities).filter(|_| !values.is_empty())?;
    let at = |share: f64| {
        let place = share * (values.len() - 1) as f64;
        let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
        low + (high - low) * place.fract()
    };
    Some([at(below), at(1.0 - below)])
}

/// The share of draws below a 95 % interval: Φ(−√(n / (n − 1)) · t). t is the 97.5 % quantile of Student's t with n − 1
/// degrees of freedom (Hesterberg 2015, section 5.3).
fn share_below(entities: usize) -> Option<f64> {
    let freedom = entities.checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.975);
    let z = t * (entities as f64 / freedom).sqrt();
    Some(0.5 * libm::erfc(z / std::f64::consts::SQRT_2))
}
