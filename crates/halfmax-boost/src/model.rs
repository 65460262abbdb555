//! The fitted model: prediction, storage.

use std::collections::HashMap;

use halfmax_core::{
    Attributable, Attributor, Domain, EntityTable, Error, Feature, FeatureSpace, FittedModel, PreparedGrid,
    Query, Result, StoredModel, Tuples,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::params::BoostParams;
use crate::shape::{Patterns, common_leaf};
use crate::shapley::Shapley;
use crate::tree::{Leaves, Tree};

/// Fitted factorised gradient-boosted trees.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedBoost {
    pub(crate) target: String,
    /// Whether its last two sides are the drugs of a combination, whose order has no meaning.
    pub(crate) symmetric: bool,
    pub(crate) params: BoostParams,
    pub(crate) intercept: f64,
    pub(crate) quantum: f64,
    pub(crate) sides: Vec<FittedSide>,
    pub(crate) trees: Vec<Tree>,
}

/// What a fitted model stores about one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedSide {
    /// The side's name.
    pub name: String,
    /// Ids of the training entities.
    pub ids: Vec<String>,
    /// The features. Two more numbers follow these: the mean response, and the training entity.
    pub space: FeatureSpace,
    /// The offset of each training entity from the intercept; may be empty.
    #[serde(skip)]
    pub offsets: Vec<f64>,
    /// The mean response of each training entity, if it is a feature; NaN for entities without responses.
    #[serde(skip)]
    pub means: Vec<f32>,
}

/// A side's entities as the model sees them: feature columns, and the training entity that each entity is.
pub(crate) struct Entities {
    /// Values of the features that some tree tests.
    columns: HashMap<u32, Vec<f32>>,
    /// The training entity that each entity is; `None` for new entities.
    known: Vec<Option<u32>>,
    pub(crate) len: usize,
}

impl FittedSide {
    /// The feature that a tree tests under this number.
    pub(crate) fn feature(&self, number: u32) -> Feature {
        let after = (number as usize).checked_sub(self.space.len());
        let own = |kind: &str, domain| Feature { kind: kind.into(), name: kind.into(), domain };
        match after {
            None => self.space.features[number as usize].clone(),
            Some(0) => own("mean_response", Domain::Real),
            Some(_) => own("training_number", Domain::Category(self.ids.clone())),
        }
    }

    /// The features of this side that some tree tests, ascending.
    pub(crate) fn tested(side: u8, trees: &[Tree]) -> Vec<u32> {
        let tested = trees.iter().flat_map(|tree| {
            let tests = tree.tests.iter().zip(&tree.shape.sides);
            tests.filter(move |(_, tested)| **tested == side).map(|((feature, _), _)| *feature)
        });
        let mut tested: Vec<u32> = tested.collect();
        tested.sort_unstable();
        tested.dedup();
        tested
    }

    /// Converts the entities of a table to the model's features and numbers.
    fn see(&self, side: u8, query: &Query, trees: &[Tree]) -> Result<Entities> {
        let table = query.tables[usize::from(side)];
        let alignment = self.space.align(table)?;
        let numbers: HashMap<&str, u32> = self.ids.iter().map(String::as_str).zip(0..).collect();
        let known: Vec<Option<u32>> =
            table.ids().iter().map(|id| numbers.get(id.as_str()).copied()).collect();
        let tested = Self::tested(side, trees);
        let column = |feature: &u32| {
            let at = *feature as usize;
            if at < self.space.len() {
                return alignment.column(at);
            }
            let mean =
                |known: u32| if at == self.space.len() { self.means[known as usize] } else { known as f32 };
            known.iter().map(|known| known.map_or(f32::NAN, mean)).collect()
        };
        let columns: Vec<Vec<f32>> = tested.par_iter().map(column).collect();
        let columns = tested.into_iter().zip(columns).collect();
        Ok(Entities { columns, known, len: table.len() })
    }
}

impl Entities {
    /// The leaves of a tree that each entity can reach.
    pub(crate) fn patterns(&self, tree: &Tree, side: u8) -> Patterns {
        tree.patterns(side, self.len, |feature| self.column(feature))
    }

