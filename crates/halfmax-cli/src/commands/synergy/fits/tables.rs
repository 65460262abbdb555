//! The columns of fits, of cells and of blocks. Which there are does not depend on the rows.

use halfmax::report::drug_letter;
use halfmax_dose::synergy::{
    CombinationIndex, Indices, MedianEffect, Sensitivity, SurfaceParameter, SurfaceQuality,
};

use super::super::columns::Columns;
use super::{FitArgs, Fits};
use crate::values::FitValue;

/// What was fitted to a block, and the doses of its cells.
pub(in super::super) struct FittedCells<'a> {
    /// The doses of the cells at which surfaces are evaluated; of more than two drugs there are no surfaces.
    pub doses: Vec<[f64; 2]>,
    pub fits: &'a Fits,
}

/// Adds the columns of cells: what surfaces say there, and the combination indices with why there is none.
pub(in super::super) fn add_to_cells(columns: &mut Columns, blocks: &[FittedCells], args: &FitArgs) {
    let mut fitted = |name: &str, viability: &dyn Fn(&Fits, [f64; 2]) -> f64| {
        let of_block = |block: &FittedCells| -> Vec<f64> {
            block.doses.iter().map(|doses| 100.0 * (1.0 - viability(block.fits, *doses))).collect()
        };
        columns.add(name, blocks.iter().flat_map(of_block));
    };
    if args.has(FitValue::Musyc) {
        fitted("fitted_musyc", &|fits, doses| {
            fits.musyc_fit().map_or(f64::NAN, |fit| fit.surface.viability(doses))
        });
    }
    if args.has(FitValue::Braid) {
        fitted("fitted_braid", &|fits, doses| {
            fits.braid_fit().map_or(f64::NAN, |fit| fit.surface.viability(doses))
        });
    }
    if args.has(FitValue::Ci) {
        for (name, of) in INDICES {
            let indices =
                || blocks.iter().filter_map(|block| Some((block.fits.drugs, of(block.fits.ci.as_ref()?))));
            let why = |(drugs, indices): (usize, &Indices)| -> Vec<String> {
                indices.why.iter().map(|why| why.map_or(String::new(), |why| why.name(drugs))).collect()
            };
            columns.add(name, indices().flat_map(|(_, indices)| indices.index.clone()));
            columns.text(format!("{name}_why_none"), indices().flat_map(why));
        }
    }
}

pub(super) type OfIndex = fn(&CombinationIndex) -> &Indices;
pub(super) const INDICES: [(&str, OfIndex); 2] =
    [("ci_median_effect", |found| &found.median_effect), ("ci_loewe", |found| &found.loewe)];

/// Adds the columns of blocks of at most so many drugs: parameters of surfaces with their intervals and flags, means of indices, sensitivity scores.
pub(in super::super) fn add_to_blocks(columns: &mut Columns, blocks: &[&Fits], drugs: usize, args: &FitArgs) {
    if args.has(FitValue::Musyc) {
        let surfaces: Vec<Option<Described>> = blocks.iter().map(|fits| fits.described_musyc()).collect();
        let why = |fits: &&Fits| fits.musyc.as_ref().and_then(|fit| fit.as_ref().err()).cloned();
        surface_columns("musyc", &MUSYC, &surfaces, &blocks.iter().map(why).collect::<Vec<_>>(), columns);
    }
    if args.has(FitValue::Braid) {
        let surfaces: Vec<Option<Described>> = blocks.iter().map(|fits| fits.described_braid()).collect();
        let why = |fits: &&Fits| fits.braid.as_ref().and_then(|fit| fit.as_ref().err()).cloned();
        surface_columns("braid", &BRAID, &surfaces, &blocks.iter().map(why).collect::<Vec<_>>(), columns);
    }
    if args.has(FitValue::Ci) {
        index_columns(blocks, drugs, columns);
    }
    if args.has(FitValue::Css) {
        sensitivity_columns(blocks, drugs, columns);
    }
}

/// The parameters of the surfaces; those of doses are in µM.
const MUSYC: [&str; 13] =
    ["e0", "e1", "e2", "e3", "h1", "h2", "c1", "c2", "alpha_12", "alpha_21", "gamma_12", "gamma_21", "beta"];
const BRAID: [&str; 9] = ["e0", "e1", "e2", "ef", "h1", "h2", "c1", "c2", "kappa"];

/// A fitted surface as tables have it.
pub(super) struct Described {
    pub parameters: Vec<SurfaceParameter>,
    pub quality: SurfaceQuality,
    pub flags: String,
}

fn surface_columns(
    model: &str,
    names: &[&str],
    surfaces: &[Option<Described>],
    why: &[Option<String>],
    columns: &mut Columns,
) {
    let mut add = |name: String, of: &dyn Fn(&Described) -> f64| {
        columns.add(name, surfaces.iter().map(|surface| surface.as_ref().map_or(f64::NAN, of)));
    };
    for (at, name) in names.iter().enumerate() {
        let unit = if matches!(*name, "c1" | "c2") { "_um" } else { "" };
        let estimate = |surface: &Described| surface.parameters.get(at).map(|parameter| parameter.estimate);
        add(format!("{model}_{name}{unit}"), &|surface| {
            estimate(surface).map_or(f64::NAN, |estimate| estimate.value)
        });
        add(format!("{model}_{name}{unit}_lower"), &|surface| {
            estimate(surface).map_or(f64::NAN, |estimate| estimate.lower)
        });
        add(format!("{model}_{name}{unit}_upper"), &|surface| {
            estimate(surface).map_or(f64::NAN, |estimate| estimate.upper)
        });
    }
    add(format!("{model}_residual_sd"), &|surface| surface.quality.residual_standard_error);
    add(format!("{model}_r2"), &|surface| surface.quality.r_squared);
    add(format!("{model}_lack_of_fit_p"), &|surface| surface.quality.lack_of_fit);
    let flags = surfaces.iter().zip(why).map(|(surface, why)| match (surface, why) {
        (Some(surface), _) => surface.flags.clone(),
        (None, Some(why)) => format!("not_fitted: {why}"),
        (None, None) => String::new(),
    });
    columns.text(format!("{model}_flags"), flags);
}

fn index_columns(blocks: &[&Fits], drugs: usize, columns: &mut Columns) {
    let mut add = |name: String, of: &dyn Fn(&CombinationIndex) -> f64| {
        columns.add(name, blocks.iter().map(|fits| fits.ci.as_ref().map_or(f64::NAN, of)));
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

fn sensitivity_columns(blocks: &[&Fits], drugs: usize, columns: &mut Columns) {
    let mut add = |name: String, of: &dyn Fn(&Sensitivity) -> f64| {
        columns.add(name, blocks.iter().map(|fits| fits.css.as_ref().map_or(f64::NAN, of)));
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
    columns.text("css_flags", blocks.iter().map(|fits| fits.css.as_ref().map_or(String::new(), css_flags)));
}

/// What to know before CSS and S are used.
fn css_flags(found: &Sensitivity) -> String {
    let outside = found.ic50_outside.iter().enumerate().filter(|(_, outside)| **outside);
    let outside = outside.map(|(drug, _)| format!("relative_ic50_{}_outside_doses", drug_letter(drug)));
    let missing = found.missing_pairs.iter();
    let missing = missing.map(|[a, b]| format!("pair_{}_{}_not_measured", drug_letter(*a), drug_letter(*b)));
    outside.chain(missing).collect::<Vec<String>>().join(";")
}
