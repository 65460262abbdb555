//! Contradictions between the values of a response column and its name.

use halfmax_core::{Quantity, Scale, Target};

use super::{Sides, described, named};
use crate::config::TargetConfig;
use crate::table::RawTable;

/// The spread of a column's values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Values {
    pub low: f64,
    pub high: f64,
    pub median: f64,
    /// The lowest value above 0.
    pub least_positive: f64,
}

impl Values {
    /// The spread of some values, without missing values.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (Some(low), Some(high)) = (sorted.first(), sorted.last()) else { return Self::default() };
        let least_positive = sorted.iter().copied().find(|value| *value > 0.0).unwrap_or(f64::NAN);
        Self { low: *low, high: *high, median: sorted[sorted.len() / 2], least_positive }
    }

    /// Whether the values are distributed like concentrations: no negative values, three decades, most values far below
    /// the highest. Logarithms are not.
    fn spans_decades(&self) -> bool {
        self.low >= 0.0 && self.high >= 1000.0 * self.least_positive && self.median < self.high / 10.0
    }
}

/// Contradictions between values and the name of their column.
pub(crate) fn against_name(name: &str, target: &Target, values: &Values) -> Vec<String> {
    let Values { low, high, median, .. } = *values;
    let runs = format!("{name} runs from {low} to {high}");
    let mut found = Vec::new();
    let scale = target.scale;
    if misnamed(target, values) {
        found.push(format!(
            "{runs}: these look like {} in µM, not their logarithms; if they are, set target.scale = \"linear\" and \
             target.transform = \"ln\"",
            abbreviation(target)
        ));
    } else if scale == Some(Scale::Ln) && (low < -30.0 || high > 30.0) {
        found.push(format!("{runs}: expected about -10 to 15 (ln of µM)"));
    } else if of_molar(target, values) {
        found.push(format!("{runs}: these look like ln of M, not of µM; set target.unit"));
    } else if scale == Some(Scale::NegLog10) && target.unit.is_none() && !(2.5..14.0).contains(&median) {
        found.push(format!("{runs}: expected about 3 to 10 (−log10 of M); set target.unit"));
    }
    if target.quantity.is_concentration() && target.scale.is_none() && target.unit.is_some() && low < 0.0 {
        found.push(format!(
            "{runs}: a concentration cannot be negative; if these are logarithms, set target.scale"
        ));
    }
    match target.quantity {
        Quantity::Auc if low < -0.01 => found.push(format!("{runs}: expected 0 to 1 (1 = no effect)")),
        Quantity::Auc if high > 1.2 => {
            found.push(format!(
                "{runs}: areas not divided by the range of doses (normalised areas are 0 to 1)"
            ));
        }
        _ => {}
    }
    if low == high {
        found.push(format!("every value of {name} is {low}"));
    }
    found
}

/// Whether a column named as a logarithm is distributed like concentrations.
fn misnamed(target: &Target, values: &Values) -> bool {
    let logarithm = target.scale.is_some_and(|scale| scale != Scale::Linear);
    let most = if target.scale == Some(Scale::Ln) { 50.0 } else { 20.0 };
    let linear = values.low >= 0.0 && (values.high > most || values.spans_decades());
    target.quantity.is_concentration() && logarithm && linear
}

/// Whether natural logarithms of an unstated unit are distributed like those of concentrations in M.
fn of_molar(target: &Target, values: &Values) -> bool {
    target.scale == Some(Scale::Ln) && target.unit.is_none() && values.median < -9.0
}

/// Whether the values contradict the conventional unit of their scale.
pub(crate) fn against_convention(target: &Target, values: &Values) -> bool {
    misnamed(target, values) || of_molar(target, values)
}

fn abbreviation(target: &Target) -> &'static str {
    match target.quantity {
        Quantity::Ec50 => "EC50",
        Quantity::Gi50 => "GI50",
        Quantity::Gr50 => "GR50",
        Quantity::Ic50 => "IC50",
        _ => "concentrations",
    }
}

/// A warning if concentrations would be learnt without a logarithm.
pub(crate) fn looks_linear(name: &str, target: &Target, values: &Values) -> Option<String> {
    let known = target.quantity.is_concentration() && target.scale == Some(Scale::Linear);
    let looks = target.quantity == Quantity::Unknown && values.spans_decades();
    (known || looks).then(|| {
        format!(
            "{name} {} not a logarithm, {} to {}: the largest values will dominate the errors; set target.transform = \"ln\" to \
             learn the logarithm, or \"none\" to learn the values unchanged",
            if known { "is" } else { "looks like a concentration," },
            values.low,
            values.high
        )
    })
}

/// Possible problems of a numeric column that may hold responses.
pub(crate) fn doubts(table: &RawTable, column: usize, values: &[f64]) -> Vec<String> {
    let name = &table.names()[column];
    let values = Values::of(values);
    let named = named(name, Sides::SingleDrugs);
    if named.accompanies {
        return Vec::new();
    }
    let target = described(&named, &values, Sides::SingleDrugs, &TargetConfig::default());
    let mut found = against_name(name, &target, &values);
    // Concentrations do no harm if another column would be the response.
    let taken = table.role(crate::roles::Role::Response).is_none_or(|response| response == column);
    if taken && target.quantity != Quantity::Unknown {
        found.extend(looks_linear(name, &target, &values));
    }
    found
}
