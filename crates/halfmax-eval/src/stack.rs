//! Models combined by weights that their out-of-fold predictions earn.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use halfmax_core::{
    AnyModel, EntityTable, Error, ErrorKind, FeatureSpace, FitContext, FittedModel, Model, Parts,
    PreparedGrid, Query, Result, TrainView, Tuples, ValidationGroup,
};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::evaluate::Step;

/// Parameters of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StackParams {
    /// The names of the models to combine; empty for all others of the configuration that are not naive.
    pub members: Vec<String>,
    /// Inner folds that the out-of-fold predictions come from, grouped as the evaluation's split is: 2 to 20.
    pub folds: usize,
    /// Whether to go on without a member whose fit fails.
    pub skip_failed: bool,
}

impl Default for StackParams {
    fn default() -> Self {
        Self { members: Vec::new(), folds: 5, skip_failed: false }
    }
}

impl StackParams {
    /// A stack of these models, by name.
    ///
    /// # Errors
    /// If there is no member, one is there twice, or `folds` is out of range.
    pub fn of(self, members: Vec<(String, Arc<dyn AnyModel>)>) -> Result<Stack> {
        if !(2..=20).contains(&self.folds) {
            return Err(Error::parameter("folds", self.folds, "2 to 20"));
        }
        if members.is_empty() {
            return Err(Error::config("the stack has no member")
                .help("name models of the configuration: members = [\"kernel\", \"boost\"]"));
        }
        for (at, (name, _)) in members.iter().enumerate() {
            if members[..at].iter().any(|(other, _)| other == name) {
                return Err(Error::config(format!("the stack has the member {name:?} twice")));
            }
        }
        Ok(Stack { params: self, members })
    }
}

/// Stacked generalisation (Wolpert 1992; Breiman 1996): the prediction is a weighted sum of the members' deviations from
/// the mean, with non-negative weights by least squares on out-of-fold predictions.
///
/// The inner folds leave out what the evaluation's split leaves out, inside the training part: what a stack is judged on
/// it has not seen.
#[derive(Clone)]
pub struct Stack {
    params: StackParams,
    members: Vec<(String, Arc<dyn AnyModel>)>,
}

/// A fitted [`Stack`].
pub struct FittedStack {
    mean: f64,
    members: Vec<Member>,
}

struct Member {
    name: String,
    weight: f64,
    model: Box<dyn FittedModel>,
}

const SEED_FOLDS: u64 = 21;
const SEED_MEMBERS: u64 = 22;

impl Model for Stack {
    type Fitted = FittedStack;

    /// # Errors
    /// If a member fails (unless it is to be skipped), there are fewer groups than inner folds, or the user stopped it.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedStack> {
        if train.rows.is_empty() {
            return Err(Error::data("there is no response to learn from"));
        }
        let fold_of = inner_folds(train, context, self.params.folds)?;
        let fits = (self.params.folds + 1) * self.members.len();
        let mut out_of_fold: Vec<Option<Vec<f32>>> = Vec::new();
        for (at, (name, model)) in self.members.iter().enumerate() {
            let before = at * self.params.folds;
            let found = self.out_of_fold(&**model, train, context, &fold_of, (before, fits));
            out_of_fold.push(self.tolerate(name, found)?);
        }
        let mut members = Vec::new();
        for (at, (name, model)) in self.members.iter().enumerate() {
            let Some(predicted) = out_of_fold[at].take() else { continue };
            let progress =
                Step { whole: context.progress, at: self.members.len() * self.params.folds + at, of: fits };
            let context =
                FitContext { seed: context.seed.derive(SEED_MEMBERS), progress: &progress, ..*context };
            if let Some(model) = self.tolerate(name, model.fit_any(train, &context))? {
                members.push((name.clone(), model, predicted));
            }
        }
        if members.is_empty() {
            return Err(Error::failed("every member of the stack failed"));
        }
        let responses = &train.screen.responses;
        let weight = |row: &usize| f64::from(responses.weight(*row));
        let value = |row: &usize| f64::from(responses.values()[*row]);
        let total: f64 = train.rows.iter().map(weight).sum();
        let mean = train.rows.iter().map(|row| weight(row) * value(row)).sum::<f64>() / total;
        let deviations: Vec<&[f32]> = members.iter().map(|member| member.2.as_slice()).collect();
        let weights = earned(&deviations, train, mean);
        let earning = members.into_iter().zip(weights).filter(|(_, weight)| *weight > 0.0);
        let member = |((name, model, _), weight)| Member { name, weight, model };
        Ok(FittedStack { mean, members: earning.map(member).collect() })
    }
}

