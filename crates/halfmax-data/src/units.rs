//! Units of doses.

use halfmax_core::Result;

use crate::columns::plain;
use crate::table::RawTable;

/// What the doses of a column are to be multiplied with to be in µM.
#[derive(Clone, Debug)]
pub(crate) struct DoseFactors {
    /// One entry per row.
    pub factors: Vec<f64>,
    /// Whether nothing says what the unit is, so that µM was assumed.
    pub assumed: bool,
}

impl DoseFactors {
    /// As given, else by a column of units, else by the name of the doses' column, else 1.
    ///
    /// # Errors
    /// If a unit is missing or not known: names the row.
    pub fn of(table: &RawTable, doses: usize, units: Option<usize>, given: Option<f64>) -> Result<Self> {
        const EXPECTED: &str = "a unit of concentration: M, mM, uM, nM or pM";
        let all = |factor: f64| vec![factor; table.rows()];
        let column = match (given, units) {
            (Some(factor), _) => return Ok(Self { factors: all(factor), assumed: false }),
            (None, Some(column)) => column,
            (None, None) => {
                let named = factor_by_name(&table.names()[doses]);
                return Ok(Self { factors: all(named.unwrap_or(1.0)), assumed: named.is_none() });
            }
        };
        let factor = |(at, unit): (usize, &Option<String>)| {
            let unit = unit.as_deref().unwrap_or_default();
            dose_factor(unit).ok_or_else(|| table.bad_value(column, at, unit, EXPECTED))
        };
        let factors = table.texts(column)?.iter().enumerate().map(factor).collect::<Result<_>>()?;
        Ok(Self { factors, assumed: false })
    }
}

/// What a dose in this unit (M, mM, uM, nM, pM, in either case) is to be multiplied with to be in µM. `M` and `m` are both molar: nobody doses in metres.
pub fn dose_factor(unit: &str) -> Option<f64> {
    match unit.to_lowercase().as_str() {
        "m" | "molar" => Some(1e6),
        "mm" => Some(1e3),
        "um" | "µm" | "μm" | "micromolar" => Some(1.0),
        "nm" | "nanomolar" => Some(1e-3),
        "pm" => Some(1e-6),
        _ => None,
    }
}

fn factor_by_name(name: &str) -> Option<f64> {
    let name: String = plain(name).chars().filter(|c| !matches!(c, '(' | ')' | '[' | ']')).collect();
    let units = [("um", 1.0), ("µm", 1.0), ("μm", 1.0), ("nm", 1e-3)];
    units.into_iter().find(|(unit, _)| name.ends_with(unit)).map(|(_, factor)| factor)
}
