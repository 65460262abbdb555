//! The columns of fitted curves.

use halfmax_core::Result;
use halfmax_data::{CurveKey, OutputColumn, TableWriter};
use halfmax_dose::{CurveFit, Effect, Estimate, Position};

/// Whether growth-rate metrics are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum GrowthColumns {
    Written,
    LeftOut,
}

/// Columns of numbers under construction: name and values.
struct Numbers<'a> {
    fits: &'a [CurveFit],
    columns: Vec<(String, Vec<f64>)>,
}

impl Numbers<'_> {
    /// Adds a column; what is infinite (an end that the data leave open) is missing.
    fn add(&mut self, name: &str, value: impl Fn(&CurveFit) -> f64) {
        let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
        let values = self.fits.iter().map(|fit| finite(value(fit))).collect();
        self.columns.push((name.to_owned(), values));
    }

    /// Adds the columns of an estimate; `unit` ends the names of the value and its interval.
    fn estimate(&mut self, [name, unit, error]: [&str; 3], of: impl Fn(&CurveFit) -> Estimate) {
        self.add(&format!("{name}{unit}"), |fit| of(fit).value);
        self.add(&format!("{name}_lower{unit}"), |fit| of(fit).lower);
        self.add(&format!("{name}_upper{unit}"), |fit| of(fit).upper);
        self.add(error, |fit| of(fit).standard_error);
    }

    /// Adds the columns of the dose of an effect, by the convention of the IC50: extrapolations have a column of their own.
    fn effect(&mut self, at: usize, name: &str) {
        let dose = |fit: &CurveFit| {
            fit.effect_doses
                .get(at)
                .map_or((Estimate::NONE, Position::Nowhere), |own| (own.dose, own.position))
        };
        let measured = |fit: &CurveFit| match dose(fit) {
            (dose, Position::Within) => dose,
            _ => Estimate::NONE,
        };
        self.estimate([name, "_um", &format!("log10_{name}_se")], measured);
        self.add(&format!("{name}_extrapolated_um"), |fit| match dose(fit) {
            (_, Position::Within) => f64::NAN,
            (dose, _) => dose.value,
        });
    }
}

/// The IC50 as far as it was measured.
fn measured_ic50(fit: &CurveFit) -> Estimate {
    if fit.ic50_position == Position::Within { fit.ic50 } else { Estimate::NONE }
}

fn numbers<'a>(growth: GrowthColumns, effects: &[Effect], fits: &'a [CurveFit]) -> Numbers<'a> {
    let mut numbers = Numbers { fits, columns: Vec::new() };
    numbers.estimate(["ic50", "_um", "log10_ic50_se"], measured_ic50);
    numbers.add("ln_ic50", |fit| measured_ic50(fit).value.ln());
    numbers.add("ic50_extrapolated_um", |fit| match fit.ic50_position {
        Position::Within => f64::NAN,
        _ => fit.ic50.value,
    });
    numbers.estimate(["ec50", "_um", "log10_ec50_se"], |fit| fit.ec50);
    numbers.estimate(["hill", "", "hill_se"], |fit| fit.hill);
    numbers.estimate(["plateau", "", "plateau_se"], |fit| fit.second.plateau);
    numbers.estimate(["ec50_2", "_um", "log10_ec50_2_se"], |fit| fit.second.ec50);
    numbers.estimate(["hill_2", "", "hill_2_se"], |fit| fit.second.hill);
    numbers.estimate(["peak", "", "peak_se"], |fit| fit.peak);
    numbers.add("peak_um", |fit| fit.peak_um);
    numbers.estimate(["top", "", "top_se"], |fit| fit.top);
    numbers.estimate(["bottom", "", "bottom_se"], |fit| fit.bottom);
    numbers.estimate(["auc", "", "auc_se"], |fit| fit.auc);
    numbers.add("aac", |fit| fit.sensitivity.aac);
    for (at, name) in ["dss1", "dss2", "dss3"].into_iter().enumerate() {
        numbers.add(name, |fit| fit.sensitivity.dss[at]);
    }
    numbers.estimate(["emax", "", "emax_se"], |fit| fit.emax);
    numbers.add("emax_observed", |fit| fit.emax_observed);
    if growth == GrowthColumns::Written {
        numbers.estimate(["gr50", "_um", "log10_gr50_se"], |fit| fit.growth.gr50);
        numbers.add("gr_max", |fit| fit.growth.gr_max);
        numbers.add("gr_max_lowest_of_two", |fit| fit.growth.gr_max_lowest_of_two);
        numbers.add("gr_infinity", |fit| fit.growth.gr_infinity);
        numbers.add("gr_aoc", |fit| fit.growth.gr_aoc);
    }
    numbers.add("r2", |fit| fit.r2);
    numbers.add("residual_se", |fit| fit.residual_standard_error);
    numbers.add("p_flat", |fit| fit.p_flat);
    numbers.add("p_phases", |fit| fit.p_phases);
    numbers.add("p_lack_of_fit", |fit| fit.p_lack_of_fit);
    for (at, effect) in effects.iter().enumerate() {
        numbers.effect(at, &effect.name());
    }
    numbers.add("dose_min_um", |fit| fit.dose_range[0]);
    numbers.add("dose_max_um", |fit| fit.dose_range[1]);
    numbers
}