impl Stack {
    /// A member's predictions for every response, by fits that did not see its group.
    fn out_of_fold(
        &self,
        model: &dyn AnyModel,
        train: &TrainView,
        context: &FitContext,
        fold_of: &[usize],
        (before, of): (usize, usize),
    ) -> Result<Vec<f32>> {
        let screen = train.screen;
        let tables: Vec<&EntityTable> = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
        let mut predicted = vec![0.0; train.rows.len()];
        for fold in 0..self.params.folds {
            context.progress.check()?;
            let part = |inside: bool| -> Vec<usize> {
                (0..fold_of.len()).filter(|at| (fold_of[*at] == fold) == inside).collect()
            };
            let (held, kept) = (part(true), part(false));
            let rows = kept.iter().map(|at| train.rows[*at]).collect();
            let view = TrainView { screen, rows, features: train.features.clone() };
            let progress = Step { whole: context.progress, at: before + fold, of };
            let seed = context.seed.derive(SEED_MEMBERS).derive(fold as u64);
            let fitted = model.fit_any(&view, &FitContext { seed, progress: &progress, ..*context })?;
            let entity = |side: usize| {
                held.iter().map(|at| screen.responses.side(side)[train.rows[*at]]).collect::<Vec<u32>>()
            };
            let sides: Vec<Vec<u32>> = (0..screen.sides.len()).map(entity).collect();
            let listed: Vec<&[u32]> = sides.iter().map(Vec::as_slice).collect();
            let values = fitted.predict(&Query { tables: &tables, tuples: Tuples::Listed(&listed) })?;
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(Error::failed(format!("it predicts {value}: expected finite numbers")));
            }
            held.iter().zip(values).for_each(|(at, value)| predicted[*at] = value);
        }
        Ok(predicted)
    }

    /// What a member gave; nothing if it failed and may.
    fn tolerate<T>(&self, name: &str, found: Result<T>) -> Result<Option<T>> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(_) if self.params.skip_failed => Ok(None),
            Err(error) => {
                let help = error.advice().map_or_else(String::new, |advice| format!("{advice}; or "));
                Err(error
                    .at(format!("stack member {name:?}"))
                    .help(format!("{help}set skip_failed = true to go on without it")))
            }
        }
    }
}

/// The inner fold of every response of the view: groups are dealt out at random.
fn inner_folds(train: &TrainView, context: &FitContext, folds: usize) -> Result<Vec<usize>> {
    let responses = &train.screen.responses;
    let group_of: Vec<Vec<usize>> = train
        .rows
        .iter()
        .map(|row| {
            let entity = |side: usize| responses.side(side)[*row] as usize;
            match context.validation {
                ValidationGroup::Response => (0..responses.sides()).map(entity).collect(),
                ValidationGroup::Entity(side) => vec![entity(side)],
                ValidationGroup::Groups(side, groups) => vec![groups[entity(side)]],
            }
        })
        .collect();
    let mut groups: Vec<&Vec<usize>> = group_of.iter().collect();
    groups.sort_unstable();
    groups.dedup();
    if groups.len() < folds {
        return Err(Error::data(format!(
            "a stack of {folds} inner folds, but the responses are of {} groups: expected at least as many",
            groups.len()
        ))
        .help("set folds of the stack lower"));
    }
    groups.shuffle(&mut ChaCha8Rng::seed_from_u64(context.seed.derive(SEED_FOLDS).value()));
    let fold: HashMap<&Vec<usize>, usize> = groups.into_iter().zip((0..folds).cycle()).collect();
    Ok(group_of.iter().map(|group| fold[group]).collect())
}

