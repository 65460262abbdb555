//! What each feature of an entity contributes to a prediction: the exact Shapley values of the trees.
//!
//! The game is that of path-dependent TreeSHAP (Lundberg, Erion & Lee 2018, "Consistent individualized feature attribution
//! for tree ensembles", arXiv:1802.03888): where a node tests a feature that is not in the coalition, the prediction goes both
//! ways, in the shares of the training responses that went there. A leaf of value `v` whose path tests the features `1..=M` then
//! adds to the value of a coalition `S` the product `v · Π_{j∈S} o_j · Π_{j∉S} z_j`: `o_j` is 1 if the features of the tuple
//! satisfy the path's tests of feature `j`, else 0, and `z_j` is the share of the responses that satisfy them. The Shapley value
//! of feature `i` in that game is, with `k!(M-1-k)!/M! = ∫ q^k (1-q)^(M-1-k) dq`,
//!
//! ```text
//! φ_i = v · (o_i - z_i) · ∫ Π_{j≠i} (q o_j + (1-q) z_j) dq        (q from 0 to 1)
//! ```
//!
//! The integrand is a polynomial of degree `M - 1`, so Gauss–Legendre quadrature at `⌈M/2⌉` points is exact, and at a point the
//! product over features is one factor for each side. The entities of a side fall into the few patterns of which features'
//! tests they satisfy: their factors are computed once per pattern, when attribution is prepared, and the factors of the
//! partners once per leaf and call. Neighbouring leaves are added up for their joint patterns before the sums go to the
//! entities.

use std::collections::{BTreeMap, HashMap};

use halfmax_core::{
    Attribution, Attributor, EntityTable, Error, Feature, FeatureSpace, Query, Result, Tuples,
};
use ndarray::Array2;
use rayon::prelude::*;

use crate::model::{Entities, FittedBoost, FittedSide, Order};
use crate::shape::{Patterns, common_leaf};
use crate::tree::{Leaves, Tree};

/// Leaves are added up together as long as the entities show at most this many joint patterns.
const JOINT: usize = 128;

/// A model prepared to attribute predictions for some entities of one side.
pub(crate) struct Shapley<'a> {
    model: &'a FittedBoost,
    tables: &'a [&'a EntityTable],
    side: usize,
    entities: &'a [u32],
    space: FeatureSpace,
    /// One, or for combinations both orders of the drugs.
    orders: Vec<Ordered<'a>>,
}

/// The trees, seen in one order of the sides.
struct Ordered<'a> {
    order: Order,
    /// The side that the entities stand on.
    side: u8,
    seen: Vec<Entities>,
    trees: Vec<Routed<'a>>,
}

/// A tree with everything about the entities that does not depend on their partners.
struct Routed<'a> {
    tree: &'a Tree,
    /// The leaves that each entity can reach.
    reach: Patterns,
    bundles: Vec<Bundle>,
}

/// Neighbouring leaves, added up for the joint patterns of the entities.
struct Bundle {
    leaves: Vec<Member>,
    joint: Partition,
    rows: Vec<BundleRow>,
}

/// A leaf of a bundle.
struct Member {
    leaf: Leaf,
    /// The pattern of the leaf that each joint pattern is part of.
    of_joint: Vec<u32>,
    /// Where the leaf's contributions begin in those of the bundle.
    start: usize,
}

/// A feature that leaves of a bundle depend on.
struct BundleRow {
    row: usize,
    /// For each of those leaves its position in the bundle, and where the feature's contributions begin.
    parts: Vec<(usize, usize)>,
}

/// A leaf whose path tests features of the entities.
struct Leaf {
    number: usize,
    quadrature: Quadrature,
    own: Vec<Own>,
    /// The features of other sides.
    others: Vec<Tested>,
    /// Points × patterns: the product of the factors of the entities' features.
    products: Vec<f32>,
    /// What turns the product of all factors into an integrand, by point: first of features whose tests are not satisfied, then
    /// of each of `own` whose tests are.
    slopes: Vec<f32>,
    patterns: usize,
}

/// A feature of the entities that a leaf depends on.
struct Own {
    row: usize,
    /// For each pattern whether it satisfies the path's tests.
    holds: Vec<bool>,
}

