//! Prediction intervals from out-of-fold residuals. Their coverage also holds for unseen entities.

use std::collections::{BTreeMap, HashMap};

use halfmax_core::{
    AnyModel, EntityTable, Error, FitContext, FittedModel, Result, SeenAgain, TrainView, ValidationGroup,
    check,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inner_folds::{InnerFolds, groups_of};
use crate::stack::as_stack;
use crate::step::Step;

/// Parameters of prediction intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConformalParams {
    /// Share of responses that an interval should contain: above 0, below 1.
    pub level: f64,
    /// The names of the models that get intervals. Empty for all models.
    pub models: Vec<String>,
    /// Number of inner folds that calibrate the intervals of a model trained on all data: 2 to 20.
    pub folds: usize,
}

impl Default for ConformalParams {
    /// 90 % intervals of every model, five inner folds.
    fn default() -> Self {
        Self { level: 0.9, models: Vec::new(), folds: 5 }
    }
}

impl ConformalParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range. The error names the first such parameter, its value and the allowed values.
    ///
    /// ```
    /// use halfmax_eval::ConformalParams;
    /// let error = ConformalParams { level: 90.0, ..Default::default() }.check().unwrap_err();
    /// assert_eq!(error.to_string(), "intervals.level = 90: expected a number between 0 and 1");
    /// ```
    pub fn check(&self) -> Result<()> {
        check::between_zero_and_one("intervals.level", self.level)?;
        check::within("intervals.folds", self.folds, 2..=20)
    }

    /// Whether the model with this name gets intervals.
    pub fn includes(&self, name: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|model| model == name)
    }
}

/// Nominal shares of responses at which intervals are checked.
pub const NOMINAL: [f64; 4] = [0.5, 0.8, 0.9, 0.95];

/// The width of a model's intervals, from its predictions for responses that it had not seen.
///
/// The score of a response is its absolute out-of-fold residual divided by a scale. The scale is a product over the sides
/// whose entities are seen again. Each factor is the spread of the entity's residuals relative to that of all residuals. It
/// shrinks towards 1 as if ten more responses had the average spread. A drug that is hard to predict therefore gets wider
/// intervals.
///
/// The half-width is the scale times a quantile of the scores. In this quantile, every group that the split keeps together
/// (cell line, drug, tissue) has the same weight, and one more group counts as infinite. If groups are exchangeable, an
/// interval contains a response of an unseen group with at least the nominal probability (Lee, Barber & Willett 2023, arXiv
/// 2306.06342). The models behind out-of-fold residuals have seen slightly less data than the model that predicts (Vovk
/// 2015).
///
/// For an ensemble, the scale is also multiplied by a function of the spread of its members (normalised conformal prediction,
/// Papadopoulos, Gammerman & Vovk 2008), if this makes the intervals narrower. The same residuals decide how strongly, and
/// the guarantee does not cover this choice. With few groups the intervals may therefore contain slightly fewer responses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    level: f64,
    /// (nominal share, quantile of the scores in the unit of the target); the quantile is `None` if there are too few groups.
    quantiles: Vec<(f64, Option<f64>)>,
    /// For each side, its entities' factors by id; `None` for a side that is held out.
    factors: Vec<Option<BTreeMap<String, f64>>>,
    /// How the spread of an ensemble's members affects the scale.
    #[serde(default)]
    spread: SpreadShare,
}

/// How the spread s of an ensemble's members affects the scale of a response: by the factor √(1 − share + share · s² / mean square).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpreadShare {
    share: f64,
    mean_square: f64,
}

impl Default for SpreadShare {
    /// No effect.
    fn default() -> Self {
        Self { share: 0.0, mean_square: 1.0 }
    }
}

impl SpreadShare {
    fn factor(self, spread: f32) -> f64 {
        let square = f64::from(spread).powi(2) / self.mean_square;
        (1.0 - self.share + self.share * square).sqrt()
    }
}

/// Shares of the spread to try, besides 0. The share with the narrowest intervals is used.
const SPREAD_SHARES: [f64; 3] = [0.25, 0.5, 0.75];

/// A scale shrinks towards the average as if this many more responses had it.
const PRIOR_RESPONSES: f64 = 10.0;
/// The smallest factor, so that an entity whose residuals vanish does not get an interval of width 0.
const LEAST_FACTOR: f64 = 1e-3;

