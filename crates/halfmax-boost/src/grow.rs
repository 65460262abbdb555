//! Grows one tree, best leaf first, on integer sums.
//!
//! A node is a box: for every side a list of entities with their sums over the box. A split on one side does not change the
//! other sides' entity lists, nor the sums of the split side. So one pass over the lighter child's responses updates
//! everything. The heavier child's histograms are those of the parent minus those of the lighter child.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::bins::SideBins;
use crate::histogram::{BLOCK, Histograms, Pool, Tile, accumulate};
use crate::packed_sums::Lanes;
use crate::search::{Limits, Rule, Split, binary_sums, category_sums};
use crate::shape::Shape;

/// The features of one side that a tree may split on.
pub struct Candidates<'a> {
    side: &'a SideBins,
    tile: Tile,
    binary: Vec<usize>,
    category: Vec<usize>,
    care: Care,
}

/// Limits that keep a tree from relying on too few entities of a side.
#[derive(Clone, Copy, Debug)]
pub struct Care {
    /// λ in entities.
    pub lambda: f64,
    /// Minimum number of entities in a leaf.
    pub least: f64,
}

impl<'a> Candidates<'a> {
    /// From ascending positions in the order numeric, binary, category.
    pub fn new(side: &'a SideBins, chosen: &[usize], care: Care) -> Self {
        let (numeric, binary) = (side.numeric.len(), side.binary.len());
        let within = |from: usize, to: usize| -> Vec<usize> {
            chosen.iter().filter(|at| (from..to).contains(*at)).map(|at| at - from).collect()
        };
        Self {
            side,
            tile: Tile::gather(side, within(0, numeric)),
            binary: within(numeric, numeric + binary),
            category: within(numeric + binary, side.len()),
            care,
        }
    }
}

/// The limits of a tree's growth.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// λ in units of weight.
    pub lambda: f64,
    /// Minimum weight of a leaf.
    pub min_weight: f64,
    /// Smoothing of the order of category levels.
    pub category_smoothing: f64,
    /// Maximum number of leaves.
    pub leaves: usize,
    /// Maximum number of splits above a leaf.
    pub max_depth: usize,
    /// Minimum gain, in integer units.
    pub min_gain: f64,
}

/// A grown tree.
#[derive(Debug)]
pub struct Grown<L> {
    /// The structure.
    pub shape: Shape,
    /// The rule of every inner node.
    pub rules: Vec<Rule>,
    /// The number of the feature that every inner node tests, in its side's feature space.
    pub features: Vec<usize>,
    /// The sums of every leaf.
    pub totals: Vec<L>,
    /// For every leaf and side, the number of entities.
    pub present: Vec<Vec<f64>>,
}

/// Computes the sums of a box after a split has changed it.
pub trait Source<L>: Sync {
    /// The sums of the entities of `side` over the box, in the order of its list.
    fn sums(&self, sides: &[NodeSide<L>], rows: &[u32], side: usize) -> Vec<L>;

    /// Divides the responses of a box by the direction of their entities of `side`, for sources that list responses.
    fn part(&self, rows: &[u32], side: usize, goes_left: &[bool]) -> (Vec<u32>, Vec<u32>);
}

/// The entities of one side of a box, ascending, with their sums over the box.
#[derive(Clone, Debug)]
pub struct NodeSide<L> {
    /// Entities.
    pub entities: Arc<Vec<u32>>,
    /// Their sums over the box.
    pub lanes: Arc<Vec<L>>,
}

struct Node<L, const BINS: usize> {
    sides: Vec<NodeSide<L>>,
    rows: Vec<u32>,
    total: L,
    /// For each side, the number of entities with a weight.
    present: Vec<f64>,
    depth: usize,
    place: Place,
    histograms: Vec<Vec<Histograms<L, BINS>>>,
    best: Option<Best<L>>,
}

/// The place of a node: on the left or right below an inner node, or the root.
#[derive(Clone, Copy)]
enum Place {
    Root,
    Left(usize),
    Right(usize),
}

struct Best<L> {
    gain: f64,
    side: usize,
    split: Split<L>,
}