/// All tests of one feature on the path to a leaf.
#[derive(Clone)]
struct Tested {
    side: u8,
    feature: u32,
    /// The share of the training responses that satisfy the tests: z.
    share: f64,
    /// The nodes, and whether the path goes left there.
    steps: Vec<(usize, bool)>,
}

/// Points and weights of the integral from 0 to 1.
struct Quadrature {
    points: Vec<f64>,
    weights: Vec<f64>,
}

/// Entities sorted into numbered parts.
struct Partition {
    of_entity: Vec<u32>,
    parts: usize,
}

impl<'a> Shapley<'a> {
    pub(crate) fn new(
        model: &'a FittedBoost,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Self> {
        let sides = model.sides().len();
        if side >= sides {
            return Err(Error::data(format!("side number {side} of a model of {sides} sides")));
        }
        if model.trees().iter().any(|tree| tree.covers.is_empty()) {
            return Err(Error::data(
                "the boosted-tree model does not tell how many training responses reach each leaf, as attribution needs",
            )
            .help("the file is of an earlier version; train the model again"));
        }
        let mut lists: Vec<&[u32]> = vec![&[]; sides];
        lists[side] = entities;
        Query { tables, tuples: Tuples::Grid(&lists) }.check(sides)?;
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
        let rows: HashMap<u32, usize> = tested.into_iter().zip(0..).collect();
        let orders = orders
            .iter()
            .zip(stands)
            .map(|(order, stand)| Ordered::new(model, *order, tables, stand, entities, &rows));
        let orders = orders.collect::<Result<_>>()?;
        Ok(Self { model, tables, side, entities, space: FeatureSpace { features }, orders })
    }

    /// The tuple of an entity and its partners.
    fn tuple(&self, entity: u32, partners: &[u32]) -> Vec<u32> {
        let (before, after) = partners.split_at(self.side);
        [before, &[entity], after].concat()
    }

    /// The tuple of the first entity, for what does not depend on which entity it is.
    fn any_tuple(&self, partners: &[u32]) -> Result<Vec<u32>> {
        let sides = self.model.sides().len();
        if partners.len() + 1 != sides {
            return Err(Error::data(format!("{} partners for a model of {sides} sides", partners.len())));
        }
        let tuple = self.tuple(self.entities.first().copied().unwrap_or(0), partners);
        let lists: Vec<&[u32]> = (0..sides)
            .map(|at| if at == self.side { &[][..] } else { std::slice::from_ref(&tuple[at]) })
            .collect();
        Query { tables: self.tables, tuples: Tuples::Grid(&lists) }.check(sides)?;
        Ok(tuple)
    }
}

impl Attributor for Shapley<'_> {
    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn method(&self) -> String {
        "exact Shapley values of the trees (TreeSHAP)".into()
    }

    fn of(&self, partners: &[u32]) -> Result<Attribution> {
        let tuple = self.any_tuple(partners)?;
        let width = self.entities.len();
        let mut values = vec![0f32; self.space.len() * width];
        let mut base = vec![0.0; width];
        let share = 1.0 / self.orders.len() as f64;
        for ordered in &self.orders {
            let tuple = ordered.order.of(tuple.clone());
            ordered.add(self.model, self.entities, &tuple, share, &mut values, &mut base);
        }
        // Rounded as predictions are.
        base.iter_mut().for_each(|prediction| *prediction = f64::from(*prediction as f32));
        for row in values.chunks(width.max(1)) {
            base.iter_mut().zip(row).for_each(|(base, value)| *base -= f64::from(*value));
        }
        let values = Array2::from_shape_vec((self.space.len(), width), values)
            .map_err(|error| Error::failed("the contributions do not fill their table").because(error))?;
        Ok(Attribution { values, base })
    }
}

impl<'a> Ordered<'a> {
    fn new(
        model: &'a FittedBoost,
        order: Order,
        tables: &[&EntityTable],
        side: u8,
        entities: &[u32],
        rows: &HashMap<u32, usize>,
    ) -> Result<Self> {
        let tables = order.of(tables.to_vec());
        let seen = model.see(&Query { tables: &tables, tuples: Tuples::Grid(&[]) })?;
        let own = &seen[usize::from(side)];
        let routed = |tree: &'a Tree| Routed::new(tree, side, own, entities, rows);
        let trees = model.trees().par_iter().map(routed).collect();
        Ok(Self { order, side, seen, trees })
    }

