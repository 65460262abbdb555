//! The state that an interrupted run saves beside its output, so that the same command can continue: the trials of a search, and the
//! checkpoints of long fits.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use halfmax_core::{CheckpointStore, Error, Progress, Result, StoredModel};
use halfmax_data::{InputFile, read_model, sha256_bytes, write_checkpoint};
use halfmax_eval::Trial;

use super::beside::beside;
use super::trials::Trials;
use crate::config::Config;

/// The trials and checkpoints of a run.
pub struct RunState {
    /// The trials of the search.
    pub trials: Trials,
    /// The checkpoints of fits; `None` for a run that cannot be continued.
    pub checkpoints: Option<Checkpoints>,
}

impl RunState {
    /// Opens the state of a run with the output `out`, including the state of an interrupted run.
    ///
    /// # Errors
    /// If the saved state belongs to another configuration, or cannot be read.
    pub fn open(config: &Config, inputs: &[InputFile], out: &Path, progress: &dyn Progress) -> Result<Self> {
        let checkpoints = Checkpoints::at(beside(out, ".checkpoints"));
        if checkpoints.folder.is_dir() {
            progress.note(&format!("{}: continuing from these checkpoints", checkpoints.folder.display()));
        }
        Ok(Self { trials: Trials::open(config, inputs, out, progress)?, checkpoints: Some(checkpoints) })
    }

    /// The state of a run that saves nothing, with any known trials.
    pub fn in_memory(known: Vec<Trial>) -> Self {
        Self { trials: Trials::in_memory(known), checkpoints: None }
    }

    /// The store of checkpoints of the run's fits.
    pub fn store(&self) -> Option<&dyn CheckpointStore> {
        self.checkpoints.as_ref().map(|checkpoints| checkpoints as &dyn CheckpointStore)
    }

    /// The paths of all saved state, to remove when the run is complete.
    pub fn paths(&self) -> Vec<PathBuf> {
        let checkpoints =
            self.checkpoints.as_ref().map(|own| own.folder.clone()).filter(|path| path.exists());
        checkpoints.into_iter().chain(self.trials.path()).collect()
    }

    /// Removes the checkpoints from this state, so that their files stay.
    pub fn without_checkpoints(&mut self) -> Option<Checkpoints> {
        self.checkpoints.take()
    }

    /// Reports the saved state of an incomplete run.
    pub fn keep(self, progress: &dyn Progress) {
        self.trials.keep(progress);
        keep(self.checkpoints, progress);
    }
}

/// Reports the folder of checkpoints, if any were written.
pub fn keep(checkpoints: Option<Checkpoints>, progress: &dyn Progress) {
    if let Some(checkpoints) = checkpoints.filter(|own| own.written.load(Ordering::Relaxed)) {
        progress.note(&format!(
            "the state of the training is kept in {}: run the same command to continue",
            checkpoints.folder.display()
        ));
    }
}

/// Checkpoints of fits in a folder. Each file has the format of a model file.
pub struct Checkpoints {
    folder: PathBuf,
    written: AtomicBool,
}

impl Checkpoints {
    /// The checkpoints in a folder. The first checkpoint creates the folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder, written: AtomicBool::new(false) }
    }

    /// The file of a checkpoint: its name adapted to file systems, and a part of its digest, since adapted names may be equal.
    fn file(&self, name: &str) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let readable: String = name.chars().map(plain).take(80).collect();
        self.folder.join(format!("{readable}-{}.checkpoint", &sha256_bytes(name.as_bytes())[..8]))
    }
}

impl CheckpointStore for Checkpoints {
    fn load(&self, name: &str) -> Result<Option<StoredModel>> {
        let path = self.file(name);
        if !path.exists() {
            return Ok(None);
        }
        match read_model(&path) {
            Ok((_, parts)) => Ok(Some(parts)),
            Err(error) => Err(error.with_help(format!("remove {} to start anew", path.display()))),
        }
    }

    fn save(&self, name: &str, state: &StoredModel) -> Result<()> {
        std::fs::create_dir_all(&self.folder).map_err(|error| {
            Error::failed(format!("{}: checkpoints cannot be kept: {error}", self.folder.display()))
                .with_source(error)
                .with_help("give an output path (`--out`) in a writable folder")
        })?;
        self.written.store(true, Ordering::Relaxed);
        write_checkpoint(self.file(name), state)
    }

    fn place(&self) -> String {
        self.folder.display().to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn states_are_found_again_by_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = Checkpoints::at(folder.path().join("run.checkpoints"));
        assert_eq!(store.load("a, fold 0").unwrap(), None);
        let parts = |number: i32| StoredModel { description: number.into(), ..StoredModel::default() };
        store.save("a, fold 0", &parts(1)).unwrap();
        store.save("a, fold-0", &parts(2)).unwrap();
        store.save("a, fold 0", &parts(3)).unwrap();
        assert_eq!(store.load("a, fold 0").unwrap(), Some(parts(3)));
        assert_eq!(store.load("a, fold-0").unwrap(), Some(parts(2)));
        std::fs::write(store.file("a, fold 0"), b"half").unwrap();
        let error = store.load("a, fold 0").unwrap_err();
        assert!(error.help().unwrap().contains("to start anew"), "{error}");
    }
}
