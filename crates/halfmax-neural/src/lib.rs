//! Neural models on entities: a tower for cell lines and one for drugs, each run once per entity and step, never once per
//! pair.

mod attribute;
mod block;
mod checkpoint;
mod device;
mod inputs;
mod mechanisms;
mod model;
mod network;
mod params;
mod random;
mod train;

pub use attribute::Attributions;
pub use model::{FittedNeural, Neural};
pub use params::{Loss, NeuralParams};