    /// Adds a share of the contributions to `values` (features × entities), and the same share of the predictions to `predicted`.
    fn add(
        &self,
        model: &FittedBoost,
        entities: &[u32],
        tuple: &[u32],
        share: f64,
        values: &mut [f32],
        predicted: &mut [f64],
    ) {
        let mut sums = vec![0i32; entities.len()];
        let mut tables = Tables::default();
        for routed in &self.trees {
            let decided = self.decisions(routed.tree, tuple);
            let value = |leaf: usize| {
                let value = leaf_value(routed.tree, leaf, |side| self.number(model, side, tuple[side]));
                f64::from(value) * model.quantum() * share
            };
            for bundle in &routed.bundles {
                bundle.add(&decided, value, &mut tables, values);
            }
            self.predict(model, routed, &decided, entities, tuple, &mut sums);
        }
        let mut tuple = tuple.to_vec();
        for ((predicted, sum), entity) in predicted.iter_mut().zip(sums).zip(entities) {
            tuple[usize::from(self.side)] = *entity;
            let prediction = model.baseline(&self.seen, &tuple) + f64::from(sum) * model.quantum();
            *predicted += share * prediction;
        }
    }

    /// For each node whether it sends the partners left; false at nodes of the entities' side.
    fn decisions(&self, tree: &Tree, tuple: &[u32]) -> Vec<bool> {
        let nodes = tree.tests.iter().zip(&tree.shape.sides);
        let decide = |((feature, test), side): (&(u32, crate::Test), &u8)| {
            let mut left = [false];
            if *side != self.side {
                let at = usize::from(*side);
                test.decide(&[self.seen[at].column(*feature)[tuple[at] as usize]], &mut left);
            }
            left[0]
        };
        nodes.map(decide).collect()
    }

    fn number(&self, model: &FittedBoost, side: usize, entity: u32) -> usize {
        self.seen[side].number(entity, model.sides()[side].ids.len())
    }

