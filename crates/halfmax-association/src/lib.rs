//! Associations of features of cell lines with responses to drugs and combinations: linear models with covariates.

mod conditional;
mod covariates;
mod design;
mod detail;
mod features;
mod responses;
mod scan;
mod significance;

pub use conditional::{Selected, SelectedMember, SelectionOptions, select};
pub use covariates::Covariates;
pub use detail::{Detail, Interaction, PairTest, WithinTissue};
pub use features::{FeatureMatrix, Form, TestedCategory, TestedFeature};
pub use responses::ResponseMatrix;
pub use scan::{CategoryTest, ScanOptions, Test, TestState, Tests, scan, scan_categories};
pub use significance::{benjamini_hochberg, f_probability, false_discovery_rates, null_share, t_probability};
