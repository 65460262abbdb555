//! The family `kernel`.

use std::sync::Arc;

use halfmax_core::{AnyModel, FittedModel, Result, StoredModel};
use halfmax_kernel::{AnyKernel, KernelParams, kernel_from_stored};
use schemars::{Schema, schema_for};

use super::{Family, FamilyKind, Renamed, Trial, params};

/// The family of Gaussian processes with Kronecker covariances.
pub(super) struct Kernel;

impl Family for Kernel {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn summary(&self) -> &'static str {
        "a Gaussian process whose covariance is a product of similarities of cell lines and of drugs; takes pilot measurements"
    }

    fn kind(&self) -> FamilyKind {
        FamilyKind::Learnt
    }

    fn model(&self, table: &toml::Table) -> Result<Arc<dyn AnyModel>> {
        Ok(Arc::new(AnyKernel(params::<KernelParams>(table)?.check()?)))
    }

    fn schema(&self) -> Option<Schema> {
        Some(schema_for!(KernelParams))
    }

    fn load(&self, stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
        kernel_from_stored(stored)
    }

    fn renamed(&self) -> &'static [Renamed] {
        const {
            &[
                Renamed::new("known", "seen_again"),
                Renamed::new("noise", "noise_ratio"),
                Renamed::new("shrinkage", "profile_shrinkage"),
                Renamed::new("iterations", "max_iterations"),
            ]
        }
    }

    fn trials(&self) -> Vec<Trial> {
        vec![Trial::of_both("", "")]
    }
}
