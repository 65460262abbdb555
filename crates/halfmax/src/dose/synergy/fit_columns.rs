//! The columns of fits in tables of cells and of blocks. The set of columns does not depend on the rows.

use halfmax_dose::Estimate;
use halfmax_dose::synergy::{
    CombinationIndex, Indices, MedianEffect, NoIndex, Sensitivity, SurfaceParameter, SurfaceQuality,
};

use super::block::ScoredBlock;
use super::fits::{BlockFit, BlockFits, FitOptions};
use crate::dose::table::ResultTable;
use crate::report::drug_letter;

/// Combination indices of one of the two kinds.
pub(super) type IndicesOfKind = fn(&CombinationIndex) -> &Indices;
/// The combination indices, with the names of their columns.
pub(super) const INDICES: [(&str, IndicesOfKind); 2] =
    [("ci_median_effect", |found| &found.median_effect), ("ci_loewe", |found| &found.loewe)];

/// Adds the columns of cells: the values of surfaces, and the combination indices or the reason for a missing index.
pub(super) fn add_to_cells(table: &mut ResultTable, blocks: &[ScoredBlock], options: &FitOptions) {
    let mut fitted = |name: &str, viability: fn(&BlockFits, [f64; 2]) -> f64| {
        let inhibitions = |block: &ScoredBlock| -> Vec<f64> {
            block.doses_of_pair().map(|doses| 100.0 * (1.0 - viability(&block.fits, doses))).collect()
        };
        table.add_numbers(name, blocks.iter().flat_map(inhibitions));
    };
    if options.has(BlockFit::Musyc) {
        fitted("fitted_musyc", |fits, doses| {
            fits.musyc_fit().map_or(f64::NAN, |fit| fit.surface.viability(doses))
        });
    }
    if options.has(BlockFit::Braid) {
        fitted("fitted_braid", |fits, doses| {
            fits.braid_fit().map_or(f64::NAN, |fit| fit.surface.viability(doses))
        });
    }
    if options.has(BlockFit::Ci) {
        for (name, of_kind) in INDICES {
            let indices =
                || blocks.iter().filter_map(|block| Some((block, of_kind(block.fits.ci.as_ref()?))));
            let why = |(block, indices): (&ScoredBlock, &Indices)| -> Vec<String> {
                let name =
                    |why: &Option<_>| why.map_or(String::new(), |why: NoIndex| why.name(block.drugs.len()));
                indices.why.iter().map(name).collect()
            };
            table.add_numbers(name, indices().flat_map(|(_, indices)| indices.index.clone()));
            table.add_texts(format!("{name}_why_none"), indices().flat_map(why));
        }
    }
}

/// Adds the columns of blocks of at most this many drugs: parameters of surfaces with their intervals and flags, mean indices and
/// sensitivity scores.
pub(super) fn add_to_blocks(
    table: &mut ResultTable,
    blocks: &[ScoredBlock],
    drugs: usize,
    options: &FitOptions,
) {
    let fits: Vec<&BlockFits> = blocks.iter().map(|block| &block.fits).collect();
    if options.has(BlockFit::Musyc) {
        let surfaces: Vec<Surface> = fits.iter().map(|fits| Surface::musyc(fits)).collect();
        surface_columns("musyc", &MUSYC, &surfaces, table);
    }
    if options.has(BlockFit::Braid) {
        let surfaces: Vec<Surface> = fits.iter().map(|fits| Surface::braid(fits)).collect();
        surface_columns("braid", &BRAID, &surfaces, table);
    }
    if options.has(BlockFit::Ci) {
        index_columns(&fits, drugs, table);
    }
    if options.has(BlockFit::Css) {
        sensitivity_columns(&fits, drugs, table);
    }
}

/// The parameters of the surfaces; doses are in µM.
const MUSYC: [&str; 13] =
    ["e0", "e1", "e2", "e3", "h1", "h2", "c1", "c2", "alpha_12", "alpha_21", "gamma_12", "gamma_21", "beta"];
const BRAID: [&str; 9] = ["e0", "e1", "e2", "ef", "h1", "h2", "c1", "c2", "kappa"];

/// A surface as columns of a table.
enum Surface<'a> {
    Fitted { parameters: Vec<SurfaceParameter>, quality: SurfaceQuality, flags: String },
    NotFitted { why: &'a str },
    NotAsked,
}

impl<'a> Surface<'a> {
    fn musyc(fits: &'a BlockFits) -> Self {
        match &fits.musyc {
            Some(Ok(fit)) => Self::fitted(&fit.parameters(), fit.quality, fit.flags()),
            Some(Err(why)) => Self::NotFitted { why },
            None => Self::NotAsked,
        }
    }

    fn braid(fits: &'a BlockFits) -> Self {
        match &fits.braid {
            Some(Ok(fit)) => Self::fitted(&fit.parameters(), fit.quality, fit.flags()),
            Some(Err(why)) => Self::NotFitted { why },
            None => Self::NotAsked,
        }
    }

