use halfmax_core::{Error, Result, Seed};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::metrics::{Intervals, Scored};
use crate::moments::{Moments, Pooled};

/// What a bootstrap draws with replacement: the entities that the test sets of a split are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// Cell lines, each with all its test responses.
    Cells,
    /// Drugs (or combinations), each with all its test responses.
    Drugs,
}

/// The metrics of one bootstrap replicate, in the order of [`crate::Metrics`].
pub(crate) type Replicate = [Option<f64>; 7];

impl Scored {
    /// 95 % intervals of the metrics: the 2.5th and 97.5th percentile over bootstrap replicates (Efron &
    /// Tibshirani 1993, chapter 13), each of which draws as many entities as there are, with replacement.
    ///
    /// Responses of one cell line share its biology, and those of one drug its mechanism, so entities are
    /// drawn and not single responses. Models are not fitted again. Ranks (Spearman) and the choice of drugs
    /// that have enough cell lines for the per-drug Pearson are those of the whole test set. Of a metric that
    /// fewer than half of the replicates define there is no interval. The result depends on the seed, not on
    /// the number of threads.
    ///
    /// # Errors
    /// If there are fewer than 10 replicates, or more than 1,000,000.
    pub fn intervals(&self, resample: Resample, replicates: usize, seed: Seed) -> Result<Intervals> {
        Ok(intervals(&self.replicates(resample, replicates, seed)?))
    }

    /// The metrics of every replicate. Of two models with the same test responses and seed, replicates of one number
    /// draw the same entities.
    pub(crate) fn replicates(
        &self,
        resample: Resample,
        replicates: usize,
        seed: Seed,
    ) -> Result<Vec<Replicate>> {
        if !(10..=1_000_000).contains(&replicates) {
            return Err(Error::parameter("replicates", replicates, "a number from 10 to 1000000"));
        }
        if self.rows.is_empty() {
            return Ok(vec![[None; 7]; replicates]);
        }
        Ok(match resample {
            Resample::Cells => self.over_cells(replicates, seed),
            Resample::Drugs => self.over_drugs(replicates, seed),
        })
    }

    /// Sums over all responses are kept per cell line, so that a replicate runs over the rows for the drugs'
    /// sums only.
    fn over_cells(&self, replicates: usize, seed: Seed) -> Vec<Replicate> {
        let mut parts = vec![Pooled::default(); self.cells];
        for row in &self.rows {
            let part = &mut parts[row.cell as usize];
            *part = part.plus(row);
        }
        replicate(replicates, |at| {
            let times = multiplicities(self.cells, seed.derive(at));
            let drugs = self.drugs.iter().map(|drug| {
                let rows = &self.rows[drug.rows.clone()];
                let add =
                    |sum: Moments, row: &crate::metrics::Row| sum.plus(times[row.cell as usize], row.within);
                (1.0, drug.counted, rows.iter().fold(Moments::default(), add))
            });
            let summary = weighted(&parts, &times).summary(drugs);
            summary.map_or([None; 7], |summary| summary.values)
        })
    }

    fn over_drugs(&self, replicates: usize, seed: Seed) -> Vec<Replicate> {
        let part =
            |rows: &[crate::metrics::Row]| rows.iter().fold(Pooled::default(), |sum, row| sum.plus(row));
        let parts: Vec<Pooled> = self.drugs.iter().map(|drug| part(&self.rows[drug.rows.clone()])).collect();
        let moments: Vec<Moments> = self.drugs.iter().map(|drug| self.moments(drug)).collect();
        replicate(replicates, |at| {
            let times = multiplicities(self.drugs.len(), seed.derive(at));
            let drugs = self.drugs.iter().zip(&moments).zip(&times);
            let drugs = drugs.map(|((drug, moments), times)| (*times, drug.counted, *moments));
            let summary = weighted(&parts, &times).summary(drugs);
            summary.map_or([None; 7], |summary| summary.values)
        })
    }
}

fn replicate(replicates: usize, one: impl Fn(u64) -> Replicate + Sync + Send) -> Vec<Replicate> {
    (0..replicates as u64).into_par_iter().map(one).collect()
}

/// How often each of `entities` is drawn when as many are drawn with replacement.
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

pub(crate) fn intervals(drawn: &[Replicate]) -> Intervals {
    let interval = |metric: usize| {
        let mut values: Vec<f64> = drawn.iter().filter_map(|one| one[metric]).collect();
        values.sort_by(f64::total_cmp);
        percentiles(&values).filter(|_| 2 * values.len() >= drawn.len())
    };
    Intervals {
        rmse: interval(0),
        mae: interval(1),
        r2: interval(2),
        pearson: interval(3),
        spearman: interval(4),
        per_drug_pearson: interval(5),
        r2_within_drug: interval(6),
    }
}

/// The 2.5th and 97.5th percentile of ascending values, interpolated between neighbours; `None` of none.
pub(crate) fn percentiles(values: &[f64]) -> Option<[f64; 2]> {
    if values.is_empty() {
        return None;
    }
    let at = |share: f64| {
        let place = share * (values.len() - 1) as f64;
        let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
        low + (high - low) * place.fract()
    };
    Some([at(0.025), at(0.975)])
}
