//! What `--fits` adds to scores: response surfaces, combination indices and sensitivity scores of two drugs.

use clap::Args;
use halfmax_core::{Error, Result, listed};
use halfmax_data::counted;
use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::{
    BraidFit, CombinationIndex, Cooperativity, DoseMatrix, Indices, MaximalEffect, MusycFit, Sensitivity,
    SurfaceParameter, SurfaceQuality, combination_index, fit_braid, fit_musyc, hill_curves, sensitivity,
};
use halfmax_report::Measure;
use serde_json::{Value, json};

use super::columns::Columns;

/// What is fitted beside the scores of models.
#[derive(Args)]
pub(super) struct FitArgs {
    /// What else to fit to each block of two drugs: musyc and braid (response surfaces, their parameters with 95 % intervals), ci (combination
    /// index of each cell, by median-effect lines and by fitted curves), css (sensitivity scores CSS, RI and S).
    #[arg(long, value_delimiter = ',', value_parser = ["musyc", "braid", "ci", "css"])]
    fits: Vec<String>,
    /// MuSyC: whether the drugs may change how steep each other's curve is (gamma fitted) or not (gamma one: fewer parameters, for matrices of few
    /// doses).
    #[arg(long, value_parser = ["fitted", "one"], default_value = "fitted")]
    musyc_gamma: String,
    /// BRAID: whether both drugs together can do more than the stronger one ever does (fitted) or not (stronger).
    #[arg(long, value_parser = ["fitted", "stronger"], default_value = "fitted")]
    braid_maximum: String,
}

/// What was fitted to a block; surfaces that could not be, with why.
pub(super) struct Fits {
    musyc: Option<std::result::Result<MusycFit, String>>,
    braid: Option<std::result::Result<BraidFit, String>>,
    ci: Option<CombinationIndex>,
    css: Option<Sensitivity>,
}

impl FitArgs {
    /// Says that blocks of more than two drugs, if there are any, have no fits.
    pub fn note_many(&self, place: &str, many: usize) -> Option<String> {
        (many > 0 && !self.fits.is_empty()).then(|| {
            format!(
                "{place}: {} of three or more drugs: --fits {} is of two drugs, and left out there",
                counted(many, "block"),
                self.fits.join(",")
            )
        })
    }

    fn has(&self, name: &str) -> bool {
        self.fits.iter().any(|fit| fit == name)
    }

    /// Refuses fits whose parameters no file would hold.
    pub fn check(&self, has_summary: bool) -> Result<()> {
        match self.fits.iter().find(|fit| *fit != "ci").filter(|_| !has_summary) {
            Some(fit) => Err(Error::config(format!("--fits {fit}: its results are of whole blocks"))
                .help("name a file for them: --summary blocks.csv")),
            None => Ok(()),
        }
    }

    /// Fits what was asked for to a matrix: surfaces to all its readings, the others to the inhibitions that are scored.
    pub fn fit(
        &self,
        matrix: &DoseMatrix,
        response: &[f64],
        alone: [Option<LogLogistic>; 2],
        confidence: f64,
    ) -> Fits {
        let gamma = if self.musyc_gamma == "one" { Cooperativity::One } else { Cooperativity::Fitted };
        let maximum = match self.braid_maximum.as_str() {
            "stronger" => MaximalEffect::OfTheStronger,
            _ => MaximalEffect::Fitted,
        };
        let of_models = || match alone {
            [Some(a), Some(b)] => [Some(a), Some(b)],
            // No model needed curves.
            _ => hill_curves(matrix, response),
        };
        Fits {
            musyc: self
                .has("musyc")
                .then(|| fit_musyc(matrix, gamma, confidence).map_err(|error| error.to_string())),
            braid: self
                .has("braid")
                .then(|| fit_braid(matrix, maximum, confidence).map_err(|error| error.to_string())),
            ci: self.has("ci").then(|| combination_index(matrix, response, of_models())),
            css: self.has("css").then(|| sensitivity(matrix, response)),
        }
    }
}