    fn offset(&self, entity: u32, offsets: &[f64]) -> f64 {
        let known = self.known[entity as usize];
        known.and_then(|known| offsets.get(known as usize)).copied().unwrap_or(0.0)
    }

    /// The values of a feature that some tree tests.
    pub(crate) fn column(&self, feature: u32) -> &[f32] {
        self.columns.get(&feature).map_or(&[], Vec::as_slice)
    }

    /// The number of the training entity, or one past the last training entity for a new entity.
    pub(crate) fn number(&self, entity: u32, training: usize) -> usize {
        self.known[entity as usize].map_or(training, |known| known as usize)
    }
}

/// Number of tuples that are predicted at a time.
const PIECE: usize = 4096;

impl FittedBoost {
    /// The trees.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The parameters of the fit.
    pub fn params(&self) -> &BoostParams {
        &self.params
    }

    /// What the model stores about each side.
    pub fn sides(&self) -> &[FittedSide] {
        &self.sides
    }

    /// The prediction before the first tree, without any entity's offset.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The unit of leaf values.
    pub fn quantum(&self) -> f64 {
        self.quantum
    }

    pub(crate) fn see(&self, query: &Query) -> Result<Vec<Entities>> {
        query.check(self.sides.len())?;
        (0u8..).zip(&self.sides).map(|(at, side)| side.see(at, query, &self.trees)).collect()
    }

    /// The part of a prediction that does not come from a tree.
    pub(crate) fn baseline(&self, entities: &[Entities], tuple: &[u32]) -> f64 {
        let parts = entities.iter().zip(&self.sides).zip(tuple);
        parts.fold(self.intercept, |sum, ((seen, side), entity)| sum + seen.offset(*entity, &side.offsets))
    }

    /// Whether the last two sides are the drugs of a combination. A prediction is then the mean of the trees' predictions
    /// for both orders.
    pub fn is_symmetric(&self) -> bool {
        self.symmetric
    }

    /// The trees' predictions for tuples, with the last two sides in this order.
    fn ordered(&self, query: &Query, order: Order) -> Result<Vec<f64>> {
        let tables: Vec<&EntityTable> = order.of(query.tables.to_vec());
        let entities = self.see(&Query { tables: &tables, ..*query })?;
        let sums = self.sums(&entities, &query.tuples, order);
        let mut tuple = vec![0; self.sides.len()];
        let value = |(at, sum): (usize, i32)| {
            query.tuples.get(at, &mut tuple);
            order.swap(&mut tuple);
            self.baseline(&entities, &tuple) + f64::from(sum) * self.quantum
        };
        Ok(sums.into_iter().enumerate().map(value).collect())
    }

    /// Sums of the trees' leaf values for tuples, in quanta.
    fn sums(&self, entities: &[Entities], tuples: &Tuples, order: Order) -> Vec<i32> {
        let mut sums = vec![0i32; tuples.len()];
        // Trees are taken in chunks, so that their patterns fit into memory whatever the number of trees.
        for trees in self.trees.chunks(64) {
            let routed: Vec<Vec<Patterns>> = trees
                .par_iter()
                .map(|tree| (0u8..).zip(entities).map(|(at, side)| side.patterns(tree, at)).collect())
                .collect();
            sums.par_chunks_mut(PIECE).enumerate().for_each(|(piece, sums)| {
                let mut tuple = vec![0; self.sides.len()];
                for (at, sum) in sums.iter_mut().enumerate() {
                    tuples.get(piece * PIECE + at, &mut tuple);
                    order.swap(&mut tuple);
                    for (tree, patterns) in trees.iter().zip(&routed) {
                        *sum = sum.wrapping_add(self.value(tree, patterns, entities, &tuple));
                    }
                }
            });
        }
        sums
    }

