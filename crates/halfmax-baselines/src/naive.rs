//! Naive predictors: means and additive effects, without features.

use std::collections::BTreeMap;
use std::fmt;

use halfmax_core::{Category, Error, FitContext, Model, Result, TrainView, listed};
use serde::{Deserialize, Serialize};

use crate::effects::{Rows, additive_effects, mean_deviations};
use crate::fitted::{FittedNaive, Term, Tissues};

/// The naive predictors. Each is a [`Model`] without parameters or features.
///
/// Side 0 is the cell line, every further side a drug. Means are weighted by the responses' weights. Sides that share a table
/// (the two drugs of a pair) share their effects. With several drug sides, the predictions below add the deviations of all
/// drugs from the global mean. A new entity has no deviation. With a new cell line, [`Naive::Effects`] is therefore close to
/// [`Naive::DrugMean`]; with a new drug, [`Naive::DrugMean`] equals [`Naive::GlobalMean`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naive {
    /// The mean of all training responses.
    GlobalMean,
    /// The mean of the drug.
    DrugMean,
    /// The mean of the cell line.
    CellMean,
    /// Global mean + effect of the cell line + effect of the drug: the additive model, by least squares.
    Effects,
    /// The mean of the drug in cell lines of the same tissue (the grouping "tissue" of the cell lines). It shrinks
    /// towards the mean of the drug as if the tissue had five more responses at that mean. The mean of a rare tissue is
    /// mostly noise, and a baseline should be hard to beat. If the tissue is missing, or was not in training with the
    /// drug, the prediction is the mean of the drug.
    TissueDrugMean,
    /// The mean of the combination of drugs, in any order. For a combination that was not in training, as
    /// [`Naive::DrugMean`]. For single drugs, the mean of the drug.
    CombinationMean,
}

impl Naive {
    /// All naive predictors, from the simplest to the richest.
    pub const ALL: [Self; 6] = [
        Self::GlobalMean,
        Self::DrugMean,
        Self::CellMean,
        Self::Effects,
        Self::TissueDrugMean,
        Self::CombinationMean,
    ];

    /// The name of the family, as in a configuration: "drug_mean".
    pub const fn name(self) -> &'static str {
        match self {
            Self::GlobalMean => "global_mean",
            Self::DrugMean => "drug_mean",
            Self::CellMean => "cell_mean",
            Self::Effects => "effects",
            Self::TissueDrugMean => "tissue_drug_mean",
            Self::CombinationMean => "combination_mean",
        }
    }

    /// The predictor with this family name, if there is one.
    ///
    /// ```
    /// use halfmax_baselines::Naive;
    /// assert_eq!(Naive::from_name("effects"), Some(Naive::Effects));
    /// assert_eq!(Naive::from_name("boost"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|naive| naive.name() == name)
    }
}

impl fmt::Display for Naive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Model for Naive {
    type Fitted = FittedNaive;

    /// # Errors
    /// If the view has no responses, if a least-squares fit does not converge, if [`Naive::TissueDrugMean`] has no
    /// grouping "tissue" of the cell lines, or if the user stopped the fit.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedNaive> {
        context.progress.check()?;
        if train.rows.is_empty() {
            return Err(Error::data(format!(
                "{self} needs responses to fit, but the training data have none"
            )));
        }
        let sides = train.screen.sides.len();
        let rows = Rows::of(train);
        let mut fitted = FittedNaive {
            naive: *self,
            mean: rows.mean(),
            sides,
            terms: Vec::new(),
            tissues: None,
            combinations: BTreeMap::new(),
        };
        let places: Vec<Vec<usize>> = match self {
            Self::GlobalMean => Vec::new(),
            Self::CellMean => vec![vec![0]],
            Self::DrugMean | Self::TissueDrugMean | Self::CombinationMean => sides_by_table(train, 1),
            Self::Effects => sides_by_table(train, 0),
        };
        let effects = match self {
            Self::Effects => additive_effects(train, &rows, &places, fitted.mean, context)?,
            _ => places.iter().map(|place| mean_deviations(train, &rows, place, fitted.mean)).collect(),
        };
        if *self == Self::TissueDrugMean {
            fitted.tissues = Some(tissue_deviations(train, &rows, &places, &effects, fitted.mean)?);
        }
        if *self == Self::CombinationMean {
            fitted.combinations = combination_deviations(train, &rows, fitted.mean);
        }
        let terms = places.into_iter().zip(effects);
        fitted.terms = terms
            .map(|(sides, effects)| {
                let ids = train.screen.table(sides[0]).ids().to_vec();
                Term::new(sides, ids, effects)
            })
            .collect::<Result<_>>()?;
        Ok(fitted)
    }

    fn memory(&self, train: &TrainView, _: &FitContext) -> Result<usize> {
        let drugs = train.screen.table(1).len();
        let tissues = match self {
            Self::TissueDrugMean => train.screen.table(0).group("tissue").map_or(0, |own| own.levels.len()),
            _ => 0,
        };
        let responses = match self {
            // The residual of each response, its weight, and its position among the responses of its cell line and drugs.
            Self::Effects => 16 + 4 * train.screen.sides.len(),
            _ => 0,
        };
        Ok(responses * train.rows.len() + 24 * tissues * drugs)
    }
}

