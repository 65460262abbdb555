//! A custom model, evaluated beside the models of halfmax: the mean of each drug, shrunken towards the mean of all responses.
//!
//! `cargo run --release -p halfmax --example own_model`

use std::collections::HashMap;
use std::io::Write;

use halfmax::baselines::Naive;
use halfmax::core::{FeatureSpace, FitContext, Model, Query, StoredModel, TrainView, Tuples};
use halfmax::eval::{NamedModel, Protocol, evaluate};
use halfmax::prelude::*;

/// The custom model with its parameter.
struct ShrunkenMean {
    /// The number of pseudo-responses, at the mean of all responses, added to each drug.
    prior_responses: f64,
}

/// The fitted model: the mean of all responses, and the mean of each drug.
struct FittedShrunkenMean {
    mean: f64,
    drugs: HashMap<String, f64>,
}

impl Model for ShrunkenMean {
    type Fitted = FittedShrunkenMean;

    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedShrunkenMean> {
        context.progress.check()?;
        let responses = &train.screen.responses;
        let mut sums: HashMap<u32, (f64, f64)> = HashMap::new();
        let mut mean = 0.0;
        for row in &train.rows {
            let value = f64::from(responses.values()[*row]);
            let sum = sums.entry(responses.side(1)[*row]).or_default();
            *sum = (sum.0 + value, sum.1 + 1.0);
            mean += value / train.rows.len() as f64;
        }
        let shrunken = |(drug, (sum, count)): (u32, (f64, f64))| {
            let name = train.screen.table(1).ids()[drug as usize].clone();
            (name, (sum + self.prior_responses * mean) / (count + self.prior_responses))
        };
        Ok(FittedShrunkenMean { mean, drugs: sums.into_iter().map(shrunken).collect() })
    }

    /// Peak bytes of a fit. This fit needs too little memory for an estimate.
    fn memory(&self, _train: &TrainView, _context: &FitContext) -> Result<usize> {
        Ok(0)
    }
}

impl FittedModel for FittedShrunkenMean {
    fn family(&self) -> &'static str {
        "shrunken_mean"
    }

    fn sides(&self) -> usize {
        2
    }

    /// The model uses no features of either side.
    fn space(&self, _side: usize) -> &FeatureSpace {
        FeatureSpace::none()
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        let drugs = query.tables[1].ids();
        let of = |drug: u32| *self.drugs.get(&drugs[drug as usize]).unwrap_or(&self.mean) as f32;
        Ok(match query.tuples {
            Tuples::Listed(sides) => sides[1].iter().map(|drug| of(*drug)).collect(),
            // Row by row; the drug changes fastest.
            Tuples::Grid(sides) => {
                let rows = sides[0].iter();
                rows.flat_map(|_| sides[1].iter().map(|drug| of(*drug)).collect::<Vec<f32>>()).collect()
            }
        })
    }

    /// The content of a model file. This model is not stored.
    fn stored(&self) -> Result<StoredModel> {
        Ok(StoredModel::default())
    }
}

const CONFIG: &str = r#"
[data]
dataset = "gdsc-core"
response = "gdsc1"

[[data.cells]]
kind = "expression"
top_variance = 50

[target]
column = "LN_IC50"

[split]
kind = "lco"
"#;

fn main() -> halfmax::Result<()> {
    let config = Config::parse(CONFIG, &[])?;
    let prepared = PreparedScreen::load(&config, &Silent)?;
    let Some(folds) = &prepared.folds else { return Err(Error::config("the configuration has no split")) };
    let own = ShrunkenMean { prior_responses: 10.0 };
    let models = [
        NamedModel { name: "shrunken_mean".into(), family: "shrunken_mean".into(), model: &own },
        NamedModel { name: "drug_mean".into(), family: "drug_mean".into(), model: &Naive::DrugMean },
        NamedModel { name: "global_mean".into(), family: "global_mean".into(), model: &Naive::GlobalMean },
    ];
    let found = evaluate(&prepared.loaded.screen, folds, &models, &Protocol::default(), &Silent)?;
    writeln!(std::io::stdout(), "{}", found.leaderboard()).map_err(Error::standard_output)
}