    fn value(&self, tree: &Tree, patterns: &[Patterns], entities: &[Entities], tuple: &[u32]) -> i32 {
        let reach = patterns.iter().zip(tuple).map(|(patterns, entity)| {
            patterns.leaves[patterns.of_entity[*entity as usize] as usize].as_slice()
        });
        let leaf = common_leaf(reach);
        match &tree.leaves {
            Leaves::Scalar(values) => values[leaf],
            Leaves::Vector { side, values } => {
                let side = usize::from(*side);
                let training = self.sides[side].ids.len();
                values[leaf * (training + 1) + entities[side].number(tuple[side], training)]
            }
        }
    }
}

/// The order of the last two sides of a query.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    AsAsked,
    Swapped,
}

impl Order {
    pub(crate) fn of<T>(self, mut sides: Vec<T>) -> Vec<T> {
        self.swap(&mut sides);
        sides
    }

    pub(crate) fn swap<T>(self, sides: &mut [T]) {
        let last = sides.len() - 1;
        if self == Self::Swapped {
            sides.swap(last - 1, last);
        }
    }
}

/// Pairs as cells of the smallest grid that holds them: its rows, its columns, and the cell of every pair. `None` if the
/// pairs fill so few cells that single predictions are faster.
fn as_grid(rows: &[u32], columns: &[u32]) -> Option<(Vec<u32>, Vec<u32>, Vec<usize>)> {
    const SHARE: usize = 4;
    let different = |entities: &[u32]| {
        let mut different = entities.to_vec();
        different.sort_unstable();
        different.dedup();
        different
    };
    let numbers = |different: &[u32]| -> HashMap<u32, usize> { different.iter().copied().zip(0..).collect() };
    let (grid_rows, grid_columns) = (different(rows), different(columns));
    if grid_rows.len().checked_mul(grid_columns.len())? > SHARE * rows.len() {
        return None;
    }
    let (row_numbers, column_numbers) = (numbers(&grid_rows), numbers(&grid_columns));
    let pairs = rows.iter().zip(columns);
    let cell = |(row, column): (&u32, &u32)| row_numbers[row] * grid_columns.len() + column_numbers[column];
    let cells = pairs.map(cell).collect();
    Some((grid_rows, grid_columns, cells))
}

impl FittedModel for FittedBoost {
    fn family(&self) -> &'static str {
        "boost"
    }

    fn sides(&self) -> usize {
        self.sides.len()
    }

    fn space(&self, side: usize) -> &FeatureSpace {
        self.sides.get(side).map_or(FeatureSpace::none(), |side| &side.space)
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        query.check(self.sides.len())?;
        if self.symmetric {
            let (one, other) = (self.ordered(query, Order::AsAsked)?, self.ordered(query, Order::Swapped)?);
            return Ok(one.iter().zip(other).map(|(one, other)| ((one + other) / 2.0) as f32).collect());
        }
        let entities = self.see(query)?;
        if let Tuples::Grid(sides) = query.tuples
            && let [rows, columns] = sides
        {
            return Ok(Grid::new(self, entities, columns).rows(rows));
        }
        if let Tuples::Listed(sides) = query.tuples
            && let [rows, columns] = sides
            && let Some((rows, columns, cells)) = as_grid(rows, columns)
        {
            let scores = Grid::new(self, entities, &columns).rows(&rows);
            return Ok(cells.into_iter().map(|cell| scores[cell]).collect());
        }
        let said = self.ordered(query, Order::AsAsked)?;
        Ok(said.into_iter().map(|value| value as f32).collect())
    }

    fn prepare<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        columns: &'a [u32],
    ) -> Result<Box<dyn PreparedGrid + 'a>> {
        let entities = self.see(&Query { tables, tuples: Tuples::Grid(&[]) })?;
        if self.sides.len() != 2 {
            return Err(Error::data(format!("a grid has two sides, but the model has {}", self.sides.len())));
        }
        Ok(Box::new(Grid::new(self, entities, columns)))
    }

    fn as_attributable(&self, side: usize) -> Option<&dyn Attributable> {
        (side < self.sides.len()).then_some(self as _)
    }

    fn stored(&self) -> Result<StoredModel> {
        crate::store::stored(self)
    }
}

impl Attributable for FittedBoost {
    fn attribute<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Box<dyn Attributor + 'a>> {
        Ok(Box::new(Shapley::new(self, tables, side, entities)?))
    }
}
