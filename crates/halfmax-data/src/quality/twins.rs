//! Drugs, or cell lines, with the same responses under two names.

use serde::Serialize;

use super::measurements::{Names, Pair};
use super::robust::{mad, pearson};

/// The fewest shared responses for a comparison.
const FEWEST: usize = 5;
/// Responses that correlate more than this are the same.
const SAME: f64 = 0.999;
/// The largest number of comparisons.
const MOST_COMPARED: usize = 600_000_000;

/// Two names with the same values.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Twins {
    /// The first name.
    pub first: String,
    /// The second name.
    pub second: String,
    /// The number of values that both have.
    pub shared: usize,
    /// The correlation of the shared values.
    pub pearson: f64,
    /// Whether the values are exactly equal.
    pub identical: bool,
}

impl Twins {
    /// In words.
    pub(crate) fn words(&self) -> String {
        if self.identical {
            format!("{} = {}", self.first, self.second)
        } else {
            format!("{} ~ {} (correlation {:.4})", self.first, self.second, self.pearson)
        }
    }
}

/// The pairs of rows with nearly the same responses; `None` if there are too many rows to compare all pairs. `of` and
/// `other` select the side of the rows and the side of the columns.
pub(crate) fn same_responses(
    names: &Names,
    others: usize,
    pairs: &[Pair],
    [of, other]: [fn(&Pair) -> u32; 2],
) -> Option<Vec<Twins>> {
    let rows = names.names.len();
    if rows * rows / 2 * others.min(64) > MOST_COMPARED || rows * others > 50_000_000 {
        return None;
    }
    let mut matrix = vec![f32::NAN; rows * others];
    for pair in pairs {
        matrix[of(pair) as usize * others + other(pair) as usize] = pair.value as f32;
    }
    let values: Vec<f64> = pairs.iter().map(|pair| pair.value).collect();
    let close = (0.05 * mad(&values)) as f32;
    let row = |at: usize| &matrix[at * others..(at + 1) * others];
    let telling: Vec<usize> = (0..rows).filter(|at| is_telling(row(*at).iter().copied())).collect();
    let mut twins = Vec::new();
    for (at, first) in telling.iter().copied().enumerate() {
        for second in telling[at + 1..].iter().copied() {
            let (a, b) = (row(first), row(second));
            if let Some(shared) = shared_if_close(a, b, close)
                && let Some(pearson) = pearson(&shared).filter(|pearson| *pearson > SAME)
                && is_telling(shared.iter().map(|pair| pair.0 as f32))
            {
                twins.push(Twins {
                    first: names.names[first].clone(),
                    second: names.names[second].clone(),
                    shared: shared.len(),
                    pearson,
                    identical: shared.iter().all(|(a, b)| a == b),
                });
            }
        }
    }
    Some(twins)
}

/// The values that both have, or `None` if more than a tenth of them differ; the comparison then stops early.
fn shared_if_close(a: &[f32], b: &[f32], close: f32) -> Option<Vec<(f64, f64)>> {
    let (mut count, mut apart) = (0, 0);
    for (a, b) in a.iter().zip(b) {
        // NaN is neither close nor distant.
        let difference = (a - b).abs();
        count += usize::from(difference >= 0.0);
        apart += usize::from(difference > close);
        if apart > 2 + count / 10 {
            return None;
        }
    }
    if count < FEWEST || 10 * apart > count {
        return None;
    }
    let both = a.iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    Some(both.map(|(a, b)| (f64::from(*a), f64::from(*b))).collect())
}

/// Whether values are varied enough that equality is more than chance: not only 0 and 1, and not mostly at a cap.
fn is_telling(values: impl Iterator<Item = f32>) -> bool {
    let mut values: Vec<f32> = values.filter(|value| !value.is_nan()).collect();
    let count = values.len();
    values.sort_unstable_by(f32::total_cmp);
    values.dedup();
    values.len() >= FEWEST && 2 * values.len() >= count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[&[f64]]) -> (Names, Vec<Pair>) {
        let names = (0..values.len()).map(|row| format!("drug {row}")).collect();
        let pair =
            |row: usize, cell: usize, value: f64| Pair { cell: cell as u32, partner: row as u32, value };
        let pairs = values
            .iter()
            .enumerate()
            .flat_map(|(row, values)| {
                values.iter().enumerate().map(move |(cell, value)| pair(row, cell, *value))
            })
            .filter(|pair| !pair.value.is_nan())
            .collect();
        (Names { names, of: Vec::new() }, pairs)
    }

    #[test]
    fn equal_columns_are_found_and_capped_ones_are_not() {
        let various = [1.0, 2.5, 3.1, -4.0, 0.2, 7.5];
        let with_gap = [1.0, 2.5, f64::NAN, -4.0, 0.2, 7.5];
        let other = [2.0, -1.0, 3.3, 0.4, 5.0, 1.0];
        let capped = [1.0, 1.0, 1.0, 1.0, 1.0, 0.5];
        let (names, pairs) = rows(&[&various, &other, &with_gap, &capped, &capped]);
        let found = same_responses(&names, 6, &pairs, [|pair| pair.partner, |pair| pair.cell]).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].first.as_str(), found[0].second.as_str(), found[0].shared),
            ("drug 0", "drug 2", 5)
        );
        assert!(found[0].identical);
    }
}
