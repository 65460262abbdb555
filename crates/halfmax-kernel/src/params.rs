use halfmax_core::{Error, Result, SeenAgain, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of the Kronecker kernel model. What is left out is chosen on the training data.
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
    /// Whose entities the model will be asked about again: their responses make a profile kernel.
    pub seen_again: SeenAgain,
    /// The terms of the kernel between cell lines. Without any: a linear and an RBF kernel on the expression; without
    /// expression, on every block of real numbers, then whatever suits the blocks there are.
    pub cell_kernels: Vec<KernelTerm>,
    /// The terms of the kernel between drugs. Without any: Tanimoto on every block of bits, agreement on every block of
    /// categories, linear and RBF on real numbers, equally weighted.
    pub drug_kernels: Vec<KernelTerm>,
    /// Whether the weights of a side's terms are chosen, too.
    pub tune_weights: bool,
    /// Whether the length scales of RBF terms (that are not multiplied with others) are halved or doubled where that helps; not
    /// for unseen pairs. Takes a tenth more time, and gained nothing on GDSC2.
    pub tune_lengthscales: bool,
    /// How much of the variation between entities their features explain, 0 to 1; the rest is their own.
    pub feature_share: Option<f64>,
    /// Variance of the noise, as a multiple of the average variance of a response profile.
    pub noise_ratio: Option<f64>,
    /// How far the covariance of response profiles is shrunk towards its diagonal, 0 to 1 (Ledoit & Wolf 2004). If it is not
    /// given: 0.2, 0.1 or 0.05 for unseen pairs, whichever predicts responses best that are set aside, else 0.2.
    pub profile_shrinkage: Option<f64>,
    /// Steps of expectation-maximisation for that covariance.
    pub profile_iterations: usize,
    /// Most steps of conjugate gradients.
    pub max_iterations: usize,
    /// Conjugate gradients stop when the residual is this share of the responses.
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
    /// Its weight relative to the other terms, above 0.
    #[serde(default = "one")]
    pub weight: f64,
    /// For RBF: the length scale as a multiple of the median distance between training entities.
    #[serde(default = "one")]
    pub lengthscale: f64,
    /// Whether features are divided by their standard deviation over the training entities, for linear and RBF kernels: rare
    /// events then count as much as frequent ones (as in the relationship matrix of Yang et al. 2010, Nat Genet 42:565).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standardise: bool,
    /// Further kernels that it is multiplied with: entities are alike if they are by all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<KernelFactor>,
}

/// A kernel that another is multiplied with.
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
    /// Its kernels, the first and those that it is multiplied with.
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
    /// The dot product of centred features. Its predictions are linear in them.
    Linear,
    /// `exp(−d² / (2 ℓ² m))` with d the distance and m the median squared distance.
    Rbf,
    /// Bits in both over bits in either (Ralaivola et al. 2005).
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

    /// Whether it is a share between 0 and 1 of bits or categories, and so 1 between an entity and itself.
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
    /// The first parameter that cannot work, with its value and what is allowed.
    pub fn check(self) -> Result<crate::Kernel> {
        for (name, terms) in [("cell_kernels", &self.cell_kernels), ("drug_kernels", &self.drug_kernels)] {
            for (at, term) in terms.iter().enumerate() {
                check::positive(&format!("{name}[{at}].weight"), term.weight)?;
                for factor in term.factors() {
                    if factor.standardise && !matches!(factor.kernel, KernelKind::Linear | KernelKind::Rbf) {
                        return Err(Error::config(format!(
                            "{name}[{at}].standardise with the kernel {:?}: expected \"linear\" or \"rbf\"",
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