/// Two siblings that have not been searched yet, with the histograms of their parent.
struct Pair<L, const BINS: usize> {
    parent: Vec<Vec<Histograms<L, BINS>>>,
    light: usize,
    heavy: usize,
}

struct Inner {
    place: Place,
    side: usize,
    feature: usize,
    rule: Rule,
}

/// Grows a tree from its root's sides.
pub fn grow<L: Lanes, const BINS: usize>(
    candidates: &[Candidates],
    source: &impl Source<L>,
    root: Vec<NodeSide<L>>,
    rows: Vec<u32>,
    growth: Growth,
    pool: &mut Pool<L, BINS>,
) -> Grown<L> {
    let mut total = L::default();
    root[0].lanes.iter().for_each(|lane| total.add(*lane));
    let mut grower = Grower { candidates, source, growth, pool, nodes: vec![], inner: vec![] };
    let histograms = vec![Vec::new(); root.len()];
    let root = Node {
        present: present(&root),
        sides: root,
        rows,
        total,
        depth: 0,
        place: Place::Root,
        histograms,
        best: None,
    };
    grower.nodes.push(root);
    grower.search_root();
    while grower.nodes.len() < growth.leaves
        && let Some(pair) = grower.split_best()
    {
        grower.search_pair(pair);
    }
    grower.finish()
}

fn present<L: Lanes>(sides: &[NodeSide<L>]) -> Vec<f64> {
    let count = |side: &NodeSide<L>| side.lanes.iter().filter(|lane| lane.weight() > 0.0).count() as f64;
    sides.iter().map(count).collect()
}

struct Grower<'a, L, S, const BINS: usize> {
    candidates: &'a [Candidates<'a>],
    source: &'a S,
    growth: Growth,
    pool: &'a mut Pool<L, BINS>,
    nodes: Vec<Node<L, BINS>>,
    inner: Vec<Inner>,
}

