//! Growing one tree, best leaf first, on integer sums.
//!
//! A node is a box: for every side a list of entities with their sums over the box. Splitting on one side leaves the
//! other sides' entity lists as they are and the split side's sums too, so one pass over the lighter child's responses
//! brings everything up to date; histograms of the heavier child are those of the parent less those of the lighter.

use std::sync::Arc;

use rayon::prelude::*;

use crate::bins::SideBins;
use crate::histogram::{BLOCK, Pool, Tile, accumulate};
use crate::lanes::Lanes;
use crate::search::{Limits, Rule, Split, binary_sums, category_sums};
use crate::shape::Shape;

/// The features of one side that a tree may split on.
pub struct Candidates<'a> {
    side: &'a SideBins,
    tile: Tile,
    binary: Vec<usize>,
    category: Vec<usize>,
}

impl<'a> Candidates<'a> {
    /// From ascending positions in the order numeric, binary, category.
    pub fn new(side: &'a SideBins, chosen: &[usize]) -> Self {
        let (numeric, binary) = (side.numeric.len(), side.binary.len());
        let within = |from: usize, to: usize| -> Vec<usize> {
            chosen.iter().filter(|at| (from..to).contains(*at)).map(|at| at - from).collect()
        };
        Self {
            side,
            tile: Tile::gather(side, within(0, numeric)),
            binary: within(numeric, numeric + binary),
            category: within(numeric + binary, side.len()),
        }
    }
}

/// How far a tree may grow.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// Limits of a split.
    pub limits: Limits,
    /// Most leaves.
    pub leaves: usize,
    /// Most splits above a leaf.
    pub max_depth: usize,
    /// Least gain, in integer units.
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
}

/// Where the sums of a box come from, once a split has changed it.
pub trait Source<L>: Sync {
    /// The sums of the entities of `side` over the box, in the order of its list.
    fn sums(&self, sides: &[NodeSide<L>], rows: &[u32], side: usize) -> Vec<L>;

    /// Parts the responses of a box, for sources that list them, by where their entities of `side` go.
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
    depth: usize,
    place: Place,
    histograms: Vec<Vec<[L; BINS]>>,
    best: Option<Best<L>>,
}

/// Where a node hangs: below an inner node, on its left or right; the root hangs nowhere.
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

/// Two siblings that have not been searched yet, with the histograms of their parent. No split of either can gain more
/// than `bound`, so that many a pair is never searched at all.
struct Pair<L, const BINS: usize> {
    parent: Vec<Vec<[L; BINS]>>,
    light: usize,
    heavy: usize,
    bound: f64,
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
    let mut grower = Grower { candidates, source, growth, pool, nodes: vec![], inner: vec![], pairs: vec![] };
    let histograms = vec![Vec::new(); root.len()];
    let root = Node { sides: root, rows, total, depth: 0, place: Place::Root, histograms, best: None };
    grower.nodes.push(root);
    grower.search_root();
    while grower.nodes.len() < growth.leaves && grower.step() {}
    grower.finish()
}

struct Grower<'a, L, S, const BINS: usize> {
    candidates: &'a [Candidates<'a>],
    source: &'a S,
    growth: Growth,
    pool: &'a mut Pool<L, BINS>,
    nodes: Vec<Node<L, BINS>>,
    inner: Vec<Inner>,
    pairs: Vec<Pair<L, BINS>>,
}

