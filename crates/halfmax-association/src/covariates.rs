//! What the linear model adjusts for.

use std::sync::Arc;

use halfmax_core::Category;
use ndarray::Array2;

use crate::features::TISSUE;

/// What the linear model adjusts for: categories, numbers, and general sensitivity.
#[derive(Clone, Debug, Default)]
pub struct Covariates {
    parts: Vec<Covariate>,
    general: Option<Arc<Array2<f64>>>,
}

/// One covariate, with a value for each cell line.
#[derive(Clone, Debug)]
struct Covariate {
    name: String,
    values: CovariateValues,
}

#[derive(Clone, Debug)]
enum CovariateValues {
    /// The level of each cell line, and the names of the levels. Cell lines without a level share one more.
    Levels(Vec<usize>, Vec<String>),
    Numbers(Vec<f64>),
}

/// Covariates in the form of the linear model: an offset for each stratum, and further columns.
pub(crate) struct Terms {
    /// The stratum of each cell line.
    pub strata: Vec<usize>,
    /// Further columns, each with a value for each cell line.
    pub columns: Vec<Vec<f64>>,
    /// General sensitivity, cell lines × partners.
    pub general: Option<Arc<Array2<f64>>>,
}

impl Covariates {
    /// No covariates: the model has an intercept.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a category, by the cell lines' positions in it. Cell lines without a level count as one more level.
    #[must_use]
    pub fn with_category(mut self, name: &str, category: &Category, cells: &[u32]) -> Self {
        let unknown = category.levels.len();
        let levels =
            cells.iter().map(|cell| category.codes[*cell as usize].map_or(unknown, usize::from)).collect();
        self.parts.push(Covariate {
            name: name.to_owned(),
            values: CovariateValues::Levels(levels, category.levels.clone()),
        });
        self
    }

    /// Adds a number, with a value for each cell line. Cell lines without a value (NaN) get the mean, and a column of their own marks
    /// them.
    #[must_use]
    pub fn with_number(mut self, name: &str, values: Vec<f64>) -> Self {
        self.parts.push(Covariate { name: name.to_owned(), values: CovariateValues::Numbers(values) });
        self
    }

    /// Adds [general sensitivity](crate::ResponseMatrix::general_sensitivity): cell lines × partners.
    #[must_use]
    pub fn with_general_sensitivity(mut self, general: Array2<f64>) -> Self {
        self.general = Some(Arc::new(general));
        self
    }

    /// The covariates without the one of this name.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut rest = self.clone();
        rest.parts.retain(|part| part.name != name);
        rest
    }

    /// Whether a covariate has this name.
    pub fn has(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.name == name)
    }

    /// The names of the covariates.
    pub fn names(&self) -> Vec<&str> {
        let general = self.general.is_some().then_some("general sensitivity");
        self.parts.iter().map(|part| part.name.as_str()).chain(general).collect()
    }

    /// The names of a category's levels; empty for other covariates.
    pub fn levels(&self, name: &str) -> &[String] {
        let own = self.parts.iter().find(|part| part.name == name);
        match own.map(|part| &part.values) {
            Some(CovariateValues::Levels(_, names)) => names,
            _ => &[],
        }
    }

    /// The levels of tissues, if tissue is a covariate.
    pub(crate) fn tissues(&self) -> Option<&[usize]> {
        self.parts.iter().find_map(|part| match &part.values {
            CovariateValues::Levels(levels, _) if part.name == TISSUE => Some(levels.as_slice()),
            _ => None,
        })
    }

    /// The terms of the linear model. The category with the most levels becomes the strata.
    pub(crate) fn terms(&self, cells: usize) -> Terms {
        let size = |levels: &[usize]| {
            let mut known = levels.to_vec();
            known.sort_unstable();
            known.dedup();
            known.len()
        };
        let widest = self
            .parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| match &part.values {
                CovariateValues::Levels(levels, _) => Some((size(levels), std::cmp::Reverse(at))),
                CovariateValues::Numbers(_) => None,
            })
            .max()
            .map(|(_, at)| at.0);
        let mut terms = Terms { strata: vec![0; cells], columns: Vec::new(), general: self.general.clone() };
        for (at, part) in self.parts.iter().enumerate() {
            match &part.values {
                CovariateValues::Levels(levels, _) if Some(at) == widest => terms.strata.clone_from(levels),
                CovariateValues::Levels(levels, _) => {
                    let last = levels.iter().copied().max().unwrap_or(0);
                    terms.columns.extend(
                        (0..=last).map(|level| {
                            levels.iter().map(|own| f64::from(u8::from(*own == level))).collect()
                        }),
                    );
                }
                CovariateValues::Numbers(values) => {
                    let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
                    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
                    let or_mean = |value: &f64| if value.is_finite() { *value } else { mean };
                    terms.columns.push(values.iter().map(or_mean).collect());
                    if known.len() < values.len() {
                        let missing = values.iter().map(|value| f64::from(u8::from(!value.is_finite())));
                        terms.columns.push(missing.collect());
                    }
                }
            }
        }
        terms
    }
}
