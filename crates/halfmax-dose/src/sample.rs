//! A sample of a file's curves, to learn from.

use halfmax_core::Seed;

/// The number of curves that is enough to learn common properties.
const MOST: usize = 1000;

/// The positions of the curves (or matrices) to learn from, out of `all`: all of them, or a thousand, one drawn at
/// random from each of a thousand equal parts. A fixed step could coincide with the period of a file that alternates
/// between drugs or cell lines, and would then learn from few of them. The draw is the same every time.
pub(crate) fn sample(all: usize) -> Vec<usize> {
    if all <= MOST {
        return (0..all).collect();
    }
    let start = |part: usize| part * all / MOST;
    let drawn = |part: usize| {
        let width = (start(part + 1) - start(part)) as u64;
        start(part) + (Seed::new(1).derive(part as u64).value() % width) as usize
    };
    (0..MOST).map(drawn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_file_is_in_the_sample_whatever_its_period() {
        assert_eq!(sample(3), [0, 1, 2]);
        for all in [1_001, 7_000, 300_000] {
            let found = sample(all);
            assert_eq!(found.len(), MOST);
            assert!(found.windows(2).all(|two| two[0] < two[1]) && found[MOST - 1] < all, "{all}");
        }
        // Seven alternating drugs in a file of seven thousand curves: a step of seven would find only one drug.
        let mut drugs = [0; 7];
        sample(7_000).iter().for_each(|at| drugs[at % 7] += 1);
        assert!(drugs.iter().all(|count| (90..200).contains(count)), "{drugs:?}");
    }
}
