//! The best split of a node over the features of one side.

use crate::bins::{BinaryFeature, CategoryFeature, MISSING};
use crate::histogram::{BLOCK, Histograms};
use crate::packed_sums::{Denominator, Lanes};

/// The limits of a split, in the integer units of the lanes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The factor of a weight in the denominator of a score.
    pub stretch: f64,
    /// λ, which is added to the product.
    pub lambda: f64,
    /// Minimum weight of either child.
    pub min_weight: f64,
    /// Smoothing of the order of category levels.
    pub category_smoothing: f64,
}

/// A split of a node by one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Split<L> {
    /// `Σ G²/(H+λ)` summed over both children.
    pub score: f64,
    /// Number of the feature in its side's feature space.
    pub feature: usize,
    /// Which entities go left.
    pub rule: Rule,
    /// The sums of the left child.
    pub left: L,
}

/// Which entities go left, in terms of codes.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Numeric: codes from 1 to `last` go left. `missing_left` decides about missing values.
    UpTo {
        /// Position in [`crate::bins::SideBins::numeric`].
        numeric: usize,
        /// Last code that goes left.
        last: u8,
        /// Whether missing values go left.
        missing_left: bool,
    },
    /// Binary: 0 goes left. 1 also goes left if only missing values go right. `missing_left` decides about missing values.
    Binary {
        /// Position in [`crate::bins::SideBins::binary`].
        binary: usize,
        /// Whether 1 goes left too.
        both: bool,
        /// Whether missing values go left.
        missing_left: bool,
    },
    /// Category: these codes go left. Missing values go right.
    OneOf {
        /// Position in [`crate::bins::SideBins::category`].
        category: usize,
        /// Codes (1 + level) that go left, ascending.
        codes: Vec<u16>,
    },
}

impl<L> Split<L> {
    /// Whether this split is better: a larger score, or on ties an earlier feature.
    pub fn beats(&self, other: &Option<Self>) -> bool {
        other.as_ref().is_none_or(|other| {
            self.score > other.score || (self.score == other.score && self.feature < other.feature)
        })
    }
}

impl Limits {
    /// The score of both children, if both are heavy enough.
    #[inline(always)]
    fn score<L: Lanes>(&self, left: L, total: L) -> Option<f64> {
        let mut right = total;
        right.sub(left);
        let (wl, wr) = (left.weight(), right.weight());
        let heavy = wl >= self.min_weight && wr >= self.min_weight && wl > 0.0 && wr > 0.0;
        heavy.then(|| left.score(self.stretch, self.lambda) + right.score(self.stretch, self.lambda))
    }

    /// Marks the features of a block that may have a cut with a score above `floor`. All features of the block are
    /// screened at once, in single precision and without a division.
    #[inline(always)]
    pub fn promising<L: Lanes, const BINS: usize>(
        &self,
        histograms: &Histograms<L, BINS>,
        bins: usize,
        total: L,
        floor: f64,
    ) -> [bool; BLOCK] {
        // Single precision errs by less than a part in a million here.
        let denominator = Denominator {
            stretch: self.stretch as f32,
            lambda: self.lambda as f32,
            floor: (floor * (1.0 - 1e-5)) as f32,
        };
        let missing = histograms[usize::from(MISSING)];
        let cuts = &histograms[1..=bins];
        let mut promising = L::screen(cuts, [L::default(); BLOCK], total, denominator);
        if missing.iter().any(|missing| missing.weight() > 0.0) {
            let with_missing = L::screen(cuts, missing, total, denominator);
            promising.iter_mut().zip(with_missing).for_each(|(without, with)| *without |= with);
        }
        promising
    }

    /// The best cut of a numeric feature with a score above `floor`, as (score, last code left, missing left, left sums).
    /// `bin` returns the sums of a code.
    pub fn cut<L: Lanes>(
        &self,
        bin: impl Fn(usize) -> L,
        bins: usize,
        total: L,
        floor: f64,
    ) -> Option<(f64, u8, bool, L)> {
        let missing = bin(usize::from(MISSING));
        let missing = (missing.weight() > 0.0).then_some(missing);
        let mut best: Option<(f64, u8, bool, L)> = None;
        let mut left = L::default();
        let mut consider = |left: L, last: usize, missing_left: bool| {
            let Some(score) = self.score(left, total) else { return };
            if score > best.map_or(floor, |best| best.0) {
                best = Some((score, last as u8, missing_left, left));
            }
        };
        for last in 1..=bins {
            let bin = bin(last);
            if bin.weight() == 0.0 {
                continue;
            }
            left.add(bin);
            match missing {
                None => {
                    let right = total.weight() - left.weight();
                    consider(left, last, left.weight() > right);
                }
                Some(missing) => {
                    consider(left, last, false);
                    let mut with_missing = left;
                    with_missing.add(missing);
                    consider(with_missing, last, true);
                }
            }
        }
        best
    }

