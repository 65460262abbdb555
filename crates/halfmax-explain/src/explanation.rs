//! Explains the predictions of a model for every drug: contributions of features and of mechanisms.

use halfmax_core::{
    Attributor, Domain, EntityTable, FeatureSpace, FittedModel, Progress, Query, Result, Screen, Seed, Tuples,
};
use ndarray::{Array2, Axis};
use rayon::prelude::*;

use crate::association::{Measured, self_contained};
use crate::confounders::{ConfounderR2, Confounders};
use crate::evidence::{Evidence, effect};
use crate::features::attributor;
use crate::matched::{Bins, random_sets};
use crate::sets::FeatureSet;
use crate::values::Values;

/// The settings of an explanation.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The number of random sets to compare each mechanism with, and of permutations of entities.
    pub permutations: usize,
    /// The seed of both.
    pub seed: Seed,
}

/// A model, with the cell lines and partners (drugs, or combinations of two) of the predictions to explain.
pub struct Question<'a> {
    /// The model.
    pub model: &'a dyn FittedModel,
    /// Its training data.
    pub screen: &'a Screen,
    /// The tables of the sides.
    pub tables: Vec<&'a EntityTable>,
    /// The positions of the cell lines with responses.
    pub cells: Vec<u32>,
    /// The positions of each partner's entities, one for each side except the first.
    pub partners: Vec<Vec<u32>>,
}

/// The explanation of a model's predictions.
pub struct Explanation {
    /// The method that computed the contributions.
    pub method: String,
    /// The features.
    pub space: FeatureSpace,
    /// The mean of each feature over the cell lines; NaN for categories.
    pub means: Vec<f64>,
    /// The standard deviation of each feature; NaN for categories.
    pub deviations: Vec<f64>,
    /// The median of each feature; NaN for categories.
    pub medians: Vec<f32>,
    /// The explanation of each partner of the question.
    pub partners: Vec<PartnerExplanation>,
}

/// The explanation of the predictions for one partner.
pub struct PartnerExplanation {
    /// The importance of each feature.
    pub importance: Vec<Importance>,
    /// The evidence for each set.
    pub mechanisms: Vec<MechanismEvidence>,
    /// The fractions of variance that the confounders explain.
    pub explained: ConfounderR2,
    /// The mean over cell lines of |prediction − mean prediction|, in the unit of the target. It is the reference for
    /// the size of contributions.
    pub spread: f64,
    /// The distributions of the contributions of the most important features, the most important first.
    pub spreads: Vec<Spreads>,
}

/// The importance of a feature for the predictions of one partner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Importance {
    /// The mean of |contribution| over the cell lines, in the unit of the target.
    pub mean_abs: f64,
    /// The rise of predictions per standard deviation of the feature; 0 for categories.
    pub effect: f64,
    /// [`Importance::mean_abs`] after adjustment for tissue and general sensitivity.
    pub adjusted_mean_abs: f64,
    /// [`Importance::effect`] after the same adjustment, within tissues.
    pub adjusted_effect: f64,
}

/// A mechanism's part in the predictions for one partner.
#[derive(Clone, Debug, PartialEq)]
pub struct MechanismEvidence {
    /// Without adjustment.
    pub unadjusted: Evidence,
    /// After adjustment for tissue and general sensitivity.
    pub adjusted: Evidence,
    /// The probability of the self-contained test; see [`self_contained`].
    pub self_contained: Option<f64>,
}

/// The distribution of a feature's contributions for low and for high values.
#[derive(Clone, Debug, PartialEq)]
pub struct Spreads {
    /// The feature.
    pub feature: u32,
    /// For values at or below the median, or unset bits: minimum, 5 %, quartiles, 95 %, maximum; `None` without
    /// entities.
    pub low: Option<[f32; 7]>,
    /// For values above the median, or set bits.
    pub high: Option<[f32; 7]>,
}