/// Non-negative least squares: weights of the members' deviations from the mean, by cyclic descent on the normal
/// equations, which reaches the optimum of this convex problem.
fn earned(predicted: &[&[f32]], train: &TrainView, mean: f64) -> Vec<f64> {
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
    /// The names and weights of the members that earned any.
    pub fn weights(&self) -> Vec<(&str, f64)> {
        self.members.iter().map(|member| (member.name.as_str(), member.weight)).collect()
    }

    fn sums(&self, parts: &[(f64, Vec<f32>)], length: usize) -> Vec<f32> {
        let sum = |at: usize| {
            let deviations =
                parts.iter().map(|(weight, values)| weight * (f64::from(values[at]) - self.mean));
            (self.mean + deviations.sum::<f64>()) as f32
        };
        (0..length).map(sum).collect()
    }

    /// A stack from its [`FittedModel::parts`]; `load` makes a member of its family and parts.
    ///
    /// # Errors
    /// If the description is not one of a stack, or a member cannot be loaded.
    pub fn from_parts(
        parts: &Parts,
        load: impl Fn(&str, &Parts) -> Result<Box<dyn FittedModel>>,
    ) -> Result<Self> {
        let malformed = |what: &str| Error::data(format!("the stack is malformed: {what}"));
        let Description { mean, members: described } = Deserialize::deserialize(&parts.description)
            .map_err(|error| malformed("its description is not understood").because(error))?;
        if !mean.is_finite()
            || described.iter().any(|member| !(member.weight.is_finite() && member.weight >= 0.0))
        {
            return Err(malformed("a weight is not a finite number of at least 0"));
        }
        let mut members = Vec::new();
        for (at, MemberDescription { name, family, weight, description }) in described.into_iter().enumerate()
        {
            let prefix = format!("{at}/");
            let own = parts
                .tensors
                .iter()
                .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor.clone())));
            let parts = Parts { description, tensors: own.collect() };
            let model = load(&family, &parts).map_err(|error| error.at(format!("stack member {name:?}")))?;
            members.push(Member { name, weight, model });
        }
        Ok(Self { mean, members })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    mean: f64,
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
    members: Vec<(f64, Box<dyn PreparedGrid + 'a>)>,
    columns: usize,
}

impl PreparedGrid for Prepared<'_> {
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let mut parts = Vec::new();
        for (weight, member) in &self.members {
            parts.push((*weight, member.scores(rows)?));
        }
        Ok(self.stack.sums(&parts, rows.len() * self.columns))
    }
}

impl FittedModel for FittedStack {
    fn family(&self) -> &'static str {
        "stack"
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        let mut parts = Vec::new();
        for member in &self.members {
            parts.push((member.weight, member.model.predict(query)?));
        }
        Ok(self.sums(&parts, query.tuples.len()))
    }

    fn prepare<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        columns: &'a [u32],
    ) -> Result<Box<dyn PreparedGrid + 'a>> {
        let mut members = Vec::new();
        for member in &self.members {
            members.push((member.weight, member.model.prepare(tables, columns)?));
        }
        Ok(Box::new(Prepared { stack: self, members, columns: columns.len() }))
    }

    fn feature_share(&self, query: &Query) -> Result<Vec<f64>> {
        let mut least = vec![1.0f64; query.tables.len()];
        for member in &self.members {
            let shares = member.model.feature_share(query)?;
            least.iter_mut().zip(shares).for_each(|(least, share)| *least = least.min(share));
        }
        Ok(least)
    }

    fn space(&self, side: usize) -> FeatureSpace {
        let mut union = FeatureSpace::default();
        for member in &self.members {
            let own = member.model.space(side).features;
            union.features.extend(own);
        }
        let mut seen = std::collections::HashSet::new();
        union.features.retain(|feature| seen.insert((feature.kind.clone(), feature.name.clone())));
        union
    }

    fn parts(&self) -> Parts {
        let mut tensors = BTreeMap::new();
        let mut members = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            let Parts { description, tensors: own } = member.model.parts();
            tensors.extend(own.into_iter().map(|(name, tensor)| (format!("{at}/{name}"), tensor)));
            members.push(serde_json::json!({
                "name": member.name,
                "family": member.model.family(),
                "weight": member.weight,
                "description": description,
            }));
        }
        Parts { description: serde_json::json!({ "mean": self.mean, "members": members }), tensors }
    }
}
