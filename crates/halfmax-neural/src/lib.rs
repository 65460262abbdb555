//! Neural models on entities: a tower for cell lines and one for drugs, each run once per entity and step, never once per
//! pair.
//!
//! What the towers make of a cell line *c* and a drug *d* are vectors z and v of some rank and an offset each; the prediction
//! is z · v plus the offsets, plus a small network on the pair where that is asked for. Entities that the split does not hold
//! out have a learned embedding besides. Of the two drugs of a combination one vector is made, the same for both orders; both come
//! from the one tower of drugs. An ensemble's members are the same network from other seeds; their mean is predicted.
//! The networks run on burn: on the processor, and with the features `cuda`, `wgpu` and `tch` elsewhere.
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
//!     members: 1,
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