    /// Adds the leaf values that the entities reach.
    fn predict(
        &self,
        model: &FittedBoost,
        routed: &Routed,
        decided: &[bool],
        entities: &[u32],
        tuple: &[u32],
        sums: &mut [i32],
    ) {
        let shape = &routed.tree.shape;
        let others = (0..self.seen.len() as u8).filter(|side| *side != self.side);
        let mut partners: Vec<Vec<u64>> = others
            .flat_map(|side| shape.patterns(side, 1, |node, left| left[0] = decided[node]).leaves)
            .collect();
        partners.push(Vec::new());
        let leaf_of: Vec<usize> = (routed.reach.leaves.iter())
            .map(|own| {
                if let Some(last) = partners.last_mut() {
                    last.clone_from(own);
                }
                common_leaf(partners.iter().map(Vec::as_slice))
            })
            .collect();
        for ((sum, pattern), entity) in sums.iter_mut().zip(&routed.reach.of_entity).zip(entities) {
            let number = |side: usize| {
                let own = side == usize::from(self.side);
                self.number(model, side, if own { *entity } else { tuple[side] })
            };
            *sum = sum.wrapping_add(leaf_value(routed.tree, leaf_of[*pattern as usize], number));
        }
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

impl<'a> Routed<'a> {
    fn new(tree: &'a Tree, side: u8, seen: &Entities, entities: &[u32], rows: &HashMap<u32, usize>) -> Self {
        let goes_left: Vec<Vec<bool>> = (tree.tests.iter().zip(&tree.shape.sides))
            .map(|((feature, test), tested)| {
                if *tested != side {
                    return Vec::new();
                }
                let column = seen.column(*feature);
                let values: Vec<f32> = entities.iter().map(|entity| column[*entity as usize]).collect();
                let mut left = vec![false; entities.len()];
                test.decide(&values, &mut left);
                left
            })
            .collect();
        let reach =
            tree.shape.patterns(side, entities.len(), |node, left| left.copy_from_slice(&goes_left[node]));
        let mut bundles: Vec<Bundle> = Vec::new();
        for (number, tested) in Tested::of_leaves(tree).into_iter().enumerate() {
            let Some((leaf, partition)) = Leaf::new(number, tested, side, entities.len(), &goes_left, rows)
            else {
                continue;
            };
            let refined = bundles.last().and_then(|bundle| bundle.joint.refine(&partition, JOINT));
            match (refined, bundles.last_mut()) {
                (Some((joint, from)), Some(bundle)) => bundle.push(leaf, joint, &from),
                _ => bundles.push(Bundle::new(leaf, partition)),
            }
        }
        bundles.iter_mut().for_each(Bundle::gather_rows);
        Self { tree, reach, bundles }
    }
}

/// Working memory of a call.
#[derive(Default)]
struct Tables {
    /// The contributions of each feature of each leaf of a bundle, by the leaf's pattern.
    leaves: Vec<f32>,
    /// Contributions of a feature by joint pattern.
    joint: Vec<f32>,
    /// For each point what the integrands of a leaf are multiplied by.
    coefficients: Vec<f32>,
    /// For each row of a leaf's slopes the integrals by pattern.
    integrals: Vec<f32>,
}

impl Bundle {
    fn new(leaf: Leaf, joint: Partition) -> Self {
        let of_joint = (0..joint.parts as u32).collect();
        Self { leaves: vec![Member { leaf, of_joint, start: 0 }], joint, rows: Vec::new() }
    }

    /// Takes one more leaf in. `from` tells the old joint pattern and the leaf's pattern of each new joint pattern.
    fn push(&mut self, leaf: Leaf, joint: Partition, from: &[(u32, u32)]) {
        for member in &mut self.leaves {
            member.of_joint = from.iter().map(|(old, _)| member.of_joint[*old as usize]).collect();
        }
        let start =
            self.leaves.last().map_or(0, |last| last.start + last.leaf.own.len() * last.leaf.patterns);
        self.leaves.push(Member {
            leaf,
            of_joint: from.iter().map(|(_, pattern)| *pattern).collect(),
            start,
        });
        self.joint = joint;
    }

    fn gather_rows(&mut self) {
        let mut rows: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, member) in self.leaves.iter().enumerate() {
            for (own, feature) in member.leaf.own.iter().enumerate() {
                let start = member.start + own * member.leaf.patterns;
                rows.entry(feature.row).or_default().push((at, start));
            }
        }
        self.rows = rows.into_iter().map(|(row, parts)| BundleRow { row, parts }).collect();
    }

    /// Adds the contributions to those of the entities, features × entities. `value(leaf)` is the value of a leaf for the
    /// partners, `decided` tells where each node sends them.
    fn add(&self, decided: &[bool], value: impl Fn(usize) -> f64, tables: &mut Tables, values: &mut [f32]) {
        let width = self.joint.of_entity.len();
        tables.leaves.clear();
        for member in &self.leaves {
            member.leaf.contributions(decided, value(member.leaf.number), tables);
        }
        for BundleRow { row, parts } in &self.rows {
            tables.joint.clear();
            tables.joint.resize(self.joint.parts, 0.0);
            for (at, start) in parts {
                let Member { leaf, of_joint, .. } = &self.leaves[*at];
                look_up(&tables.leaves[*start..*start + leaf.patterns], of_joint, &mut tables.joint);
            }
            look_up(&tables.joint, &self.joint.of_entity, &mut values[row * width..][..width]);
        }
    }
}

/// Adds to each sum the value that its pattern has.
fn look_up(values: &[f32], patterns: &[u32], sums: &mut [f32]) {
    sums.iter_mut().zip(patterns).for_each(|(sum, pattern)| *sum += values[*pattern as usize]);
}

impl Leaf {
    /// A leaf with the patterns that the entities fall into; none if its path tests no feature of theirs.
    fn new(
        number: usize,
        tested: Vec<Tested>,
        side: u8,
        entities: usize,
        goes_left: &[Vec<bool>],
        rows: &HashMap<u32, usize>,
    ) -> Option<(Self, Partition)> {
        let quadrature = Quadrature::exact_to(tested.len().saturating_sub(1));
        let (own, others): (Vec<Tested>, Vec<Tested>) =
            tested.into_iter().partition(|tested| tested.side == side);
        if own.is_empty() {
            return None;
        }
        let (partition, holds) = Self::patterns(&own, entities, goes_left);
        let factors = |q: f64, pattern: usize| {
            let of = own.iter().zip(&holds).map(|(tested, holds)| tested.factor(q, holds[pattern]));
            of.product::<f64>() as f32
        };
        let points = &quadrature.points;
        let products = points.iter().flat_map(|q| (0..partition.parts).map(move |pattern| (*q, pattern)));
        let products = products.map(|(q, pattern)| factors(q, pattern)).collect();
        // (o - z) over the factor of the feature itself.
        let unmet = points.iter().map(|q| -1.0 / (1.0 - q));
        let met = own
            .iter()
            .flat_map(|tested| points.iter().map(|q| (1.0 - tested.share) / tested.factor(*q, true)));
        let slopes = unmet.chain(met).map(|slope| slope as f32).collect();
        let own =
            own.iter().zip(holds).map(|(tested, holds)| Own { row: rows[&tested.feature], holds }).collect();
        let patterns = partition.parts;
        Some((Self { number, quadrature, own, others, products, slopes, patterns }, partition))
    }

