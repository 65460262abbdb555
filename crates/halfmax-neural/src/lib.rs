//! Neural models on entities: one tower for cell lines and one for drugs. Each tower runs once per entity and step, never
//! once per pair.
//!
//! For a cell line *c* and a drug *d* the towers compute vectors z and v of the same rank, and an offset each. The prediction
//! is z · v plus the offsets. If configured, a small network on the pair is added. Entities that the split does not hold out
//! also have a learned embedding. The two drugs of a combination go through the same drug tower, and their codes are combined
//! into one vector that is the same for both orders. The members of an ensemble are the same network from different seeds,
//! and their mean is the prediction. The networks run with burn: on the processor, and on other devices with the features
//! `cuda`, `wgpu` and `tch`.
//!
//! ```
//! use halfmax_core::*;
//! use halfmax_neural::NeuralParams;
//! use ndarray::Array2;
//!
//! let gene = |cell: usize| (cell as f32 * 0.7).sin();
//! let values = FeatureValues::real(Array2::from_shape_fn((30, 1), |(cell, _)| gene(cell)));
//! let cells = EntityTable::new((0..30).map(|at| format!("c{at}")), "cell line")?
//!     .with_block(FeatureBlock::new("expression", ["ABCB1"], values)?)?;
//! let drugs = EntityTable::new(["Paclitaxel", "Docetaxel"], "drug")?;
//! let sides = vec![(0..60).map(|at| at / 2).collect(), (0..60).map(|at| at % 2).collect()];
//! let responses = Responses::new(sides, (0..60).map(|at| gene(at / 2) - (at % 2) as f32).collect(), None)?;
//! let screen = Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)?;
//!
//! let params = NeuralParams {
//!     device: "cpu".into(),
//!     ensemble_size: 1,
//!     hidden: vec![8],
//!     rank: 2,
//!     batch: 10,
//!     epochs: 60,
//!     learning_rate: 0.05,
//!     input_dropout: 0.0,
//!     dropout: 0.0,
//!     ..NeuralParams::default()
//! };
//! let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
//! let fitted = params.check()?.fit(&screen.all(), &context)?;
//! let tables = [screen.table(0), screen.table(1)];
//! let predicted = fitted.predict(&Query { tables: &tables, tuples: Tuples::Listed(&[&[2], &[0]]) })?;
//! assert!((predicted[0] - gene(2)).abs() < 0.3);
//! # Ok::<(), halfmax_core::Error>(())
//! ```

mod attributor;
mod block;
mod checkpoint;
mod combination;
mod device;
mod inputs;
mod mechanisms;
mod model;
mod network;
mod params;
mod random;
mod train;

pub use model::{FittedNeural, Neural};
pub use params::{Loss, NeuralParams};
