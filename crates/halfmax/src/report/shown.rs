//! The selection of pictures for a page: the first in an order, and a random sample of the others.

use halfmax_core::Seed;

/// The maximum size of a page in bytes.
pub const MOST_BYTES: usize = 10_000_000;

/// A candidate.
#[derive(Clone, Debug)]
struct Offered<T> {
    /// The rank; smaller ranks come first.
    rank: (u8, f64),
    at: usize,
    what: T,
}

/// Keeps the first candidates in an order and a random sample, in bounded memory for any number of candidates.
#[derive(Clone, Debug)]
pub struct Shown<T> {
    most: usize,
    first: Vec<Offered<T>>,
    /// The sample with random draws. The smallest draws are kept, so every candidate is equally likely.
    sample: Vec<(u64, Offered<T>)>,
    /// The last kept rank and draw, once the places are full. A candidate after both is not shown.
    last: Option<((u8, f64), u64)>,
    seed: Seed,
    offered: usize,
}

/// One in this many places is for the sample.
const SAMPLE_OF: usize = 5;

impl<T: Clone> Shown<T> {
    /// A selection of at most this many candidates.
    pub fn new(most: usize, seed: Seed) -> Self {
        Self { most: most.max(1), first: Vec::new(), sample: Vec::new(), last: None, seed, offered: 0 }
    }

    /// Offers a candidate. Calls `make` only if the candidate may be shown.
    pub fn offer(&mut self, rank: (u8, f64), make: impl FnOnce() -> T) {
        let at = self.offered;
        self.offered += 1;
        // NaN has no place in an order.
        let rank = (rank.0, if rank.1.is_nan() { f64::INFINITY } else { rank.1 });
        let draw = self.seed.derive(at as u64).value();
        let is_first = self.last.is_none_or(|(last, _)| before(rank, last));
        let is_drawn = self.last.is_none_or(|(_, last)| draw < last);
        if !is_first && !is_drawn {
            return;
        }
        let one = Offered { rank, at, what: make() };
        if is_drawn {
            self.sample.push((draw, one.clone()));
        }
        if is_first {
            self.first.push(one);
        }
        if self.first.len() >= 2 * self.most || self.sample.len() >= 2 * self.most {
            self.prune();
        }
    }

    fn prune(&mut self) {
        self.first.sort_by(|a, b| {
            (a.rank.0.cmp(&b.rank.0)).then(a.rank.1.total_cmp(&b.rank.1)).then(a.at.cmp(&b.at))
        });
        self.first.truncate(self.most);
        self.sample.sort_by_key(|(draw, one)| (*draw, one.at));
        self.sample.truncate(self.most);
        let full = self.first.len() >= self.most && self.sample.len() >= self.most;
        self.last =
            self.first.last().zip(self.sample.last()).filter(|_| full).map(|(a, (b, _))| (a.rank, *b));
    }

    /// The number of offered candidates.
    pub fn offered(&self) -> usize {
        self.offered
    }

    /// At most this many candidates, in their order, and the number of them that come from the random sample.
    pub fn chosen(&mut self, most: usize) -> (Vec<T>, usize) {
        self.prune();
        let most = most.min(self.most);
        let drawn = if self.offered > most { most / SAMPLE_OF } else { 0 };
        let mut chosen: Vec<&Offered<T>> = self.first.iter().take(most - drawn).collect();
        let mut places: Vec<usize> = chosen.iter().map(|one| one.at).collect();
        places.sort_unstable();
        let others =
            self.sample.iter().map(|(_, one)| one).filter(|one| places.binary_search(&one.at).is_err());
        let mut others: Vec<&Offered<T>> = others.take(drawn).collect();
        others.sort_by(|a, b| {
            (a.rank.0.cmp(&b.rank.0)).then(a.rank.1.total_cmp(&b.rank.1)).then(a.at.cmp(&b.at))
        });
        let sampled = others.len();
        chosen.extend(others);
        (chosen.into_iter().map(|one| one.what.clone()).collect(), sampled)
    }
}

fn before(a: (u8, f64), b: (u8, f64)) -> bool {
    a.0 < b.0 || (a.0 == b.0 && a.1 < b.1)
}

/// Renders a page with this many pictures, then with fewer pictures until it is small enough. Returns the page.
pub fn within_limit(most: usize, mut page: impl FnMut(usize) -> String) -> String {
    let mut count = most;
    loop {
        let html = page(count);
        if html.len() <= MOST_BYTES || count <= 1 {
            return html;
        }
        let share = MOST_BYTES as f64 / html.len() as f64;
        count = ((count as f64 * share * 0.95) as usize).clamp(1, count - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(count: usize, most: usize) -> Shown<usize> {
        let mut shown = Shown::new(most, Seed::new(1));
        // The worst ranks lie in the middle of the file.
        (0..count).for_each(|at| shown.offer((0, at.abs_diff(count / 2) as f64), || at));
        shown
    }

    /// The selection does not depend on the order of the offers.
    #[test]
    fn the_first_are_found_in_any_order() {
        for step in [1, 7, 377, 9_999] {
            let ranks = || (0..10_000_usize).map(|at| at * step % 10_007);
            let mut shown = Shown::new(50, Seed::new(1));
            ranks().for_each(|rank| shown.offer((0, rank as f64), || rank));
            let (chosen, sampled) = shown.chosen(50);
            let mut all: Vec<usize> = ranks().collect();
            all.sort_unstable();
            assert_eq!(chosen[..50 - sampled], all[..50 - sampled], "{step}");
        }
    }

    #[test]
    fn few_are_all_shown_in_their_order() {
        let (chosen, sampled) = offered(5, 10).chosen(10);
        assert_eq!((chosen, sampled), (vec![2, 1, 3, 0, 4], 0));
    }

    #[test]
    fn of_many_the_first_and_a_sample_are_shown() {
        let (chosen, sampled) = offered(10_000, 100).chosen(100);
        assert_eq!((chosen.len(), sampled), (100, 20));
        assert!(chosen[..80].iter().all(|at| at.abs_diff(5_000) <= 40), "{chosen:?}");
        let mut sample = chosen[80..].to_vec();
        sample.sort_unstable();
        sample.dedup();
        assert!(sample.len() == 20 && sample[0] < 2_500 && sample[19] > 7_500, "{sample:?}");
        assert!(sample.iter().all(|at| at.abs_diff(5_000) > 39));
        // Fewer pictures if the page would be too large.
        assert_eq!(offered(10_000, 100).chosen(10).0.len(), 10);
    }

    #[test]
    fn what_has_no_rank_comes_last() {
        let mut shown = Shown::new(2, Seed::new(1));
        shown.offer((0, f64::NAN), || "none");
        shown.offer((0, 3.0), || "three");
        assert_eq!(shown.chosen(2).0, ["three", "none"]);
    }

    #[test]
    fn pages_shrink_until_they_fit() {
        let mut tried = Vec::new();
        let html = within_limit(1_000, |count| {
            tried.push(count);
            "x".repeat(count * 30_000)
        });
        assert!(html.len() <= MOST_BYTES && html.len() > MOST_BYTES / 2, "{tried:?}");
        assert_eq!(within_limit(3, |_| "x".repeat(MOST_BYTES + 1)).len(), MOST_BYTES + 1);
    }
}
