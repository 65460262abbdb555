//! The trials of a search for parameters on disk. Each trial is saved at once, so an interrupted run can continue.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halfmax_core::{Error, Progress, Result};
use halfmax_data::{InputFile, RunFolder, sha256_bytes, write_beside};
use halfmax_eval::{Trial, TrialLog};
use serde::{Deserialize, Serialize};

use super::beside::beside;
use crate::config::Config;

/// The file of a run that holds every trial.
const TRIALS: &str = "trials.jsonl";

/// The trials of a run.
pub struct Trials {
    /// The log that models read and extend.
    pub log: Arc<TrialLog>,
    /// The file that keeps the trials until the run is complete, and the number of trials found in it.
    kept: Option<(PathBuf, usize)>,
}

/// The first line of a file of trials: their provenance.
#[derive(PartialEq, Serialize, Deserialize)]
struct Header {
    version: String,
    /// SHA-256 of the resolved configuration and of the hashes of all inputs.
    made_of: String,
}

impl Trials {
    /// Trials that are not saved, for a run that may already have some.
    pub fn in_memory(known: Vec<Trial>) -> Self {
        Self { log: Arc::new(TrialLog::new(known, |_| Ok(()))), kept: None }
    }

    /// The trials of a run with the output `out`, including the trials of an interrupted run. A configuration without a search keeps none.
    ///
    /// # Errors
    /// If the saved state belongs to another configuration, or cannot be read.
    pub fn open(config: &Config, inputs: &[InputFile], out: &Path, progress: &dyn Progress) -> Result<Self> {
        if config.tune.is_none() {
            return Ok(Self::in_memory(Vec::new()));
        }
        let path = beside(out, ".trials.jsonl");
        let header = Header::of(config, inputs)?;
        let text = match std::fs::read(&path) {
            Ok(bytes) => whole_lines(bytes, &path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(cannot_keep(&path, error)),
        };
        let known = read(&text, &path, &header)?;
        if !known.is_empty() {
            progress.note(&format!("{}: found {} earlier trials", path.display(), known.len()));
        }
        // Drops an incomplete last line.
        write_beside(out, &path, |file| {
            line(file, &header)?;
            known.iter().try_for_each(|trial| line(file, trial))
        })?;
        let count = known.len();
        let place = path.clone();
        let keep = move |trial: &Trial| {
            let mut file =
                OpenOptions::new().append(true).open(&place).map_err(|error| cannot_keep(&place, error))?;
            line(&mut file, trial).map_err(|error| cannot_keep(&place, error))
        };
        Ok(Self { log: Arc::new(TrialLog::new(known, keep)), kept: Some((path, count)) })
    }

    /// The trials of a complete run.
    ///
    /// # Errors
    /// If the trials cannot be read.
    pub fn of_run(run: &Path) -> Result<Vec<Trial>> {
        let path = run.join(TRIALS);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Error::data(format!("{}: cannot be read", path.display())).with_source(error))?;
        let trial = |(at, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| {
                Error::data(format!("{}: line {} is not a trial", path.display(), at + 1)).with_source(error)
            })
        };
        text.lines().enumerate().map(trial).collect()
    }

    /// The seconds of each trial, in the order of [`Self::write`].
    pub fn seconds(&self) -> Vec<f64> {
        self.log.trials().iter().map(|trial| trial.trial_seconds).collect()
    }

    /// Writes every trial into the folder of the run, without its seconds, so that equal runs have equal files.
    ///
    /// # Errors
    /// If the trials cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<()> {
        let trials = self.log.trials();
        if trials.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        trials
            .iter()
            .try_for_each(|trial| line(&mut bytes, &Trial { trial_seconds: 0.0, ..trial.clone() }))
            .map_err(|error| Error::failed("the trials cannot be written").with_source(error))?;
        folder.write(TRIALS, &bytes)
    }

    /// The file that keeps the trials until the run is complete.
    pub fn path(&self) -> Option<PathBuf> {
        self.kept.as_ref().map(|(path, _)| path.clone())
    }

    /// Reports the file of trials of an incomplete run; removes an empty file.
    pub fn keep(self, progress: &dyn Progress) {
        let Some((path, before)) = self.kept else { return };
        match before.max(self.log.trials().len()) {
            0 => {
                let _ = std::fs::remove_file(path);
            }
            _ => progress.note(&format!(
                "the trials so far are kept in {}: run the same command to continue",
                path.display()
            )),
        }
    }
}

