//! The family `neural`.

use std::sync::Arc;

use halfmax_core::{AnyModel, FittedModel, Result, StoredModel};
use schemars::Schema;

use super::{Family, FamilyKind, Renamed, Trial};

/// The family of neural networks on burn.
pub(super) struct Neural;

impl Family for Neural {
    fn name(&self) -> &'static str {
        "neural"
    }

    fn summary(&self) -> &'static str {
        "an ensemble of networks that encode cell lines and drugs and multiply the codes; on the processor or a GPU (burn)"
    }

    fn kind(&self) -> FamilyKind {
        FamilyKind::Learnt
    }

    #[cfg(feature = "neural")]
    fn model(&self, table: &toml::Table) -> Result<Arc<dyn AnyModel>> {
        Ok(Arc::new(super::params::<halfmax_neural::NeuralParams>(table)?.check()?))
    }

    #[cfg(not(feature = "neural"))]
    fn model(&self, _table: &toml::Table) -> Result<Arc<dyn AnyModel>> {
        Err(not_built())
    }

    #[cfg(feature = "neural")]
    fn schema(&self) -> Option<Schema> {
        Some(schemars::schema_for!(halfmax_neural::NeuralParams))
    }

    #[cfg(not(feature = "neural"))]
    fn schema(&self) -> Option<Schema> {
        None
    }

    #[cfg(feature = "neural")]
    fn load(&self, stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
        Ok(Box::new(halfmax_neural::FittedNeural::from_stored(stored)?))
    }

    #[cfg(not(feature = "neural"))]
    fn load(&self, _stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
        Err(not_built())
    }

    fn renamed(&self) -> &'static [Renamed] {
        const {
            &[
                Renamed::new("members", "ensemble_size"),
                Renamed::new("identities", "seen_again"),
                Renamed::new("validation", "validation_fraction"),
            ]
        }
    }

    fn stored_params(&self) -> &'static str {
        "/head/params"
    }

    fn trials(&self) -> Vec<Trial> {
        vec![
            Trial {
                name: "",
                single_drugs: Some(
                    "device = \"cpu\"\nensemble_size = 2\nhidden = [32]\nrank = 8\nepochs = 30\nbatch = 16\nlearning_rate = 0.01\n\
                     validation_fraction = 0.1\ninput_dropout = 0.1\ndropout = 0.1",
                ),
                combinations: Some(
                    "device = \"cpu\"\nensemble_size = 2\nhidden = [16]\nrank = 8\nepochs = 60\nbatch = 4\nlearning_rate = 0.01\n\
                     input_dropout = 0.1\ndropout = 0.1",
                ),
            },
            Trial {
                name: "with a pair network",
                single_drugs: Some(
                    "device = \"cpu\"\nensemble_size = 2\nhidden = [32]\nrank = 8\npair_hidden = 4\nepochs = 30\nbatch = 16\n\
                     learning_rate = 0.01\nvalidation_fraction = 0.1\ninput_dropout = 0.1\ndropout = 0.1",
                ),
                combinations: Some(
                    "device = \"cpu\"\nensemble_size = 2\nhidden = [16]\nrank = 8\npair_hidden = 4\nepochs = 60\nbatch = 4\n\
                     learning_rate = 0.01\nvalidation_fraction = 0.2\ninput_dropout = 0.1\ndropout = 0.1",
                ),
            },
        ]
    }
}

#[cfg(not(feature = "neural"))]
fn not_built() -> halfmax_core::Error {
    halfmax_core::Error::config("family \"neural\": this build has no neural models")
        .with_help("build with them: cargo build --release --features neural")
}
