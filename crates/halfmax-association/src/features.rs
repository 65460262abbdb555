//! The features of cell lines that are tested, one row each.

use std::collections::BTreeMap;
use std::ops::Range;

use halfmax_core::{Category, EntityTable, Error, FeatureBlock, FeatureValues, Result};
use ndarray::{Array2, ArrayView1};

/// Features × cell lines.
#[derive(Clone, Debug)]
pub struct FeatureMatrix {
    features: Vec<TestedFeature>,
    categories: Vec<TestedCategory>,
    /// Features × cell lines; NaN where missing.
    values: Array2<f32>,
}

/// A feature that is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestedFeature {
    /// The kind of its block: "expression", "events".
    pub kind: String,
    /// Its name within the block. A level of a category is `NAME = LEVEL`, or the level alone if the category has the name of its
    /// kind ("lung" of kind "tissue").
    pub name: String,
    /// The form of its values.
    pub form: Form,
}

/// The form of a feature's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Real numbers. Effects are per standard deviation over the cell lines.
    Real,
    /// 0 or 1. Effects are those of the carriers (1) compared with the others.
    Binary,
    /// A level of a category. Effects are those of the cell lines of this level compared with all others.
    Level,
}

impl Form {
    /// Whether some cell lines carry the feature and the others do not.
    pub const fn has_carriers(self) -> bool {
        matches!(self, Self::Binary | Self::Level)
    }
}

/// A category, which is tested as a whole and level by level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestedCategory {
    /// The kind of its block.
    pub kind: String,
    /// Its name within the block.
    pub name: String,
    /// The rows of its levels.
    pub levels: Range<usize>,
}

impl FeatureMatrix {
    /// The features of some cell lines (positions in the table), without the blocks of the kinds in `leave_out`. A grouping
    /// "tissue" without a block of features is a category of its own.
    pub fn new(table: &EntityTable, cells: &[u32], leave_out: &[String]) -> Self {
        let mut matrix =
            Self { features: Vec::new(), categories: Vec::new(), values: Array2::zeros((0, cells.len())) };
        let wanted = |kind: &str| !leave_out.iter().any(|other| other == kind);
        let blocks: Vec<&FeatureBlock> = table.blocks().iter().filter(|block| wanted(&block.kind)).collect();
        let tissue = table.group(TISSUE).filter(|_| wanted(TISSUE) && table.block(TISSUE).is_none());
        let rows_of = |block: &FeatureBlock| match &block.values {
            FeatureValues::Real(_) | FeatureValues::Binary(_) => block.len(),
            FeatureValues::Category(categories) => categories.iter().map(|own| own.levels.len()).sum(),
        };
        let rows: usize = blocks.iter().map(|block| rows_of(block)).sum::<usize>()
            + tissue.map_or(0, |tissue| tissue.levels.len());
        matrix.values = Array2::from_elem((rows, cells.len()), f32::NAN);
        let mut next = 0;
        for block in blocks {
            match &block.values {
                FeatureValues::Real(values) => {
                    for (column, name) in block.names.iter().enumerate() {
                        matrix.push(next, &block.kind, name.clone(), Form::Real, |at| {
                            let value = values[[cells[at] as usize, column]];
                            if value.is_finite() { value } else { f32::NAN }
                        });
                        next += 1;
                    }
                }
                FeatureValues::Binary(bits) => {
                    for (column, name) in block.names.iter().enumerate() {
                        matrix.push(next, &block.kind, name.clone(), Form::Binary, |at| {
                            bits.get(cells[at] as usize, column)
                                .map_or(f32::NAN, |set| f32::from(u8::from(set)))
                        });
                        next += 1;
                    }
                }
                FeatureValues::Category(categories) => {
                    for (category, name) in categories.iter().zip(&block.names) {
                        next = matrix.push_category(next, (&block.kind, name), category, cells);
                    }
                }
            }
        }
        if let Some(tissue) = tissue {
            matrix.push_category(next, (TISSUE, TISSUE), tissue, cells);
        }
        matrix
    }

    fn push(&mut self, row: usize, kind: &str, name: String, form: Form, value: impl Fn(usize) -> f32) {
        self.features.push(TestedFeature { kind: kind.to_owned(), name, form });
        self.values.row_mut(row).iter_mut().enumerate().for_each(|(at, place)| *place = value(at));
    }