impl Calibration {
    /// From out-of-fold predictions for every response of a view, whose groups are held out as `validation` says. For an
    /// ensemble, also from the spread of the members in each prediction.
    ///
    /// # Errors
    /// If a response has no finite prediction, or there are too few groups for the level.
    pub fn new(
        train: &TrainView,
        predicted: &[f32],
        spreads: Option<&[f32]>,
        validation: ValidationGroup,
        level: f64,
    ) -> Result<Self> {
        if predicted.len() != train.rows.len() || predicted.iter().any(|value| !value.is_finite()) {
            return Err(Error::failed(format!(
                "there are {} out-of-fold predictions for {} responses: expected a finite number for each",
                predicted.len(),
                train.rows.len()
            )));
        }
        let responses = &train.screen.responses;
        let residuals: Vec<f64> = train
            .rows
            .iter()
            .zip(predicted)
            .map(|(row, predicted)| (f64::from(responses.values()[*row]) - f64::from(*predicted)).abs())
            .collect();
        let groups = groups_of(train, validation);
        let count = groups.iter().max().map_or(0, |last| last + 1);
        let of_spread = |share: f64| {
            let spreads = spreads?;
            let squares: f64 = spreads.iter().map(|spread| f64::from(*spread).powi(2)).sum();
            let mean_square = squares / spreads.len() as f64;
            (mean_square > 0.0 && mean_square.is_finite()).then_some(SpreadShare { share, mean_square })
        };
        let plain = Self::at_share(train, &residuals, None, &groups, validation, level);
        let mut found = (plain.0, plain.1);
        for share in SPREAD_SHARES.into_iter().filter_map(of_spread) {
            let scaled = spreads.map(|spreads| (share, spreads));
            let (calibration, width) = Self::at_share(train, &residuals, scaled, &groups, validation, level);
            if width < found.1 {
                found = (calibration, width);
            }
        }
        let calibration = found.0;
        if calibration.quantile(level).is_none() {
            return Err(Error::data(format!(
                "intervals.level = {level} needs at least {} groups that the split keeps together, but the responses have \
                 {count}",
                (level / (1.0 - level) - 1e-9).ceil()
            ))
            .with_help("set a lower level"));
        }
        Ok(calibration)
    }

    /// The calibration with this share of the members' spread in the scale, and its mean half-width at the level.
    fn at_share(
        train: &TrainView,
        residuals: &[f64],
        spread: Option<(SpreadShare, &[f32])>,
        groups: &[usize],
        validation: ValidationGroup,
        level: f64,
    ) -> (Self, f64) {
        let responses = &train.screen.responses;
        let own = |at: usize| spread.map_or(1.0, |(share, spreads)| share.factor(spreads[at]));
        let residuals: Vec<f64> = residuals.iter().enumerate().map(|(at, one)| one / own(at)).collect();
        let spreads: Vec<Option<Spreads>> = (0..responses.sides())
            .map(|side| {
                let known = SeenAgain::Auto.includes(side, validation);
                known.then(|| Spreads::of(train, side, &residuals, groups))
            })
            .collect();
        let scale = |at: usize| {
            let factor = |(side, spreads): (usize, &Option<Spreads>)| {
                let entity = responses.side(side)[train.rows[at]];
                spreads.as_ref().map_or(1.0, |spreads| spreads.factor_without(entity, groups[at]))
            };
            spreads.iter().enumerate().map(factor).product::<f64>()
        };
        let scales: Vec<f64> = (0..residuals.len()).map(scale).collect();
        let scores: Vec<f64> = residuals.iter().zip(&scales).map(|(one, scale)| one / scale).collect();
        let sorted = WeightedScores::new(&scores, groups);
        let mut levels = NOMINAL.to_vec();
        if !levels.contains(&level) {
            levels.push(level);
        }
        let quantiles: Vec<(f64, Option<f64>)> =
            levels.into_iter().map(|level| (level, sorted.quantile(level))).collect();
        let named = |(side, spreads): (usize, &Option<Spreads>)| {
            spreads.as_ref().map(|spreads| spreads.factors(train.screen.table(side).ids()))
        };
        let calibration = Self {
            level,
            quantiles,
            factors: spreads.iter().enumerate().map(named).collect(),
            spread: spread.map_or_else(SpreadShare::default, |(share, _)| share),
        };
        let mean =
            scales.iter().enumerate().map(|(at, scale)| scale * own(at)).sum::<f64>() / scales.len() as f64;
        let width = calibration.quantile(level).map_or(f64::INFINITY, |quantile| quantile * mean);
        (calibration, width)
    }

    /// Checks a calibration that was read from a file.
    ///
    /// # Errors
    /// If the level has no width, or a number is negative or not finite.
    pub fn check(&self) -> Result<()> {
        let possible = |value: f64| value.is_finite() && value >= 0.0;
        let quantiles = self.quantiles.iter().filter_map(|(_, quantile)| *quantile).all(possible);
        let factors = self.factors.iter().flatten().flat_map(BTreeMap::values).copied().all(possible);
        let SpreadShare { share, mean_square } = self.spread;
        let spread = (0.0..1.0).contains(&share) && mean_square > 0.0 && mean_square.is_finite();
        if quantiles && factors && spread && self.quantile(self.level).is_some() {
            return Ok(());
        }
        Err(Error::data("the calibration of the model's intervals is malformed")
            .with_help("copy the file again, or train the model again"))
    }