/// The text of a file up to its last line break. An incomplete last line comes from a killed run.
fn whole_lines(mut bytes: Vec<u8>, path: &Path) -> Result<String> {
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
    String::from_utf8(bytes).map_err(|error| {
        Error::data(format!("{}: is not text in UTF-8", path.display()))
            .with_source(error)
            .with_help("give another output folder (`--out`), or remove that file")
    })
}

impl Header {
    fn of(config: &Config, inputs: &[InputFile]) -> Result<Self> {
        let mut text = toml::to_string(config)
            .map_err(|error| Error::failed("the configuration cannot be written").with_source(error))?;
        inputs.iter().for_each(|input| text.push_str(&input.sha256));
        Ok(Self { version: env!("CARGO_PKG_VERSION").into(), made_of: sha256_bytes(text.as_bytes()) })
    }
}

/// The trials of an interrupted run.
fn read(text: &str, path: &Path, expected: &Header) -> Result<Vec<Trial>> {
    let mut lines = text.lines();
    let Some(first) = lines.next() else { return Ok(Vec::new()) };
    let same = serde_json::from_str::<Header>(first).is_ok_and(|header| header == *expected);
    if !same {
        return Err(Error::config(format!(
            "{}: holds trials of another configuration, other data or another version",
            path.display()
        ))
        .with_help("give another output folder (`--out`), or remove that file"));
    }
    let trial = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            Error::data(format!("{}: line {} is not a trial", path.display(), at + 2))
                .with_source(error)
                .with_help("remove that line, or the file")
        })
    };
    lines.enumerate().map(trial).collect()
}

fn line(out: &mut (impl Write + ?Sized), value: &impl Serialize) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    out.write_all(&text)
}

fn cannot_keep(path: &Path, error: std::io::Error) -> Error {
    Error::failed(format!("{}: trials cannot be kept: {error}", path.display()))
        .with_source(error)
        .with_help("give an output path (`--out`) in a writable folder")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use halfmax_core::Silent;

    use super::*;

    const CONFIG: &str = "name = \"x\"\n[data]\nresponse = \"r.csv\"\n[tune.space]\nrounds = [1, 2]\n[[model]]\nfamily = \"boost\"\n";

    #[test]
    fn trials_outlive_runs_that_fail_before_they_make_any() {
        let folder = tempfile::tempdir().unwrap();
        let (config, out) = (Config::parse(CONFIG, &[]).unwrap(), folder.path().join("run"));
        let open = || Trials::open(&config, &[], &out, &Silent).unwrap();
        let path = folder.path().join("run.trials.jsonl");
        open().keep(&Silent);
        assert!(!path.exists(), "nothing was tried, nothing is left");
        let trials = open();
        let mut text = std::fs::read(&path).unwrap();
        let trial = r#"{"model":"boost","part":"0","trial":0,"share":1.0,"params":{},"rmse":1.5,"trial_seconds":2.0}"#;
        // The run was killed in the middle of a character of the next line.
        text.extend(format!("{trial}\n{{\"model\":\"é").as_bytes());
        text.pop();
        std::fs::write(&path, &text).unwrap();
        drop(trials);
        open().keep(&Silent);
        let kept = std::fs::read_to_string(&path).unwrap();
        assert_eq!(kept.lines().nth(1), Some(trial));
        assert_eq!(kept.lines().count(), 2);
        std::fs::remove_file(open().path().unwrap()).unwrap();
        assert!(!path.exists());
    }
}
