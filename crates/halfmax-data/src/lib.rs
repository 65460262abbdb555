//! Reading and writing for halfmax: tables of responses and features into a `halfmax_core::Screen`, harmonised names of
//! cell lines and drugs, fingerprints of molecules, model files, and atomic output files.
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

mod account;
mod assign;
mod bytes;
mod columns;
mod config;
mod convert;
mod csv_rows;
pub mod datasets;
mod digest;
mod drug_columns;
mod drugs;
mod feature_table;
mod features;
mod fellows;
mod file_spec;
mod fold_rows;
mod folds;
mod formats;
mod genes;
mod grid;
mod inspect;
mod layouts;
mod linked;
mod lists;
mod load;
mod matrices;
mod missing;
mod model_file;
mod molar_mass;
mod names;
mod note;
mod number;
mod observed;
mod open;
mod orientation;
mod output;
mod pairs;
mod parquet_out;
mod parts;
pub mod pickle;
mod pieces;
mod plate_tables;
mod plate_wells;
mod plates;
mod prediction_writer;
mod profile;
mod quality;
mod reading_batches;
mod reading_names;
mod readings;
mod regroup;
mod report;
mod responses;
mod roles;
mod row_groups;
mod scales;
mod separating;
mod single_agent;
mod spread;
mod table;
mod target;
mod time_courses;
mod units;
mod untreated;
mod wanted;
mod wide;
mod writers;

pub use account::Account;
pub use assign::{IGNORE, Names, SaidColumns};
pub use config::{CellFile, DataConfig, DrugFeatures, Duplicates, TargetConfig, Transform};
pub use convert::write_set;
pub use csv_rows::write_csv;
pub use digest::{sha256_bytes, sha256_file};
pub use drugs::{DrugRecord, fingerprint_of, read_drugs};
pub use file_spec::{TableFile, TableOptions};
pub use fold_rows::FoldSource;
pub use folds::{FoldFile, Uncovered, read_folds};
pub use formats::{FORMATS, NewFile, PartReader, TableFormat, TableSink, written_endings};
pub use genes::count_known_genes;
pub use grid::{GridDoses, read_grid};
pub use halfmax_core::CellKind;
pub use inspect::{Inspection, inspect, inspect_table, inspect_with};
pub use layouts::{Fit, LAYOUTS, Layout, Yields, best_layout, layouts_page, nearest_layout};
pub use load::{InputFile, Loaded, is_file_name, load, read_cells_for_scoring};
pub use matrices::{
    Block, JoinedSingleAgents, Matrices, MatrixOptions, MultiBlock, join_single_agents, read_matrices,
};
pub use missing::{MISSING, is_missing};
pub use model_file::{
    MODEL_FORMAT, ModelHeader, TensorEntry, read_model, read_model_bytes, write_checkpoint, write_model,
};
pub use molar_mass::{molar_mass, with_molar_masses};
pub use names::{
    Annotation, CellLine, CellLines, Form, Identified, Identity, Punctuation, drug_key, harmonise,
};
pub use note::{Note, join_notes};
pub use observed::{Observed, ObservedResponses};
pub use open::{
    DEFAULT_UNPACK_LIMIT, OpenOptions, PlainColumn, PlainValue, parse_size, plain_columns, read_bytes,
    read_table, read_table_with, set_unpack_limit,
};
pub use orientation::{Arrangement, Known, Orientation, orientation};
pub use output::{
    Obsolete, OutputLock, OutputSet, RunFolder, followed, refuse_existing, refuse_occupied, remove_leftovers,
    write_atomically, write_beside, write_meanwhile,
};
pub use parts::{PartSize, TableParts};
pub use pieces::Pieces;
pub use plate_tables::PlateTables;
pub use plate_wells::{PlateOf, PlateWells, WellKind, plate_wells};
pub use plates::with_column_of;
pub use prediction_writer::{PredictionColumns, PredictionRow, PredictionWriter};
pub use profile::{Content, IdKind, Profile};
pub use quality::{
    Agreement, Coverage, Covered, Discordant, Distribution, DrugAgreement, FeatureQuality, Finding,
    FindingKind, Group, GroupNature, Grouping, Histogram, Join, Likeness, Outlier, Outliers, Picture,
    Quality, Quantiles, ResponseQuality, SideCoverage, Twins, Unused,
};
pub use reading_batches::{ReadingBatches, ReadingFacts, Rows, read_readings};
pub use readings::{CurveKey, ReadingOptions, ReadingUnit, Readings};
pub use report::{FileReport, FileShape, LeftOut, LoadReport, counted};
pub use responses::{ResponseTable, read_responses};
pub use roles::{Nature, ROLES, Role, RoleSpec};
pub use scales::{FeatureScale, refuse_other_scales, scales_of};
pub use single_agent::{SingleAgentMeasures, with_single_agents_for_scoring};
pub use table::RawTable;
pub use target::target_named;
pub use time_courses::{TimeCourse, TimeCourses, time_courses, with_viabilities};
pub use units::{DoseUnit, dose_factor, split_unit, unit_named};
pub use wanted::{Wanted, read_wanted_combinations, read_wanted_pairs};
pub use writers::{OutputColumn, ScoreBlock, ScoreWriter, TableWriter};