    /// Sorts the entities by which features' tests they satisfy; with, for each feature, whether each pattern does.
    fn patterns(own: &[Tested], entities: usize, goes_left: &[Vec<bool>]) -> (Partition, Vec<Vec<bool>>) {
        let mut partition = Partition { of_entity: vec![0; entities], parts: usize::from(entities > 0) };
        let mut all: Vec<Vec<bool>> = Vec::new();
        for tested in own {
            let holds = |entity: usize| tested.holds(|node| goes_left[node][entity]);
            let halves =
                Partition { of_entity: (0..entities).map(|at| u32::from(holds(at))).collect(), parts: 2 };
            let Some((refined, from)) = partition.refine(&halves, usize::MAX) else { continue };
            for earlier in &mut all {
                *earlier = from.iter().map(|(old, _)| earlier[*old as usize]).collect();
            }
            all.push(from.iter().map(|(_, half)| *half == 1).collect());
            partition = refined;
        }
        (partition, all)
    }

    /// Appends the contributions of every feature of the entities, each by pattern.
    fn contributions(&self, decided: &[bool], value: f64, tables: &mut Tables) {
        let Tables { leaves, coefficients, integrals, .. } = tables;
        coefficients.clear();
        let (points, weights) = (&self.quadrature.points, &self.quadrature.weights);
        coefficients.extend(points.iter().zip(weights).map(|(q, weight)| {
            let factor = |tested: &Tested| tested.factor(*q, tested.holds(|node| decided[node]));
            (value * weight * self.others.iter().map(factor).product::<f64>()) as f32
        }));
        integrals.clear();
        integrals.resize(self.patterns * (self.own.len() + 1), 0.0);
        integrate(coefficients, &self.slopes, &self.products, self.patterns, integrals);
        let (unmet, met) = integrals.split_at(self.patterns);
        for (own, met) in self.own.iter().zip(met.chunks(self.patterns.max(1))) {
            let values = met.iter().zip(unmet).zip(&own.holds);
            leaves.extend(values.map(|((met, unmet), holds)| if *holds { *met } else { *unmet }));
        }
    }
}

/// For each row of slopes and each pattern the sum over the points of coefficient × slope × product.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn integrate(coefficients: &[f32], slopes: &[f32], products: &[f32], patterns: usize, integrals: &mut [f32]) {
    let rows = slopes.chunks_exact(coefficients.len()).zip(integrals.chunks_exact_mut(patterns.max(1)));
    for (slopes, integrals) in rows {
        let points = coefficients.iter().zip(slopes).zip(products.chunks_exact(patterns.max(1)));
        for ((coefficient, slope), products) in points {
            let factor = coefficient * slope;
            integrals.iter_mut().zip(products).for_each(|(integral, product)| *integral += factor * product);
        }
    }
}