/// The effects whose doses were asked for: those of the fitter, whatever the curve.
fn effects(fits: &[CurveFit]) -> Vec<Effect> {
    fits.first().map_or_else(Vec::new, |fit| fit.effect_doses.iter().map(|own| own.effect).collect())
}

/// What some curves are of.
pub struct CurveBlock<'a> {
    pub keys: &'a [CurveKey],
    /// Their times in hours, where each has one.
    pub hours: Option<&'a [f64]>,
    /// Whether experiments are told apart.
    pub by_experiment: bool,
}

/// Writes the rows of some curves.
pub fn write_block(
    CurveBlock { keys, hours, by_experiment }: &CurveBlock,
    growth: GrowthColumns,
    fits: &[CurveFit],
    writer: &mut TableWriter,
) -> Result<()> {
    let text = |of: fn(&CurveKey) -> &str| keys.iter().map(of).collect::<Vec<&str>>();
    let (cells, drugs) = (text(|key| &key.cell_line), text(|key| &key.drug));
    let experiments = text(|key| &key.experiment);
    let name = |of: fn(&CurveFit) -> &'static str| fits.iter().map(of).collect::<Vec<&str>>();
    let models = name(|fit| fit.model.name());
    let positions = [name(|fit| fit.ic50_position.name()), name(|fit| fit.ec50_position.name())];
    let flags: Vec<String> = fits.iter().map(|fit| fit.flags.to_string()).collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let count = |of: fn(&CurveFit) -> usize| fits.iter().map(|fit| of(fit) as u32).collect::<Vec<u32>>();
    let counts = [count(|fit| fit.doses), count(|fit| fit.readings), count(|fit| fit.outliers)];
    let effects = effects(fits);
    let numbers = numbers(growth, &effects, fits);
    let position = |at: usize| {
        let of =
            |fit: &CurveFit| fit.effect_doses.get(at).map_or(Position::Nowhere, |own| own.position).name();
        fits.iter().map(of).collect::<Vec<&str>>()
    };
    let of_effects: Vec<(String, Vec<&str>)> = effects
        .iter()
        .enumerate()
        .map(|(at, effect)| (format!("{}_position", effect.name()), position(at)))
        .collect();
    let mut table = vec![("cell_line", OutputColumn::Text(&cells)), ("drug", OutputColumn::Text(&drugs))];
    if *by_experiment {
        table.push(("experiment", OutputColumn::Text(&experiments)));
    }
    table.extend(hours.map(|hours| ("time_h", OutputColumn::F64(hours))));
    table.push(("model", OutputColumn::Text(&models)));
    table.push(("ic50_position", OutputColumn::Text(&positions[0])));
    table.push(("ec50_position", OutputColumn::Text(&positions[1])));
    table.extend(of_effects.iter().map(|(name, values)| (name.as_str(), OutputColumn::Text(values))));
    table.extend(numbers.columns.iter().map(|(name, values)| (name.as_str(), OutputColumn::F64(values))));
    for (name, values) in ["doses", "readings", "outliers"].into_iter().zip(&counts) {
        table.push((name, OutputColumn::U32(values)));
    }
    table.push(("flags", OutputColumn::Text(&flags)));
    writer.write(&table)
}