/// Adds the columns of cells: what surfaces say there, and the combination indices with why there is none.
pub(super) fn add_to_cells(columns: &mut Columns, blocks: &[(&DoseMatrix, &Fits)]) {
    let Some((_, first)) = blocks.first() else { return };
    let mut fitted = |name: &str, viability: &dyn Fn(&Fits, [f64; 2]) -> f64| {
        let of_block = |(matrix, fits): &(&DoseMatrix, &Fits)| -> Vec<f64> {
            let doses = |cell: usize| {
                let [a, b] = matrix.at(cell);
                [matrix.doses(0)[a], matrix.doses(1)[b]]
            };
            (0..matrix.len()).map(|cell| 100.0 * (1.0 - viability(fits, doses(cell)))).collect()
        };
        columns.add(name, blocks.iter().flat_map(of_block));
    };
    if first.musyc.is_some() {
        fitted("fitted_musyc", &|fits, doses| {
            fits.musyc_fit().map_or(f64::NAN, |fit| fit.surface.viability(doses))
        });
    }
    if first.braid.is_some() {
        fitted("fitted_braid", &|fits, doses| {
            fits.braid_fit().map_or(f64::NAN, |fit| fit.surface.viability(doses))
        });
    }
    if first.ci.is_some() {
        for (name, of) in INDICES {
            let indices = || blocks.iter().filter_map(|(_, fits)| fits.ci.as_ref()).map(of);
            let why = |indices: &Indices| -> Vec<String> {
                indices.why.iter().map(|why| why.map_or("", |why| why.name()).to_owned()).collect()
            };
            columns.add(name, indices().flat_map(|indices| indices.index.clone()));
            columns.text(format!("{name}_why_none"), indices().flat_map(why));
        }
    }
}

type OfIndex = fn(&CombinationIndex) -> &Indices;
const INDICES: [(&str, OfIndex); 2] =
    [("ci_median_effect", |found| &found.median_effect), ("ci_loewe", |found| &found.loewe)];

/// Adds the columns of blocks: parameters of surfaces with their intervals and flags, means of indices, sensitivity scores.
pub(super) fn add_to_blocks(columns: &mut Columns, blocks: &[&Fits]) {
    let Some(first) = blocks.first() else { return };
    if first.musyc.is_some() {
        let surfaces: Vec<Option<Described>> = blocks.iter().map(|fits| fits.described_musyc()).collect();
        let why = |fits: &&Fits| fits.musyc.as_ref().and_then(|fit| fit.as_ref().err()).cloned();
        surface_columns("musyc", &MUSYC, &surfaces, &blocks.iter().map(why).collect::<Vec<_>>(), columns);
    }
    if first.braid.is_some() {
        let surfaces: Vec<Option<Described>> = blocks.iter().map(|fits| fits.described_braid()).collect();
        let why = |fits: &&Fits| fits.braid.as_ref().and_then(|fit| fit.as_ref().err()).cloned();
        surface_columns("braid", &BRAID, &surfaces, &blocks.iter().map(why).collect::<Vec<_>>(), columns);
    }
    if first.ci.is_some() {
        index_columns(blocks, columns);
    }
    if first.css.is_some() {
        sensitivity_columns(blocks, columns);
    }
}

/// The parameters of the surfaces; those of doses are in µM.
const MUSYC: [&str; 13] =
    ["e0", "e1", "e2", "e3", "h1", "h2", "c1", "c2", "alpha_12", "alpha_21", "gamma_12", "gamma_21", "beta"];
const BRAID: [&str; 9] = ["e0", "e1", "e2", "ef", "h1", "h2", "c1", "c2", "kappa"];

