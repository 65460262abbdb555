//! The provenance of a run, and the writing of its files.

use std::path::Path;

use halfmax_core::{Error, Result};
use halfmax_data::{InputFile, RunFolder, sha256_file};
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// The provenance of a run: `manifest.json`.
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
    /// The path.
    pub path: String,
    /// The SHA-256.
    pub sha256: String,
    /// The size in bytes.
    pub bytes: u64,
    /// For a file of a fetched dataset: `dataset:NAME/FILE`, which finds the file on another machine.
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
    /// The manifest of a command that has loaded its data.
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

    /// Adds another input file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let sha256 = sha256_file(path)?;
        let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        self.inputs.push(Input { path: path.display().to_string(), sha256, bytes, dataset: None });
        Ok(())
    }
}

/// Writes the files of every run: the resolved configuration and the manifest.
///
/// # Errors
/// If a file cannot be written.
pub fn write_provenance(folder: &RunFolder, config: &Config, manifest: &Manifest) -> Result<()> {
    let text = toml::to_string(config)
        .map_err(|error| Error::failed("the configuration cannot be written").with_source(error))?;
    folder.write("config.toml", text.as_bytes())?;
    write_json(folder, "manifest.json", manifest)
}

/// Writes a JSON file of a run.
///
/// # Errors
/// If a file cannot be written.
pub fn write_json(folder: &RunFolder, name: &str, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::failed(format!("{name} cannot be written")).with_source(error))?;
    text.push('\n');
    folder.write(name, text.as_bytes())
}
