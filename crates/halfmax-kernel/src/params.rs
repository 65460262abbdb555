//! Parameters of the Kronecker kernel model, and their checks.

use halfmax_core::{Error, Result, SeenAgain, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of the Kronecker kernel model. Parameters that are not set are chosen on the training data.
///
/// A screen of combinations uses only `cell_kernels`, `drug_kernels`, `max_iterations` and `tolerance`.
///
/// ```
/// use halfmax_kernel::KernelParams;
/// let model = KernelParams { noise_ratio: Some(0.5), ..KernelParams::default() }.check()?;
/// let error = KernelParams { profile_shrinkage: Some(2.0), ..KernelParams::default() }.check().err().map(|e| e.to_string());
/// assert_eq!(error.as_deref(), Some("profile_shrinkage = 2: expected a number from 0 to 1"));
/// # Ok::<(), halfmax_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KernelParams {
    /// The sides whose training entities occur again in later predictions. The responses of these entities make a profile kernel.
    pub seen_again: SeenAgain,
    /// The terms of the kernel between cell lines. If there are none: a linear and an RBF kernel on expression. Without
    /// expression: these two kernels on every block of real numbers, otherwise kernels that suit the blocks.
    pub cell_kernels: Vec<KernelTerm>,
    /// The terms of the kernel between drugs. If there are none: Tanimoto on every block of bits, agreement on every
    /// block of categories, and linear and RBF on real numbers, all with equal weights.
    pub drug_kernels: Vec<KernelTerm>,
    /// Whether the weights of a side's kernel terms are also chosen on the training data.
    pub tune_weights: bool,
    /// Whether the fit halves or doubles the length scales of RBF terms where this improves predictions. It applies to terms
    /// that are not multiplied with others, and not to unseen pairs. It takes a tenth more time, and gained nothing on GDSC2.
    pub tune_lengthscales: bool,
    /// Share of the variation between entities that their features explain, 0 to 1. The rest belongs to each entity alone.
    /// Chosen on the training data if not set.
    pub feature_share: Option<f64>,
    /// Variance of the noise, as a multiple of the average variance of a response profile. Chosen on the training data if not
    /// set.
    pub noise_ratio: Option<f64>,
    /// Shrinkage of the covariance of response profiles towards its diagonal, 0 to 1 (Ledoit & Wolf 2004). If not set:
    /// 0.2. For unseen pairs: whichever of 0.2, 0.1 and 0.05 best predicts responses that are set aside.
    pub profile_shrinkage: Option<f64>,
    /// Number of steps of expectation-maximisation for this covariance.
    pub profile_iterations: usize,
    /// Maximum number of steps of conjugate gradients.
    pub max_iterations: usize,
    /// Conjugate gradients stop when the norm of the residual is at most this share of the norm of the responses.
    pub tolerance: f64,
}

/// One term of a side's kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KernelTerm {
    /// The kind of a feature block: "expression", "fingerprint".
    pub features: String,
    /// The kernel.
    pub kernel: KernelKind,
    /// The weight of the term relative to the other terms, above 0.
    #[serde(default = "one")]
    pub weight: f64,
    /// For RBF: the length scale as a multiple of the median distance between training entities.
    #[serde(default = "one")]
    pub lengthscale: f64,
    /// Whether features are divided by their standard deviation over the training entities. For linear and RBF kernels.
    /// Rare events then count as much as frequent ones (as in the relationship matrix of Yang et al. 2010, Nat Genet
    /// 42:565).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standardise: bool,
    /// Further kernels to multiply with: entities are similar only if all kernels agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<KernelFactor>,
}

/// A kernel that another kernel is multiplied with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KernelFactor {
    /// The kind of a feature block.
    pub features: String,
    /// The kernel.
    pub kernel: KernelKind,
    /// As [`KernelTerm::lengthscale`].
    #[serde(default = "one")]
    pub lengthscale: f64,
    /// As [`KernelTerm::standardise`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standardise: bool,
}

impl KernelTerm {
    /// The kernels of the term: the first, then those that it is multiplied with.
    pub(crate) fn factors(&self) -> impl Iterator<Item = KernelFactor> {
        let Self { features, kernel, lengthscale, standardise, .. } = self;
        let first = KernelFactor {
            features: features.clone(),
            kernel: *kernel,
            lengthscale: *lengthscale,
            standardise: *standardise,
        };
        std::iter::once(first).chain(self.times.iter().cloned())
    }
}

const fn one() -> f64 {
    1.0
}

/// A kernel between the features of two entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KernelKind {
    /// The dot product of centred features. Its predictions are linear in the features.
    Linear,
    /// `exp(−d² / (2 ℓ² m))`. d is the distance, ℓ the length scale and m the median squared distance.
    Rbf,
    /// The number of bits set in both entities divided by the number set in either (Ralaivola et al. 2005).
    Tanimoto,
    /// The share of categories that agree.
    Match,
}

impl KernelKind {
    /// The name, as in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Rbf => "rbf",
            Self::Tanimoto => "tanimoto",
            Self::Match => "match",
        }
    }

    /// Whether the kernel is a share of bits or categories: then it is between 0 and 1, and 1 for an entity with itself.
    pub(crate) const fn is_bounded(self) -> bool {
        matches!(self, Self::Tanimoto | Self::Match)
    }
}

impl Default for KernelParams {
    fn default() -> Self {
        Self {
            seen_again: SeenAgain::Auto,
            cell_kernels: Vec::new(),
            drug_kernels: Vec::new(),
            tune_weights: true,
            tune_lengthscales: false,
            feature_share: None,
            noise_ratio: None,
            profile_shrinkage: None,
            profile_iterations: 6,
            max_iterations: 100,
            tolerance: 1e-3,
        }
    }
}

impl KernelParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range. The error names the first such parameter, its value and the allowed values.
    pub fn check(self) -> Result<crate::Kernel> {
        for (name, terms) in [("cell_kernels", &self.cell_kernels), ("drug_kernels", &self.drug_kernels)] {
            for (at, term) in terms.iter().enumerate() {
                check::positive(&format!("{name}[{at}].weight"), term.weight)?;
                for factor in term.factors() {
                    if factor.standardise && !matches!(factor.kernel, KernelKind::Linear | KernelKind::Rbf) {
                        return Err(Error::config(format!(
                            "{name}[{at}].standardise does not work with the kernel {:?}: expected \"linear\" or \"rbf\"",
                            factor.kernel.name()
                        )));
                    }
                    check::positive(&format!("{name}[{at}].lengthscale"), factor.lengthscale)?;
                }
            }
        }
        self.feature_share.map_or(Ok(()), |value| check::share("feature_share", value))?;
        self.noise_ratio.map_or(Ok(()), |value| check::positive("noise_ratio", value))?;
        self.profile_shrinkage.map_or(Ok(()), |value| check::share("profile_shrinkage", value))?;
        check::within("profile_iterations", self.profile_iterations, 1..=10_000)?;
        check::within("max_iterations", self.max_iterations, 1..=10_000)?;
        check::positive("tolerance", self.tolerance)?;
        Ok(crate::Kernel { params: self })
    }
}
