//! Datasets by name: embedded datasets are part of the program, others are fetched into a folder.

mod embedded;
mod folder;
mod manifest;
mod opened;

pub use embedded::{DATASETS, dataset_manifest};
pub use folder::{DatasetFolder, FETCHED_FILE, Fetched, FetchedFile, State, Verified, data_dir};
pub use manifest::{DataFile, Make, Manifest, Origin, PackageKind, Part, Role, Source, manifest, manifests};
pub(crate) use opened::Dataset;
