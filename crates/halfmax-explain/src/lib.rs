//! Explains the predictions of a model: contributions of features, linked to mechanisms of resistance.
//!
//! A [`Question`] is a fitted model and the screen that it was trained on. [`Question::explain`] decomposes its
//! predictions by drug: the importance of features and the [`Evidence`] for sets of features, before and after
//! adjustment for [`Confounders`].
//!
//! ```
//! use halfmax_core::*;
//! use halfmax_mechanisms::Mechanisms;
//! use halfmax_explain::{FeatureSet, Question, Settings};
//! use halfmax_kernel::KernelParams;
//! use ndarray::Array2;
//!
//! // ABCB1 makes resistant to one drug, and not to the other.
//! let noise = |a: usize, b: usize| (Seed::new(1).derive((a * 1000 + b) as u64).value() >> 40) as f32 / (1 << 24) as f32;
//! let genes = Array2::from_shape_fn((60, 40), |(cell, gene)| noise(cell, gene));
//! let pairs: Vec<(u32, u32)> = (0..60).flat_map(|cell| [(cell, 0), (cell, 1)]).collect();
//! let response = |pair: &(u32, u32)| match pair {
//!     (cell, 0) => 4.0 * genes[[*cell as usize, 0]],
//!     (cell, _) => noise(*cell as usize, 999),
//! };
//! let sides = vec![pairs.iter().map(|pair| pair.0).collect(), pairs.iter().map(|pair| pair.1).collect()];
//! let responses = Responses::new(sides, pairs.iter().map(response).collect(), None)?;
//! let names = (0..40).map(|gene| if gene == 0 { "ABCB1".into() } else { format!("G{gene}") });
//! let block = FeatureBlock::new("expression", names, FeatureValues::real(genes.clone()))?;
//! let cells = EntityTable::new((0..60).map(|cell| format!("cell {cell}")), "cell line")?.with_block(block)?;
//! let drugs = EntityTable::new(["Paclitaxel", "another"], "drug")?;
//! let screen = Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)?;
//!
//! let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
//! let model = KernelParams::default().check()?.fit(&screen.all(), &context)?;
//! let question = Question::new(&model, &screen);
//! let attributor = question.attributor()?.ok_or_else(|| Error::failed("a kernel says contributions"))?;
//! let sets = FeatureSet::from_catalogue(&Mechanisms::named("builtin")?, attributor.space());
//! let settings = Settings { permutations: 100, seed: Seed::new(1) };
//! let found = question.explain(&*attributor, &sets, &|_, _, _| 1.0, settings, &Silent)?;
//! let abcb1 = found.partners[0].importance[0];
//! assert!(abcb1.effect > 0.0 && found.partners[0].importance[1..].iter().all(|other| other.mean_abs < abcb1.mean_abs));
//! # Ok::<(), Error>(())
//! ```

mod association;
mod confounders;
mod discoveries;
mod evidence;
mod explanation;
mod features;
mod matched;
mod permutation;
mod sample;
mod sets;
mod values;

pub use association::{Measured, self_contained};
pub use confounders::{ConfounderR2, Confounders};
pub use discoveries::false_discovery_rates;
pub use evidence::Evidence;
pub use explanation::{
    Explanation, Importance, MechanismEvidence, PartnerExplanation, Question, Settings, Spreads,
};
pub use permutation::{FeatureGroup, PermutationImportance, permutation_importance};
pub use sample::{Argument, Samples, counterfactual};
pub use sets::{FeatureSet, Member, expected};
pub use values::Values;
