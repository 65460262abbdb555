//! Stacks: models combined with weights from their out-of-fold predictions.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use halfmax_core::{
    AnyModel, Attributable, Attributor, EntityTable, Error, ErrorKind, Feature, FeatureSpace, FitContext,
    FittedModel, Model, PreparedGrid, Query, Result, StoredModel, TrainView, check, malformed,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inner_folds::InnerFolds;
use crate::step::Step;

mod attribution;

/// The stack, if the model is one.
pub(crate) fn as_stack(model: &dyn AnyModel) -> Option<&Stack> {
    (model as &dyn Any).downcast_ref::<Stack>()
}

/// Parameters of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StackParams {
    /// The names of the models to combine. Empty for all other models of the configuration that are not naive.
    pub members: Vec<String>,
    /// Number of inner folds for the out-of-fold predictions, 2 to 20. They are grouped like the evaluation's split. An
    /// evaluation with three or more folds uses its other folds instead.
    pub folds: usize,
    /// Whether to continue without a member whose fit fails.
    pub skip_failed: bool,
    /// How the members are weighted.
    pub weights: StackWeights,
}

/// How the members of a stack are weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StackWeights {
    /// By least squares on their out-of-fold predictions: the most accurate choice.
    #[default]
    Earned,
    /// Equally: the mean of the members' predictions. Members that use different features then keep their influence on explanations.
    Equal,
}

impl Default for StackParams {
    fn default() -> Self {
        Self { members: Vec::new(), folds: 5, skip_failed: false, weights: StackWeights::Earned }
    }
}

impl StackParams {
    /// A stack of these models, by name.
    ///
    /// # Errors
    /// If there are no members, if a member occurs twice, or if `folds` is out of range.
    pub fn with_members(self, members: Vec<(String, Arc<dyn AnyModel>)>) -> Result<Stack> {
        check::within("folds", self.folds, 2..=20)?;
        if members.is_empty() {
            return Err(Error::config("the stack has no members")
                .with_help("list models of the configuration: members = [\"kernel\", \"boost\"]"));
        }
        for (at, (name, _)) in members.iter().enumerate() {
            if members[..at].iter().any(|(other, _)| other == name) {
                return Err(Error::config(format!("the stack has the member {name:?} twice")));
            }
        }
        Ok(Stack { params: self, members })
    }
}

/// Stacked generalisation (Wolpert 1992; Breiman 1996). The prediction is a weighted sum of the members' deviations from the
/// mean. The weights are non-negative, by least squares on out-of-fold predictions.
///
/// Inside the training part, the inner folds leave out what the evaluation's split leaves out. The stack has not seen the
/// responses that it is evaluated on.
#[derive(Clone)]
pub struct Stack {
    params: StackParams,
    members: Vec<(String, Arc<dyn AnyModel>)>,
}

/// A fitted [`Stack`].
pub struct FittedStack {
    mean: f64,
    /// For each side, the features of all members.
    spaces: Vec<FeatureSpace>,
    members: Vec<Member>,
}

struct Member {
    name: String,
    weight: f64,
    model: Box<dyn FittedModel>,
}

/// A fitted member, by name.
type NamedFit = (String, Box<dyn FittedModel>);

const SEED_MEMBERS: u64 = 22;

impl Model for Stack {
    type Fitted = FittedStack;

    /// # Errors
    /// If a member fails (unless it may be skipped), if there are fewer groups than inner folds, or if the user stopped the fit.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedStack> {
        if self.params.weights == StackWeights::Earned {
            return Ok(self.fit_out_of_fold(train, context)?.0);
        }
        refuse_empty(train)?;
        let (members, unused) = self.fit_members(train, context, None)?;
        let unused: Vec<&[f32]> = unused.iter().map(Vec::as_slice).collect();
        Ok(FittedStack::of(members, Blend::new(self.params.weights, &unused, train)?, train))
    }

    /// The memory of the largest member, plus the out-of-fold predictions of all members. Members that are already fitted take less.
    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        let mut most = 0;
        for (name, model) in &self.members {
            match model.memory_any(train, context) {
                Ok(bytes) => most = most.max(bytes),
                Err(_) if self.params.skip_failed => {}
                Err(error) => return Err(Self::blame(name, error)),
            }
        }
        Ok(most + 4 * train.rows.len() * self.members.len())
    }
}