/// A fitted surface as tables have it.
struct Described {
    parameters: Vec<SurfaceParameter>,
    quality: SurfaceQuality,
    flags: String,
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

fn index_columns(blocks: &[&Fits], columns: &mut Columns) {
    let mut add = |name: String, of: &dyn Fn(&CombinationIndex) -> f64| {
        columns.add(name, blocks.iter().map(|fits| fits.ci.as_ref().map_or(f64::NAN, of)));
    };
    for (name, of) in INDICES {
        add(name.to_owned(), &|found| of(found).mean);
        add(format!("{name}_cells"), &|found| of(found).cells as f64);
    }
    for (drug, letter) in ["a", "b"].into_iter().enumerate() {
        let line = move |found: &CombinationIndex| found.lines[drug];
        add(format!("median_effect_{letter}_dm_um"), &|found| line(found).map_or(f64::NAN, |line| line.dm));
        add(format!("median_effect_{letter}_m"), &|found| line(found).map_or(f64::NAN, |line| line.m));
        add(format!("median_effect_{letter}_r"), &|found| line(found).map_or(f64::NAN, |line| line.r));
    }
}

fn sensitivity_columns(blocks: &[&Fits], columns: &mut Columns) {
    type Of = fn(&Sensitivity) -> f64;
    let scores: [(&str, Of); 10] = [
        ("css", |found| found.css),
        ("css_a", |found| found.css_each[0]),
        ("css_b", |found| found.css_each[1]),
        ("ri_a", |found| found.ri[0]),
        ("ri_b", |found| found.ri[1]),
        ("s_sum", |found| found.s_sum),
        ("s_max", |found| found.s_max),
        ("s_mean", |found| found.s_mean),
        ("relative_ic50_a_um", |found| found.relative_ic50[0]),
        ("relative_ic50_b_um", |found| found.relative_ic50[1]),
    ];
    for (name, of) in scores {
        columns.add(name, blocks.iter().map(|fits| fits.css.as_ref().map_or(f64::NAN, of)));
    }
    let outside = |found: &Sensitivity| -> String {
        let names = ["relative_ic50_a_outside_doses", "relative_ic50_b_outside_doses"];
        let set = names.into_iter().zip(found.ic50_outside).filter(|(_, outside)| *outside);
        set.map(|(name, _)| name).collect::<Vec<&str>>().join(";")
    };
    columns.text("css_flags", blocks.iter().map(|fits| fits.css.as_ref().map_or(String::new(), outside)));
}

impl Fits {
    fn musyc_fit(&self) -> Option<&MusycFit> {
        self.musyc.as_ref().and_then(|fit| fit.as_ref().ok())
    }

    fn braid_fit(&self) -> Option<&BraidFit> {
        self.braid.as_ref().and_then(|fit| fit.as_ref().ok())
    }

    fn described_musyc(&self) -> Option<Described> {
        self.musyc_fit().map(|fit| Described {
            parameters: fit.parameters().iter().map(|(_, parameter)| **parameter).collect(),
            quality: fit.quality,
            flags: fit.flags(),
        })
    }

    fn described_braid(&self) -> Option<Described> {
        self.braid_fit().map(|fit| Described {
            parameters: fit.parameters().iter().map(|(_, parameter)| **parameter).collect(),
            quality: fit.quality,
            flags: fit.flags(),
        })
    }

    /// Lines for a person, each after an indent; none where nothing was asked for.
    pub fn text(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        if let Some(fit) = &self.musyc {
            parts.push(match fit {
                Ok(fit) => format!(
                    "musyc alpha_12 {}, alpha_21 {}, beta {}",
                    known(&fit.alpha[0]),
                    known(&fit.alpha[1]),
                    known(&fit.beta)
                ),
                Err(_) => "musyc none".to_owned(),
            });
        }
        if let Some(fit) = &self.braid {
            parts.push(match fit {
                Ok(fit) => format!("braid kappa {}", known(&fit.kappa)),
                Err(_) => "braid none".to_owned(),
            });
        }
        if let Some(ci) = &self.ci {
            let one = |name: &str, indices: &Indices| match indices.cells {
                0 => format!("{name} none"),
                cells => format!("{name} {:.2} ({})", indices.mean, counted(cells, "cell")),
            };
            parts.push(format!(
                "{}, {}",
                one("ci_median_effect", &ci.median_effect),
                one("ci_loewe", &ci.loewe)
            ));
        }
        if let Some(css) = &self.css {
            parts.push(format!("css {:.1}, s_sum {:.1}, s_max {:.1}", css.css, css.s_sum, css.s_max));
        }
        parts.iter().map(|part| format!("\n    {part}")).collect()
    }

