//! A run on disk: what it was made of, and what came out.

use std::path::Path;
use std::sync::Arc;

use halfmax_baselines::Naive;
use halfmax_core::{
    Checkpoint, CheckpointStore, Error, FitContext, Result, Seed, Target, TrainView, ValidationGroup,
};
use halfmax_data::{
    FoldSource, InputFile, Loaded, PredictionColumns, PredictionRow, PredictionWriter, RunFolder, Uncovered,
    load, read_folds, sha256_file,
};
use halfmax_eval::{
    Ceiling, Conflicts, Evaluation, Folds, ModelEvaluation, NamedModel, Prediction, Protocol, Replicate,
    Split, SplitKind, TrainingLog, TrialLog, evaluate_resumable,
};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::registry::ModelSpec;
use crate::terminal::Terminal;
use crate::unfinished::Unfinished;

/// What a run was made of: `manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// "evaluate" or "train".
    pub command: String,
    /// The version of halfmax.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// Every input file.
    pub inputs: Vec<Input>,
    /// The machine.
    pub machine: Machine,
}

/// An input file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its path.
    pub path: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// For a file of a fetched dataset: `dataset:NAME/FILE`, by which it is found on another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

/// The machine of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub architecture: String,
    /// Threads used.
    pub threads: usize,
}

impl Manifest {
    /// For a command that has loaded its data.
    pub fn new(command: &str, config: &Config, inputs: &[InputFile]) -> Self {
        let input = |input: &InputFile| Input {
            path: input.path.clone(),
            sha256: input.sha256.clone(),
            bytes: input.bytes,
            dataset: input.dataset.clone(),
        };
        Self {
            command: command.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            seed: config.seed,
            inputs: inputs.iter().map(input).collect(),
            machine: Machine {
                os: std::env::consts::OS.into(),
                architecture: std::env::consts::ARCH.into(),
                threads: rayon::current_num_threads(),
            },
        }
    }
}

impl Manifest {
    /// Adds another input file.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let sha256 = sha256_file(path)?;
        let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        self.inputs.push(Input { path: path.display().to_string(), sha256, bytes, dataset: None });
        Ok(())
    }
}

/// The data of a configuration, and its folds if it has a split.
pub struct Prepared {
    /// The screen and how it came to be.
    pub loaded: Loaded,
    /// The folds.
    pub folds: Option<Folds>,
}

/// Draws or reads the folds of a screen.
fn folds(split: &Split, loaded: &mut Loaded, terminal: Terminal) -> Result<Folds> {
    let given = match (&split.file, loaded.folds.take()) {
        (Some(file), _) => {
            let read = read_folds(file, &loaded.screen, Uncovered::LeaveOut)?;
            terminal.note(&read.report.to_string());
            loaded.inputs.push(read.input);
            let folds = match (split.kind, read.of_members) {
                (SplitKind::LeaveDrug, Some(of_members)) => Folds::of_drugs(&loaded.screen, of_members),
                (SplitKind::LeaveDrug, None) => Err(Error::data("leave_drug needs the fold of every drug")
                    .help("give a file with the columns drug and fold")),
                (kind, None) => Folds::from_assignment(kind, read.folds),
                (kind, Some(_)) => {
                    Err(Error::data(format!("gives folds to single drugs, which {kind} does not"))
                        .help("add a column drug_b, or use leave_drug"))
                }
            };
            folds.map_err(|error| error.at(file.display()))?
        }
        (None, Some(_)) if split.kind == SplitKind::LeaveDrug => {
            return Err(Error::config(
                "split.column or split.rows with leave_drug: a response has one entry there, but its two drugs may be in two folds",
            )
            .help("give split.file, a table with the columns drug and fold, or let the folds be drawn"));
        }
        (None, Some(folds)) => Folds::from_assignment(split.kind, folds)?,
        (None, None) => return split.draw(&loaded.screen),
    };
    match (split.conflicts, loaded.fold_conflicts.first()) {
        (Conflicts::Error, None) => Ok(given),
        (Conflicts::Error, Some(conflict)) => Err(Error::data(conflict).help(
            "put all measurements of it into one fold, or set split.conflicts = \"majority\" to have that done",
        )),
        (Conflicts::Majority, _) => {
            let (settled, moved) = given.settled(&loaded.screen)?;
            let repeats = loaded.fold_conflicts.len();
            if moved + repeats > 0 {
                terminal.note(&format!(
                    "{repeats} responses had repeats in different folds, {moved} another fold than most responses that {} \
                     keeps together: moved to the fold of most",
                    split.kind
                ));
            }
            Ok(settled)
        }
    }
}