impl<L: Lanes, S: Source<L>, const BINS: usize> Grower<'_, L, S, BINS> {
    /// Searches the most promising pair, or splits the best leaf; false once nothing is left to split.
    fn step(&mut self) -> bool {
        let gain = |node: &Node<L, BINS>| node.best.as_ref().map(|best| best.gain);
        let mut best: Option<(f64, usize)> = None;
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(gain) = gain(node)
                && best.is_none_or(|best| gain > best.0)
            {
                best = Some((gain, at));
            }
        }
        let promising =
            (0..self.pairs.len()).max_by(|a, b| self.pairs[*a].bound.total_cmp(&self.pairs[*b].bound));
        if let Some(pair) = promising
            && self.pairs[pair].bound >= best.map_or(self.growth.min_gain, |best| best.0)
        {
            let pair = self.pairs.swap_remove(pair);
            self.search_pair(pair);
            return true;
        }
        let Some((_, node)) = best else { return false };
        self.split(node);
        true
    }

    fn split(&mut self, at: usize) {
        let Some(Best { side, split, .. }) = self.nodes[at].best.take() else { return };
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
            Node { sides, rows, total, depth, place, histograms, best: None }
        };
        let light_node = new(light_sides, light_rows, light_total, light_place);
        let heavy_node = new(heavy_sides, heavy_rows, heavy_total, heavy_place);
        let bound = self.bound(&light_node).max(self.bound(&heavy_node));
        // The left child keeps its parent's number, so that ties between leaves do not depend on which is lighter.
        let number = self.nodes.len();
        let (light, heavy) = if left_is_light { (at, number) } else { (number, at) };
        let (left_node, right_node) =
            if left_is_light { (light_node, heavy_node) } else { (heavy_node, light_node) };
        self.nodes[at] = left_node;
        self.nodes.push(right_node);
        self.pairs.push(Pair { parent, light, heavy, bound });
    }

    /// More than any split of the node can gain: for each side, what parting all its entities would.
    fn bound(&self, node: &Node<L, BINS>) -> f64 {
        if !self.may_split(node) {
            return f64::NEG_INFINITY;
        }
        let apart = |side: &NodeSide<L>| side.lanes.iter().map(|lane| lane.score(0.0)).sum::<f64>();
        let most = node.sides.iter().map(apart).fold(f64::NEG_INFINITY, f64::max);
        // Sums of floating-point numbers err by far less than this.
        most * (1.0 + 1e-9) - node.total.score(self.growth.limits.lambda)
    }

    fn may_split(&self, node: &Node<L, BINS>) -> bool {
        (self.growth.max_depth == 0 || node.depth < self.growth.max_depth)
            && node.total.weight() >= 2.0 * self.growth.limits.min_weight
    }

    fn search_root(&mut self) {
        let mut root = self.nodes.swap_remove(0);
        if self.may_split(&root) {
            let mut found = Vec::new();
            for side in 0..root.sides.len() {
                let candidates = &self.candidates[side];
                let mut histograms = self.pool.take(candidates.tile.blocks() * BLOCK);
                let task = Task { candidates, limits: self.growth.limits, side: &root.sides[side] };
                let floor = self.floor(&root);
                found.push(task.search_one(&mut histograms, root.total, floor));
                root.histograms[side] = histograms;
            }
            root.best = self.best_of(found, &root);
        }
        self.nodes.push(root);
    }

    fn search_pair(&mut self, mut pair: Pair<L, BINS>) {
        let (mut found_light, mut found_heavy) = (Vec::new(), Vec::new());
        let (light, heavy) = (&self.nodes[pair.light], &self.nodes[pair.heavy]);
        let (floor_light, floor_heavy) = (self.floor(light), self.floor(heavy));
        let mut light_histograms = Vec::new();
        for side in 0..light.sides.len() {
            let candidates = &self.candidates[side];
            let mut histograms = self.pool.take(candidates.tile.blocks() * BLOCK);
            let task = Task { candidates, limits: self.growth.limits, side: &light.sides[side] };
            let (a, b) = task.search_two(
                &mut histograms,
                &mut pair.parent[side],
                &heavy.sides[side],
                (light.total, floor_light),
                (heavy.total, floor_heavy),
            );
            found_light.push(a);
            found_heavy.push(b);
            light_histograms.push(histograms);
        }
        let best_light = self.best_of(found_light, light);
        let best_heavy = self.best_of(found_heavy, heavy);
        let light = &mut self.nodes[pair.light];
        light.best = best_light;
        light.histograms = light_histograms;
        let heavy = &mut self.nodes[pair.heavy];
        heavy.best = best_heavy;
        heavy.histograms = pair.parent;
    }

    /// The score that a split must exceed.
    fn floor(&self, node: &Node<L, BINS>) -> f64 {
        node.total.score(self.growth.limits.lambda) + self.growth.min_gain
    }

    fn best_of(&self, found: Vec<Option<Split<L>>>, node: &Node<L, BINS>) -> Option<Best<L>> {
        if !self.may_split(node) {
            return None;
        }
        let parent = node.total.score(self.growth.limits.lambda);
        let mut best: Option<Best<L>> = None;
        for (side, split) in found.into_iter().enumerate() {
            if let Some(split) = split
                && best.as_ref().is_none_or(|best| split.score > best.split.score)
            {
                best = Some(Best { gain: split.score - parent, side, split });
            }
        }
        best
    }

    /// Brings nodes into the order of a left-first walk.
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
        let mut grown = Grown { shape: Shape::default(), rules: vec![], features: vec![], totals: vec![] };
        let mut rules: Vec<Option<(usize, usize, Rule)>> =
            self.inner.into_iter().map(|inner| Some((inner.side, inner.feature, inner.rule))).collect();
        // Each entry: a node to place, and the link (parent, right?) to set.
        let mut stack = vec![(root, None)];
        while let Some((child, link)) = stack.pop() {
            let number = match child {
                Child::Leaf(leaf) => {
                    grown.totals.push(self.nodes[leaf].total);
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
        for pair in self.pairs {
            pair.parent.into_iter().for_each(|buffer| self.pool.give(buffer));
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

/// The search over one side's candidates, given the (lighter) node's entities.
struct Task<'a, L> {
    candidates: &'a Candidates<'a>,
    limits: Limits,
    side: &'a NodeSide<L>,
}

#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn search_piece<L: Lanes, const BINS: usize>(
    task: &Task<'_, L>,
    first_block: usize,
    histograms: &mut [[L; BINS]],
    total: L,
    floor: f64,
) -> Option<Split<L>> {
    let mut best = None;
    for (block, histograms) in (first_block..).zip(histograms.chunks_mut(BLOCK)) {
        task.fill(block, histograms);
        task.cuts(block, histograms, total, floor, &mut best);
    }
    best
}

#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn search_piece_of_two<L: Lanes, const BINS: usize>(
    task: &Task<'_, L>,
    first_block: usize,
    light: &mut [[L; BINS]],
    heavy: &mut [[L; BINS]],
    totals: [(L, f64); 2],
) -> (Option<Split<L>>, Option<Split<L>>) {
    let (mut best_light, mut best_heavy) = (None, None);
    let blocks = light.chunks_mut(BLOCK).zip(heavy.chunks_mut(BLOCK));
    for (block, (light, heavy)) in (first_block..).zip(blocks) {
        task.fill(block, light);
        for (heavy, light) in heavy.iter_mut().zip(&*light) {
            heavy.iter_mut().zip(light).for_each(|(heavy, light)| heavy.sub(*light));
        }
        task.cuts(block, light, totals[0].0, totals[0].1, &mut best_light);
        task.cuts(block, heavy, totals[1].0, totals[1].1, &mut best_heavy);
    }
    (best_light, best_heavy)
}

/// Work below this many histogram updates is not worth sharing out.
const SHARE_OUT: usize = 20_000;

impl<L: Lanes> Task<'_, L> {
    /// Blocks per piece of work.
    fn piece(&self, bins: usize) -> usize {
        let blocks = self.candidates.tile.blocks();
        let work = blocks * BLOCK * (self.side.entities.len() + 2 * bins);
        let pieces = (work / SHARE_OUT).clamp(1, 4 * rayon::current_num_threads());
        blocks.div_ceil(pieces).max(1)
    }

    fn search_one<const BINS: usize>(
        &self,
        histograms: &mut [[L; BINS]],
        total: L,
        floor: f64,
    ) -> Option<Split<L>> {
        let piece = self.piece(BINS);
        let found: Vec<_> = histograms
            .par_chunks_mut(piece * BLOCK)
            .enumerate()
            .map(|(at, chunk)| search_piece(self, at * piece, chunk, total, floor))
            .collect();
        self.others(self.side, total, floor, first_best(found))
    }

    #[allow(clippy::type_complexity)]
    fn search_two<const BINS: usize>(
        &self,
        light: &mut [[L; BINS]],
        heavy: &mut [[L; BINS]],
        heavy_side: &NodeSide<L>,
        (light_total, light_floor): (L, f64),
        (heavy_total, heavy_floor): (L, f64),
    ) -> (Option<Split<L>>, Option<Split<L>>) {
        let piece = self.piece(BINS);
        let (found_light, found_heavy): (Vec<_>, Vec<_>) = light
            .par_chunks_mut(piece * BLOCK)
            .zip(heavy.par_chunks_mut(piece * BLOCK))
            .enumerate()
            .map(|(at, (light, heavy))| {
                let totals = [(light_total, light_floor), (heavy_total, heavy_floor)];
                search_piece_of_two(self, at * piece, light, heavy, totals)
            })
            .unzip();
        (
            self.others(self.side, light_total, light_floor, first_best(found_light)),
            self.others(heavy_side, heavy_total, heavy_floor, first_best(found_heavy)),
        )
    }

    #[inline(always)]
    fn fill<const BINS: usize>(&self, block: usize, histograms: &mut [[L; BINS]]) {
        histograms.iter_mut().for_each(|histogram| *histogram = [L::default(); BINS]);
        accumulate(self.candidates.tile.block(block), &self.side.entities, &self.side.lanes, histograms);
    }

    #[inline(always)]
    fn cuts<const BINS: usize>(
        &self,
        block: usize,
        histograms: &[[L; BINS]],
        total: L,
        floor: f64,
        best: &mut Option<Split<L>>,
    ) {
        for (numeric, histogram) in self.candidates.tile.features_of(block).iter().zip(histograms) {
            let feature = &self.candidates.side.numeric[*numeric];
            let floor = best.as_ref().map_or(floor, |best| best.score);
            let cut = self.limits.cut(histogram, feature.cuts.len() + 1, total, floor);
            if let Some((score, last, missing_left, left)) = cut {
                let rule = Rule::UpTo { numeric: *numeric, last, missing_left };
                *best = Some(Split { score, feature: feature.feature, rule, left });
            }
        }
    }

    /// Binary and categorical features.
    fn others(
        &self,
        side: &NodeSide<L>,
        total: L,
        floor: f64,
        mut best: Option<Split<L>>,
    ) -> Option<Split<L>> {
        let bins = self.candidates.side;
        let mut keep = |split: Split<L>| {
            if split.score > floor && split.beats(&best) {
                best = Some(split);
            }
        };
        if !self.candidates.binary.is_empty() {
            let mut lane_of = vec![L::default(); bins.entities];
            for (entity, lane) in side.entities.iter().zip(side.lanes.iter()) {
                lane_of[*entity as usize] = *lane;
            }
            for binary in &self.candidates.binary {
                let feature = &bins.binary[*binary];
                let (set, missing) = binary_sums(feature, &lane_of);
                if let Some((score, both, missing_left, left)) =
                    self.limits.binary(set, missing, total, floor)
                {
                    let rule = Rule::Binary { binary: *binary, both, missing_left };
                    keep(Split { score, feature: feature.feature, rule, left });
                }
            }
        }
        for category in &self.candidates.category {
            let feature = &bins.category[*category];
            let sums = category_sums(feature, &side.entities, &side.lanes);
            if let Some((score, codes, left)) = self.limits.one_of(&sums, total) {
                let rule = Rule::OneOf { category: *category, codes };
                keep(Split { score, feature: feature.feature, rule, left });
            }
        }
        best
    }
}

/// The best of the pieces' splits; features ascend from piece to piece, so the first of equals is the right one.
fn first_best<L>(found: Vec<Option<Split<L>>>) -> Option<Split<L>> {
    let mut best: Option<Split<L>> = None;
    for split in found.into_iter().flatten() {
        if split.beats(&best) {
            best = Some(split);
        }
    }
    best
}

impl Rule {
    /// Marks which of these entities go left; the others are not touched.
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
