//! What `--fits` adds to scores: response surfaces of two drugs, combination indices and sensitivity scores of two and more.

mod tables;

use clap::Args;
use halfmax_core::{Error, Result, listed};
use halfmax_data::{MultiBlock, counted};
use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::{
    BraidFit, CombinationIndex, Cooperativity, DoseMatrix, Indices, MaximalEffect, MultiMatrix, MusycFit,
    Sensitivity, SurfaceParameter, SurfaceQuality, combination_index, combination_index_of_many, fit_braid,
    fit_musyc, hill_curves, hill_curves_of_many, sensitivity, sensitivity_of_many,
};
use halfmax_report::Measure;
use serde_json::{Value, json};

use crate::values::{FitValue, GammaValue, MaximumValue, spelt};

use tables::{Described, INDICES};
pub(super) use tables::{FittedCells, add_to_blocks, add_to_cells};

/// What is fitted beside the scores of models.
#[derive(Args)]
pub(super) struct FitArgs {
    /// What else to fit to each block: musyc and braid (response surfaces of two drugs, their parameters with 95 % intervals), ci (combination
    /// index of each cell, by median-effect lines and by fitted curves), css (sensitivity scores: CSS, RI and, of two drugs, S).
    #[arg(long, value_delimiter = ',', value_enum)]
    fits: Vec<FitValue>,
    /// MuSyC: whether the drugs may change how steep each other's curve is (gamma fitted) or not (gamma one: fewer parameters, for matrices of few
    /// doses).
    #[arg(long, value_enum, default_value = "fitted")]
    musyc_gamma: GammaValue,
    /// BRAID: whether both drugs together can do more than the stronger one ever does (fitted) or not (stronger).
    #[arg(long, value_enum, default_value = "fitted")]
    braid_maximum: MaximumValue,
}

/// What was fitted to a block; surfaces that could not be, with why.
pub(super) struct Fits {
    /// The number of drugs of the block.
    drugs: usize,
    musyc: Option<std::result::Result<MusycFit, String>>,
    braid: Option<std::result::Result<BraidFit, String>>,
    ci: Option<CombinationIndex>,
    css: Option<Sensitivity>,
}

impl FitArgs {
    /// Says what of the fits asked for blocks of more than two drugs have, if there are any.
    pub fn note_many(&self, place: &str, many: &[MultiBlock]) -> Option<String> {
        let surfaces: Vec<&str> =
            SURFACES.into_iter().filter(|(fit, _)| self.has(*fit)).map(|(_, name)| name).collect();
        if many.is_empty() || (surfaces.is_empty() && !self.has(FitValue::Css)) {
            return None;
        }
        let mut said = Vec::new();
        if !surfaces.is_empty() {
            said.push(format!(
                "surfaces of two drugs ({}) are fitted to their pairs, which are blocks of their own",
                surfaces.join(", ")
            ));
        }
        if self.has(FitValue::Css) {
            said.push("their CSS is the mean over their pairs, and S is of two drugs only".to_owned());
        }
        let has_pair = |block: &&MultiBlock| {
            block.readings.iter().any(|(doses, _)| doses.iter().filter(|dose| **dose > 0.0).count() == 2)
        };
        let without = many.iter().filter(|block| !has_pair(block)).count();
        if without > 0 {
            said.push(format!("no pair was measured in {without} of them"));
        }
        Some(format!("{place}: {} of three or more drugs: {}", counted(many.len(), "block"), said.join("; ")))
    }

    fn has(&self, fit: FitValue) -> bool {
        self.fits.contains(&fit)
    }