/// The number of features per partner with a stored distribution.
const SPREADS: usize = 20;
/// The number of partners per block of sums. It is fixed, so results do not depend on the number of threads.
const BLOCK: usize = 4;

const SETS: u64 = 31;
const PERMUTATIONS: u64 = 32;

impl<'a> Question<'a> {
    /// A question about all training cell lines of a screen, and every drug or combination that has responses.
    pub fn new(model: &'a dyn FittedModel, screen: &'a Screen) -> Self {
        let mut partners: Vec<Vec<u32>> = (0..screen.responses.len()).map(|at| screen.members(at)).collect();
        partners.sort_unstable();
        partners.dedup();
        Self {
            model,
            screen,
            tables: (0..screen.sides.len()).map(|side| screen.table(side)).collect(),
            cells: screen.all().entities(0).0,
            partners,
        }
    }

    /// The name of a partner: "Paclitaxel", or "A + B".
    pub fn name_of(&self, partner: &[u32]) -> String {
        let names =
            partner.iter().zip(&self.tables[1..]).map(|(at, table)| table.ids()[*at as usize].as_str());
        names.collect::<Vec<_>>().join(" + ")
    }

    /// The attributor of the model for the cell lines; `None` for a family that cannot attribute its predictions to
    /// features.
    ///
    /// # Errors
    /// If a table lacks most of the features.
    pub fn attributor(&self) -> Result<Option<Box<dyn Attributor + '_>>> {
        attributor(self.model, &self.tables, &self.cells)
    }

    /// The predictions for all cell lines with every partner.
    fn predicted(&self) -> Result<Vec<Vec<f64>>> {
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
        if self.tables.len() == 2 {
            let partners: Vec<u32> = self.partners.iter().flatten().copied().collect();
            let query = Query { tables: &self.tables, tuples: Tuples::Grid(&[&self.cells, &partners]) };
            let all = wide(self.model.predict(&query)?);
            let of = |at: usize| all.iter().skip(at).step_by(partners.len()).copied().collect();
            return Ok((0..partners.len()).map(of).collect());
        }
        let one = |partner: &Vec<u32>| {
            let mut sides: Vec<&[u32]> = vec![&self.cells];
            sides.extend(partner.iter().map(std::slice::from_ref));
            let query = Query { tables: &self.tables, tuples: Tuples::Grid(&sides) };
            Ok(wide(self.model.predict(&query)?))
        };
        self.partners.par_iter().map(one).collect()
    }

    /// Explains the predictions: contributions of all features, and of sets of them. The attributor comes from
    /// [`Question::attributor`], and the sets contain its features. `expected` returns the expected direction of
    /// resistance for each partner, set and member (see [`Evidence::new`]).
    ///
    /// # Errors
    /// If predictions cannot be made or attributed, or the user stopped it.
    pub fn explain(
        &self,
        attributor: &dyn Attributor,
        sets: &[FeatureSet],
        expected: &(dyn Fn(usize, usize, usize) -> f32 + Sync),
        settings: Settings,
        progress: &dyn Progress,
    ) -> Result<Explanation> {
        let values = Values::new(attributor.space(), self.tables[0], &self.cells)?;
        let predicted = self.predicted()?;
        let general = attributor.mean_contributions(&self.partners, progress)?.values;
        let count = predicted.len().max(1) as f64;
        let means =
            (0..self.cells.len()).map(|cell| predicted.iter().map(|own| own[cell]).sum::<f64>() / count);
        let confounders =
            Confounders::new(means.collect(), predicted.len(), self.tables[0].group("tissue"), &self.cells);
        let within = confounders.within_tissues(&values.standard);
        let random = random_of(&values, &within, sets, settings);
        let measured = self.measured(&confounders);
        let whole = Whole { values, within, general, confounders, random, sets };
        let one = |at: usize| -> Result<PartnerExplanation> {
            progress.check()?;
            let found = attributor.contributions(&self.partners[at])?;
            let expected = |set: usize, member: usize| expected(at, set, member);
            let seed = settings.seed.derive(PERMUTATIONS).derive(at as u64);
            let tests =
                self_contained(&whole.values.standard, &measured[at], sets, settings.permutations, seed);
            Ok(whole.explanation(found.values, &predicted[at], &expected, &tests))
        };
        let total = self.partners.len();
        let mut partners = Vec::with_capacity(total);
        let places: Vec<usize> = (0..total).collect();
        for block in places.chunks(BLOCK) {
            let found: Vec<PartnerExplanation> =
                block.par_iter().map(|at| one(*at)).collect::<Result<_>>()?;
            partners.extend(found);
            progress.step(partners.len(), total);
        }
        let Values { space, means, deviations, .. } = &whole.values;
        let medians = (0..space.len()).map(|feature| whole.values.median(feature)).collect();
        let (means, deviations) = (means.clone(), deviations.clone());
        let method = attributor.method();
        Ok(Explanation { method, space: space.clone(), means, deviations, medians, partners })
    }

    /// The measured responses of every partner, minus the tissue means and the part that general sensitivity explains.
    /// General sensitivity is here the mean of a cell line's responses to the other partners, each minus the partner's
    /// mean.
    fn measured(&self, confounders: &Confounders) -> Vec<Measured> {
        let responses = &self.screen.responses;
        let place_of = |of: &[u32], len: usize| {
            let mut place = vec![usize::MAX; len];
            of.iter().enumerate().for_each(|(at, entity)| place[*entity as usize] = at);
            place
        };
        let cell_at = place_of(&self.cells, self.tables[0].len());
        let mut found: Vec<Measured> = self
            .partners
            .iter()
            .map(|_| Measured { entities: Vec::new(), values: Vec::new(), tissues: Vec::new() })
            .collect();
        for row in 0..responses.len() {
            if let Ok(partner) = self.partners.binary_search(&self.screen.members(row)) {
                found[partner].entities.push(cell_at[responses.side(0)[row] as usize]);
                found[partner].values.push(f64::from(responses.values()[row]));
            }
        }
        let (mut sums, mut counts) = (vec![0.0; self.cells.len()], vec![0.0; self.cells.len()]);
        for own in &mut found {
            let mean = own.values.iter().sum::<f64>() / own.values.len().max(1) as f64;
            for (value, entity) in own.values.iter_mut().zip(&own.entities) {
                *value -= mean;
                sums[*entity] += *value;
                counts[*entity] += 1.0;
            }
        }
        for own in &mut found {
            let others = |(value, entity): (&f64, &usize)| {
                if counts[*entity] > 1.0 { (sums[*entity] - value) / (counts[*entity] - 1.0) } else { 0.0 }
            };
            let others: Vec<f64> = own.values.iter().zip(&own.entities).map(others).collect();
            own.tissues = own.entities.iter().map(|entity| confounders.tissue(*entity)).collect();
            own.adjust(others);
        }
        found
    }
}

