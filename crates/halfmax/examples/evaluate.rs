//! Compares two models with the naive predictors, on cell lines unseen in training.
//!
//! `cargo run --release -p halfmax --example evaluate`

use std::io::Write;

use halfmax::prelude::*;

const CONFIG: &str = r#"
[data]
dataset = "gdsc-core"          # part of the library: 30 drugs of GDSC1, in about 700 cell lines
response = "gdsc1"

[[data.cells]]
kind = "expression"
top_variance = 100             # the features that vary most over the training cell lines of each fold

[target]
column = "LN_IC50"

[split]
kind = "lco"                   # leave cell lines out
folds = 3

[[model]]
family = "knn"

[[model]]
family = "boost"
rounds = 100
trees = "cell_vector"
"#;

fn main() -> halfmax::Result<()> {
    let config = Config::parse(CONFIG, &[])?;
    // Any implementation of `Progress` can replace `Silent`, for example a progress bar or a log.
    let screen = PreparedScreen::load(&config, &Silent)?;
    let evaluation = cross_validate(&config, &screen, &RunState::in_memory(Vec::new()), &Silent)?;
    let best = &evaluation.leaderboard().rows[0];
    let text = format!(
        "{}\n{} is the best model: RMSE {:.3}, within-drug R² {:.3}",
        evaluation.leaderboard(),
        best.name,
        best.metrics.rmse().unwrap_or(f64::NAN),
        best.metrics.r2_within_drug().unwrap_or(f64::NAN)
    );
    writeln!(std::io::stdout(), "{text}").map_err(Error::standard_output)
}
