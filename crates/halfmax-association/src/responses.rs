//! The responses of a screen as a matrix: cell lines × drugs or combinations.

use std::collections::HashMap;

use halfmax_core::Screen;
use ndarray::{Array2, ArrayView1};

/// The responses of a screen as a matrix, cell lines × partners. A partner is a drug, or a combination of two drugs.
#[derive(Clone, Debug)]
pub struct ResponseMatrix {
    /// The positions of the cell lines in their table, ascending.
    pub cells: Vec<u32>,
    /// The positions of each partner's drugs, ascending.
    pub partners: Vec<Vec<u32>>,
    /// The number of responses that were averaged with another response to the same partner in the same cell line.
    pub averaged: usize,
    /// Cell lines × partners; NaN where nothing was measured.
    values: Array2<f64>,
    /// Cell lines × partners; 0 where nothing was measured.
    weights: Array2<f64>,
}

impl ResponseMatrix {
    /// The responses of a screen. Several responses to one partner in one cell line become one: their mean by weight, with their
    /// mean weight.
    pub fn new(screen: &Screen) -> Self {
        let responses = &screen.responses;
        let rows = (0..responses.len()).map(|row| {
            let value = f64::from(responses.values()[row]);
            (responses.side(0)[row], screen.members(row), value, f64::from(responses.weight(row)))
        });
        Self::of(rows.collect())
    }

    /// The responses of another study, as positions in the same tables: (cell line, drug, response). All weights are 1.
    pub fn of_study(responses: &[(u32, u32, f32)]) -> Self {
        Self::of(
            responses
                .iter()
                .map(|(cell, drug, value)| (*cell, vec![*drug], f64::from(*value), 1.0))
                .collect(),
        )
    }

    fn of(rows: Vec<(u32, Vec<u32>, f64, f64)>) -> Self {
        let sorted = |cells: &mut Vec<u32>| {
            cells.sort_unstable();
            cells.dedup();
        };
        let mut cells: Vec<u32> = rows.iter().map(|row| row.0).collect();
        sorted(&mut cells);
        let mut partners: Vec<Vec<u32>> = rows.iter().map(|row| row.1.clone()).collect();
        partners.sort_unstable();
        partners.dedup();
        let column: HashMap<&[u32], usize> =
            partners.iter().enumerate().map(|(at, partner)| (partner.as_slice(), at)).collect();
        let shape = (cells.len(), partners.len());
        let (mut sums, mut weights, mut counts) =
            (Array2::zeros(shape), Array2::zeros(shape), Array2::<u32>::zeros(shape));
        for (cell, partner, value, weight) in &rows {
            let (Ok(row), Some(column)) = (cells.binary_search(cell), column.get(partner.as_slice())) else {
                continue;
            };
            sums[[row, *column]] += value * weight;
            weights[[row, *column]] += weight;
            counts[[row, *column]] += 1;
        }
        let values = &sums / &weights;
        let averaged = counts.iter().filter(|count| **count > 1).map(|count| *count as usize).sum();
        weights.zip_mut_with(&counts, |weight, count| *weight /= f64::from((*count).max(1)));
        drop(column);
        Self { cells, partners, averaged, values, weights }
    }

    /// The responses to a partner, for each cell line; NaN where nothing was measured.
    pub fn values(&self, partner: usize) -> ArrayView1<'_, f64> {
        self.values.column(partner)
    }

    /// The weights of the responses to a partner, for each cell line; 0 where nothing was measured.
    pub fn weights(&self, partner: usize) -> ArrayView1<'_, f64> {
        self.weights.column(partner)
    }

    /// The rows of the cell lines in which a partner was measured.
    pub fn measured(&self, partner: usize) -> impl Iterator<Item = usize> {
        let weights = self.weights.column(partner);
        (0..self.cells.len()).filter(move |row| weights[*row] > 0.0)
    }

    /// The responses in some of the cell lines. Partners without a response there stay.
    #[must_use]
    pub fn within(&self, keep: impl Fn(u32) -> bool) -> Self {
        let rows: Vec<usize> = (0..self.cells.len()).filter(|row| keep(self.cells[*row])).collect();
        let take = |of: &Array2<f64>| of.select(ndarray::Axis(0), &rows);
        Self {
            cells: rows.iter().map(|row| self.cells[*row]).collect(),
            partners: self.partners.clone(),
            averaged: self.averaged,
            values: take(&self.values),
            weights: take(&self.weights),
        }
    }

    /// The general sensitivity of each cell line for each partner: the mean of its responses to the other partners, each in
    /// standard deviations from the partner's mean. 0 for a cell line without other responses.
    pub fn general_sensitivity(&self) -> Array2<f64> {
        let mut standard = self.values.clone();
        for mut column in standard.columns_mut() {
            let known: Vec<f64> = column.iter().copied().filter(|value| value.is_finite()).collect();
            let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
            let square: f64 = known.iter().map(|value| (value - mean).powi(2)).sum();
            let deviation = (square / known.len().max(1) as f64).sqrt();
            column.mapv_inplace(|value| if deviation > 0.0 { (value - mean) / deviation } else { f64::NAN });
        }
        for mut row in standard.rows_mut() {
            let known = row.iter().filter(|value| value.is_finite());
            let (count, sum) = known.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
            row.mapv_inplace(|own| match own.is_finite() {
                true if count > 1.0 => (sum - own) / (count - 1.0),
                false if count > 0.0 => sum / count,
                _ => 0.0,
            });
        }
        standard
    }
}