    /// Refuses fits whose parameters no file would hold.
    pub fn check(&self, has_summary: bool) -> Result<()> {
        match self.fits.iter().find(|fit| **fit != FitValue::Ci).filter(|_| !has_summary) {
            Some(fit) => {
                Err(Error::config(format!("--fits {}: its results are of whole blocks", spelt(*fit)))
                    .help("name a file for them: --summary blocks.csv"))
            }
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
        let gamma = Cooperativity::from(self.musyc_gamma);
        let maximum = MaximalEffect::from(self.braid_maximum);
        let curves = || {
            let [a, b] = hill_curves(matrix, response);
            // Where no model needed curves there are none yet.
            [alone[0].or(a), alone[1].or(b)]
        };
        Fits {
            drugs: 2,
            musyc: self
                .has(FitValue::Musyc)
                .then(|| fit_musyc(matrix, gamma, confidence).map_err(|error| error.to_string())),
            braid: self
                .has(FitValue::Braid)
                .then(|| fit_braid(matrix, maximum, confidence).map_err(|error| error.to_string())),
            ci: self.has(FitValue::Ci).then(|| combination_index(matrix, response, curves())),
            css: self.has(FitValue::Css).then(|| sensitivity(matrix, response)),
        }
    }

    /// The same of three and more drugs, with the ids of the blocks of their pairs. Surfaces are of two drugs, and say so.
    pub fn fit_many(
        &self,
        matrix: &MultiMatrix,
        response: &[f64],
        alone: &[Option<LogLogistic>],
        pairs: &[String],
    ) -> Fits {
        let of_two = |name: &str| match pairs {
            [] => format!("{name} is of two drugs, and no pair of these was measured"),
            [one] => format!("{name} is of two drugs: see the pair, block {one}"),
            several => format!("{name} is of two drugs: see the pairs, blocks {}", listed(several, 10)),
        };
        let curves = || -> Vec<Option<LogLogistic>> {
            let fitted = hill_curves_of_many(matrix, response);
            alone.iter().zip(fitted).map(|(alone, fitted)| alone.or(fitted)).collect()
        };
        let [musyc, braid] = SURFACES.map(|(fit, name)| self.has(fit).then(|| of_two(name)));
        Fits {
            drugs: matrix.drugs(),
            musyc: musyc.map(Err),
            braid: braid.map(Err),
            ci: self.has(FitValue::Ci).then(|| combination_index_of_many(matrix, response, &curves())),
            css: self.has(FitValue::Css).then(|| sensitivity_of_many(matrix, response)),
        }
    }
}

/// The fits that are response surfaces: the name of the option and of the model.
const SURFACES: [(FitValue, &str); 2] = [(FitValue::Musyc, "MuSyC"), (FitValue::Braid, "BRAID")];

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
                Err(_) => self.without("musyc"),
            });
        }
        if let Some(fit) = &self.braid {
            parts.push(match fit {
                Ok(fit) => format!("braid kappa {}", known(&fit.kappa)),
                Err(_) => self.without("braid"),
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
            parts.push(match (css.css.is_nan(), self.drugs) {
                (true, _) => "css none".to_owned(),
                (false, 2) => {
                    format!("css {:.1}, s_sum {}, s_max {}", css.css, tenths(css.s_sum), tenths(css.s_max))
                }
                (false, _) => format!("css {:.1} (mean over the pairs)", css.css),
            });
        }
        parts.iter().map(|part| format!("\n    {part}")).collect()
    }

    fn without(&self, surface: &str) -> String {
        format!("{surface} {}", if self.drugs > 2 { "of the pairs only" } else { "none" })
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
            let (value, interval) = match (css.css.is_nan(), self.drugs) {
                (true, _) => ("none".to_owned(), String::new()),
                (false, 2) => (format!("{:.1}", css.css), format!("S {} (sum)", tenths(css.s_sum))),
                (false, _) => (format!("{:.1}", css.css), "mean over the pairs".to_owned()),
            };
            measures.push(Measure { name: "CSS".to_owned(), value, interval });
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

/// One decimal; none of a number that is not there.
fn tenths(value: f64) -> String {
    if value.is_nan() { "none".to_owned() } else { format!("{value:.1}") }
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