/// The mean deviation of every combination of the drug sides' entities, by their positions.
fn combination_deviations(train: &TrainView, rows: &Rows, mean: f64) -> BTreeMap<Vec<u32>, f64> {
    let mut sums: BTreeMap<Vec<u32>, (f64, f64)> = BTreeMap::new();
    for (row, value, weight) in rows.iter() {
        let sum = sums.entry(train.screen.members(row)).or_default();
        *sum = (sum.0 + weight * (value - mean), sum.1 + weight);
    }
    sums.into_iter().map(|(members, (sum, weight))| (members, sum / weight)).collect()
}

/// The sides starting at `first`, grouped by their table.
fn sides_by_table(train: &TrainView, first: usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (side, place) in train.screen.sides.iter().enumerate().skip(first) {
        match groups.iter_mut().find(|group| train.screen.sides[group[0]].table == place.table) {
            Some(group) => group.push(side),
            None => groups.push(vec![side]),
        }
    }
    groups
}

/// Number of additional responses at the drug's mean that every tissue gets.
const PRIOR_RESPONSES: f64 = 5.0;

/// For each term, the deviation of tissue × drug from the global mean, tissue-major, shrunken towards the drug's own deviation.
fn tissue_deviations(
    train: &TrainView,
    rows: &Rows,
    places: &[Vec<usize>],
    effects: &[Vec<f64>],
    mean: f64,
) -> Result<Tissues> {
    let cells = train.screen.table(0);
    let Some(Category { levels, codes }) = cells.group("tissue") else {
        return Err(Error::data(format!(
            "{} needs the tissue of the {}s",
            Naive::TissueDrugMean,
            cells.entity_kind()
        ))
        .with_help("add a file with the tissue of each cell line, or remove this model"));
    };
    if codes.iter().flatten().any(|code| usize::from(*code) >= levels.len()) {
        return Err(Error::data(format!(
            "a tissue of the {}s is not among {}",
            cells.entity_kind(),
            listed(levels, 5)
        )));
    }
    let cell_of = train.screen.responses.side(0);
    let tables = places
        .iter()
        .zip(effects)
        .map(|(place, effects)| {
            let drugs = effects.len();
            let mut sums = vec![(0.0, 0.0); levels.len() * drugs];
            for (row, value, weight) in rows.iter() {
                let Some(tissue) = codes[cell_of[row] as usize] else { continue };
                for side in place {
                    let drug = train.screen.responses.side(*side)[row] as usize;
                    let sum = &mut sums[usize::from(tissue) * drugs + drug];
                    sum.0 += weight * (value - mean);
                    sum.1 += weight;
                }
            }
            let shrunken = |(at, (sum, weight)): (usize, (f64, f64))| {
                (sum + PRIOR_RESPONSES * effects[at % drugs]) / (weight + PRIOR_RESPONSES)
            };
            sums.into_iter().enumerate().map(shrunken).collect()
        })
        .collect();
    Ok(Tissues { levels: levels.clone(), deviations: tables })
}