impl<L: Lanes, S: Source<L>, const BINS: usize> Grower<'_, L, S, BINS> {
    /// Splits the leaf with the largest gain, the first on ties. Returns `None` if no split has a gain.
    fn split_best(&mut self) -> Option<Pair<L, BINS>> {
        let mut most: Option<(f64, usize)> = None;
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(best) = &node.best
                && most.is_none_or(|most| best.gain > most.0)
            {
                most = Some((best.gain, at));
            }
        }
        let (_, at) = most?;
        let Best { side, split, .. } = self.nodes[at].best.take()?;
        let node = &mut self.nodes[at];
        let parent = std::mem::take(&mut node.histograms);
        let bins = self.candidates[side].side;
        let mut goes_left = vec![false; bins.entities];
        split.rule.decide(bins, &node.sides[side].entities, &mut goes_left);
        let (left, right) = node.sides[side].part(&goes_left);
        let (rows_left, rows_right) = self.source.part(&node.rows, side, &goes_left);
        let left_is_light = left.entities.len() <= right.entities.len();
        let (light, heavy) = if left_is_light { (left, right) } else { (right, left) };
        let (light_rows, heavy_rows) =
            if left_is_light { (rows_left, rows_right) } else { (rows_right, rows_left) };
        let mut light_sides = node.sides.clone();
        light_sides[side] = light;
        let mut heavy_sides = node.sides.clone();
        heavy_sides[side] = heavy;
        for other in (0..light_sides.len()).filter(|other| *other != side) {
            let sums = self.source.sums(&light_sides, &light_rows, other);
            let mut rest = (*node.sides[other].lanes).clone();
            rest.iter_mut().zip(&sums).for_each(|(rest, sum)| rest.sub(*sum));
            light_sides[other].lanes = Arc::new(sums);
            heavy_sides[other].lanes = Arc::new(rest);
        }
        let mut right_total = node.total;
        right_total.sub(split.left);
        let (light_total, heavy_total) =
            if left_is_light { (split.left, right_total) } else { (right_total, split.left) };
        let inner = self.inner.len();
        let (light_place, heavy_place) = if left_is_light {
            (Place::Left(inner), Place::Right(inner))
        } else {
            (Place::Right(inner), Place::Left(inner))
        };
        let depth = node.depth + 1;
        self.inner.push(Inner { place: node.place, side, feature: split.feature, rule: split.rule });
        let new = |sides: Vec<NodeSide<L>>, rows, total, place| {
            let histograms = vec![Vec::new(); sides.len()];
            Node { present: present(&sides), sides, rows, total, depth, place, histograms, best: None }
        };
        let light_node = new(light_sides, light_rows, light_total, light_place);
        let heavy_node = new(heavy_sides, heavy_rows, heavy_total, heavy_place);
        // The left child keeps its parent's number, so that ties between leaves do not depend on which child is lighter.
        let number = self.nodes.len();
        let (light, heavy) = if left_is_light { (at, number) } else { (number, at) };
        let (left_node, right_node) =
            if left_is_light { (light_node, heavy_node) } else { (heavy_node, light_node) };
        self.nodes[at] = left_node;
        self.nodes.push(right_node);
        Some(Pair { parent, light, heavy })
    }

    /// The limits of a split of the node on `side`. λ is counted in entities of a side: each weighs as much as an average
    /// entity of the node. A split on another side does not change the number of entities, so λ grows with the child's
    /// weight.
    fn limits(&self, node: &Node<L, BINS>, side: usize) -> Limits {
        let Growth { lambda, min_weight, category_smoothing, .. } = self.growth;
        let weight = node.total.weight();
        let mut limits = Limits { stretch: 1.0, lambda, min_weight, category_smoothing };
        for (other, (candidates, entities)) in self.candidates.iter().zip(&node.present).enumerate() {
            let Care { lambda, least } = candidates.care;
            if other == side {
                limits.lambda += lambda * weight / entities;
                limits.min_weight = limits.min_weight.max(least * weight / entities);
            } else {
                limits.stretch += lambda / entities;
            }
        }
        limits
    }

    fn own_score(&self, node: &Node<L, BINS>) -> f64 {
        let stretch =
            self.candidates.iter().zip(&node.present).map(|(side, entities)| side.care.lambda / entities);
        node.total.score(1.0 + stretch.sum::<f64>(), self.growth.lambda)
    }

    fn may_split(&self, node: &Node<L, BINS>) -> bool {
        (self.growth.max_depth == 0 || node.depth < self.growth.max_depth)
            && node.total.weight() >= 2.0 * self.growth.min_weight
    }

    fn search_root(&mut self) {
        let mut root = self.nodes.swap_remove(0);
        let mut histograms = self.buffers();
        if self.may_split(&root) {
            [root.best, _] = self.search([&root].as_slice(), &mut histograms, &mut []);
        }
        root.histograms = histograms;
        self.nodes.push(root);
    }

    fn search_pair(&mut self, mut pair: Pair<L, BINS>) {
        if self.nodes.len() == self.growth.leaves {
            pair.parent.into_iter().for_each(|buffer| self.pool.give(buffer));
            return;
        }
        let mut histograms = self.buffers();
        let nodes = [&self.nodes[pair.light], &self.nodes[pair.heavy]];
        let [best_light, best_heavy] = self.search(&nodes, &mut histograms, &mut pair.parent);
        let light = &mut self.nodes[pair.light];
        (light.best, light.histograms) = (best_light, histograms);
        let heavy = &mut self.nodes[pair.heavy];
        (heavy.best, heavy.histograms) = (best_heavy, pair.parent);
    }

    /// Buffers for one node's histograms, one list for each side.
    fn buffers(&mut self) -> Vec<Vec<Histograms<L, BINS>>> {
        self.candidates.iter().map(|side| self.pool.take(side.tile.blocks())).collect()
    }

    /// Searches a node and its sibling, if it has one. Fills the node's histograms and subtracts them from the parent's
    /// histograms in `rest`, which become the sibling's.
    fn search(
        &self,
        nodes: &[&Node<L, BINS>],
        own: &mut [Vec<Histograms<L, BINS>>],
        rest: &mut [Vec<Histograms<L, BINS>>],
    ) -> [Option<Best<L>>; 2] {
        let goals: Vec<Vec<Goal<L>>> = self.goals(nodes);
        let mut jobs = Vec::new();
        let mut rest = rest.iter_mut();
        let mut work = 0;
        for (side, own) in own.iter_mut().enumerate() {
            let candidates = &self.candidates[side];
            let entities = nodes[0].sides[side].entities.len();
            let work_here = own.len() * BLOCK * (entities + BINS);
            let pieces = (work_here / SHARE_OUT).clamp(1, 4 * rayon::current_num_threads());
            let piece = candidates.tile.blocks().div_ceil(pieces).max(1);
            work += work_here;
            let mut rest = rest.next().map(|rest| rest.chunks_mut(piece));
            for (at, own) in own.chunks_mut(piece).enumerate() {
                let rest = rest.as_mut().and_then(Iterator::next);
                jobs.push(Job::Blocks { side, first: at * piece, own, rest });
            }
            jobs.extend((0..nodes.len()).map(|node| Job::Others { side, node }));
        }
        let run = |job: Job<L, BINS>| match job {
            Job::Blocks { side, first, own, rest } => {
                let goals: Vec<&Goal<L>> = goals.iter().map(|goals| &goals[side]).collect();
                (side, search_blocks(&self.candidates[side], &nodes[0].sides[side], first, own, rest, &goals))
            }
            Job::Others { side, node } => {
                let mut found = [None, None];
                found[node] = self.candidates[side].others(&nodes[node].sides[side], &goals[node][side]);
                (side, found)
            }
        };
        let found: Vec<(usize, [Option<Split<L>>; 2])> = if work < SHARE_OUT {
            jobs.into_iter().map(run).collect()
        } else {
            jobs.into_par_iter().map(run).collect()
        };
        let mut best = [None, None];
        for (side, splits) in found {
            for ((best, split), node) in best.iter_mut().zip(splits).zip(nodes) {
                let Some(split) = split else { continue };
                let gain = split.score - self.own_score(node);
                let found = Best { gain, side, split };
                if best.as_ref().is_none_or(|best| found.beats(best)) {
                    *best = Some(found);
                }
            }
        }
        best
    }

    /// The goal of the search in each node, on each side.
    fn goals(&self, nodes: &[&Node<L, BINS>]) -> Vec<Vec<Goal<L>>> {
        let of = |node: &&Node<L, BINS>| {
            let least =
                if self.may_split(node) { self.own_score(node) + self.growth.min_gain } else { f64::MAX };
            let reached = Arc::new(AtomicU64::new(0));
            let goal = |side| {
                let limits = self.limits(node, side);
                // Both children must be heavy enough, so the parent needs twice the weight.
                let floor = if node.total.weight() < 2.0 * limits.min_weight { f64::MAX } else { least };
                Goal { total: node.total, limits, floor, reached: Arc::clone(&reached) }
            };
            (0..node.sides.len()).map(goal).collect()
        };
        nodes.iter().map(of).collect()
    }

    /// Puts nodes into the order of a left-first walk.
    fn finish(self) -> Grown<L> {
        #[derive(Clone, Copy)]
        enum Child {
            Inner(usize),
            Leaf(usize),
        }
        let mut children = vec![[Child::Leaf(0); 2]; self.inner.len()];
        let mut root = Child::Leaf(0);
        let places = self.inner.iter().enumerate().map(|(at, inner)| (inner.place, Child::Inner(at)));
        let leaves = self.nodes.iter().enumerate().map(|(at, node)| (node.place, Child::Leaf(at)));
        for (place, child) in places.chain(leaves) {
            match place {
                Place::Root => root = child,
                Place::Left(parent) => children[parent][0] = child,
                Place::Right(parent) => children[parent][1] = child,
            }
        }
        let mut grown = Grown {
            shape: Shape::default(),
            rules: vec![],
            features: vec![],
            totals: vec![],
            present: vec![],
        };
        let mut rules: Vec<Option<(usize, usize, Rule)>> =
            self.inner.into_iter().map(|inner| Some((inner.side, inner.feature, inner.rule))).collect();
        // Each entry: a node to place, and the link (parent, right?) to set.
        let mut stack = vec![(root, None)];
        while let Some((child, link)) = stack.pop() {
            let number = match child {
                Child::Leaf(leaf) => {
                    grown.totals.push(self.nodes[leaf].total);
                    grown.present.push(self.nodes[leaf].present.clone());
                    !(grown.totals.len() as i32 - 1)
                }
                Child::Inner(inner) => {
                    let Some((side, feature, rule)) = rules[inner].take() else { continue };
                    let number = grown.shape.sides.len();
                    grown.shape.sides.push(side as u8);
                    grown.shape.left.push(0);
                    grown.shape.right.push(0);
                    grown.features.push(feature);
                    grown.rules.push(rule);
                    stack.push((children[inner][1], Some((number, true))));
                    stack.push((children[inner][0], Some((number, false))));
                    number as i32
                }
            };
            match link {
                None => {}
                Some((parent, false)) => grown.shape.left[parent] = number,
                Some((parent, true)) => grown.shape.right[parent] = number,
            }
        }
        for node in self.nodes {
            node.histograms.into_iter().for_each(|buffer| self.pool.give(buffer));
        }
        grown
    }
}