/// Random sets like each set; `None` for sets without features.
fn random_of(
    values: &Values,
    within: &Array2<f32>,
    sets: &[FeatureSet],
    settings: Settings,
) -> Vec<Option<Vec<Vec<u32>>>> {
    let bins = Bins::new(values);
    let seed = settings.seed.derive(SETS);
    let of = |(at, set): (usize, &FeatureSet)| {
        let features = set.features();
        if features.is_empty() {
            return None;
        }
        random_sets(within, &bins, &features, settings.permutations, seed.derive(at as u64))
    };
    sets.iter().enumerate().map(of).collect()
}

/// Data shared by the explanations of all partners.
struct Whole<'a> {
    values: Values,
    /// Standardised values within tissues.
    within: Array2<f32>,
    general: Array2<f32>,
    confounders: Confounders,
    random: Vec<Option<Vec<Vec<u32>>>>,
    sets: &'a [FeatureSet],
}

impl Whole<'_> {
    fn explanation(
        &self,
        mut contributions: Array2<f32>,
        predicted: &[f64],
        expected: &dyn Fn(usize, usize) -> f32,
        tests: &[Option<f64>],
    ) -> PartnerExplanation {
        let standard = &self.values.standard;
        let expected: Vec<Vec<f32>> = self
            .sets
            .iter()
            .enumerate()
            .map(|(set, members)| (0..members.members.len()).map(|member| expected(set, member)).collect())
            .collect();
        let evidence = |contributions: &Array2<f32>, standard: &Array2<f32>| -> Vec<Evidence> {
            let all = self.sets.iter().zip(&expected).zip(&self.random);
            all.map(|((set, expected), random)| {
                Evidence::new(contributions, standard, set, expected, random.as_deref())
            })
            .collect()
        };
        let mean_abs = |row: ndarray::ArrayView1<'_, f32>| {
            f64::from(row.iter().map(|value| value.abs()).sum::<f32>()) / row.len().max(1) as f64
        };
        let mut importance: Vec<Importance> = (0..self.values.space.len() as u32)
            .map(|feature| Importance {
                mean_abs: mean_abs(contributions.row(feature as usize)),
                effect: effect(&contributions, standard, feature),
                ..Importance::default()
            })
            .collect();
        let all = evidence(&contributions, standard);
        let spreads = self.spreads(&contributions, &importance);
        self.confounders.adjust(&mut contributions, &self.general, predicted);
        for (feature, one) in importance.iter_mut().enumerate() {
            one.adjusted_mean_abs = mean_abs(contributions.row(feature));
            one.adjusted_effect = effect(&contributions, &self.within, feature as u32);
        }
        let adjusted = evidence(&contributions, &self.within);
        let mechanisms = all
            .into_iter()
            .zip(adjusted)
            .zip(tests)
            .map(|((unadjusted, adjusted), test)| MechanismEvidence {
                unadjusted,
                adjusted,
                self_contained: *test,
            })
            .collect();
        let explained = self.confounders.explained(predicted);
        let mean = predicted.iter().sum::<f64>() / predicted.len().max(1) as f64;
        let spread =
            predicted.iter().map(|value| (value - mean).abs()).sum::<f64>() / predicted.len().max(1) as f64;
        PartnerExplanation { importance, mechanisms, explained, spread, spreads }
    }

    fn spreads(&self, contributions: &Array2<f32>, importance: &[Importance]) -> Vec<Spreads> {
        let mut order: Vec<u32> = (0..importance.len() as u32).collect();
        let by = |a: &u32, b: &u32| {
            let of = |at: &u32| importance[*at as usize].mean_abs;
            of(b).total_cmp(&of(a)).then(a.cmp(b))
        };
        order.sort_by(by);
        order.truncate(SPREADS);
        order.retain(|feature| importance[*feature as usize].mean_abs > 0.0);
        order.into_iter().map(|feature| self.spread(contributions, feature)).collect()
    }

    fn spread(&self, contributions: &Array2<f32>, feature: u32) -> Spreads {
        let at = feature as usize;
        let values = self.values.raw.row(at);
        let threshold = match self.values.space.features[at].domain {
            Domain::Binary => 0.5,
            Domain::Real => self.values.median(at),
            Domain::Category(_) => f32::INFINITY,
        };
        let own = contributions.index_axis(Axis(0), at);
        let side = |keep: &dyn Fn(f32) -> bool| {
            let kept = own.iter().zip(values).filter(|(_, value)| keep(**value)).map(|(own, _)| *own);
            quantiles(kept.collect())
        };
        Spreads { feature, low: side(&|value| value <= threshold), high: side(&|value| value > threshold) }
    }
}

/// Minimum, 5 %, quartiles, 95 %, maximum.
fn quantiles(mut values: Vec<f32>) -> Option<[f32; 7]> {
    values.sort_unstable_by(f32::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| values[(share * last as f64).round() as usize];
    Some([0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0].map(at))
}
