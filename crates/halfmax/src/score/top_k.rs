//! The best of many scores.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use halfmax_core::End;

/// The selection of scores to keep.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    /// The number of scores per cell line, best first. `None`: all scores, in their order.
    pub top: Option<usize>,
    /// The lowest score to keep.
    pub min_score: f32,
    /// The end of the best scores.
    pub best: End,
}

/// A score with the position of its entity or combination.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    pub at: usize,
    pub score: f32,
}

/// A score in a heap whose head is the worst score. Of equal scores, the later score is worse.
struct Ranked {
    key: f32,
    scored: Candidate,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.total_cmp(&self.key).then(self.scored.at.cmp(&other.scored.at))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

/// The number of scores in a group. Most groups have no score that counts, so they are skipped as a whole.
const GROUP: usize = 64;

impl Selection {
    /// Selects from the scores of consecutive positions that start at `first`. The result is in the order of the positions; with a top, the
    /// order is arbitrary.
    pub fn select(&self, scores: &[f32], first: usize) -> Vec<Candidate> {
        let scored = |(at, score): (usize, &f32)| Candidate { at: first + at, score: *score };
        let Some(top) = self.top else {
            let kept = scores.iter().enumerate().filter(|(_, score)| **score >= self.min_score);
            return kept.map(scored).collect();
        };
        let sign = if self.best == End::High { 1.0 } else { -1.0 };
        let mut heap: BinaryHeap<Ranked> = BinaryHeap::new();
        // The bound that a score times the sign must exceed.
        let mut bar = f32::NEG_INFINITY;
        for (group, values) in scores.chunks(GROUP).enumerate() {
            let above: u32 = values.iter().map(|value| u32::from(sign * value > bar)).sum();
            if above == 0 {
                continue;
            }
            for (at, value) in values.iter().enumerate() {
                if sign * value > bar && *value >= self.min_score {
                    if heap.len() == top {
                        heap.pop();
                    }
                    heap.push(Ranked { key: sign * value, scored: scored((group * GROUP + at, value)) });
                    if heap.len() == top {
                        bar = heap.peek().map_or(bar, |worst| worst.key);
                    }
                }
            }
        }
        heap.into_iter().map(|ranked| ranked.scored).collect()
    }

    /// Merges the selections of several parts.
    pub fn merge(&self, parts: impl Iterator<Item = Vec<Candidate>>) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = parts.flatten().collect();
        if let Some(top) = self.top {
            let sign = if self.best == End::High { 1.0 } else { -1.0 };
            all.sort_unstable_by(|a, b| (sign * b.score).total_cmp(&(sign * a.score)).then(a.at.cmp(&b.at)));
            all.truncate(top);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with a sort of all scores, many of them equal.
    #[test]
    fn the_best_are_those_of_a_sorted_list() {
        let scores: Vec<f32> = (0..5000u64).map(|at| (at * 2654435761 % 97) as f32 - 40.0).collect();
        for (top, least, highest) in [
            (1, f32::MIN, true),
            (130, f32::MIN, true),
            (130, 50.0, true),
            (70, f32::MIN, false),
            (70, 0.0, false),
            (9000, 3.0, true),
        ] {
            let best = if highest { End::High } else { End::Low };
            let kept = Selection { top: Some(top), min_score: least, best };
            let parts = scores.chunks(777).enumerate().map(|(at, part)| kept.select(part, 777 * at));
            let found = kept.merge(parts);
            let mut sorted: Vec<Candidate> = Selection { top: None, ..kept }.select(&scores, 0);
            assert!(sorted.iter().all(|one| one.score >= least) && sorted.is_sorted_by_key(|one| one.at));
            sorted.sort_by(
                |a, b| if highest { b.score.total_cmp(&a.score) } else { a.score.total_cmp(&b.score) },
            );
            sorted.truncate(top);
            assert_eq!(found, sorted);
        }
    }
}