impl<L: Lanes> NodeSide<L> {
    fn part(&self, goes_left: &[bool]) -> (Self, Self) {
        let (mut left, mut right) = ((vec![], vec![]), (vec![], vec![]));
        for (entity, lane) in self.entities.iter().zip(self.lanes.iter()) {
            let child = if goes_left[*entity as usize] { &mut left } else { &mut right };
            child.0.push(*entity);
            child.1.push(*lane);
        }
        let side = |(entities, lanes)| Self { entities: Arc::new(entities), lanes: Arc::new(lanes) };
        (side(left), side(right))
    }
}

/// The goal of the search in a node on one side.
struct Goal<L> {
    total: L,
    limits: Limits,
    /// The score that a split must exceed.
    floor: f64,
    /// The bits of the best score that any thread found on any side. Smaller scores are ignored. Scores are not negative,
    /// so they compare like their bits.
    reached: Arc<AtomicU64>,
}

impl<L: Lanes> Goal<L> {
    /// The score that a split must exceed now. A score equal to the best still counts, because its split may come first.
    fn floor(&self) -> f64 {
        self.floor.max(f64::from_bits(self.reached.load(Ordering::Relaxed)).next_down())
    }

    fn reach(&self, split: &Option<Split<L>>) {
        if let Some(split) = split {
            self.reached.fetch_max(split.score.to_bits(), Ordering::Relaxed);
        }
    }
}

