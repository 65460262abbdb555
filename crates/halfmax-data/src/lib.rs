//! Reading and writing for halfmax: tables of responses and features into a `halfmax_core::Screen`, names of cell lines
//! and drugs brought together, fingerprints of molecules, model files, and output that is complete or not there.
//!
//! ```
//! use halfmax_data::{DataConfig, TargetConfig, load};
//!
//! let data = DataConfig { dataset: Some("gdsc-core".into()), ..DataConfig::default() };
//! let loaded = load(&data, &TargetConfig::default(), ".".as_ref(), None)?;
//! assert_eq!(loaded.screen.tables[1].len(), 53);
//! println!("{}", loaded.report);
//! # Ok::<(), halfmax_core::Error>(())
//! ```

pub mod columns;
mod config;
pub mod datasets;
mod digest;
mod drugs;
mod features;
mod folds;
mod inspect;
mod load;
mod matrices;
mod model_file;
mod names;
mod output;
pub mod pickle;
mod pieces;
mod readings;
mod report;
mod responses;
mod scan;
mod single_agent;
mod table;
mod units;
mod wanted;
mod writers;

pub use config::{CellFile, CellKind, DataConfig, DrugFeatures, Duplicates, TargetConfig};
pub use digest::{sha256_bytes, sha256_file};
pub use drugs::read_drugs;
pub use folds::{FoldFile, Uncovered, read_folds};
pub use inspect::{Inspection, inspect};
pub use load::{InputFile, Loaded, is_file_name, load, read_cells_for_scoring};
pub use matrices::{Block, Matrices, MatrixOptions, read_matrices};
pub use model_file::{MODEL_FORMAT, ModelHeader, TensorEntry, read_model, write_checkpoint, write_model};
pub use names::{CellLine, CellLines, Identified, Identity, Punctuation, drug_key, harmonise};
pub use output::{RunFolder, refuse_existing, write_atomically};
pub use pieces::Pieces;
pub use readings::{CurveKey, ReadingOptions, ReadingUnit, Readings, read_readings};
pub use report::{FileReport, FileShape, LeftOut, LoadReport};
pub use responses::{Observed, ResponseTable, read_responses};
pub use single_agent::{SingleAgentMeasures, with_single_agents_for_scoring};
pub use table::{MISSING, RawTable, read_bytes, read_table};
pub use units::dose_factor;
pub use wanted::{Wanted, read_wanted_combinations, read_wanted_pairs};
pub use writers::{OutputColumn, PredictionColumns, ScoreBlock, ScoreWriter, TableWriter, write_predictions};
