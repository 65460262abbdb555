//! How much a few measured responses of an unseen entity improve predictions.

use std::collections::BTreeMap;

use halfmax_core::{
    EntityTable, Error, FittedModel, Progress, Responses, Result, Screen, Seed, ValidationGroup,
};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Metrics;
use crate::inner_folds::predict_rows;

/// Parameters of the learning curve over pilot measurements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PilotParams {
    /// Numbers of responses of every held-out entity that a model gets, in ascending order, at most 1000. One point of the curve each.
    pub responses: Vec<usize>,
}

impl Default for PilotParams {
    /// 0, 1, 2, 5, 10 and 20 responses.
    fn default() -> Self {
        Self { responses: vec![0, 1, 2, 5, 10, 20] }
    }
}

const SEED_PILOTS: u64 = 0x7069_6c6f;
const MOST_RESPONSES: usize = 1_000;

/// A point of the learning curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LearningPoint {
    /// Number of responses of every held-out entity that the model got.
    pub responses: usize,
    /// Metrics over the other responses of these entities, which are the same for every point.
    pub metrics: Metrics,
}

/// A model's predictions after it got some responses, in one fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pilot {
    pub(crate) given: usize,
    pub(crate) rows: Vec<usize>,
    pub(crate) predicted: Vec<f32>,
}

impl PilotParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If there are no numbers, if they do not ascend, or if one is above 1,000.
    pub fn check(&self) -> Result<()> {
        let fits = !self.responses.is_empty()
            && self.responses.is_sorted_by(|a, b| a < b)
            && self.responses.iter().all(|one| *one <= MOST_RESPONSES);
        if fits {
            return Ok(());
        }
        let expected = "ascending numbers of at most 1000, for example [0, 1, 2, 5, 10, 20]";
        Err(Error::parameter("pilot.responses", format!("{:?}", self.responses), expected))
    }

    /// Gives a model the first few responses of every held-out entity, in random order. The model then predicts the
    /// responses that it never gets. Entities without such responses are left out.
    ///
    /// `None` for a model that cannot use responses of held-out entities, or if single responses are held out.
    pub(crate) fn run(
        &self,
        fitted: &dyn FittedModel,
        screen: &Screen,
        test: &[usize],
        validation: ValidationGroup,
        seed: Seed,
        progress: &dyn Progress,
    ) -> Result<Option<Vec<Pilot>>> {
        let (ValidationGroup::Entity(side) | ValidationGroup::Groups(side, _)) = validation else {
            return Ok(None);
        };
        let Some(conditionable) = fitted.as_conditionable() else { return Ok(None) };
        let most = self.responses.last().copied().unwrap_or(0);
        let mut of_entity: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for row in test {
            of_entity.entry(screen.responses.side(side)[*row]).or_default().push(*row);
        }
        of_entity.retain(|_, rows| rows.len() > most);
        for (entity, rows) in &mut of_entity {
            let seed = seed.derive(SEED_PILOTS).derive(u64::from(*entity));
            rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.value()));
        }
        let rows: Vec<usize> = of_entity.values().flat_map(|rows| &rows[most..]).copied().collect();
        let tables: Vec<&EntityTable> = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
        let mut pilots = Vec::new();
        for given in &self.responses {
            progress.check()?;
            let measured: Vec<usize> = of_entity.values().flat_map(|rows| &rows[..*given]).copied().collect();
            let conditioned = conditionable.condition_on(&tables, &pick(&screen.responses, &measured)?)?;
            if conditioned.used == 0 && !measured.is_empty() {
                return Ok(None);
            }
            let predicted = predict_rows(&*conditioned.model, screen, &rows)?;
            pilots.push(Pilot { given: *given, rows: rows.clone(), predicted });
        }
        Ok(Some(pilots))
    }
}

fn pick(responses: &Responses, rows: &[usize]) -> Result<Responses> {
    let side = |side: usize| rows.iter().map(|row| responses.side(side)[*row]).collect();
    let values = rows.iter().map(|row| responses.values()[*row]).collect();
    let weights = responses.weights().map(|weights| rows.iter().map(|row| weights[*row]).collect());
    Responses::new((0..responses.sides()).map(side).collect(), values, weights)
}