    fn push_category(
        &mut self,
        first: usize,
        (kind, name): (&str, &str),
        category: &Category,
        cells: &[u32],
    ) -> usize {
        for (level, text) in category.levels.iter().enumerate() {
            let label = if name == kind { text.clone() } else { format!("{name} = {text}") };
            self.push(first + level, kind, label, Form::Level, |at| {
                let code = category.codes[cells[at] as usize];
                code.map_or(f32::NAN, |code| f32::from(u8::from(usize::from(code) == level)))
            });
        }
        let levels = first..first + category.levels.len();
        let end = levels.end;
        self.categories.push(TestedCategory { kind: kind.to_owned(), name: name.to_owned(), levels });
        end
    }

    /// Adds scores of cell lines, such as those of gene sets: a name, and a value for each cell line.
    ///
    /// # Errors
    /// If a score does not have a value for each cell line.
    pub fn with_scores(mut self, kind: &str, scores: &[(String, Vec<f32>)]) -> Result<Self> {
        for (name, values) in scores {
            self.values.push_row(ArrayView1::from(values)).map_err(|_| {
                Error::data(format!(
                    "the score {name:?} has {} values for {} cell lines",
                    values.len(),
                    self.values.ncols()
                ))
            })?;
            self.features.push(TestedFeature { kind: kind.to_owned(), name: name.clone(), form: Form::Real });
        }
        Ok(self)
    }

    /// The features, one for each row.
    pub fn features(&self) -> &[TestedFeature] {
        &self.features
    }

    /// The categories.
    pub fn categories(&self) -> &[TestedCategory] {
        &self.categories
    }

    /// The values of a feature; NaN where missing.
    pub fn values(&self, feature: usize) -> ArrayView1<'_, f32> {
        self.values.row(feature)
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Whether there are no features.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// Number of cell lines.
    pub fn cells(&self) -> usize {
        self.values.ncols()
    }

    /// The name under which a feature can be a covariate: that of its category for a level, else its own.
    pub(crate) fn covariate_name(&self, row: usize) -> &str {
        let category = self.categories.iter().find(|category| category.levels.contains(&row));
        category.map_or(&self.features[row].name, |category| &category.name)
    }

    /// The correlation of two features over the cell lines that have both; 0 if one does not vary there.
    pub fn correlation(&self, a: usize, b: usize) -> f64 {
        let (a, b) = (self.values.row(a), self.values.row(b));
        let both = a.iter().zip(b).filter(|(a, b)| a.is_finite() && b.is_finite());
        let mut sums = [0.0f64; 6];
        for (a, b) in both {
            let (a, b) = (f64::from(*a), f64::from(*b));
            [1.0, a, b, a * a, b * b, a * b].iter().zip(&mut sums).for_each(|(value, sum)| *sum += value);
        }
        let [n, a, b, aa, bb, ab] = sums;
        let norm = ((n * aa - a * a) * (n * bb - b * b)).sqrt();
        if norm > 0.0 { (n * ab - a * b) / norm } else { 0.0 }
    }

    /// The row of a feature.
    pub fn position(&self, kind: &str, name: &str) -> Option<usize> {
        self.features.iter().position(|feature| feature.kind == kind && feature.name == name)
    }

    /// The rows with values in the same cell lines, for some of the features: the cell lines with a value, and the features.
    pub(crate) fn patterns(&self, rows: &[usize]) -> Vec<(Vec<usize>, Vec<usize>)> {
        let mut found: BTreeMap<Vec<u64>, Vec<usize>> = BTreeMap::new();
        for row in rows {
            let mut present = vec![0u64; self.cells().div_ceil(64)];
            for (at, value) in self.values.row(*row).iter().enumerate() {
                present[at / 64] |= u64::from(!value.is_nan()) << (at % 64);
            }
            found.entry(present).or_default().push(*row);
        }
        let cells =
            |bits: Vec<u64>| (0..self.cells()).filter(|at| bits[at / 64] >> (at % 64) & 1 == 1).collect();
        found.into_iter().map(|(bits, rows)| (cells(bits), rows)).collect()
    }
}

/// The kind and the grouping of tissues.
pub(crate) const TISSUE: &str = "tissue";