    /// The share of responses that the intervals should contain.
    pub fn level(&self) -> f64 {
        self.level
    }

    fn quantile(&self, level: f64) -> Option<f64> {
        self.quantiles.iter().find(|(own, _)| *own == level).and_then(|(_, quantile)| *quantile)
    }

    /// The scales of the entities of some tables, one table for each side.
    ///
    /// # Errors
    /// If the numbers of tables and of the calibration's sides differ.
    pub fn widths(&self, tables: &[&EntityTable]) -> Result<Widths> {
        if tables.len() != self.factors.len() {
            return Err(Error::data(format!(
                "intervals were asked for {} sides, but were calibrated on {}",
                tables.len(),
                self.factors.len()
            )));
        }
        let side = |(table, factors): (&&EntityTable, &Option<BTreeMap<String, f64>>)| {
            let factors = factors.as_ref()?;
            Some(table.ids().iter().map(|id| factors.get(id).copied()).collect())
        };
        let scales = tables.iter().zip(&self.factors).map(side).collect();
        Ok(Widths { quantiles: self.quantiles.clone(), level: self.level, scales, spread: self.spread })
    }
}

/// The half-widths of intervals for the entities of some tables.
#[derive(Clone, Debug)]
pub struct Widths {
    level: f64,
    quantiles: Vec<(f64, Option<f64>)>,
    scales: Vec<Option<Vec<Option<f64>>>>,
    spread: SpreadShare,
}

impl Widths {
    /// Whether the widths depend on the spread of an ensemble's members.
    pub fn uses_spread(&self) -> bool {
        self.spread.share > 0.0
    }

    fn scale(&self, tuple: &[u32]) -> Option<f64> {
        let one = |(scales, entity): (&Option<Vec<Option<f64>>>, &u32)| match scales {
            None => Some(1.0),
            Some(scales) => scales[*entity as usize],
        };
        self.scales.iter().zip(tuple).map(one).product()
    }

    /// Half the width of the interval of a tuple, in the unit of the target, at the calibration's level. `None` for an
    /// entity that the calibration should have seen but did not: for example a new drug in a model for unseen cell lines.
    /// `spread` is the spread of the model's members for this tuple; see [`Widths::uses_spread`].
    pub fn half(&self, tuple: &[u32], spread: Option<f32>) -> Option<f64> {
        self.half_at(self.level, tuple, spread)
    }

    pub(crate) fn half_at(&self, level: f64, tuple: &[u32], spread: Option<f32>) -> Option<f64> {
        let quantile = self.quantiles.iter().find(|(own, _)| *own == level)?.1?;
        let factor = if self.spread.share > 0.0 { self.spread.factor(spread?) } else { 1.0 };
        Some(quantile * self.scale(tuple)? * factor)
    }
}

/// The spread of the residuals of every entity of a side.
struct Spreads {
    /// Sum of squares and number of residuals of every entity.
    sums: Vec<(f64, usize)>,
    /// The same for every entity within each group that it has residuals in.
    in_group: HashMap<(u32, usize), (f64, usize)>,
    /// The mean square of all residuals.
    average: f64,
}

impl Spreads {
    /// The spreads of a side's entities. A drug of combinations has the same spread on both drug sides.
    fn of(train: &TrainView, side: usize, residuals: &[f64], groups: &[usize]) -> Self {
        let screen = train.screen;
        let mut sums = vec![(0.0, 0); screen.table(side).len()];
        let mut in_group: HashMap<(u32, usize), (f64, usize)> = HashMap::new();
        for ((row, residual), group) in train.rows.iter().zip(residuals).zip(groups) {
            for side in screen.interchangeable(side) {
                let entity = screen.responses.side(side)[*row];
                let own = in_group.entry((entity, *group)).or_default();
                for sum in [&mut sums[entity as usize], own] {
                    sum.0 += residual * residual;
                    sum.1 += 1;
                }
            }
        }
        let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
        Self { sums, in_group, average: squares / residuals.len() as f64 }
    }

    /// The spread of an entity's residuals relative to that of all residuals, shrunken.
    fn factor(&self, squares: f64, count: usize) -> f64 {
        if self.average <= 0.0 {
            return 1.0;
        }
        let shrunken = (squares.max(0.0) + PRIOR_RESPONSES * self.average) / (count as f64 + PRIOR_RESPONSES);
        (shrunken / self.average).sqrt().max(LEAST_FACTOR)
    }