impl<L> Best<L> {
    /// Whether this split is better: a larger score, or on ties an earlier side and feature.
    fn beats(&self, other: &Self) -> bool {
        let (mine, its) = (&self.split, &other.split);
        mine.score > its.score
            || (mine.score == its.score && (self.side, mine.feature) < (other.side, its.feature))
    }
}

/// A part of a search.
enum Job<'a, L, const BINS: usize> {
    /// Blocks of numeric features: a node's histograms, and its parent's histograms.
    Blocks {
        side: usize,
        first: usize,
        own: &'a mut [Histograms<L, BINS>],
        rest: Option<&'a mut [Histograms<L, BINS>]>,
    },
    /// The binary and categorical features of one node.
    Others { side: usize, node: usize },
}

/// Work with fewer histogram updates than this is not shared between threads.
const SHARE_OUT: usize = 20_000;

/// The best numeric split of a node, and of its sibling if `rest` holds the histograms of their parent.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn search_blocks<L: Lanes, const BINS: usize>(
    candidates: &Candidates,
    side: &NodeSide<L>,
    first: usize,
    own: &mut [Histograms<L, BINS>],
    rest: Option<&mut [Histograms<L, BINS>]>,
    goals: &[&Goal<L>],
) -> [Option<Split<L>>; 2] {
    let (mut best, mut best_of_rest) = (None, None);
    let mut rest = rest.map(<[_]>::iter_mut);
    for (block, own) in (first..).zip(own) {
        *own = [[L::default(); BLOCK]; BINS];
        accumulate(candidates.tile.block(block), &side.entities, &side.lanes, own);
        candidates.cuts(block, own, goals[0], &mut best);
        if let Some(rest) = rest.as_mut().and_then(Iterator::next) {
            for (rest, own) in rest.as_flattened_mut().iter_mut().zip(own.as_flattened()) {
                rest.sub(*own);
            }
            candidates.cuts(block, rest, goals[1], &mut best_of_rest);
        }
    }
    [best, best_of_rest]
}

