//! The inputs of a tower.

use std::collections::BTreeMap;

use halfmax_core::{Encoder, EntityTable, FeatureSpace, Result};
use ndarray::{Array2, s};
use rayon::prelude::*;

/// The numbers of one side's entities: their encoded features, and flags of missing features.
///
/// Features that are missing for the same training entities (for example a whole block) share one flag. Its value is the
/// share of these features that is missing, minus the training mean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inputs {
    pub(crate) encoder: Encoder,
    /// For each flag, the encoder's numbers that it covers.
    pub(crate) flagged: Vec<Vec<u32>>,
    /// The training mean of each flag.
    pub(crate) flag_means: Vec<f32>,
}

impl Inputs {
    /// The inputs of some training entities of a table, entities × width.
    ///
    /// # Errors
    /// If a feature is infinite.
    pub(crate) fn fit(
        space: FeatureSpace,
        table: &EntityTable,
        entities: &[u32],
    ) -> Result<(Self, Array2<f32>)> {
        let (encoder, raw) = Encoder::fit(space, table, entities)?;
        let mut patterns: BTreeMap<Vec<u32>, Vec<u32>> = BTreeMap::new();
        for (at, column) in raw.columns().into_iter().enumerate() {
            let missing: Vec<u32> =
                (0..entities.len()).filter(|row| column[*row].is_nan()).map(|row| row as u32).collect();
            if !missing.is_empty() {
                patterns.entry(missing).or_default().push(at as u32);
            }
        }
        let mut flagged: Vec<Vec<u32>> = patterns.into_values().collect();
        flagged.sort_unstable();
        let mut inputs = Self { encoder, flag_means: vec![0.0; flagged.len()], flagged };
        let flags = inputs.flags(&raw);
        inputs.flag_means =
            flags.columns().into_iter().map(|flag| flag.sum() / entities.len().max(1) as f32).collect();
        Ok((inputs.clone(), inputs.assembled(raw)))
    }

    /// How many numbers describe an entity.
    pub(crate) fn width(&self) -> usize {
        self.encoder.width() + self.flagged.len()
    }

    /// The numbers of some entities of a table, entities × width.
    ///
    /// # Errors
    /// If the table lacks most of the features, or a value is infinite.
    pub(crate) fn of(&self, table: &EntityTable, entities: &[u32]) -> Result<Array2<f32>> {
        Ok(self.assembled(self.encoder.raw(table, entities)?))
    }

    fn assembled(&self, raw: Array2<f32>) -> Array2<f32> {
        if self.flagged.is_empty() {
            return self.encoder.scaled(raw);
        }
        let flags = self.flags(&raw);
        let plain = self.encoder.width();
        let mut all = Array2::zeros((raw.nrows(), self.width()));
        all.slice_mut(s![.., ..plain]).assign(&self.encoder.scaled(raw));
        for (at, mean) in self.flag_means.iter().enumerate() {
            all.column_mut(plain + at).assign(&flags.column(at).mapv(|flag| flag - mean));
        }
        all
    }

    /// The share of each flag's numbers that is missing, entities × flags.
    fn flags(&self, raw: &Array2<f32>) -> Array2<f32> {
        let mut flags = Array2::zeros((raw.nrows(), self.flagged.len()));
        flags.outer_iter_mut().into_par_iter().enumerate().for_each(|(row, mut flags)| {
            for (flag, numbers) in flags.iter_mut().zip(&self.flagged) {
                let missing = numbers.iter().filter(|at| raw[[row, **at as usize]].is_nan()).count();
                *flag = missing as f32 / numbers.len() as f32;
            }
        });
        flags
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use halfmax_core::{FeatureBlock, FeatureValues};
    use ndarray::array;

    use super::*;

    #[test]
    fn what_is_missing_together_shares_a_flag() {
        const NONE: f32 = f32::NAN;
        let values = array![[1.0, 0.0, NONE], [3.0, NONE, NONE], [5.0, 4.0, 2.0], [NONE, 2.0, 2.0]];
        let block = FeatureBlock::new("expression", ["A", "B", "C"], FeatureValues::real(values)).unwrap();
        let bits = halfmax_core::BitColumns::from_fn(4, 1, |row, _| (row > 1).then_some(row == 3));
        let block2 = FeatureBlock::new("events", ["x"], FeatureValues::Binary(bits)).unwrap();
        let table = EntityTable::new(["a", "b", "c", "d"], "cell line").unwrap();
        let table = table.with_block(block).unwrap().with_block(block2).unwrap();
        let (inputs, found) = Inputs::fit(FeatureSpace::whole(&table), &table, &[0, 1, 2, 3]).unwrap();
        // A; B; C and x, which are missing for the first two.
        assert_eq!(inputs.flagged, [vec![0], vec![1], vec![2, 3]]);
        assert_eq!(found.ncols(), inputs.width());
        assert_eq!(found.row(0).to_vec()[3..], [0.0, -0.25, -0.25, 0.5]);
        assert_eq!(found.row(3).to_vec()[3..], [0.5, 0.75, -0.25, -0.5]);
        assert_eq!(found, inputs.of(&table, &[0, 1, 2, 3]).unwrap());
    }
}
