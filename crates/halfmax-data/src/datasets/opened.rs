//! The tables of an embedded or a fetched dataset.

use std::path::Path;

use halfmax_core::{CellKind, Error, Result};

use crate::datasets::embedded::Embedded;
use crate::datasets::folder::{DatasetFolder, data_dir};
use crate::datasets::manifest::{DataFile, Role, manifest};
use crate::file_spec::TableOptions;
use crate::load::InputFile;
use crate::table::RawTable;

/// A dataset whose tables can be read.
pub(crate) enum Dataset {
    /// A dataset that is part of the program.
    Embedded(Embedded),
    /// A dataset in a folder.
    Folder(Box<DatasetFolder>),
}

impl Dataset {
    /// Opens the dataset with this name. `folder` is the folder of datasets, if the user set it.
    pub fn open(name: &str, folder: Option<&Path>) -> Result<Self> {
        match manifest(name).map_err(|error| error.with_context("data.dataset"))? {
            None => Ok(Self::Embedded(Embedded)),
            Some(manifest) => Ok(Self::Folder(Box::new(DatasetFolder::new(manifest, &data_dir(folder)?)))),
        }
    }

    /// A table of responses. `key` is the configuration key that names the table.
    pub fn response(&self, key: &str, name: Option<&str>) -> Result<RawTable> {
        match self {
            Self::Embedded(embedded) => embedded.response(key, name),
            Self::Folder(folder) => folder.table(Role::Response, key, name),
        }
    }

    /// A table of single-agent responses.
    pub fn single_agent(&self, name: &str) -> Result<RawTable> {
        match self {
            Self::Embedded(_) => {
                Err(Error::config(format!("data.single_agent = {name:?}: gdsc-core has no single agents"))
                    .with_help("name a file, or leave it out"))
            }
            Self::Folder(folder) => folder.table(Role::SingleAgent, "data.single_agent", Some(name)),
        }
    }

    /// The default kinds of cell-line features.
    pub fn usual_cells(&self) -> Vec<CellKind> {
        CellKind::all()
            .filter(|kind| kind.is_usual())
            .filter(|kind| match self {
                Self::Embedded(embedded) => embedded.has_cells(*kind),
                Self::Folder(folder) => folder.manifest.file.iter().any(|file| file.kind == Some(*kind)),
            })
            .collect()
    }

    /// Features of cell lines.
    pub fn cells(&self, kind: CellKind) -> Result<RawTable> {
        match self {
            Self::Embedded(embedded) => embedded.cells(kind),
            Self::Folder(folder) => folder.cells(kind),
        }
    }

    /// The drugs, if the dataset describes them.
    pub fn drugs(&self) -> Result<Option<RawTable>> {
        match self {
            Self::Embedded(embedded) => embedded.drugs().map(Some),
            Self::Folder(folder) => {
                let file = folder.manifest.file.iter().find(|file| file.role == Role::Drugs);
                file.map(|file| folder.read(file)).transpose()
            }
        }
    }

    /// Marks the input files that belong to the dataset, so that a machine with another folder of datasets finds them.
    pub fn label(&self, inputs: &mut [InputFile]) {
        let Self::Folder(folder) = self else { return };
        for input in inputs {
            if let Ok(name) = Path::new(&input.path).strip_prefix(&folder.path) {
                input.dataset = Some(format!("dataset:{}/{}", folder.manifest.name, name.display()));
            }
        }
    }
}

impl DatasetFolder {
    /// Reads a file and checks that its SHA-256 is the one recorded when it was fetched.
    fn read(&self, file: &DataFile) -> Result<RawTable> {
        let entry = self.entry(file)?;
        let table = TableOptions::default().read(&self.path.join(&file.name))?;
        if table.sha256() != entry.sha256 {
            return Err(Error::data(format!(
                "{}: the file changed since it was fetched: its SHA-256 is {}, expected {}",
                table.label(),
                table.sha256(),
                entry.sha256
            ))
            .with_help(format!(
                "remove it, then fetch the dataset again (`halfmax data fetch {}`)",
                self.manifest.name
            )));
        }
        Ok(table)
    }

    fn table(&self, role: Role, key: &str, name: Option<&str>) -> Result<RawTable> {
        let own = || self.manifest.file.iter().filter(|file| file.role == role);
        let found = match name {
            None => own().next(),
            Some(name) => own().find(|file| file.table.as_deref() == Some(name)),
        };
        found.map(|file| self.read(file)).unwrap_or_else(|| {
            let (set, names) = (&self.manifest.name, own().filter_map(|file| file.table.as_deref()));
            let names: Vec<&str> = names.collect();
            let missing = match name {
                Some(name) => format!("{key} = {name:?}: dataset {set:?} has no such table"),
                None => format!("dataset {set:?} has no table for {key}"),
            };
            Err(Error::config(missing).with_help(match names.is_empty() {
                true => format!("set {key} to a file"),
                false => format!("its tables: {}; or set {key} to a file", names.join(", ")),
            }))
        })
    }

    fn cells(&self, kind: CellKind) -> Result<RawTable> {
        let own = || self.manifest.file.iter().filter(|file| file.role == Role::Cells);
        own().find(|file| file.kind == Some(kind)).map(|file| self.read(file)).unwrap_or_else(|| {
            let kinds: Vec<&str> = own().filter_map(|file| file.kind).map(|kind| kind.name()).collect();
            let name = &self.manifest.name;
            Err(Error::config(format!("dataset {name:?} has no file of kind {:?}", kind.name())).with_help(
                match kinds.is_empty() {
                    true => "set file = … for your own".to_owned(),
                    false => format!("its kinds: {}; or set file = … for your own", kinds.join(", ")),
                },
            ))
        })
    }
}
