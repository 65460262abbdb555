//! Evidence from neighbouring columns for the sensitive end of a response column.

use halfmax_core::{End, Quantity, Result};

use super::name::{self, Direction};
use crate::table::{Labels, RawTable};

/// The fewest rows for a correlation.
const ROWS: usize = 20;
/// The smallest correlation that decides a direction.
const STRENGTH: f64 = 0.3;
/// The smallest correlation in units of its standard error. A direction by chance is worse than an unknown direction.
const ERRORS: f64 = 4.0;

/// The evidence of a column beside the responses.
pub(crate) struct Evidence {
    /// The sensitive end of the responses.
    pub sensitive: End,
    /// The column.
    pub column: String,
    /// The rank correlation with this column, within drugs.
    pub correlation: f64,
}

/// The evidence of the column that correlates most clearly with the responses, among columns whose names state their
/// direction.
///
/// # Errors
/// If a column cannot be read.
pub(crate) fn beside(
    table: &RawTable,
    target: usize,
    values: &[f64],
    drugs: &Labels,
) -> Result<Option<Evidence>> {
    let mut found: Option<Evidence> = None;
    for (column, own_name) in table.names().iter().enumerate() {
        let named = name::read(own_name);
        let says = named.direction == Direction::Said && !named.accompanies && !named.standardised;
        let Some(own) = named.quantity.sensitive().filter(|_| says && is_of_drugs(named.quantity)) else {
            continue;
        };
        if column == target || table.is_identifier(column) || table.is_text(column) {
            continue;
        }
        let own = if named.negated { own.opposite() } else { own };
        let Some(correlation) = within_drugs(values, &table.numbers(column, "a number")?, drugs) else {
            continue;
        };
        if found.as_ref().is_none_or(|found| correlation.abs() > found.correlation.abs()) {
            let sensitive = if correlation > 0.0 { own } else { own.opposite() };
            found = Some(Evidence { sensitive, column: own_name.clone(), correlation });
        }
    }
    Ok(found)
}

/// Whether a quantity describes a drug in a cell line. Growth and counts may describe the cell line without a drug.
fn is_of_drugs(quantity: Quantity) -> bool {
    !quantity.is_of_combinations()
        && !matches!(quantity, Quantity::Growth | Quantity::GrowthRate | Quantity::Viability)
}

/// The correlation of ranks within drugs, over all drugs. `None` with too few rows, without variation, or if it may be
/// chance.
fn within_drugs(a: &[f64], b: &[f64], drugs: &Labels) -> Option<f64> {
    let mut rows_of: Vec<Vec<usize>> = vec![Vec::new(); drugs.names.len()];
    for (row, drug) in drugs.of_row.iter().enumerate() {
        if let (Some(rows), true) =
            (rows_of.get_mut(*drug as usize), a[row].is_finite() && b[row].is_finite())
        {
            rows.push(row);
        }
    }
    let (mut count, mut drugs, mut sums) = (0, 0, [0.0; 3]);
    // Sums of half-integers are exact, so their order does not matter.
    for rows in rows_of.iter().filter(|rows| rows.len() > 2) {
        let ranks = [a, b].map(|values| centred_ranks(rows.iter().map(|row| values[*row]).collect()));
        count += rows.len();
        drugs += 1;
        for (x, y) in ranks[0].iter().zip(&ranks[1]) {
            sums = [sums[0] + x * y, sums[1] + x * x, sums[2] + y * y];
        }
    }
    let scale = (sums[1] * sums[2]).sqrt();
    if count < ROWS || scale <= 0.0 {
        return None;
    }
    let (correlation, free) = (sums[0] / scale, (count - drugs).saturating_sub(1).max(1) as f64);
    (correlation.abs() >= STRENGTH.max(ERRORS / free.sqrt())).then_some(correlation)
}

/// Ranks minus their mean. Equal values get their mean rank.
fn centred_ranks(values: Vec<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = first as f64 + (equal.len() as f64 - 1.0) / 2.0;
        equal.iter().for_each(|at| ranks[*at] = rank - middle);
        first += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::read_bytes;

    fn drugs(rows: usize) -> Labels {
        Labels { names: vec!["a".into(), "b".into()], of_row: (0..rows as u32).map(|row| row % 2).collect() }
    }

    #[test]
    fn ranks_are_compared_within_drugs() {
        // Within each drug, b rises with a; over both drugs, it falls.
        let a: Vec<f64> = (0..20).map(|row| f64::from(row / 2) + 100.0 * f64::from(row % 2)).collect();
        let b: Vec<f64> = (0..20).map(|row| f64::from(row / 2).exp() - 1e6 * f64::from(row % 2)).collect();
        assert!((within_drugs(&a, &b, &drugs(20)).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(within_drugs(&a[..8], &b[..8], &drugs(8)), None, "too few");
        assert_eq!(within_drugs(&a, &[1.0; 20], &drugs(20)), None, "nothing varies");
        assert_eq!(centred_ranks(vec![5.0, 5.0, 9.0]), [-0.5, -0.5, 1.0]);
    }

    #[test]
    fn a_column_beside_says_which_end_is_sensitive() {
        let ask = |named: &str, value: &dyn Fn(f64) -> f64| {
            let rows: String = (0..20).map(|row| format!("{},{}\n", row, value(f64::from(row)))).collect();
            let table = read_bytes("t.csv", format!("x,{named}\n{rows}").as_bytes()).unwrap();
            let values = table.numbers(0, "").unwrap();
            beside(&table, 0, &values, &drugs(20)).unwrap().map(|found| found.sensitive)
        };
        assert_eq!(ask("LN_IC50", &|x| x), Some(End::Low));
        assert_eq!(ask("IC50 (nM)", &|x| (-x).exp()), Some(End::High));
        assert_eq!(ask("pIC50", &|x| x), Some(End::High));
        assert_eq!(ask("AAC", &|x| -x), Some(End::Low));
        assert_eq!(ask("AUC", &|x| x), None, "a convention alone is not evidence");
        assert_eq!(ask("log10_ic50_se", &|x| x), None);
        assert_eq!(ask("LN_IC50", &|x| (x * 7.0) % 5.0), None, "a weak correlation");
    }
}