fn refuse_empty(train: &TrainView) -> Result<()> {
    if train.rows.is_empty() {
        return Err(Error::data("the training data have no responses"));
    }
    Ok(())
}

impl Stack {
    /// The members, by name.
    pub(crate) fn members(&self) -> &[(String, Arc<dyn AnyModel>)] {
        &self.members
    }

    /// How the members are weighted.
    pub(crate) fn weights(&self) -> StackWeights {
        self.params.weights
    }

    /// Whether to continue without a member whose fit fails.
    pub(crate) fn skips_failed(&self) -> bool {
        self.params.skip_failed
    }

    /// The fitted stack, and its out-of-fold prediction for every response of the view.
    pub(crate) fn fit_out_of_fold(
        &self,
        train: &TrainView,
        context: &FitContext,
    ) -> Result<(FittedStack, Vec<f32>)> {
        refuse_empty(train)?;
        let folds = InnerFolds::draw(train, context, self.params.folds)?;
        let (members, predicted) = self.fit_members(train, context, Some(&folds))?;
        let predicted: Vec<&[f32]> = predicted.iter().map(Vec::as_slice).collect();
        let blend = Blend::new(self.params.weights, &predicted, train)?;
        let together = blend.of(&predicted);
        Ok((FittedStack::of(members, blend, train), together))
    }

    /// The members fitted to all responses of a view, with their out-of-fold predictions if there are inner folds.
    fn fit_members(
        &self,
        train: &TrainView,
        context: &FitContext,
        folds: Option<&InnerFolds>,
    ) -> Result<(Vec<NamedFit>, Vec<Vec<f32>>)> {
        let each = folds.map_or(0, InnerFolds::count) + 1;
        let fits = each * self.members.len();
        let (mut members, mut out_of_fold) = (Vec::new(), Vec::new());
        for (at, (name, model)) in self.members.iter().enumerate() {
            let before = at * each;
            let fit = || -> Result<_> {
                let part = context.name_of(&format!("member {name}"));
                let context = &FitContext { checkpoint: context.checkpoint_at(&part), ..*context };
                let predicted = match folds {
                    Some(folds) => folds.predict(&**model, train, context, (before, fits))?,
                    None => Vec::new(),
                };
                let progress = Step { whole: context.progress, at: before + each - 1, of: fits };
                let seed = context.seed.derive(SEED_MEMBERS);
                let context = FitContext { seed, progress: &progress, ..*context };
                Ok(((name.clone(), model.fit_any(train, &context)?), predicted))
            };
            match fit() {
                Ok((member, predicted)) => {
                    members.push(member);
                    out_of_fold.push(predicted);
                }
                Err(error) if error.kind() != ErrorKind::Interrupted && self.params.skip_failed => {}
                Err(error) => return Err(Self::blame(name, error)),
            }
        }
        Ok((members, out_of_fold))
    }

    /// The error of a member, with its name and a way to continue without it.
    pub(crate) fn blame(name: &str, error: Error) -> Error {
        if error.kind() == ErrorKind::Interrupted {
            return error;
        }
        let help = error.help().map_or_else(String::new, |advice| format!("{advice}; or "));
        error
            .with_context(format!("stack member {name:?}"))
            .with_help(format!("{help}set skip_failed = true to continue without it"))
    }
}

/// How members are combined: the mean, and the weights of their deviations from it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Blend {
    pub(crate) mean: f64,
    pub(crate) weights: Vec<f64>,
}

impl Blend {
    /// The weights of members, given their out-of-fold predictions for every response of a view.
    pub(crate) fn new(kind: StackWeights, predicted: &[&[f32]], train: &TrainView) -> Result<Self> {
        if predicted.is_empty() {
            return Err(Error::failed("every member of the stack failed"));
        }
        let responses = &train.screen.responses;
        let weight = |row: &usize| f64::from(responses.weight(*row));
        let value = |row: &usize| f64::from(responses.values()[*row]);
        let total: f64 = train.rows.iter().map(weight).sum();
        let mean = train.rows.iter().map(|row| weight(row) * value(row)).sum::<f64>() / total;
        let weights = match kind {
            StackWeights::Earned => least_squares(predicted, train, mean),
            StackWeights::Equal => vec![1.0 / predicted.len() as f64; predicted.len()],
        };
        Ok(Self { mean, weights })
    }

