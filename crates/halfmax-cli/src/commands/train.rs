//! `halfmax train`: trains a model of a configuration.

use clap::Args;
use halfmax::explain::check_explain;
use halfmax::{PreparedScreen, RunState, train_into, write_training_report};
use halfmax_core::Result;
use halfmax_data::RunFolder;

use crate::terminal::Terminal;
use crate::{ConfigAndOut, Global};

/// Train one model of a configuration on all data of the configuration.
#[derive(Args)]
pub struct TrainArgs {
    #[command(flatten)]
    run: ConfigAndOut,
    /// The name of the model to train. Default: the first model of the configuration.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

/// `halfmax train`.
pub fn train(args: &TrainArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let TrainArgs { run: args, model } = args;
    let mut config = global.read_recipe(&args.config, terminal)?;
    if let Some(name) = model {
        config.put_first(name).map_err(|error| error.with_context(args.config.display()))?;
    }
    config.seed = global.seed.unwrap_or(config.seed);
    let out = args.folder(&config.name, terminal);
    let folder = RunFolder::create(&out)?;
    terminal.removed(folder.removed());
    let prepared = PreparedScreen::load(&config, &terminal)?;
    check_explain(&config, &prepared.loaded).map_err(|error| error.with_context(args.config.display()))?;
    let state = RunState::open(&config, &prepared.loaded.inputs, &out, &terminal)?;
    let trained = train_into(&config, &prepared, &state, &folder, &terminal).and_then(|training| {
        write_training_report(&config, &prepared, &training, &folder, &terminal).map(|()| training.summary)
    });
    let summary = match trained {
        Ok(summary) => summary,
        Err(error) => {
            state.keep(&terminal);
            return Err(error.with_context(args.config.display()));
        }
    };
    let path = folder.finish_and_remove(state.paths())?;
    let model = path.join("model.halfmax");
    terminal.result("model", &summary, &format!("model written to {}", model.display()))
}
