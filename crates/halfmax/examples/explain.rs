//! Trains a model, and shows the genes and mechanisms of resistance behind its predictions.
//!
//! `cargo run --release -p halfmax --example explain`

use std::io::Write;

use halfmax::associate::AssociateParams;
use halfmax::core::Seed;
use halfmax::explain::{ExplainParams, ModelExplanation, direction};
use halfmax::prelude::*;

const CONFIG: &str = r#"
[data]
dataset = "gdsc-core"
response = "gdsc1"

[[data.cells]]
kind = "expression"

[[data.cells]]
kind = "events"

[target]
column = "LN_IC50"

[[model]]
family = "boost"
rounds = 150
trees = "cell_vector"
feature_fraction = 0.2
"#;

fn main() -> halfmax::Result<()> {
    let config = Config::parse(CONFIG, &[])?;
    let screen = PreparedScreen::load(&config, &Silent)?;
    let trained = train(&config, &screen, &RunState::in_memory(Vec::new()), &Silent)?;
    let params = ExplainParams { permutations: 200, ..ExplainParams::default() };
    let named = (trained.summary.name.as_str(), &*trained.model.fitted);
    let explained = ModelExplanation::new(
        named,
        &screen.loaded,
        (&params, &AssociateParams::default()),
        Seed::new(config.seed),
        &Silent,
    )?;

    let mut text = String::from("Mechanisms that stand out for drugs which they concern (q < 0.05):\n");
    for (partner, drug) in explained.names.iter().enumerate() {
        for set in 0..explained.sets.len() {
            let Some(evidence) = explained.evidence(partner, set) else { continue };
            let q = explained.rates.adjusted[explained.test(partner, set)].unwrap_or(1.0);
            if q < 0.05 && explained.concerns(partner, set) {
                text += &format!(
                    "{drug}: {} (genes {}), more of it makes cell lines {}\n",
                    explained.catalogue.list[set].name,
                    explained.leading_genes(partner, set, 3).join(", "),
                    direction(explained.upwards * evidence.adjusted.effect)
                );
            }
        }
    }
    write!(std::io::stdout(), "{text}").map_err(Error::standard_output)
}
