//! Holds out random groups of responses.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{Groups, Seed};

impl Groups {
    /// The numbers of the groups in a random order.
    pub fn shuffled(&self, seed: Seed) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.value()));
        order
    }

    /// Holds out `count` groups, drawn at random. Returns for every response of the view whether it is held out.
    ///
    /// ```
    /// use halfmax_core::{EntityTable, Responses, Screen, Seed, Side, ValidationGroup};
    /// let tables = vec![EntityTable::new(["A549", "K-562"], "cell line")?, EntityTable::new(["SN-38", "AZD1775"], "drug")?];
    /// let responses = Responses::new(vec![vec![0, 0, 1, 1], vec![0, 1, 0, 1]], vec![1.0; 4], None)?;
    /// let screen = Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses)?;
    /// let held = screen.all().groups(ValidationGroup::Entity(0)).hold_out(1, Seed::new(1));
    /// assert!(held == [true, true, false, false] || held == [false, false, true, true]);
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn hold_out(&self, count: usize, seed: Seed) -> Vec<bool> {
        let mut marked = vec![false; self.count()];
        self.shuffled(seed).iter().take(count).for_each(|group| marked[*group] = true);
        self.holding(&marked)
    }
}

/// Deals members into parts of about equal size. Members of one group stay together. The largest groups are dealt first, each
/// to the smallest part. Returns the part of every member, from 0 to below `parts`. Some parts stay empty if there are fewer
/// groups than parts.
///
/// ```
/// use halfmax_core::{Seed, deal};
/// let parts = deal(&[7, 7, 7, 2, 2, 5], 2, Seed::new(1));
/// assert_eq!(parts[..3], [parts[0]; 3]);
/// assert_eq!(parts[3..], [1 - parts[0]; 3]);
/// ```
pub fn deal(group_of: &[usize], parts: usize, seed: Seed) -> Vec<usize> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    group_of.iter().enumerate().for_each(|(at, group)| members.entry(*group).or_default().push(at));
    let mut groups: Vec<Vec<usize>> = members.into_values().collect();
    groups.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.value()));
    groups.sort_by_key(|members| Reverse(members.len()));
    let mut sizes = vec![0; parts];
    let mut part_of = vec![0; group_of.len()];
    for members in groups {
        let part = (0..parts).min_by_key(|part| sizes[*part]).unwrap_or(0);
        sizes[part] += members.len();
        members.into_iter().for_each(|member| part_of[member] = part);
    }
    part_of
}
