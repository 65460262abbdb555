//! Factorised gradient-boosted trees for drug-response screens.
//!
//! Every split tests one feature of one side, so every node of every tree is a *box*: some cell lines × some drugs. The
//! histogram of a feature is therefore built from one sum per entity of the box, not from its responses. For a screen of 900
//! cell lines and 300 drugs this is some 300 times less work than on a table that joins features to responses, and that table
//! is never made. A second kind of tree splits on one side only. Each of its leaves holds a value for every entity of the
//! other side.
//!
//! The contribution of a feature to a prediction ([`attribute`](halfmax_core::Attributable::attribute)) is its exact Shapley
//! value in the game of path-dependent TreeSHAP (Lundberg, Erion & Lee 2018, arXiv:1802.03888). It is also computed by boxes:
//! once for all entities that satisfy the same tests on the way to a leaf.
//!
//! ```
//! use halfmax_boost::BoostParams;
//! use halfmax_core::*;
//! use ndarray::Array2;
//!
//! // Cell lines whose first gene is high resist every drug.
//! let genes = Array2::from_shape_fn((40, 3), |(cell, gene)| ((cell * 7 + gene * 5) % 13) as f32);
//! let response = |cell: usize, drug: usize| f32::from(u8::from(genes[[cell, 0]] > 6.0)) + drug as f32;
//! let pairs: Vec<(usize, usize)> = (0..40).flat_map(|cell| (0..4).map(move |drug| (cell, drug))).collect();
//! let values = pairs.iter().map(|(cell, drug)| response(*cell, *drug)).collect();
//! let sides = vec![pairs.iter().map(|p| p.0 as u32).collect(), pairs.iter().map(|p| p.1 as u32).collect()];
//! let expression = FeatureBlock::new("expression", ["A", "B", "C"], FeatureValues::real(genes.clone()))?;
//! let cells = EntityTable::new((0..40).map(|c| format!("cell {c}")), "cell line")?.with_block(expression)?;
//! let drugs = EntityTable::new(["w", "x", "y", "z"], "drug")?;
//! let responses = Responses::new(sides, values, None)?;
//! let screen = Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)?;
//!
//! let params = BoostParams { rounds: 60, feature_fraction: 1.0, row_fraction: 1.0, ..BoostParams::default() };
//! let context =
//!     FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
//! let fitted = params.check()?.fit(&screen.all(), &context)?;
//! let tables = [&screen.tables[0], &screen.tables[1]];
//! let query = Query { tables: &tables, tuples: Tuples::Listed(&[&[3], &[2]]) };
//! assert!((fitted.predict(&query)?[0] - response(3, 2)).abs() < 0.1);
//!
//! // Only the first gene separates the cell lines. Here are its contributions for four cell lines and drug "y".
//! let attributor = fitted.as_attributable(0).expect("trees attribute both sides").attribute(&tables, 0, &[0, 1, 2, 3])?;
//! let contributions = attributor.contributions(&[2])?;
//! assert_eq!(attributor.space().features[0].name, "A");
//! assert!((contributions.values[[0, 1]] - contributions.values[[0, 0]] - 1.0).abs() < 0.1);
//! # Ok::<(), Error>(())
//! ```

mod bins;
mod block;
mod contributions;
mod fit;
mod grid;
mod grow;
mod histogram;
mod lightgbm;
mod model;
mod packed_sums;
mod params;
mod search;
mod shape;
mod shapley;
mod store;
mod tree;
mod vector;

pub use fit::Boost;
pub use halfmax_core::SeenAgain;
pub use lightgbm::{lightgbm_columns, to_lightgbm};
pub use model::{FittedBoost, FittedSide};
pub use params::{BoostParams, Objective, Trees};
pub use shape::Shape;
pub use tree::{Leaves, Test, Tree};