    /// The split of a binary feature, which is a numeric feature with two values. `set` and `missing` are the sums of the
    /// entities with the feature and of those whose value is missing. Returns the score, whether 1 goes left too, whether
    /// missing values go left, and the left sums.
    pub fn binary<L: Lanes>(&self, set: L, missing: L, total: L, floor: f64) -> Option<(f64, bool, bool, L)> {
        let mut unset = total;
        unset.sub(set);
        unset.sub(missing);
        let cut = self.cut(|code| [missing, unset, set][code], 2, total, floor);
        cut.map(|(score, last, missing_left, left)| (score, last == 2, missing_left, left))
    }

    /// The best split of a category. For every gradient column, the levels are ordered by gradient divided by weight
    /// (Fisher 1958), and every prefix is tried. Smoothing moves rare levels towards the middle of the order. Missing
    /// values count as a level.
    pub fn one_of<L: Lanes>(&self, sums: &[L], total: L, floor: f64) -> Option<(f64, Vec<u16>, L)> {
        let present: Vec<usize> = (0..sums.len()).filter(|code| sums[*code].weight() > 0.0).collect();
        let mut keyed: Vec<(f64, usize)> = Vec::with_capacity(present.len());
        // The best score, and the gradient column and length of its prefix.
        let mut best: Option<(f64, usize, usize)> = None;
        let order = |column: usize, keyed: &mut Vec<(f64, usize)>| {
            let key =
                |code: usize| sums[code].gradient(column) / (sums[code].weight() + self.category_smoothing);
            keyed.clear();
            keyed.extend(present.iter().map(|code| (key(*code), *code)));
            keyed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        };
        for column in 0..L::GRADIENTS {
            order(column, &mut keyed);
            let mut left = L::default();
            for (prefix, (_, code)) in (1..present.len()).zip(&keyed) {
                left.add(sums[*code]);
                let Some(score) = self.score(left, total) else { continue };
                if score > best.map_or(floor, |best| best.0) {
                    best = Some((score, column, prefix));
                }
            }
        }
        let (score, column, prefix) = best?;
        order(column, &mut keyed);
        let mut codes: Vec<u16> = keyed[..prefix].iter().map(|(_, code)| *code as u16).collect();
        let mut left = L::default();
        codes.iter().for_each(|code| left.add(sums[usize::from(*code)]));
        // Unseen levels go right together with missing values, so the better side for missing values must be the right
        // one. Without missing values, the heavier child must be on the right. The children may therefore have to
        // swap.
        let mut right = total;
        right.sub(left);
        let missing = sums[usize::from(MISSING)].weight() > 0.0;
        let swap = if missing { codes.contains(&u16::from(MISSING)) } else { left.weight() > right.weight() };
        if swap {
            let mut chosen = vec![false; sums.len()];
            codes.iter().for_each(|code| chosen[usize::from(*code)] = true);
            codes = present.iter().filter(|code| !chosen[**code]).map(|code| *code as u16).collect();
            left = right;
        }
        codes.sort_unstable();
        Some((score, codes, left))
    }
}

/// Sums of a node's entities that have a binary feature, and of those whose value is missing. `lane_of` holds the lanes of
/// every entity of the side; they are zero for entities outside the node.
pub fn binary_sums<L: Lanes>(feature: &BinaryFeature, lane_of: &[L]) -> (L, L) {
    let sum = |entities: &[u32]| {
        let mut sum = L::default();
        for entity in entities {
            sum.add(lane_of[*entity as usize]);
        }
        sum
    };
    (sum(&feature.set), sum(&feature.missing))
}

/// Sums of each level among the entities of a node. Position 0 is for missing values.
pub fn category_sums<L: Lanes>(feature: &CategoryFeature, entities: &[u32], lanes: &[L]) -> Vec<L> {
    let mut sums = vec![L::default(); feature.levels + 1];
    for (entity, lane) in entities.iter().zip(lanes) {
        sums[usize::from(feature.codes[*entity as usize])].add(*lane);
    }
    sums
}
