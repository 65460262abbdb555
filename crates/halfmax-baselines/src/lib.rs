//! Baselines: a model must beat them before it can claim to have learnt anything about resistance.
//!
//! The [`Classical`] families are the field's usual baselines, as adapters over linfa and smartcore: [`ElasticNetParams`],
//! [`PlsParams`], [`KnnParams`], [`ForestParams`]. The [`Naive`] predictors are simpler still.
//!
//! Most of the variance of ln IC50 lies between drugs, so the mean of a drug already looks like a good prediction. The
//! [`Naive`] families predict from means alone and use no features. A table of results without them misleads.
//!
//! ```
//! use halfmax_baselines::Naive;
//! use halfmax_core::{EntityTable, FitContext, FittedModel, Model, Query, Responses, Screen, Seed, Side};
//! use halfmax_core::{Silent, Tuples, ValidationGroup};
//!
//! let cells = EntityTable::new(["A549", "MCF-7"], "cell line")?;
//! let drugs = EntityTable::new(["Paclitaxel", "Erlotinib"], "drug")?;
//! let responses = Responses::new(vec![vec![0, 1, 0], vec![0, 0, 1]], vec![-4.0, -2.0, 3.0], None)?;
//! let sides = vec![Side::cell_line(0), Side::drug(1)];
//! let screen = Screen::new("LN_IC50", vec![cells, drugs], sides, responses)?;
//! let context =
//!     FitContext::new(Seed::new(1), &Silent, ValidationGroup::Response);
//!
//! let fitted = Naive::DrugMean.fit(&screen.all(), &context)?;
//! let tables = [screen.table(0), screen.table(1)];
//! let query = Query { tables: &tables, tuples: Tuples::Listed(&[&[1, 1], &[0, 1]]) };
//! assert_eq!(fitted.predict(&query)?, [-3.0, 3.0]);
//! # Ok::<(), halfmax_core::Error>(())
//! ```

mod classical;
mod effects;
mod fitted;
mod naive;

pub use classical::{
    Classical, ElasticNet, ElasticNetParams, FittedClassical, Forest, ForestKind, ForestParams, Knn,
    KnnParams, NeighbourWeights, Pls, PlsParams,
};
pub use fitted::FittedNaive;
pub use naive::Naive;
