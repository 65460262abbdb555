//! What the values of a response column say against its name.

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
    /// Of some values; missing ones do not count.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (Some(low), Some(high)) = (sorted.first(), sorted.last()) else { return Self::default() };
        let least_positive = sorted.iter().copied().find(|value| *value > 0.0).unwrap_or(f64::NAN);
        Self { low: *low, high: *high, median: sorted[sorted.len() / 2], least_positive }
    }

    /// Whether they lie like concentrations: none below 0, over three decades, most far below the highest. Logarithms do not lie
    /// like that.
    fn spans_decades(&self) -> bool {
        self.low >= 0.0 && self.high >= 1000.0 * self.least_positive && self.median < self.high / 10.0
    }
}

/// What values say against the name of their column.
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
        found.push(format!("{runs}: these look like ln of M, not of µM; say it with target.unit"));
    } else if scale == Some(Scale::NegLog10) && target.unit.is_none() && !(2.5..14.0).contains(&median) {
        found.push(format!("{runs}: expected about 3 to 10 (−log10 of M); say the unit with target.unit"));
    }
    if target.quantity.is_concentration() && target.scale.is_none() && target.unit.is_some() && low < 0.0 {
        found.push(format!(
            "{runs}: a concentration is not below 0; say with target.scale which logarithm it is"
        ));
    }
    match target.quantity {
        Quantity::Auc if low < -0.01 => found.push(format!("{runs}: expected 0 to 1 (1 = no effect)")),
        Quantity::Auc if high > 1.2 => {
            found.push(format!("{runs}: areas that are not divided by the range of doses (else 0 to 1)"));
        }
        _ => {}
    }
    if low == high {
        found.push(format!("every value of {name} is {low}"));
    }
    found
}

/// Whether the values of a logarithm by name lie like concentrations.
fn misnamed(target: &Target, values: &Values) -> bool {
    let logarithm = target.scale.is_some_and(|scale| scale != Scale::Linear);
    let most = if target.scale == Some(Scale::Ln) { 50.0 } else { 20.0 };
    let linear = values.low >= 0.0 && (values.high > most || values.spans_decades());
    target.quantity.is_concentration() && logarithm && linear
}

/// Whether natural logarithms in a unit that nothing says lie like those of concentrations in M.
fn of_molar(target: &Target, values: &Values) -> bool {
    target.scale == Some(Scale::Ln) && target.unit.is_none() && values.median < -9.0
}

/// Whether the values speak against the unit that their scale has by convention.
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

/// Concentrations that are about to be learnt as they are.
pub(crate) fn looks_linear(name: &str, target: &Target, values: &Values) -> Option<String> {
    let known = target.quantity.is_concentration() && target.scale == Some(Scale::Linear);
    let looks = target.quantity == Quantity::Unknown && values.spans_decades();
    (known || looks).then(|| {
        format!(
            "{name} {} not a logarithm, {} to {}: errors will be ruled by the largest values; set target.transform = \"ln\" to \
             learn the logarithm, or \"none\" to learn it as it is",
            if known { "is" } else { "looks like a concentration," },
            values.low,
            values.high
        )
    })
}

/// What looks wrong about a column of numbers that may be one of responses.
pub(crate) fn doubts(table: &RawTable, column: usize, values: &[f64]) -> Vec<String> {
    let name = &table.names()[column];
    let values = Values::of(values);
    let named = named(name, Sides::SingleDrugs);
    if named.accompanies {
        return Vec::new();
    }
    let target = described(&named, &values, Sides::SingleDrugs, &TargetConfig::default());
    let mut found = against_name(name, &target, &values);
    // Beside a column that would be taken for the response, concentrations do no harm.
    let taken = table.role(crate::roles::Role::Response).is_none_or(|response| response == column);
    if taken && target.quantity != Quantity::Unknown {
        found.extend(looks_linear(name, &target, &values));
    }
    found
}
