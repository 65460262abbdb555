//! The columns of fitted curves.

use halfmax_data::CurveKey;
use halfmax_dose::{CurveFit, Effect, Estimate, Position};

use crate::dose::table::ResultTable;

/// Whether growth-rate metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrowthColumns {
    Written,
    LeftOut,
}

/// Some fitted curves with their keys.
pub(super) struct CurveBlock<'a> {
    pub keys: &'a [CurveKey],
    /// The times in hours, if each curve has a time.
    pub hours: Option<&'a [f64]>,
    /// Whether each experiment has its own curve.
    pub by_experiment: bool,
    pub growth: GrowthColumns,
    pub fits: &'a [CurveFit],
}

impl CurveBlock<'_> {
    /// One row per curve.
    pub fn table(&self) -> ResultTable {
        let Self { keys, fits, .. } = self;
        let mut table = ResultTable::default();
        table.add_texts("cell_line", keys.iter().map(|key| key.cell_line.as_str()));
        table.add_texts("drug", keys.iter().map(|key| key.drug.as_str()));
        if self.by_experiment {
            table.add_texts("experiment", keys.iter().map(|key| key.experiment.as_str()));
        }
        if let Some(hours) = self.hours {
            table.add_numbers("time_h", hours.iter().copied());
        }
        table.add_texts("model", fits.iter().map(|fit| fit.model.name()));
        table.add_texts("ic50_position", fits.iter().map(|fit| fit.ic50_position.name()));
        table.add_texts("ec50_position", fits.iter().map(|fit| fit.ec50_position.name()));
        let effects = self.effects();
        for (at, effect) in effects.iter().enumerate() {
            let position = |fit: &CurveFit| {
                fit.effect_doses.get(at).map_or(Position::Nowhere, |dose| dose.position).name()
            };
            table.add_texts(format!("{}_position", effect.name()), fits.iter().map(position));
        }
        let mut numbers = Numbers { fits, table };
        numbers.add_all(self.growth, &effects);
        let mut table = numbers.table;
        table.add_counts("doses", fits.iter().map(|fit| fit.doses as u32));
        table.add_counts("readings", fits.iter().map(|fit| fit.readings as u32));
        table.add_counts("outliers", fits.iter().map(|fit| fit.outliers as u32));
        table.add_texts("flags", fits.iter().map(|fit| fit.flags.to_string()));
        table
    }

    /// The effects whose doses were requested: the effects of the fitter, for every curve.
    fn effects(&self) -> Vec<Effect> {
        let first = self.fits.first();
        first.map_or_else(Vec::new, |fit| fit.effect_doses.iter().map(|dose| dose.effect).collect())
    }
}

/// Columns of numbers under construction.
struct Numbers<'a> {
    fits: &'a [CurveFit],
    table: ResultTable,
}

impl Numbers<'_> {
    /// Adds a column. Infinite values (ends that the data leave open) become missing.
    fn add(&mut self, name: &str, value: impl Fn(&CurveFit) -> f64) {
        self.table.add_finite(name, self.fits.iter().map(value));
    }

    /// Adds the columns of an estimate. `unit` is the suffix of the names of the value and its interval.
    fn estimate(&mut self, [name, unit, error]: [&str; 3], estimate: impl Fn(&CurveFit) -> Estimate) {
        self.add(&format!("{name}{unit}"), |fit| estimate(fit).value);
        self.add(&format!("{name}_lower{unit}"), |fit| estimate(fit).lower);
        self.add(&format!("{name}_upper{unit}"), |fit| estimate(fit).upper);
        self.add(error, |fit| estimate(fit).standard_error);
    }

    /// Adds the columns of the dose of an effect. As for the IC50, extrapolations have a separate column.
    fn effect(&mut self, at: usize, name: &str) {
        let dose = |fit: &CurveFit| {
            fit.effect_doses
                .get(at)
                .map_or((Estimate::NONE, Position::Nowhere), |effect| (effect.dose, effect.position))
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

    /// Adds all columns of numbers, in the order of the file.
    fn add_all(&mut self, growth: GrowthColumns, effects: &[Effect]) {
        self.add_ic50();
        self.add_parameters();
        self.add_sensitivity();
        if growth == GrowthColumns::Written {
            self.add_growth();
        }
        self.add("r2", |fit| fit.r2);
        self.add("residual_se", |fit| fit.residual_standard_error);
        self.add("p_flat", |fit| fit.p_flat);
        self.add("p_phases", |fit| fit.p_phases);
        self.add("p_lack_of_fit", |fit| fit.p_lack_of_fit);
        for (at, effect) in effects.iter().enumerate() {
            self.effect(at, &effect.name());
        }
        self.add("dose_min_um", |fit| fit.dose_range[0]);
        self.add("dose_max_um", |fit| fit.dose_range[1]);
    }

    fn add_ic50(&mut self) {
        self.estimate(["ic50", "_um", "log10_ic50_se"], measured_ic50);
        self.add("ln_ic50", |fit| measured_ic50(fit).value.ln());
        self.add("ic50_extrapolated_um", |fit| match fit.ic50_position {
            Position::Within => f64::NAN,
            _ => fit.ic50.value,
        });
    }

    fn add_parameters(&mut self) {
        self.estimate(["ec50", "_um", "log10_ec50_se"], |fit| fit.ec50);
        self.estimate(["hill", "", "hill_se"], |fit| fit.hill);
        self.estimate(["plateau", "", "plateau_se"], |fit| fit.second.plateau);
        self.estimate(["ec50_2", "_um", "log10_ec50_2_se"], |fit| fit.second.ec50);
        self.estimate(["hill_2", "", "hill_2_se"], |fit| fit.second.hill);
        self.estimate(["peak", "", "peak_se"], |fit| fit.peak);
        self.add("peak_um", |fit| fit.peak_um);
        self.estimate(["top", "", "top_se"], |fit| fit.top);
        self.estimate(["bottom", "", "bottom_se"], |fit| fit.bottom);
    }

    fn add_sensitivity(&mut self) {
        self.estimate(["auc", "", "auc_se"], |fit| fit.auc);
        self.add("aac", |fit| fit.sensitivity.aac);
        for (at, name) in ["dss1", "dss2", "dss3"].into_iter().enumerate() {
            self.add(name, |fit| fit.sensitivity.dss[at]);
        }
        self.estimate(["emax", "", "emax_se"], |fit| fit.emax);
        self.add("emax_observed", |fit| fit.emax_observed);
    }

    fn add_growth(&mut self) {
        self.estimate(["gr50", "_um", "log10_gr50_se"], |fit| fit.growth.gr50);
        self.add("gr_max", |fit| fit.growth.gr_max);
        self.add("gr_max_lowest_of_two", |fit| fit.growth.gr_max_lowest_of_two);
        self.add("gr_infinity", |fit| fit.growth.gr_infinity);
        self.add("gr_aoc", |fit| fit.growth.gr_aoc);
    }
}

/// The IC50, if it lies within the tested doses.
fn measured_ic50(fit: &CurveFit) -> Estimate {
    if fit.ic50_position == Position::Within { fit.ic50 } else { Estimate::NONE }
}
