//! Kronecker kernel ridge regression, as a Gaussian process over a whole screen.
//!
//! The rows are the entities that are held out (for example cell lines), the columns are the known entities (drugs). A response is
//!
//! `y_ij = baseline_j + f_ij + ε`, `f ~ N(0, R ⊗ S)`, `R = w K + (1 − w) I`.
//!
//! K is a kernel between the features of rows, so that an unseen row borrows from similar rows. The identity covers the part
//! that features do not explain. S is the covariance of response profiles. It is learnt from the responses themselves by
//! expectation-maximisation. Drugs with the same mechanism thus share information, and a gap in the screen is filled from the
//! rest of its row. The Kronecker product is never multiplied out. If the block is complete, two eigendecompositions give
//! every solution and every leave-one-out residual. If not, conjugate gradients use them as preconditioner. Multi-output
//! kernel ridge regression is the case S = I, low-rank completion of a matrix the case w = 0.
//!
//! The shares w and σ² and the weights of kernel terms are chosen on the training data with the same question as the
//! evaluation: leaving out rows, groups of rows, or single responses.
//!
//! The crate also has [`Completion`]. It completes the block of responses under a penalty on its nuclear norm and needs no features.
//!
//! ```
//! use halfmax_core::*;
//! use halfmax_kernel::KernelParams;
//! use ndarray::Array2;
//!
//! // Responses are linear in two genes, differently for every drug.
//! let genes = Array2::from_shape_fn((60, 2), |(cell, gene)| ((cell * (7 + 4 * gene)) % 13) as f32 / 6.0 - 1.0);
//! let response = |cell: usize, drug: usize| genes[[cell, 0]] * drug as f32 - genes[[cell, 1]] + drug as f32;
//! // The last ten cell lines are not measured.
//! let pairs: Vec<(u32, u32)> = (0..50).flat_map(|cell| (0..4).map(move |drug| (cell, drug))).collect();
//! let values = pairs.iter().map(|(cell, drug)| response(*cell as usize, *drug as usize)).collect();
//! let sides = vec![pairs.iter().map(|p| p.0).collect(), pairs.iter().map(|p| p.1).collect()];
//! let expression = FeatureBlock::new("expression", ["A", "B"], FeatureValues::real(genes.clone()))?;
//! let cells = EntityTable::new((0..60).map(|c| format!("cell {c}")), "cell line")?.with_block(expression)?;
//! let drugs = EntityTable::new(["w", "x", "y", "z"], "drug")?;
//! let responses = Responses::new(sides, values, None)?;
//! let screen = Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)?;
//!
//! let context =
//!     FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
//! let fitted = KernelParams::default().check()?.fit(&screen.all(), &context)?;
//! let tables = [&screen.tables[0], &screen.tables[1]];
//! let query = Query { tables: &tables, tuples: Tuples::Listed(&[&[55], &[3]]) };
//! assert!((fitted.predict(&query)?[0] - response(55, 3)).abs() < 0.2);
//! # Ok::<(), Error>(())
//! ```

mod applicability;
mod attribution;
mod combination;
mod completion;
mod family;
mod features;
mod fit;
mod linalg;
mod model;
mod params;
mod pilot;
mod profile;
mod solve;

pub use applicability::Applicability;
pub use combination::{CellVariances, Component, FittedCombinations, Part};
pub use completion::{Completion, CompletionParams, Finish, FittedCompletion};
pub use family::{AnyKernel, kernel_from_stored};
pub use features::{FittedFactor, FittedTerm};
pub use fit::Kernel;
pub use model::{FittedKernel, FittedSide};
pub use params::{KernelFactor, KernelKind, KernelParams, KernelTerm};
