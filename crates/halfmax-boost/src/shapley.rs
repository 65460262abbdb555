//! The contribution of each feature of an entity to a prediction: the exact Shapley values of the trees.
//!
//! The game is that of path-dependent TreeSHAP (Lundberg, Erion & Lee 2018, "Consistent individualized feature attribution
//! for tree ensembles", arXiv:1802.03888). If a node tests a feature outside the coalition, the prediction follows both
//! branches, weighted by the shares of the training responses. Consider a leaf of value `v` whose path tests the features
//! `1..=M`. It adds the product `v · Π_{j∈S} o_j · Π_{j∉S} z_j` to the value of a coalition `S`. Here `o_j` is 1 if the
//! features of the tuple satisfy the path's tests of feature `j`, otherwise 0, and `z_j` is the share of the responses that
//! satisfy these tests. The Shapley value of feature `i` in this game is, with `k!(M-1-k)!/M! = ∫ q^k (1-q)^(M-1-k) dq`,
//!
//! ```text
//! φ_i = v · (o_i - z_i) · ∫ Π_{j≠i} (q o_j + (1-q) z_j) dq        (q from 0 to 1)
//! ```
//!
//! The integrand is a polynomial of degree `M - 1`, so Gauss–Legendre quadrature at `⌈M/2⌉` points is exact. At each point,
//! the product over features has one factor for each side. Entities that satisfy the tests of the same features share a
//! pattern, and there are few patterns. The factors of the entities are computed once per pattern, when attribution is
//! prepared. The factors of the partners are computed once per leaf and call. Neighbouring leaves are added up by their joint
//! patterns before the sums are added to the entities.
//!
//! For a leaf that holds a vector over the partners' side, the value is the partner's entry. A vector over the attributed
//! entities does not belong to any feature: it is part of the base, like the offsets of training entities. Predictions for
//! combinations are the mean of both orders of the drugs, and so are their contributions.

use halfmax_core::{
    Attribution, Attributor, EntityTable, Error, Feature, FeatureSpace, Query, Result, Tuples,
    check_entities, check_partners,
};
use ndarray::Array2;
use rayon::prelude::*;

use crate::contributions::{Routed, Tables};
use crate::model::{Entities, FittedBoost, FittedSide, Order};
use crate::shape::common_leaf;
use crate::tree::{Leaves, Test, Tree};

/// A model prepared to attribute predictions for some entities of one side.
pub(crate) struct Shapley<'a> {
    tables: &'a [&'a EntityTable],
    side: usize,
    entities: &'a [u32],
    space: FeatureSpace,
    /// One order, or both orders of the drugs for combinations.
    orders: Vec<Ordered<'a>>,
}

/// The trees, seen in one order of the sides.
struct Ordered<'a> {
    model: &'a FittedBoost,
    entities: &'a [u32],
    order: Order,
    /// The side of the entities.
    side: u8,
    seen: Vec<Entities>,
    trees: Vec<Routed<'a>>,
}

impl<'a> Shapley<'a> {
    pub(crate) fn new(
        model: &'a FittedBoost,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Self> {
        let sides = model.sides().len();
        check_entities(model, tables, side, entities)?;
        let orders: &[Order] =
            if model.is_symmetric() { &[Order::AsAsked, Order::Swapped] } else { &[Order::AsAsked] };
        let stands = |order: Order| order.of((0..sides).collect()).iter().position(|place| *place == side);
        let stands: Vec<u8> = orders.iter().filter_map(|order| stands(*order)).map(|at| at as u8).collect();
        let mut tested: Vec<u32> =
            stands.iter().flat_map(|side| FittedSide::tested(*side, model.trees())).collect();
        tested.sort_unstable();
        tested.dedup();
        let features: Vec<Feature> =
            tested.iter().map(|number| model.sides()[side].feature(*number)).collect();
        let orders = orders
            .iter()
            .zip(stands)
            .map(|(order, stand)| Ordered::new(model, *order, tables, stand, entities, &tested))
            .collect::<Result<_>>()?;
        Ok(Self { tables, side, entities, space: FeatureSpace { features }, orders })
    }

    /// The tuple of an entity and its partners.
    fn tuple(&self, entity: u32, partners: &[u32]) -> Vec<u32> {
        let (before, after) = partners.split_at(self.side);
        [before, &[entity], after].concat()
    }

    /// The tuple of the first entity, for values that are the same for every entity.
    fn any_tuple(&self, partners: &[u32]) -> Result<Vec<u32>> {
        check_partners(self.tables, self.side, partners)?;
        Ok(self.tuple(self.entities.first().copied().unwrap_or(0), partners))
    }
}