impl Candidates<'_> {
    #[inline(always)]
    fn cuts<L: Lanes, const BINS: usize>(
        &self,
        block: usize,
        histograms: &Histograms<L, BINS>,
        goal: &Goal<L>,
        best: &mut Option<Split<L>>,
    ) {
        let features = self.tile.features_of(block);
        let bins = self.tile.bins_of(block);
        let mut floor = goal.floor();
        let promising = goal.limits.promising(histograms, bins, goal.total, floor);
        for (lane, numeric) in features.iter().enumerate() {
            if !promising[lane] {
                continue;
            }
            let feature = &self.side.numeric[*numeric];
            let bin = |code: usize| histograms[code][lane];
            let cut = goal.limits.cut(bin, feature.cuts.len() + 1, goal.total, floor);
            if let Some((score, last, missing_left, left)) = cut {
                floor = score;
                let rule = Rule::UpTo { numeric: *numeric, last, missing_left };
                *best = Some(Split { score, feature: feature.feature, rule, left });
                goal.reach(best);
            }
        }
    }

    /// The best split of a node by a binary or categorical feature.
    fn others<L: Lanes>(&self, side: &NodeSide<L>, goal: &Goal<L>) -> Option<Split<L>> {
        let mut best = None;
        let mut floor = goal.floor();
        if !self.binary.is_empty() {
            let mut lane_of = vec![L::default(); self.side.entities];
            for (entity, lane) in side.entities.iter().zip(side.lanes.iter()) {
                lane_of[*entity as usize] = *lane;
            }
            for binary in &self.binary {
                let feature = &self.side.binary[*binary];
                let (set, missing) = binary_sums(feature, &lane_of);
                let found = goal.limits.binary(set, missing, goal.total, floor);
                if let Some((score, both, missing_left, left)) = found {
                    floor = score;
                    let rule = Rule::Binary { binary: *binary, both, missing_left };
                    best = Some(Split { score, feature: feature.feature, rule, left });
                }
            }
        }
        // An equally good category wins if its feature comes first.
        floor = if best.is_some() { floor.next_down() } else { floor };
        for category in &self.category {
            let feature = &self.side.category[*category];
            let sums = category_sums(feature, &side.entities, &side.lanes);
            if let Some((score, codes, left)) = goal.limits.one_of(&sums, goal.total, floor) {
                let rule = Rule::OneOf { category: *category, codes };
                let split = Split { score, feature: feature.feature, rule, left };
                if split.beats(&best) {
                    floor = score;
                    best = Some(split);
                }
            }
        }
        goal.reach(&best);
        best
    }
}

impl Rule {
    /// Marks which of these entities go left. Other entities are not changed.
    pub fn decide(&self, side: &SideBins, entities: &[u32], goes_left: &mut [bool]) {
        match self {
            Self::UpTo { numeric, last, missing_left } => {
                let codes = side.codes_of(*numeric);
                for entity in entities {
                    let code = codes[*entity as usize];
                    goes_left[*entity as usize] =
                        if code == crate::bins::MISSING { *missing_left } else { code <= *last };
                }
            }
            Self::Binary { binary, both, missing_left } => {
                let feature = &side.binary[*binary];
                entities.iter().for_each(|entity| goes_left[*entity as usize] = true);
                feature.set.iter().for_each(|entity| goes_left[*entity as usize] = *both);
                feature.missing.iter().for_each(|entity| goes_left[*entity as usize] = *missing_left);
            }
            Self::OneOf { category, codes } => {
                let of = &side.category[*category].codes;
                for entity in entities {
                    goes_left[*entity as usize] = codes.binary_search(&of[*entity as usize]).is_ok();
                }
            }
        }
    }
}