    fn fitted(
        parameters: &[(&'static str, &SurfaceParameter)],
        quality: SurfaceQuality,
        flags: String,
    ) -> Self {
        let parameters = parameters.iter().map(|(_, parameter)| **parameter).collect();
        Self::Fitted { parameters, quality, flags }
    }

    /// A number of the fit; NaN without a fit.
    fn number(&self, value: &dyn Fn(&[SurfaceParameter], &SurfaceQuality) -> f64) -> f64 {
        match self {
            Self::Fitted { parameters, quality, .. } => value(parameters, quality),
            Self::NotFitted { .. } | Self::NotAsked => f64::NAN,
        }
    }

    fn flags(&self) -> String {
        match self {
            Self::Fitted { flags, .. } => flags.clone(),
            Self::NotFitted { why } => format!("not_fitted: {why}"),
            Self::NotAsked => String::new(),
        }
    }
}

fn surface_columns(model: &str, names: &[&str], surfaces: &[Surface], table: &mut ResultTable) {
    let mut add = |name: String, value: &dyn Fn(&[SurfaceParameter], &SurfaceQuality) -> f64| {
        table.add_numbers(name, surfaces.iter().map(|surface| surface.number(value)));
    };
    type End = fn(&Estimate) -> f64;
    let ends: [(&str, End); 3] = [
        ("", |estimate| estimate.value),
        ("_lower", |estimate| estimate.lower),
        ("_upper", |estimate| estimate.upper),
    ];
    for (at, name) in names.iter().enumerate() {
        let unit = if matches!(*name, "c1" | "c2") { "_um" } else { "" };
        for (end, value) in ends {
            add(format!("{model}_{name}{unit}{end}"), &|parameters, _| {
                parameters.get(at).map_or(f64::NAN, |parameter| value(&parameter.estimate))
            });
        }
    }
    add(format!("{model}_residual_sd"), &|_, quality| quality.residual_standard_error);
    add(format!("{model}_r2"), &|_, quality| quality.r_squared);
    add(format!("{model}_lack_of_fit_p"), &|_, quality| quality.lack_of_fit);
    table.add_texts(format!("{model}_flags"), surfaces.iter().map(Surface::flags));
}

fn index_columns(blocks: &[&BlockFits], drugs: usize, table: &mut ResultTable) {
    let mut add = |name: String, of: &dyn Fn(&CombinationIndex) -> f64| {
        table.add_numbers(name, blocks.iter().map(|fits| fits.ci.as_ref().map_or(f64::NAN, of)));
    };
    for (name, of) in INDICES {
        add(name.to_owned(), &|found| of(found).mean);
        add(format!("{name}_cells"), &|found| of(found).cells as f64);
    }
    type OfLine = fn(&MedianEffect) -> f64;
    let lines: [(&str, OfLine); 3] = [("dm_um", |line| line.dm), ("m", |line| line.m), ("r", |line| line.r)];
    for drug in 0..drugs {
        for (name, of) in lines {
            add(format!("median_effect_{}_{name}", drug_letter(drug)), &|found| {
                found.lines.get(drug).and_then(Option::as_ref).map_or(f64::NAN, of)
            });
        }
    }
}

fn sensitivity_columns(blocks: &[&BlockFits], drugs: usize, table: &mut ResultTable) {
    let mut add = |name: String, of: &dyn Fn(&Sensitivity) -> f64| {
        table.add_numbers(name, blocks.iter().map(|fits| fits.css.as_ref().map_or(f64::NAN, of)));
    };
    let of_drug = |values: &[f64], drug: usize| values.get(drug).copied().unwrap_or(f64::NAN);
    add("css".to_owned(), &|found| found.css);
    for drug in 0..drugs {
        add(format!("css_{}", drug_letter(drug)), &|found| of_drug(&found.css_each, drug));
    }
    for drug in 0..drugs {
        add(format!("ri_{}", drug_letter(drug)), &|found| of_drug(&found.ri, drug));
    }
    add("s_sum".to_owned(), &|found| found.s_sum);
    add("s_max".to_owned(), &|found| found.s_max);
    add("s_mean".to_owned(), &|found| found.s_mean);
    for drug in 0..drugs {
        add(format!("relative_ic50_{}_um", drug_letter(drug)), &|found| of_drug(&found.relative_ic50, drug));
    }
    table
        .add_texts("css_flags", blocks.iter().map(|fits| fits.css.as_ref().map_or(String::new(), css_flags)));
}

/// Flags to read before CSS and S are used.
fn css_flags(found: &Sensitivity) -> String {
    let outside = found.ic50_outside.iter().enumerate().filter(|(_, outside)| **outside);
    let outside = outside.map(|(drug, _)| format!("relative_ic50_{}_outside_doses", drug_letter(drug)));
    let missing = found.missing_pairs.iter();
    let missing = missing.map(|[a, b]| format!("pair_{}_{}_not_measured", drug_letter(*a), drug_letter(*b)));
    outside.chain(missing).collect::<Vec<String>>().join(";")
}
