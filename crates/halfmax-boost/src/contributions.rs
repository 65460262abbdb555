//! The contributions of a tree's features, computed for the patterns of entities in its leaves. See [`crate::shapley`] for the formula.

use std::collections::BTreeMap;
use std::ops::Range;

use halfmax_core::gauss_legendre;

use crate::model::Entities;
use crate::shape::Patterns;
use crate::tree::{Test, Tree};

/// A bundle of leaves has at most this many joint patterns of the entities.
const JOINT: usize = 128;

/// A tree with all information about the entities that does not depend on their partners.
pub(crate) struct Routed<'a> {
    pub(crate) tree: &'a Tree,
    /// The leaves that each entity can reach.
    pub(crate) reach: Patterns,
    bundles: Vec<Bundle>,
}

/// Neighbouring leaves, added up by the joint patterns of the entities.
struct Bundle {
    leaves: Vec<Member>,
    joint: Partition,
    rows: Vec<BundleRow>,
}

/// A leaf of a bundle.
struct Member {
    leaf: Leaf,
    /// For each joint pattern, the leaf's pattern that contains it.
    of_joint: Vec<u32>,
    /// Where the leaf's contributions begin in the bundle's contributions.
    start: usize,
}

/// A feature that leaves of a bundle depend on.
struct BundleRow {
    row: usize,
    /// For each of these leaves, its position in the bundle and where the feature's contributions begin.
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
    /// Factors that turn the product of all factors into an integrand, by point. The first row is for features whose
    /// tests are not satisfied; each further row is for a feature of `own` whose tests are satisfied.
    slopes: Vec<f32>,
    patterns: usize,
}

/// A feature of the entities that a leaf depends on.
struct Own {
    row: usize,
    /// For each pattern, whether it satisfies the path's tests.
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

/// Entities divided into numbered parts.
struct Partition {
    of_entity: Vec<u32>,
    parts: usize,
}

impl<'a> Routed<'a> {
    /// Routes the entities of a side. `features` lists the side's features that some tree tests, ascending.
    pub(crate) fn new(tree: &'a Tree, side: u8, seen: &Entities, entities: &[u32], features: &[u32]) -> Self {
        let goes_left = decisions(tree, side, seen, entities);
        let reach =
            tree.shape.patterns(side, entities.len(), |node, left| left.copy_from_slice(&goes_left[node]));
        let mut bundles: Vec<Bundle> = Vec::new();
        for (number, tested) in Tested::of_leaves(tree).into_iter().enumerate() {
            if let Some((leaf, partition)) =
                Leaf::new(number, tested, side, entities.len(), &goes_left, features)
            {
                Bundle::add_leaf(&mut bundles, leaf, partition);
            }
        }
        bundles.iter_mut().for_each(Bundle::gather_rows);
        Self { tree, reach, bundles }
    }

    /// Adds the tree's contributions to `values`, features × entities. `value(leaf)` is the value of a leaf for the
    /// partners. `decided` says where each node sends the partners.
    pub(crate) fn add(
        &self,
        decided: &[bool],
        value: impl Fn(usize) -> f64,
        tables: &mut Tables,
        values: &mut [f32],
    ) {
        self.bundles.iter().for_each(|bundle| bundle.add(decided, &value, tables, values));
    }
}

/// For each node of a side, where it sends the entities.
fn decisions(tree: &Tree, side: u8, seen: &Entities, entities: &[u32]) -> Vec<Vec<bool>> {
    let decide = |((feature, test), tested): (&(u32, Test), &u8)| {
        if *tested != side {
            return Vec::new();
        }
        let column = seen.column(*feature);
        let values: Vec<f32> = entities.iter().map(|entity| column[*entity as usize]).collect();
        let mut left = vec![false; entities.len()];
        test.decide(&values, &mut left);
        left
    };
    tree.tests.iter().zip(&tree.shape.sides).map(decide).collect()
}

/// Working memory of a call.
#[derive(Default)]
pub(crate) struct Tables {
    /// The contributions of each feature of each leaf of a bundle, by the leaf's pattern.
    leaves: Vec<f32>,
    /// Contributions of a feature by joint pattern.
    joint: Vec<f32>,
    /// For each point, the coefficient of a leaf's integrands.
    coefficients: Vec<f32>,
    /// For each row of a leaf's slopes, the integrals by pattern.
    integrals: Vec<f32>,
}

impl Bundle {
    fn new(leaf: Leaf, joint: Partition) -> Self {
        let of_joint = (0..joint.parts as u32).collect();
        Self { leaves: vec![Member { leaf, of_joint, start: 0 }], joint, rows: Vec::new() }
    }

    /// Adds a leaf to the last bundle, or begins a new bundle.
    fn add_leaf(bundles: &mut Vec<Self>, leaf: Leaf, partition: Partition) {
        if let Some(bundle) = bundles.last_mut()
            && let Some((joint, from)) = bundle.joint.refine(&partition, JOINT)
        {
            bundle.push(leaf, joint, &from);
        } else {
            bundles.push(Self::new(leaf, partition));
        }
    }