impl Prepared {
    /// Loads the data and draws or reads the folds.
    pub fn new(config: &Config, terminal: Terminal) -> Result<Self> {
        let given = config.split.as_ref().and_then(|split| match (&split.column, &split.rows) {
            (Some(column), _) => Some(FoldSource::Column(column)),
            (None, rows) => rows.as_deref().map(FoldSource::Rows),
        });
        let mut loaded = load(&config.data, &config.target, Path::new(""), given)?;
        terminal.note(&loaded.report.to_string());
        let folds = match &config.split {
            None => None,
            Some(split) => Some(folds(split, &mut loaded, terminal)?),
        };
        Ok(Self { loaded, folds })
    }

    /// What stays together when a fit sets validation data aside: what the split holds out, else cell lines.
    pub fn with_context<T>(
        &self,
        seed: u64,
        progress: &dyn halfmax_core::Progress,
        store: Option<&dyn CheckpointStore>,
        fit: impl FnOnce(&FitContext) -> Result<T>,
    ) -> Result<T> {
        let seed = Seed::new(seed);
        let checkpoint = store.map(|store| Checkpoint { store, name: "model" });
        let with = |validation| FitContext { checkpoint, ..FitContext::new(seed, progress, validation) };
        match &self.folds {
            None => fit(&with(ValidationGroup::Entity(0))),
            Some(folds) => fit(&with(folds.validation(&self.loaded.screen)?.group())),
        }
    }

    /// The responses of the replicate; empty without one.
    fn replicate(&self) -> Vec<Replicate> {
        let one =
            |(cell, drug, value): &(u32, u32, f32)| Replicate { cell: *cell, drug: *drug, value: *value };
        self.loaded.replicate.iter().flatten().map(one).collect()
    }

    /// All responses, with the features that the configuration keeps.
    pub fn everything(&self) -> Result<TrainView<'_>> {
        let screen = &self.loaded.screen;
        let mut view = screen.all();
        let seen = view.seen(0);
        let table = screen.sides[0].table;
        for (kind, most) in &self.loaded.top_variance {
            let block = screen.tables[table].blocks().iter().position(|block| block.kind == *kind);
            if let Some(block) = block {
                view.features.keep_most_variable(screen, table, block, *most, &seen);
            }
        }
        Ok(view)
    }
}

/// The models of a configuration, and the naive predictors that suit its data.
pub fn evaluated_models(config: &Config, prepared: &Prepared, log: &Arc<TrialLog>) -> Result<Vec<ModelSpec>> {
    let mut specs = config.specs(log)?;
    for naive in Naive::ALL {
        let tissue = prepared.loaded.screen.table(0).group("tissue").is_some();
        let usable = match naive {
            Naive::TissueDrugMean => tissue,
            Naive::CombinationMean => prepared.loaded.screen.is_of_combinations(),
            _ => true,
        };
        if usable && specs.iter().all(|spec| spec.family != naive.name()) {
            specs.push(ModelSpec::naive(naive));
        }
    }
    Ok(specs)
}

/// Cross-validates the models of a configuration beside the naive predictors.
pub fn cross_validate(
    config: &Config,
    prepared: &Prepared,
    unfinished: &Unfinished,
    progress: &dyn halfmax_core::Progress,
) -> Result<Evaluation> {
    let split = config.split()?;
    let Some(folds) = &prepared.folds else { return Err(Error::config("the section [split] is missing")) };
    let specs = evaluated_models(config, prepared, &unfinished.trials.log)?;
    let models: Vec<NamedModel> = specs
        .iter()
        .map(|spec| NamedModel { name: spec.name.clone(), family: spec.family.clone(), model: &*spec.model })
        .collect();
    let protocol = Protocol {
        top_variance: prepared.loaded.top_variance.clone(),
        only_folds: split.to_run(folds.count())?.map(<[usize]>::to_vec),
        seed: Seed::new(config.seed),
        intervals: config.intervals.clone(),
        pilot: config.pilot.clone(),
        other_study: prepared.replicate(),
        positive_above: config.target.positive_above,
        ..Protocol::default()
    };
    evaluate_resumable(&prepared.loaded.screen, folds, &models, &protocol, progress, unfinished.store())
}