impl Tested {
    /// For each leaf the features that its path tests.
    fn of_leaves(tree: &Tree) -> Vec<Vec<Self>> {
        let ends = tree.shape.leaf_ranges();
        let mut sum = 0;
        let before: Vec<u64> = std::iter::once(0)
            .chain(tree.covers.iter().map(|cover| {
                sum += u64::from(*cover);
                sum
            }))
            .collect();
        let share = |part: std::ops::Range<usize>, whole: std::ops::Range<usize>| {
            let count = |leaves: std::ops::Range<usize>| before[leaves.end] - before[leaves.start];
            if count(whole.clone()) == 0 { 0.0 } else { count(part) as f64 / count(whole) as f64 }
        };
        let mut paths: Vec<Vec<Self>> = vec![Vec::new(); tree.shape.leaves()];
        // Parents come before their children, so every path is gone from the root.
        for (node, (start, middle, end)) in ends.into_iter().enumerate() {
            let (side, feature) = (tree.shape.sides[node], tree.tests[node].0);
            for (leaves, left) in [(start..middle, true), (middle..end, false)] {
                let share = share(leaves.clone(), start..end);
                paths[leaves]
                    .iter_mut()
                    .for_each(|path| Self::step(path, side, feature, (node, left), share));
            }
        }
        paths
    }

    fn step(path: &mut Vec<Self>, side: u8, feature: u32, step: (usize, bool), share: f64) {
        match path.iter_mut().find(|tested| tested.side == side && tested.feature == feature) {
            Some(tested) => {
                tested.share *= share;
                tested.steps.push(step);
            }
            None => path.push(Self { side, feature, share, steps: vec![step] }),
        }
    }

    /// Whether the tests are satisfied, given where each node sends.
    fn holds(&self, goes_left: impl Fn(usize) -> bool) -> bool {
        self.steps.iter().all(|(node, left)| goes_left(*node) == *left)
    }

    /// `q o + (1 - q) z`
    fn factor(&self, q: f64, holds: bool) -> f64 {
        (1.0 - q) * self.share + if holds { q } else { 0.0 }
    }
}

impl Quadrature {
    /// The Gauss–Legendre rule that is exact for polynomials up to this degree.
    fn exact_to(degree: usize) -> Self {
        let count = degree / 2 + 1;
        let (points, weights) = (0..count).map(|at| Self::point(count, at)).unzip();
        Self { points, weights }
    }

    /// A root of the Legendre polynomial of degree `count`, by Newton's method, and its weight; moved from -1..1 to 0..1.
    fn point(count: usize, at: usize) -> (f64, f64) {
        let mut x = (std::f64::consts::PI * (at as f64 + 0.75) / (count as f64 + 0.5)).cos();
        for _ in 0..100 {
            let (value, slope) = legendre(count, x);
            x -= value / slope;
            if (value / slope).abs() < 1e-15 {
                break;
            }
        }
        let (_, slope) = legendre(count, x);
        (0.5 + x / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
    }
}

/// The Legendre polynomial of this degree, at least 1, and its derivative.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut last, mut value) = (1.0, x);
    for n in 2..=degree {
        let n = n as f64;
        (last, value) = (value, ((2.0 * n - 1.0) * x * value - (n - 1.0) * last) / n);
    }
    (value, degree as f64 * (x * value - last) / (x * x - 1.0))
}

impl Partition {
    /// The parts that entities have in common in both, and for each the parts that it is of. None if there are more than
    /// `most`.
    fn refine(&self, other: &Self, most: usize) -> Option<(Self, Vec<(u32, u32)>)> {
        if self.parts > most {
            return None;
        }
        let mut numbers = vec![u32::MAX; self.parts * other.parts];
        let mut from = Vec::new();
        let mut of_entity = Vec::with_capacity(self.of_entity.len());
        for (one, another) in self.of_entity.iter().zip(&other.of_entity) {
            let number = &mut numbers[*one as usize * other.parts + *another as usize];
            if *number == u32::MAX {
                if from.len() >= most {
                    return None;
                }
                *number = from.len() as u32;
                from.push((*one, *another));
            }
            of_entity.push(*number);
        }
        Some((Self { of_entity, parts: from.len() }, from))
    }
}
