//! The folder of a fetched dataset and its list of files.

use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::datasets::manifest::{DataFile, Manifest};
use crate::output::write_atomically;

/// The file in a dataset's folder that says what was fetched.
pub const FETCHED_FILE: &str = "fetched.toml";

/// The folder of all datasets: the given folder, else the environment variable `HALFMAX_DATA`, else `halfmax` in the
/// platform's folder for application data.
///
/// # Errors
/// If none of the three is known.
pub fn data_dir(given: Option<&Path>) -> Result<PathBuf> {
    let set = || std::env::var_os("HALFMAX_DATA").filter(|text| !text.is_empty()).map(PathBuf::from);
    if let Some(folder) = given.map(Path::to_owned).or_else(set) {
        return std::path::absolute(&folder).map_err(|error| {
            Error::config(format!("{}: is not a folder for datasets", folder.display())).with_source(error)
        });
    }
    use etcetera::BaseStrategy as _;
    let platform = etcetera::base_strategy::choose_native_strategy().map_err(|error| {
        Error::config("cannot choose a folder for datasets: the home folder is unknown")
            .with_help(
                "set the folder of datasets (`--data-dir DIR`) or the environment variable HALFMAX_DATA",
            )
            .with_source(error)
    })?;
    Ok(platform.data_dir().join("halfmax"))
}

/// `fetched.toml`: the files of a dataset's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// The files.
    #[serde(default, rename = "file")]
    pub files: Vec<FetchedFile>,
}

/// A file that was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedFile {
    /// Its name.
    pub name: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The checksum with which the file was compared.
    pub verified: Verified,
    /// The address or package of the file.
    pub from: String,
}

/// What a fetched file was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// A checksum in the manifest: of the file itself, or of all its sources.
    Manifest,
    /// Nothing: this is the first fetch, and later fetches are compared with it.
    FirstFetch,
}

/// How much of a dataset is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is part of the program.
    Embedded,
    /// All files exist.
    Fetched,
    /// Some files exist.
    Partly,
    /// No file exists.
    NotFetched,
}

/// The folder of a dataset.
#[derive(Clone, Debug)]
pub struct DatasetFolder {
    /// The description of the dataset.
    pub manifest: Manifest,
    /// The folder, which may not exist yet.
    pub path: PathBuf,
}

impl DatasetFolder {
    /// The folder of a dataset among all of them.
    pub fn new(manifest: Manifest, data_dir: &Path) -> Self {
        let path = data_dir.join(&manifest.name);
        Self { manifest, path }
    }

    /// Reads the list of fetched files.
    ///
    /// # Errors
    /// If the list exists but cannot be read.
    pub fn fetched(&self) -> Result<Fetched> {
        let path = self.path.join(FETCHED_FILE);
        let unreadable = || {
            Error::data(format!("{}: the list of fetched files cannot be read", path.display())).with_help(
                format!(
                    "remove it, then fetch the dataset again (`halfmax data fetch {}`)",
                    self.manifest.name
                ),
            )
        };
        match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Fetched::default()),
            Err(error) => Err(unreadable().with_source(error)),
            Ok(text) => toml::from_str(&text).map_err(|error| unreadable().with_source(error)),
        }
    }

    /// Adds a fetched file to the list.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub fn note(&self, file: FetchedFile) -> Result<()> {
        let mut fetched = self.fetched()?;
        fetched.files.retain(|other| other.name != file.name);
        fetched.files.push(file);
        fetched.files.sort_by(|a, b| a.name.cmp(&b.name));
        let text = toml::to_string(&fetched).map_err(|error| {
            Error::failed("the list of fetched files cannot be written").with_source(error)
        })?;
        write_atomically(self.path.join(FETCHED_FILE), |out| out.write_all(text.as_bytes()))
    }

    /// Whether a file exists with the recorded name and size. The content is not checked.
    pub fn has(&self, fetched: &Fetched, file: &DataFile) -> bool {
        fetched.files.iter().any(|one| {
            let size = std::fs::metadata(self.path.join(&one.name)).map(|there| there.len());
            one.name == file.name && size.is_ok_and(|bytes| bytes == one.bytes)
        })
    }

    /// How much of the dataset is fetched.
    ///
    /// # Errors
    /// If the list of fetched files cannot be read.
    pub fn state(&self) -> Result<State> {
        let fetched = self.fetched()?;
        let there = self.manifest.file.iter().filter(|file| self.has(&fetched, file)).count();
        Ok(match there {
            0 => State::NotFetched,
            _ if there == self.manifest.file.len() => State::Fetched,
            _ => State::Partly,
        })
    }

    /// The entry of a fetched file.
    ///
    /// # Errors
    /// If the file was not fetched. The help says how to fetch it.
    pub fn entry(&self, file: &DataFile) -> Result<FetchedFile> {
        let fetched = self.fetched()?;
        let name = &self.manifest.name;
        let entry = fetched.files.iter().find(|one| one.name == file.name);
        entry.filter(|_| self.has(&fetched, file)).cloned().ok_or_else(|| {
            Error::data(format!(
                "dataset {name:?} is not fetched: {} is not in {}",
                file.name,
                self.path.display()
            ))
            .with_help(format!(
                "fetch it (`halfmax data fetch {name}`), or set another folder of datasets (`--data-dir` or HALFMAX_DATA)"
            ))
        })
    }
}
