//! The data of a configuration, loaded and split.

use std::path::Path;

use halfmax_core::{
    Checkpoint, CheckpointStore, Error, FitContext, Progress, Result, Seed, TrainView, ValidationGroup,
};
use halfmax_data::{FoldSource, Loaded, Uncovered, load, read_folds};
use halfmax_eval::{Conflicts, Folds, ReferenceResponse, Split};

use crate::config::Config;

/// The data of a configuration, and its folds if it has a split.
pub struct PreparedScreen {
    /// The screen, with the notes of its loading.
    pub loaded: Loaded,
    /// The folds.
    pub folds: Option<Folds>,
}

/// Draws or reads the folds of a screen.
fn folds(split: &Split, loaded: &mut Loaded, progress: &dyn Progress) -> Result<Folds> {
    let given = match (&split.file, loaded.folds.take()) {
        (Some(file), _) => {
            let read = read_folds(file, &loaded.screen, Uncovered::LeaveOut)?;
            progress.note(&read.report.to_string());
            loaded.inputs.push(read.input);
            let overlaps = split.kind.grouping().overlaps();
            let folds = match (overlaps, read.of_members) {
                (true, Some(of_members)) => Folds::of_drugs(&loaded.screen, of_members),
                (true, None) => Err(Error::data("leave_drug needs the fold of every drug")
                    .with_help("give a file with the columns drug and fold")),
                (false, None) => Folds::from_assignment(split.kind, read.folds),
                (false, Some(_)) => Err(Error::data(format!(
                    "gives folds to single drugs, but the split {} does not use them",
                    split.kind
                ))
                .with_help("add a column drug_b, or use leave_drug")),
            };
            folds.map_err(|error| error.with_context(file.display()))?
        }
        (None, Some(_)) if split.kind.grouping().overlaps() => {
            return Err(Error::config(
                "split.column or split.rows with leave_drug: a response has one fold there, but its two drugs may be in \
                 different folds",
            )
            .with_help("give split.file, a table with the columns drug and fold, or leave both out, so that halfmax draws the \
                folds"));
        }
        (None, Some(folds)) => Folds::from_assignment(split.kind, folds)?,
        (None, None) => return split.draw(&loaded.screen),
    };
    match (split.conflicts, loaded.fold_conflicts.first()) {
        (Conflicts::Error, None) => Ok(given),
        (Conflicts::Error, Some(conflict)) => Err(Error::data(conflict).with_help(
            "put all measurements of it into one fold, or set split.conflicts = \"majority\", which does so",
        )),
        (Conflicts::Majority, _) => {
            let (settled, moved) = given.settled(&loaded.screen)?;
            let repeats = loaded.fold_conflicts.len();
            if moved + repeats > 0 {
                progress.note(&format!(
                    "{repeats} responses had repeats in different folds, {moved} had another fold than most responses that {} \
                     keeps together: moved to the most frequent fold",
                    split.kind
                ));
            }
            Ok(settled)
        }
    }
}

impl PreparedScreen {
    /// Loads the data and draws or reads the folds.
    ///
    /// # Errors
    /// If a file cannot be read or joins nothing, or the split does not suit the screen.
    pub fn load(config: &Config, progress: &dyn Progress) -> Result<Self> {
        let given = config.split.as_ref().and_then(|split| match (&split.column, &split.rows) {
            (Some(column), _) => Some(FoldSource::Column(column)),
            (None, rows) => rows.as_deref().map(FoldSource::Rows),
        });
        config.notes.iter().for_each(|note| progress.note(note));
        let mut loaded = load(&config.data, &config.target, Path::new(""), given)?;
        progress.note(&loaded.report.to_string());
        let folds = match &config.split {
            None => None,
            Some(split) => Some(folds(split, &mut loaded, progress)?),
        };
        Ok(Self { loaded, folds })
    }

    /// Calls a fit with its context: the seed, the progress, the store of checkpoints, and the grouping for validation data. The grouping
    /// follows the split; without a split, whole cell lines stay together.
    pub fn with_context<T>(
        &self,
        seed: u64,
        progress: &dyn Progress,
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

    /// The responses of the reference study; empty without a reference study.
    pub(crate) fn reference_study(&self) -> Vec<ReferenceResponse> {
        let one = |(cell, drug, value): &(u32, u32, f32)| ReferenceResponse {
            cell: *cell,
            drug: *drug,
            value: *value,
        };
        self.loaded.reference_study.iter().flatten().map(one).collect()
    }

    /// All responses, with the features that the configuration keeps.
    ///
    /// # Errors
    /// If there are no responses.
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