    /// The combined predictions of the members.
    pub(crate) fn of(&self, predicted: &[&[f32]]) -> Vec<f32> {
        blended(self.mean, &self.weights, predicted)
    }
}

fn blended(mean: f64, weights: &[f64], predicted: &[&[f32]]) -> Vec<f32> {
    let length = predicted.first().map_or(0, |values| values.len());
    let sum = |at: usize| {
        let deviations =
            weights.iter().zip(predicted).map(|(weight, values)| weight * (f64::from(values[at]) - mean));
        (mean + deviations.sum::<f64>()) as f32
    };
    (0..length).map(sum).collect()
}

/// Non-negative least squares: weights of the members' deviations from the mean. Cyclic descent on the normal equations
/// reaches the optimum of this convex problem.
fn least_squares(predicted: &[&[f32]], train: &TrainView, mean: f64) -> Vec<f64> {
    let responses = &train.screen.responses;
    let members = predicted.len();
    let (mut products, mut targets) = (vec![vec![0.0; members]; members], vec![0.0; members]);
    for (at, row) in train.rows.iter().enumerate() {
        let weight = f64::from(responses.weight(*row));
        let target = f64::from(responses.values()[*row]) - mean;
        for a in 0..members {
            let own = weight * (f64::from(predicted[a][at]) - mean);
            targets[a] += own * target;
            for b in 0..=a {
                products[a][b] += own * (f64::from(predicted[b][at]) - mean);
            }
        }
    }
    let product = |a: usize, b: usize| if a >= b { products[a][b] } else { products[b][a] };
    let mut weights = vec![0.0; members];
    for _ in 0..100_000 {
        let mut moved: f64 = 0.0;
        for a in 0..members {
            if product(a, a) <= 0.0 {
                continue;
            }
            let others: f64 = (0..members).filter(|b| *b != a).map(|b| product(a, b) * weights[b]).sum();
            let next = ((targets[a] - others) / product(a, a)).max(0.0);
            moved = moved.max((next - weights[a]).abs());
            weights[a] = next;
        }
        if moved < 1e-12 {
            break;
        }
    }
    weights
}

impl FittedStack {
    /// A stack of the members with a weight above 0.
    fn of(members: Vec<NamedFit>, blend: Blend, train: &TrainView) -> Self {
        let earning = members.into_iter().zip(blend.weights).filter(|(_, weight)| *weight > 0.0);
        let member = |((name, model), weight)| Member { name, weight, model };
        Self::assembled(blend.mean, train.screen.sides.len(), earning.map(member).collect())
    }

    /// A stack with the features of all members.
    fn assembled(mean: f64, sides: usize, members: Vec<Member>) -> Self {
        let space = |side: usize| {
            let all = members.iter().flat_map(|member| &member.model.space(side).features);
            let mut seen = HashSet::new();
            let first = |feature: &&Feature| seen.insert((feature.kind.clone(), feature.name.clone()));
            FeatureSpace { features: all.filter(first).cloned().collect() }
        };
        let spaces = (0..sides).map(space).collect();
        Self { mean, spaces, members }
    }

    /// The names and weights of the members with a weight above 0.
    pub fn weights(&self) -> Vec<(&str, f64)> {
        self.members.iter().map(|member| (member.name.as_str(), member.weight)).collect()
    }

    fn blended(&self, parts: &[Vec<f32>], length: usize) -> Vec<f32> {
        if parts.is_empty() {
            return vec![self.mean as f32; length];
        }
        let weights: Vec<f64> = self.members.iter().map(|member| member.weight).collect();
        let parts: Vec<&[f32]> = parts.iter().map(Vec::as_slice).collect();
        blended(self.mean, &weights, &parts)
    }

