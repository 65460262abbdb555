//! The fits to a block as text, as measures of a page and as JSON.

use halfmax_data::counted;
use halfmax_dose::synergy::{Indices, SurfaceParameter, SurfaceQuality};
use halfmax_report::Measure;
use serde_json::{Map, Value, json};

use super::fit_columns::INDICES;
use super::fits::BlockFits;

impl BlockFits {
    /// Indented lines of text; none if no fit was requested.
    pub(super) fn text(&self, drugs: usize) -> String {
        let without =
            |surface: &str| format!("{surface} {}", if drugs > 2 { "for pairs only" } else { "none" });
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.musyc.as_ref().map(|fit| match fit {
            Ok(fit) => format!(
                "musyc alpha_12 {}, alpha_21 {}, beta {}",
                with_interval(&fit.alpha[0]),
                with_interval(&fit.alpha[1]),
                with_interval(&fit.beta)
            ),
            Err(_) => without("musyc"),
        }));
        parts.extend(self.braid.as_ref().map(|fit| match fit {
            Ok(fit) => format!("braid kappa {}", with_interval(&fit.kappa)),
            Err(_) => without("braid"),
        }));
        parts.extend(self.ci.as_ref().map(|ci| {
            let mean = |name: &str, indices: &Indices| match indices.cells {
                0 => format!("{name} none"),
                cells => format!("{name} {:.2} ({})", indices.mean, counted(cells, "cell")),
            };
            format!("{}, {}", mean("ci_median_effect", &ci.median_effect), mean("ci_loewe", &ci.loewe))
        }));
        parts.extend(self.css.as_ref().map(|css| match (css.css.is_nan(), drugs) {
            (true, _) => "css none".to_owned(),
            (false, 2) => {
                format!("css {:.1}, s_sum {}, s_max {}", css.css, tenths(css.s_sum), tenths(css.s_max))
            }
            (false, _) => format!("css {:.1} (mean over the pairs)", css.css),
        }));
        parts.iter().map(|part| format!("\n    {part}")).collect()
    }

    /// The measures of a page: the parameters that express synergy.
    pub(super) fn measures(&self, drugs: usize) -> Vec<Measure> {
        let mut measures = Vec::new();
        if let Some(fit) = self.musyc_fit() {
            let names = ["alpha_12", "alpha_21", "gamma_12", "gamma_21", "beta"];
            measures.extend(surface_measures("MuSyC", &fit.parameters(), &names));
        }
        if let Some(fit) = self.braid_fit() {
            measures.extend(surface_measures("BRAID", &fit.parameters(), &["kappa"]));
        }
        if let Some(ci) = &self.ci {
            let both = [("CI by median effect", &ci.median_effect), ("CI by curves", &ci.loewe)];
            let known = both.into_iter().filter(|(_, indices)| indices.cells > 0);
            measures.extend(known.map(|(name, indices)| Measure {
                name: name.to_owned(),
                value: format!("{:.2}", indices.mean),
                interval: counted(indices.cells, "cell"),
            }));
        }
        measures.extend(self.css.as_ref().map(|css| {
            let (value, interval) = match (css.css.is_nan(), drugs) {
                (true, _) => ("none".to_owned(), String::new()),
                (false, 2) => (format!("{:.1}", css.css), format!("S {} (sum)", tenths(css.s_sum))),
                (false, _) => (format!("{:.1}", css.css), "mean over the pairs".to_owned()),
            };
            Measure { name: "CSS".to_owned(), value, interval }
        }));
        measures
    }

    /// The fits as JSON; null if no fit was requested.
    pub(super) fn facts(&self) -> Value {
        let mut facts = Map::new();
        if let Some(fit) = &self.musyc {
            let fitted = fit.as_ref().map(|fit| surface_facts(&fit.parameters(), &fit.quality, &fit.flags()));
            facts.insert("musyc".to_owned(), fitted.unwrap_or_else(|why| json!({ "not_fitted": why })));
        }
        if let Some(fit) = &self.braid {
            let fitted = fit.as_ref().map(|fit| surface_facts(&fit.parameters(), &fit.quality, &fit.flags()));
            facts.insert("braid".to_owned(), fitted.unwrap_or_else(|why| json!({ "not_fitted": why })));
        }
        if let Some(ci) = &self.ci {
            for (name, indices) in INDICES {
                let indices = indices(ci);
                facts.insert(name.to_owned(), json!({ "mean": indices.mean, "cells": indices.cells }));
            }
        }
        if let Some(css) = &self.css {
            facts.insert("sensitivity".to_owned(), json!(css));
        }
        if facts.is_empty() { Value::Null } else { Value::Object(facts) }
    }
}

type Parameters<'a> = [(&'static str, &'a SurfaceParameter)];

fn surface_measures(model: &str, parameters: &Parameters, names: &[&str]) -> Vec<Measure> {
    let named = parameters.iter().filter(|(name, _)| names.contains(name));
    let measure = |(name, parameter): &(&'static str, &SurfaceParameter)| Measure {
        name: format!("{model} {name}"),
        value: with_interval(parameter),
        interval: String::new(),
    };
    named.map(measure).collect()
}

fn surface_facts(parameters: &Parameters, quality: &SurfaceQuality, flags: &str) -> Value {
    let parameter = |(name, parameter): &(&'static str, &SurfaceParameter)| {
        let estimate = &parameter.estimate;
        let value = json!({ "value": estimate.value, "lower": estimate.lower, "upper": estimate.upper });
        ((*name).to_owned(), value)
    };
    let parameters: Map<String, Value> = parameters.iter().map(parameter).collect();
    json!({ "parameters": parameters, "quality": quality, "flags": flags })
}

/// One decimal; "none" for NaN.
fn tenths(value: f64) -> String {
    if value.is_nan() { "none".to_owned() } else { format!("{value:.1}") }
}

/// `8.1 [6.2, 10.9]`, with three dots at an open end.
fn with_interval(parameter: &SurfaceParameter) -> String {
    let number = |value: f64, missing: &str| match value.is_nan() {
        true => missing.to_owned(),
        false if value != 0.0 && (value.abs() >= 100.0 || value.abs() < 0.01) => format!("{value:.2e}"),
        false => format!("{value:.2}"),
    };
    let estimate = &parameter.estimate;
    let value = number(estimate.value, "unknown");
    format!("{value} [{}, {}]", number(estimate.lower, "…"), number(estimate.upper, "…"))
}