    /// Adds a leaf. `from` gives, for each new joint pattern, the old joint pattern and the leaf's pattern.
    fn push(&mut self, leaf: Leaf, joint: Partition, from: &[(u32, u32)]) {
        for member in &mut self.leaves {
            member.of_joint = from.iter().map(|(old, _)| member.of_joint[*old as usize]).collect();
        }
        let end = |last: &Member| last.start + last.leaf.own.len() * last.leaf.patterns;
        let start = self.leaves.last().map_or(0, end);
        let of_joint = from.iter().map(|(_, pattern)| *pattern).collect();
        self.leaves.push(Member { leaf, of_joint, start });
        self.joint = joint;
    }

    /// Collects the features that the leaves depend on.
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

    /// As [`Routed::add`].
    fn add(&self, decided: &[bool], value: &impl Fn(usize) -> f64, tables: &mut Tables, values: &mut [f32]) {
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

/// Adds to each sum the value of its pattern.
fn look_up(values: &[f32], patterns: &[u32], sums: &mut [f32]) {
    sums.iter_mut().zip(patterns).for_each(|(sum, pattern)| *sum += values[*pattern as usize]);
}

impl Leaf {
    /// A leaf with the patterns of the entities; `None` if its path tests no feature of the entities.
    fn new(
        number: usize,
        tested: Vec<Tested>,
        side: u8,
        entities: usize,
        goes_left: &[Vec<bool>],
        features: &[u32],
    ) -> Option<(Self, Partition)> {
        let quadrature = Quadrature::exact_to(tested.len().saturating_sub(1));
        let (own, others): (Vec<Tested>, Vec<Tested>) =
            tested.into_iter().partition(|tested| tested.side == side);
        if own.is_empty() {
            return None;
        }
        let (partition, holds) = Self::patterns(&own, entities, goes_left);
        let (products, slopes) = Self::factors(&own, &holds, partition.parts, &quadrature.points);
        let row = |tested: &Tested| features.partition_point(|feature| *feature < tested.feature);
        let own = own.iter().zip(holds).map(|(tested, holds)| Own { row: row(tested), holds }).collect();
        let patterns = partition.parts;
        Some((Self { number, quadrature, own, others, products, slopes, patterns }, partition))
    }

    /// The products and the slopes of a leaf.
    fn factors(own: &[Tested], holds: &[Vec<bool>], patterns: usize, points: &[f64]) -> (Vec<f32>, Vec<f32>) {
        let product = |q: f64, pattern: usize| {
            let factors = own.iter().zip(holds).map(|(tested, holds)| tested.factor(q, holds[pattern]));
            factors.product::<f64>() as f32
        };
        let products =
            points.iter().flat_map(|q| (0..patterns).map(move |pattern| product(*q, pattern))).collect();
        // (o - z) divided by the feature's own factor, which the integrand leaves out.
        let unmet = points.iter().map(|q| -1.0 / (1.0 - q));
        let met = own
            .iter()
            .flat_map(|tested| points.iter().map(|q| (1.0 - tested.share) / tested.factor(*q, true)));
        (products, unmet.chain(met).map(|slope| slope as f32).collect())
    }

    /// Groups the entities by the features whose tests they satisfy. Also returns, for each feature, whether each pattern
    /// satisfies its tests.
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

/// For each row of slopes and each pattern, the sum over the points of coefficient × slope × product.
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
    /// For each leaf, the features that its path tests.
    fn of_leaves(tree: &Tree) -> Vec<Vec<Self>> {
        // Number of responses that reach leaves with lower numbers.
        let mut before = vec![0u64];
        for cover in &tree.covers {
            before.push(before[before.len() - 1] + u64::from(*cover));
        }
        let count = |leaves: &Range<usize>| (before[leaves.end] - before[leaves.start]) as f64;
        let share = |part: &Range<usize>, whole: &Range<usize>| count(part) / count(whole).max(1.0);
        let mut paths: Vec<Vec<Self>> = vec![Vec::new(); tree.shape.leaves()];
        // Parents come before their children, so every path starts at the root.
        for (node, (start, middle, end)) in tree.shape.leaf_ranges().into_iter().enumerate() {
            let (side, feature) = (tree.shape.sides[node], tree.tests[node].0);
            for (leaves, left) in [(start..middle, true), (middle..end, false)] {
                let share = share(&leaves, &(start..end));
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

    /// Whether the tests are satisfied, given the direction of each node.
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
        let (points, weights) = gauss_legendre(count).into_iter().unzip();
        Self { points, weights }
    }
}

impl Partition {
    /// The common refinement of two partitions, and for each of its parts the two parts that contain it. `None` if there
    /// are more than `most` parts.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coalitions_are_weighted_as_shapley_says() {
        for degree in [0, 1, 2, 5, 16, 45] {
            let Quadrature { points, weights } = Quadrature::exact_to(degree);
            assert_eq!(points.len(), degree / 2 + 1);
            // k! (n - k)! / (n + 1)!, from k to k + 1.
            let mut expected = 1.0 / (degree as f64 + 1.0);
            for k in 0..=degree {
                let power = |q: &f64| q.powi(k as i32) * (1.0 - q).powi((degree - k) as i32);
                let found: f64 = points.iter().zip(&weights).map(|(q, weight)| weight * power(q)).sum();
                assert!(
                    (found / expected - 1.0).abs() < 1e-9,
                    "degree {degree}, k {k}: {found} for {expected}"
                );
                expected *= (k as f64 + 1.0) / (degree - k).max(1) as f64;
            }
        }
    }
}