    /// The same for a page: the parameters that say what synergy is.
    pub fn measures(&self) -> Vec<Measure> {
        let of_surface = |model: &str, parameters: &[(&'static str, &SurfaceParameter)], names: &[&str]| {
            let own = parameters.iter().filter(|(name, _)| names.contains(name));
            own.map(|(name, parameter)| Measure {
                name: format!("{model} {name}"),
                value: known(parameter),
                interval: String::new(),
            })
            .collect::<Vec<Measure>>()
        };
        let mut measures = Vec::new();
        if let Some(fit) = self.musyc_fit() {
            let names = ["alpha_12", "alpha_21", "gamma_12", "gamma_21", "beta"];
            measures.extend(of_surface("MuSyC", &fit.parameters(), &names));
        }
        if let Some(fit) = self.braid_fit() {
            measures.extend(of_surface("BRAID", &fit.parameters(), &["kappa"]));
        }
        let of_cells = |name: &str, indices: &Indices| Measure {
            name: name.to_owned(),
            value: format!("{:.2}", indices.mean),
            interval: counted(indices.cells, "cell"),
        };
        if let Some(ci) = self.ci.as_ref() {
            let both = [("CI by median effect", &ci.median_effect), ("CI by curves", &ci.loewe)];
            let known = both.into_iter().filter(|(_, indices)| indices.cells > 0);
            measures.extend(known.map(|(name, indices)| of_cells(name, indices)));
        }
        if let Some(css) = &self.css {
            let interval = format!("S {:.1} (sum)", css.s_sum);
            measures.push(Measure { name: "CSS".to_owned(), value: format!("{:.1}", css.css), interval });
        }
        measures
    }

    /// The same for a machine; null where nothing was asked for.
    pub fn facts(&self) -> Value {
        let mut facts = serde_json::Map::new();
        if let Some(fit) = &self.musyc {
            let value = match fit {
                Ok(fit) => surface_facts(&fit.parameters(), &fit.quality, &fit.flags()),
                Err(why) => json!({ "not_fitted": why }),
            };
            facts.insert("musyc".to_owned(), value);
        }
        if let Some(fit) = &self.braid {
            let value = match fit {
                Ok(fit) => surface_facts(&fit.parameters(), &fit.quality, &fit.flags()),
                Err(why) => json!({ "not_fitted": why }),
            };
            facts.insert("braid".to_owned(), value);
        }
        if let Some(ci) = &self.ci {
            for (name, of) in INDICES {
                facts.insert(name.to_owned(), json!({ "mean": of(ci).mean, "cells": of(ci).cells }));
            }
        }
        if let Some(css) = &self.css {
            facts.insert("sensitivity".to_owned(), json!(css));
        }
        if facts.is_empty() { Value::Null } else { Value::Object(facts) }
    }

    /// Why a surface could not be fitted.
    pub fn not_fitted(&self) -> Option<&str> {
        let musyc = self.musyc.as_ref().and_then(|fit| fit.as_ref().err());
        let braid = self.braid.as_ref().and_then(|fit| fit.as_ref().err());
        musyc.or(braid).map(String::as_str)
    }
}

fn surface_facts(
    parameters: &[(&'static str, &SurfaceParameter)],
    quality: &SurfaceQuality,
    flags: &str,
) -> Value {
    let one = |(name, parameter): &(&'static str, &SurfaceParameter)| {
        let estimate = &parameter.estimate;
        let value = json!({ "value": estimate.value, "lower": estimate.lower, "upper": estimate.upper });
        ((*name).to_owned(), value)
    };
    let parameters: serde_json::Map<String, Value> = parameters.iter().map(one).collect();
    json!({ "parameters": parameters, "quality": quality, "flags": flags })
}

/// `8.1 [6.2, 10.9]`, with three dots at an open end.
fn known(parameter: &SurfaceParameter) -> String {
    let number = |value: f64, missing: &str| match value.is_nan() {
        true => missing.to_owned(),
        false if value != 0.0 && (value.abs() >= 100.0 || value.abs() < 0.01) => format!("{value:.2e}"),
        false => format!("{value:.2}"),
    };
    let estimate = &parameter.estimate;
    let value = number(estimate.value, "unknown");
    format!("{value} [{}, {}]", number(estimate.lower, "…"), number(estimate.upper, "…"))
}

/// Says which blocks have no surface: their ids with why.
pub(super) fn note(place: &str, not_fitted: &[String]) -> Option<String> {
    (!not_fitted.is_empty()).then(|| {
        format!(
            "{place}: {} without a response surface: {}",
            counted(not_fitted.len(), "block"),
            listed(not_fitted, 5)
        )
    })
}
