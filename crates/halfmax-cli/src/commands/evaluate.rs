use halfmax_core::{FitContext, Result, Seed};
use halfmax_data::RunFolder;
use halfmax_eval::{Ceiling, Evaluation, ModelEvaluation};
use serde_json::json;

use crate::config::Config;
use crate::explaining::{Explained, check_explain, explain_into, unexplained, write_tables};
use crate::forecast::{Work, refuse_too_large};
use crate::registry::ModelSpec;
use crate::reporting::Reporting;
use crate::run::{Manifest, Prepared, ceiling, cross_validate, write_evaluation, write_provenance};
use crate::terminal::Terminal;
use crate::unfinished::{Unfinished, keep};
use crate::{ConfigAndOut, Global};

/// `halfmax evaluate`.
pub fn evaluate(args: &ConfigAndOut, global: &Global, terminal: Terminal) -> Result<()> {
    let mut config = global.read_recipe(&args.config, terminal)?;
    config.seed = global.seed.unwrap_or(config.seed);
    config.split().map_err(|error| error.at(args.config.display()))?;
    let out = args.folder(&config.name, terminal);
    let folder = RunFolder::create(&out)?;
    terminal.removed(folder.removed());
    let prepared = Prepared::new(&config, terminal)?;
    check_explain(&config, &prepared.loaded).map_err(|error| error.at(args.config.display()))?;
    let mut unfinished = Unfinished::open(&config, &prepared.loaded.inputs, &out, terminal)?;
    let evaluated = evaluate_into(&config, &prepared, &unfinished, &folder, terminal).and_then(|found| {
        report(&config, &prepared, (&found.0, found.1.as_ref()), &unfinished, &folder, terminal)?;
        Ok(found)
    });
    let (evaluation, ceiling) = match evaluated {
        Ok(found) => found,
        Err(error) => {
            unfinished.keep(terminal);
            return Err(error);
        }
    };
    // Messages of what failed may name checkpoints.
    let kept = if evaluation.failed.is_empty() { None } else { unfinished.without_checkpoints() };
    let path = folder.finish_and_remove(unfinished.paths())?;
    keep(kept, terminal);
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
            "model {:?} predicts the same for all cell lines of {} drugs: their Pearson counts as 0",
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

/// Writes `report.html`. With a section `[explain]`, the models that it names (else the first) are fitted to all responses and
/// explained; the report shows the first of them, the tables all.
fn report(
    config: &Config,
    prepared: &Prepared,
    (evaluation, ceiling): (&Evaluation, Option<&Ceiling>),
    unfinished: &Unfinished,
    folder: &RunFolder,
    terminal: Terminal,
) -> Result<()> {
    let manifest = Manifest::new("evaluate", config, &prepared.loaded.inputs);
    let loaded = &prepared.loaded;
    let mut reporting = Reporting::new(config, &manifest, loaded)?;
    reporting.add_evaluation(evaluation, ceiling);
    if let Some(params) = &config.explain {
        let specs = config.specs(&unfinished.trials.log)?;
        let named = |name: &String| specs.iter().find(|spec| spec.name == *name);
        let mut chosen: Vec<&ModelSpec> = params.models.iter().filter_map(named).collect();
        let mut met = std::collections::HashSet::new();
        chosen.retain(|spec| met.insert(&spec.name));
        if chosen.is_empty() {
            chosen.extend(specs.first());
        }
        let mut all = Vec::new();
        for (at, spec) in chosen.into_iter().enumerate() {
            let progress = terminal.progress("training");
            let view = prepared.everything()?;
            let fit = |context: &FitContext| spec.model.fit_any(&view, context);
            let fitted = prepared.with_context(config.seed, &progress, None, fit)?;
            drop(progress);
            let model = (spec.name.as_str(), &*fitted);
            if at == 0 {
                match explain_into(model, (config, loaded, None), &mut reporting, terminal) {
                    Ok(explained) => all.push(explained),
                    Err(error) => unexplained(error, terminal)?,
                }
            } else {
                let progress = terminal.progress("explaining");
                match Explained::new(model, loaded, params, Seed::new(config.seed), &progress) {
                    Ok(explained) => all.push(explained),
                    Err(error) => unexplained(error, terminal)?,
                }
            }
        }
        if !all.is_empty() {
            write_tables(&folder.path(""), &all, None)?;
        }
    }
    folder.write("report.html", reporting.html().as_bytes())
}

/// Evaluates a configuration into a folder.
pub fn evaluate_into(
    config: &Config,
    prepared: &Prepared,
    unfinished: &Unfinished,
    folder: &RunFolder,
    terminal: Terminal,
) -> Result<(Evaluation, Option<Ceiling>)> {
    refuse_too_large(config, prepared, Work::Evaluate, terminal)?;
    let evaluation = cross_validate(config, prepared, unfinished, &terminal.progress("evaluating"))?;
    write_provenance(folder, config, &Manifest::new("evaluate", config, &prepared.loaded.inputs))?;
    unfinished.trials.write(folder)?;
    let ceiling = ceiling(prepared, &evaluation)?;
    let seconds = unfinished.trials.seconds();
    write_evaluation(folder, config, &prepared.loaded, &evaluation, (ceiling.as_ref(), &seconds))?;
    Ok((evaluation, ceiling))
}