impl Attributor for Shapley<'_> {
    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn method(&self) -> String {
        "exact Shapley values of the trees (TreeSHAP)".into()
    }

    fn contributions(&self, partners: &[u32]) -> Result<Attribution> {
        let tuple = self.any_tuple(partners)?;
        let width = self.entities.len();
        let mut values = vec![0f32; self.space.len() * width];
        let mut predicted = vec![0.0; width];
        let share = 1.0 / self.orders.len() as f64;
        for ordered in &self.orders {
            let tuple = ordered.order.of(tuple.clone());
            ordered.add(&tuple, share, &mut values, &mut predicted);
        }
        // Rounded in the same way as predictions.
        let predicted: Vec<f32> = predicted.into_iter().map(|value| value as f32).collect();
        let values = Array2::from_shape_vec((self.space.len(), width), values).map_err(|error| {
            Error::failed("the number of contributions does not fit their table").with_source(error)
        })?;
        Ok(Attribution::new(values, &predicted))
    }
}

impl<'a> Ordered<'a> {
    fn new(
        model: &'a FittedBoost,
        order: Order,
        tables: &[&EntityTable],
        side: u8,
        entities: &'a [u32],
        tested: &[u32],
    ) -> Result<Self> {
        let tables = order.of(tables.to_vec());
        let seen = model.see(&Query { tables: &tables, tuples: Tuples::Grid(&[]) })?;
        let own = &seen[usize::from(side)];
        let routed = |tree: &'a Tree| Routed::new(tree, side, own, entities, tested);
        let trees = model.trees().par_iter().map(routed).collect();
        Ok(Self { model, entities, order, side, seen, trees })
    }

    /// Adds a share of the contributions to `values` (features × entities), and the same share of the predictions to `predicted`.
    fn add(&self, tuple: &[u32], share: f64, values: &mut [f32], predicted: &mut [f64]) {
        let quantum = self.model.quantum();
        let mut sums = vec![0i32; self.entities.len()];
        let mut tables = Tables::default();
        for routed in &self.trees {
            let decided = self.decisions(routed.tree, tuple);
            let number = |side: usize| self.number(side, tuple[side]);
            let value = |leaf: usize| f64::from(leaf_value(routed.tree, leaf, number)) * quantum * share;
            routed.add(&decided, value, &mut tables, values);
            self.add_values(routed, &decided, tuple, &mut sums);
        }
        let mut tuple = tuple.to_vec();
        for ((predicted, sum), entity) in predicted.iter_mut().zip(sums).zip(self.entities) {
            tuple[usize::from(self.side)] = *entity;
            let prediction = self.model.baseline(&self.seen, &tuple) + f64::from(sum) * quantum;
            *predicted += share * prediction;
        }
    }

    /// For each node, whether it sends the partners left; false at nodes of the entities' side.
    fn decisions(&self, tree: &Tree, tuple: &[u32]) -> Vec<bool> {
        let nodes = tree.tests.iter().zip(&tree.shape.sides);
        let decide = |((feature, test), side): (&(u32, Test), &u8)| {
            let mut left = [false];
            if *side != self.side {
                let at = usize::from(*side);
                test.decide(&[self.seen[at].column(*feature)[tuple[at] as usize]], &mut left);
            }
            left[0]
        };
        nodes.map(decide).collect()
    }

    /// The number of the training entity that an entity is, or one past the last for a new entity.
    fn number(&self, side: usize, entity: u32) -> usize {
        self.seen[side].number(entity, self.model.sides()[side].ids.len())
    }

    /// Adds the values of the leaves that the entities reach.
    fn add_values(&self, routed: &Routed, decided: &[bool], tuple: &[u32], sums: &mut [i32]) {
        let leaf_of = self.leaves_of(routed, decided);
        for ((sum, pattern), entity) in sums.iter_mut().zip(&routed.reach.of_entity).zip(self.entities) {
            let number = |side: usize| {
                let own = side == usize::from(self.side);
                self.number(side, if own { *entity } else { tuple[side] })
            };
            *sum = sum.wrapping_add(leaf_value(routed.tree, leaf_of[*pattern as usize], number));
        }
    }

    /// The leaf that each pattern of the entities reaches with the partners.
    fn leaves_of(&self, routed: &Routed, decided: &[bool]) -> Vec<usize> {
        let others = (0..self.seen.len() as u8).filter(|side| *side != self.side);
        let partners: Vec<Vec<u64>> = others
            .flat_map(|side| routed.tree.shape.patterns(side, 1, |node, left| left[0] = decided[node]).leaves)
            .collect();
        let leaf = |own: &Vec<u64>| common_leaf(partners.iter().chain([own]).map(Vec::as_slice));
        routed.reach.leaves.iter().map(leaf).collect()
    }
}

/// The value of a leaf in quanta, given the number of the training entity on a side.
fn leaf_value(tree: &Tree, leaf: usize, number: impl Fn(usize) -> usize) -> i32 {
    match (&tree.leaves, tree.vector(leaf)) {
        (Leaves::Scalar(values), _) => values[leaf],
        (_, Some((side, values))) => values[number(usize::from(side))],
        (_, None) => 0,
    }
}