    /// The factor of an entity without its residuals in one group. A scored response must not have its own group in its
    /// scale, because a predicted response does not have it either.
    fn factor_without(&self, entity: u32, group: usize) -> f64 {
        let (squares, count) = self.sums[entity as usize];
        let (own, own_count) = self.in_group.get(&(entity, group)).copied().unwrap_or_default();
        self.factor(squares - own, count - own_count)
    }

    /// The factors of the entities with residuals, by id.
    fn factors(&self, ids: &[String]) -> BTreeMap<String, f64> {
        let seen = ids.iter().zip(&self.sums).filter(|(_, (_, count))| *count > 0);
        seen.map(|(id, (squares, count))| (id.clone(), self.factor(*squares, *count))).collect()
    }
}

/// Scores in ascending order, each with its share of its group's weight.
struct WeightedScores {
    scores: Vec<(f64, f64)>,
}

impl WeightedScores {
    fn new(scores: &[f64], group_of: &[usize]) -> Self {
        let groups = group_of.iter().max().map_or(0, |last| last + 1);
        let mut sizes = vec![0usize; groups];
        group_of.iter().for_each(|group| sizes[*group] += 1);
        let weight = |group: &usize| 1.0 / ((groups + 1) as f64 * sizes[*group] as f64);
        let mut scores: Vec<(f64, f64)> =
            scores.iter().zip(group_of).map(|(score, group)| (*score, weight(group))).collect();
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { scores }
    }

    /// The smallest score at which the weights up to it add up to `level`.
    fn quantile(&self, level: f64) -> Option<f64> {
        let mut sum = 0.0;
        self.scores.iter().find_map(|(score, weight)| {
            sum += weight;
            // A rounding error must not require one more score.
            (sum >= level - 1e-12).then_some(*score)
        })
    }
}

/// The coverage of intervals with one nominal share, on responses that neither model nor calibration had seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// The share of responses that the intervals should contain.
    pub nominal: f64,
    /// The share of responses that they contain.
    pub observed: f64,
    /// The share of a group's responses that the intervals contain, averaged over the groups that the split keeps together.
    pub observed_by_group: f64,
    /// The mean width of the intervals, in the unit of the target.
    pub mean_width: f64,
    /// Number of responses with an interval.
    pub n: usize,
}

impl Coverage {
    /// From (group, absolute error, half-width) of every response with an interval.
    pub(crate) fn of(nominal: f64, found: &[(usize, f64, f64)]) -> Option<Self> {
        if found.is_empty() {
            return None;
        }
        let mut groups: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for (group, error, half) in found {
            let counts = groups.entry(*group).or_default();
            counts.0 += usize::from(error <= half);
            counts.1 += 1;
        }
        let held: usize = groups.values().map(|counts| counts.0).sum();
        let shares: f64 = groups.values().map(|counts| counts.0 as f64 / counts.1 as f64).sum();
        let n = found.len();
        Some(Self {
            nominal,
            observed: held as f64 / n as f64,
            observed_by_group: shares / groups.len() as f64,
            mean_width: 2.0 * found.iter().map(|one| one.2).sum::<f64>() / n as f64,
            n,
        })
    }
}

/// Fits a model to a view, and calibrates its intervals by inner folds that leave out the groups of `context.validation`. A
/// stack is calibrated by the predictions that its weights were fitted to.
///
/// # Errors
/// If the model fails, if there are fewer groups than inner folds or too few for the level, or if the user stopped the fit.
pub fn fit_calibrated(
    model: &dyn AnyModel,
    train: &TrainView,
    context: &FitContext,
    params: &ConformalParams,
) -> Result<(Box<dyn FittedModel>, Calibration)> {
    let (fitted, predicted, spreads): (Box<dyn FittedModel>, _, Option<Vec<f32>>) = match as_stack(model) {
        Some(stack) => {
            let (fitted, predicted) = stack.fit_out_of_fold(train, context)?;
            (Box::new(fitted), predicted, None)
        }
        None => {
            if train.rows.is_empty() {
                return Err(Error::data("the training data have no responses"));
            }
            let folds = InnerFolds::draw(train, context, params.folds)?;
            let fits = folds.count() + 1;
            let (predicted, spreads) = folds.predict_and_spread(1.0, model, train, context, (0, fits))?;
            let progress = Step { whole: context.progress, at: folds.count(), of: fits };
            (model.fit_any(train, &FitContext { progress: &progress, ..*context })?, predicted, spreads)
        }
    };
    let calibration =
        Calibration::new(train, &predicted, spreads.as_deref(), context.validation, params.level)?;
    Ok((fitted, calibration))
}
