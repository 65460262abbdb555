//! What all of halfmax shares: a [`Screen`] of responses over entities, the [`Model`] and [`FittedModel`] traits, errors,
//! seeds and progress.
//!
//! A screen is a block of responses over *entities*: cell lines × drugs, or cell lines × drugs × drugs. Features are
//! kept once per entity, never once per response, and everything else in the workspace works on that representation.
//! This crate does no input or output.
//!
//! ```
//! use halfmax_core::{EntityTable, FeatureBlock, FeatureValues, Responses, Screen, Side};
//! use ndarray::array;
//!
//! let cells = EntityTable::new(["A549", "MCF-7"], "cell line")?
//!     .with_block(FeatureBlock::new("expression", ["ABCB1"], FeatureValues::real(array![[0.3], [-1.2]]))?)?;
//! let drugs = EntityTable::new(["Paclitaxel"], "drug")?;
//! let responses = Responses::new(vec![vec![0, 1], vec![0, 0]], vec![-2.1, -4.0], None)?;
//! let screen = Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)?;
//! assert_eq!(screen.responses.len(), 2);
//! # Ok::<(), halfmax_core::Error>(())
//! ```

mod attribution;
mod bits;
pub mod check;
mod combinations;
mod encode;
mod entity;
mod error;
mod feature_kind;
mod fit_sizes;
mod fitted;
mod grouping;
mod hold_out;
mod model;
mod progress;
mod quadrature;
mod query;
mod response_block;
mod screen;
mod seed;
mod space;
mod stored;
mod suggest;
mod target;

pub use attribution::{Attribution, Attributor, check_entities, check_partners};
pub use bits::BitColumns;
pub use combinations::{CombinationScores, PreparedCombinations, pairs_before};
pub use encode::Encoder;
pub use entity::{Category, EntityTable, FeatureBlock, FeatureValues};
pub use error::{Error, ErrorKind, Result, listed};
pub use feature_kind::{CellKind, FEATURE_KINDS, FeatureKind, KindValues, Sense, TextColumns, ValueSummary};
pub use fit_sizes::FitSizes;
pub use fitted::{
    Attributable, Conditionable, Conditioned, Ensemble, Epoch, Epochwise, FittedModel, PreparedGrid,
};
pub use grouping::{SeenAgain, ValidationGroup};
pub use hold_out::deal;
pub use model::{AnyModel, Checkpoint, CheckpointStore, FitContext, Model};
pub use progress::{Progress, Silent};
pub use quadrature::gauss_legendre;
pub use query::{Query, Tuples};
pub use response_block::ResponseBlock;
pub use screen::{FeatureSelection, Groups, Responses, SINGLE_AGENT, Screen, Side, TrainView};
pub use seed::Seed;
pub use space::{Alignment, Domain, Feature, FeatureSpace};
pub use stored::{StoredModel, Tensor, malformed, unknown_key};
pub use suggest::{nearest, nearest_by_edits};
pub use target::{End, LinearColumn, Quantity, Scale, Target, Unit};
