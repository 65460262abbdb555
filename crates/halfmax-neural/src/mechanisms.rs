//! Units of the first layer that each see the genes of one mechanism.

use halfmax_core::{Error, Result};
use halfmax_mechanisms::Mechanisms;
use ndarray::Array2;

use crate::inputs::Inputs;
use crate::network::MechanismUnits;

/// The units of every mechanism with genes among the inputs; `None` if there are no inputs.
///
/// # Errors
/// If there are features, but none is of a gene in the catalogue.
pub(crate) fn units(mechanisms: &Mechanisms, inputs: &Inputs, each: usize) -> Result<Option<MechanismUnits>> {
    let space = &inputs.encoder.space;
    if space.is_empty() {
        return Ok(None);
    }
    let gene_of: Vec<&str> = inputs.encoder.feature_of().map(|at| space.features[at].gene()).collect();
    let sees: Vec<Vec<usize>> = mechanisms
        .list
        .iter()
        .map(|mechanism| {
            (0..gene_of.len()).filter(|at| mechanism.genes().any(|gene| gene == gene_of[*at])).collect()
        })
        .filter(|seen: &Vec<usize>| !seen.is_empty())
        .collect();
    let mut all: Vec<usize> = sees.iter().flatten().copied().collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() {
        return Err(Error::config("mechanisms: no feature of the cell lines names a gene of the catalogue")
            .with_help("use features named by HGNC gene symbols, or remove `mechanisms`"));
    }
    let mut mask = Array2::zeros((all.len(), sees.len() * each));
    for (mechanism, seen) in sees.iter().enumerate() {
        for at in seen.iter().filter_map(|at| all.binary_search(at).ok()) {
            (0..each).for_each(|unit| mask[[at, mechanism * each + unit]] = 1.0);
        }
    }
    Ok(Some(MechanismUnits { inputs: all, mask }))
}
