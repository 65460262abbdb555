//! `halfmax evaluate`: cross-validates the models of a configuration.

use halfmax::explain::check_explain;
use halfmax::{Evaluated, PreparedScreen, RunState, evaluate_into, keep};
use halfmax_core::Result;
use halfmax_data::RunFolder;
use halfmax_eval::ModelEvaluation;
use serde_json::json;

use crate::terminal::Terminal;
use crate::{ConfigAndOut, Global};

/// `halfmax evaluate`.
pub fn evaluate(args: &ConfigAndOut, global: &Global, terminal: Terminal) -> Result<()> {
    let mut config = global.read_recipe(&args.config, terminal)?;
    config.seed = global.seed.unwrap_or(config.seed);
    config.split().map_err(|error| error.with_context(args.config.display()))?;
    let out = args.folder(&config.name, terminal);
    let folder = RunFolder::create(&out)?;
    terminal.removed(folder.removed());
    let prepared = PreparedScreen::load(&config, &terminal)?;
    check_explain(&config, &prepared.loaded).map_err(|error| error.with_context(args.config.display()))?;
    let mut state = RunState::open(&config, &prepared.loaded.inputs, &out, &terminal)?;
    let evaluated = evaluate_into(&config, &prepared, &state, &folder, &terminal).and_then(|found| {
        found.write_report(&config, &prepared, &state, &folder, &terminal)?;
        Ok(found)
    });
    let Evaluated { evaluation, ceiling, .. } = match evaluated {
        Ok(found) => found,
        Err(error) => {
            state.keep(&terminal);
            return Err(error);
        }
    };
    // Messages of failed models may name checkpoints.
    let kept = if evaluation.failed.is_empty() { None } else { state.without_checkpoints() };
    let path = folder.finish_and_remove(state.paths())?;
    keep(kept, &terminal);
    let (leaderboard, comparison) = (evaluation.leaderboard(), &evaluation.comparison);
    terminal.result("leaderboard", &leaderboard, &leaderboard.to_string())?;
    if comparison.ranks.is_some() {
        terminal.result("comparison", comparison, &comparison.to_string())?;
    }
    if let Some(ceiling) = &ceiling {
        terminal.result("ceiling", ceiling, &ceiling.to_string())?;
    }
    for model in &evaluation.failed {
        terminal.note(&format!("model {:?} failed and is left out: {}", model.name, model.error));
    }
    let learnt = |model: &&ModelEvaluation| halfmax_baselines::Naive::from_name(&model.family).is_none();
    for model in evaluation.models.iter().filter(learnt).filter(|model| model.constant_drugs > 0) {
        terminal.note(&format!(
            "model {:?} predicts the same value for all cell lines of {} drugs: their Pearson correlation counts as 0",
            model.name, model.constant_drugs
        ));
    }
    let of_models = |field: &dyn Fn(&ModelEvaluation) -> serde_json::Value| {
        let one = |model: &ModelEvaluation| json!({ "name": model.name, "found": field(model) });
        json!({ "models": evaluation.models.iter().map(one).collect::<Vec<_>>() })
    };
    if let Some(table) = evaluation.detection_table() {
        terminal.result("detection", &of_models(&|model| json!(model.detection)), &table)?;
    }
    if let Some(table) = evaluation.calibration_table() {
        terminal.result("calibration", &of_models(&|model| json!(model.calibration)), &table)?;
    }
    if let Some(table) = evaluation.learning_curve_table() {
        terminal.result("learning_curve", &of_models(&|model| json!(model.learning_curve)), &table)?;
    }
    if let Some(table) = evaluation.cross_study_table() {
        terminal.result("cross_study", &of_models(&|model| json!(model.cross_study)), &table)?;
    }
    terminal.note(&format!("written to {}", path.display()));
    Ok(())
}
