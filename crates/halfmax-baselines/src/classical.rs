//! The field's usual baselines, as thin adapters over linfa and smartcore.

mod attribution;
mod block;
mod elastic_net;
mod features;
mod fitted;
mod forest;
mod inner_parts;
mod knn;
mod linear;
mod pls;
mod sizes;
mod smartcore_forest;
mod time_limit;

pub use elastic_net::{ElasticNet, ElasticNetParams};
pub use fitted::{Classical, FittedClassical};
pub use forest::{Forest, ForestKind, ForestParams};
pub use knn::{Knn, KnnParams, NeighbourWeights};
pub use pls::{Pls, PlsParams};