/// `metrics.json`.
#[derive(Serialize)]
pub struct MetricsFile<'a> {
    /// The run's name.
    pub name: &'a str,
    /// What is predicted.
    pub target: &'a Target,
    /// The kind of split.
    pub split: SplitKind,
    /// The models.
    #[serde(flatten)]
    pub evaluation: &'a Evaluation,
    /// What a replicate achieves, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<&'a Ceiling>,
    /// The seconds of the epochs in `training.csv`, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub training_seconds: Vec<f64>,
    /// The seconds of the trials in `trials.jsonl`, in its order.
    #[serde(skip_serializing_if = "<[f64]>::is_empty")]
    pub trial_seconds: &'a [f64],
}

/// What a replicate achieves beside the models, where the data have one.
pub fn ceiling(prepared: &Prepared, evaluation: &Evaluation) -> Result<Option<Ceiling>> {
    let screen = &prepared.loaded.screen;
    let asked = prepared.loaded.replicate.as_ref();
    asked.map(|_| Ceiling::new(screen, &prepared.replicate(), &evaluation.models)).transpose()
}

/// Writes what every run has: the resolved configuration and the manifest.
pub fn write_provenance(folder: &RunFolder, config: &Config, manifest: &Manifest) -> Result<()> {
    let text = toml::to_string(config)
        .map_err(|error| Error::failed("the configuration cannot be written").because(error))?;
    folder.write("config.toml", text.as_bytes())?;
    write_json(folder, "manifest.json", manifest)
}

/// Writes a JSON file of a run.
pub fn write_json(folder: &RunFolder, name: &str, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::failed(format!("{name} cannot be written")).because(error))?;
    text.push('\n');
    folder.write(name, text.as_bytes())
}

/// Writes what an evaluation found.
pub fn write_evaluation(
    folder: &RunFolder,
    config: &Config,
    loaded: &Loaded,
    evaluation: &Evaluation,
    (ceiling, trial_seconds): (Option<&Ceiling>, &[f64]),
) -> Result<()> {
    let (screen, target) = (&loaded.screen, &loaded.target);
    let epochs = evaluation.training.iter().flat_map(|log| &log.epochs);
    // All seconds are in this one file: the others are the same when the same is run again.
    let metrics = MetricsFile {
        name: &config.name,
        target,
        split: evaluation.kind,
        evaluation,
        ceiling,
        training_seconds: epochs.map(|epoch| epoch.seconds).collect(),
        trial_seconds,
    };
    write_json(folder, "metrics.json", &metrics)?;
    write_training(folder, &evaluation.training)?;
    folder.write("leaderboard.csv", evaluation.leaderboard().to_csv(ceiling).as_bytes())?;
    let responses = &screen.responses;
    let (cells, drugs) = (responses.side(0), responses.side(1));
    let second = (responses.sides() > 2).then(|| responses.side(2));
    let has_interval = |model: &ModelEvaluation| model.predictions.iter().any(|one| one.interval.is_some());
    let columns = PredictionColumns {
        second_drugs: second.is_some(),
        intervals: evaluation.models.iter().any(has_interval),
    };
    let row = |one: Prediction| PredictionRow {
        cell_line: cells[one.row],
        drug: drugs[one.row],
        drug_b: second.map(|drugs| drugs[one.row]),
        fold: one.fold as u32,
        observed: responses.values()[one.row],
        predicted: one.predicted,
        interval: one.interval,
    };
    let path = folder.path("predictions.parquet");
    let mut writer = PredictionWriter::create(path, screen.table(0).ids(), screen.table(1).ids(), columns)?;
    for model in &evaluation.models {
        writer.write(&model.name, model.predictions.iter().map(row))?;
    }
    writer.finish()
}

/// Writes `training.csv`, what fits reported epoch by epoch; nothing where none did.
pub fn write_training(folder: &RunFolder, logs: &[TrainingLog]) -> Result<()> {
    if logs.is_empty() {
        return Ok(());
    }
    let mut text = String::from(
        "model,left_out,member,epoch,learning_rate,training_loss,validation_rmse,validation_r2_within\n",
    );
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for log in logs {
        let left_out: Vec<String> = log.left_out.iter().map(usize::to_string).collect();
        // Quoted as in RFC 4180.
        let model = format!("\"{}\"", log.model.replace('"', "\"\""));
        for epoch in &log.epochs {
            text.push_str(&format!(
                "{model},{},{},{},{},{},{},{}\n",
                left_out.join(" "),
                epoch.member + 1,
                epoch.epoch,
                epoch.learning_rate,
                epoch.training_loss,
                number(epoch.validation_rmse),
                number(epoch.validation_r2_within)
            ));
        }
    }
    folder.write("training.csv", text.as_bytes())
}