    /// Reads a stack from its [`FittedModel::stored`] form. `load` makes a member from its family and its stored form.
    ///
    /// # Errors
    /// If the description is not that of a stack, or a member cannot be loaded.
    pub fn from_stored(
        stored: &StoredModel,
        load: impl Fn(&str, &StoredModel) -> Result<Box<dyn FittedModel>>,
    ) -> Result<Self> {
        let Description { mean, sides, members: described } = stored.described()?;
        if !mean.is_finite()
            || described.iter().any(|member| !(member.weight.is_finite() && member.weight >= 0.0))
        {
            return Err(malformed("a weight is not a finite number, at least 0"));
        }
        let mut members = Vec::new();
        for (at, MemberDescription { name, family, weight, description }) in described.into_iter().enumerate()
        {
            let prefix = format!("{at}/");
            let own = stored
                .tensors
                .iter()
                .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor.clone())));
            let member = StoredModel { description, tensors: own.collect() };
            let model = load(&family, &member)
                .map_err(|error| error.with_context(format!("stack member {name:?}")))?;
            members.push(Member { name, weight, model });
        }
        if !(2..=3).contains(&sides) || members.iter().any(|member| member.model.sides() != sides) {
            return Err(malformed(format!("it has {sides} sides: expected 2 or 3, the same as each member")));
        }
        let fitted = Self::assembled(mean, sides, members);
        stored.refuse_unknown(&fitted.stored()?)?;
        Ok(fitted)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    mean: f64,
    sides: usize,
    members: Vec<MemberDescription>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberDescription {
    name: String,
    family: String,
    weight: f64,
    description: serde_json::Value,
}

struct Prepared<'a> {
    stack: &'a FittedStack,
    members: Vec<Box<dyn PreparedGrid + 'a>>,
    columns: usize,
}

impl PreparedGrid for Prepared<'_> {
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let mut parts = Vec::new();
        for member in &self.members {
            parts.push(member.scores(rows)?);
        }
        Ok(self.stack.blended(&parts, rows.len() * self.columns))
    }
}

impl FittedModel for FittedStack {
    fn family(&self) -> &'static str {
        "stack"
    }

    fn sides(&self) -> usize {
        self.spaces.len()
    }

    /// The features of all members.
    fn space(&self, side: usize) -> &FeatureSpace {
        self.spaces.get(side).unwrap_or(FeatureSpace::none())
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        query.check(self.spaces.len())?;
        let mut parts = Vec::new();
        for member in &self.members {
            parts.push(member.model.predict(query)?);
        }
        Ok(self.blended(&parts, query.tuples.len()))
    }

    fn prepare<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        columns: &'a [u32],
    ) -> Result<Box<dyn PreparedGrid + 'a>> {
        Query::check_tables(tables, self.spaces.len())?;
        let mut members = Vec::new();
        for member in &self.members {
            members.push(member.model.prepare(tables, columns)?);
        }
        Ok(Box::new(Prepared { stack: self, members, columns: columns.len() }))
    }

    /// For each side, the smallest share of any member.
    fn feature_shares(&self, tables: &[&EntityTable]) -> Result<Vec<f64>> {
        Query::check_tables(tables, self.spaces.len())?;
        let mut least = vec![1.0f64; tables.len()];
        for member in &self.members {
            let shares = member.model.feature_shares(tables)?;
            least.iter_mut().zip(shares).for_each(|(least, share)| *least = least.min(share));
        }
        Ok(least)
    }

    /// A side can be attributed if any member can attribute its predictions. The other members are part of the base. A
    /// stack without members attributes nothing to any feature.
    fn as_attributable(&self, side: usize) -> Option<&dyn Attributable> {
        let mut members = self.members.iter().map(|member| member.model.as_attributable(side).is_some());
        (self.members.is_empty() || members.any(|can| can)).then_some(self as _)
    }

    fn stored(&self) -> Result<StoredModel> {
        let mut tensors = BTreeMap::new();
        let mut members = Vec::new();
        for (at, Member { name, weight, model }) in self.members.iter().enumerate() {
            let StoredModel { description, tensors: own } = model.stored()?;
            tensors.extend(own.into_iter().map(|(name, tensor)| (format!("{at}/{name}"), tensor)));
            let (name, family) = (name.clone(), model.family().to_owned());
            members.push(MemberDescription { name, family, weight: *weight, description });
        }
        StoredModel::new(&Description { mean: self.mean, sides: self.spaces.len(), members }, tensors)
    }
}

impl Attributable for FittedStack {
    fn attribute<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Box<dyn Attributor + 'a>> {
        Ok(Box::new(attribution::StackAttributor::new(self, tables, side, entities)?))
    }
}
