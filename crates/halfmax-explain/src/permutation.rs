//! Permutation importance: the loss of accuracy if features are exchanged among cell lines.

use halfmax_core::{
    EntityTable, Feature, FeatureBlock, FeatureValues, FittedModel, Query, Result, Screen, Seed, Tuples,
};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::sample::with_features_of;

/// A group of features: the names of its features by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureGroup(pub Vec<(String, Vec<String>)>);

impl FeatureGroup {
    /// The group of these features.
    pub fn new<'a>(features: impl IntoIterator<Item = &'a Feature>) -> Self {
        let mut group = Self::default();
        for feature in features {
            match group.0.iter_mut().find(|(kind, _)| *kind == feature.kind) {
                Some((_, names)) => names.push(feature.name.clone()),
                None => group.0.push((feature.kind.clone(), vec![feature.name.clone()])),
            }
        }
        group
    }
}

/// The loss of accuracy if some features are exchanged among cell lines.
#[derive(Clone, Debug, PartialEq)]
pub struct PermutationImportance {
    /// The rise of the root mean square error over repetitions: mean, lowest, highest, in the unit of the target.
    pub rise: [f64; 3],
}

/// Exchanges features among whole cell lines and measures the loss of accuracy on the responses of a screen (Breiman
/// 2001; Fisher, Rudin & Dominici 2019). All responses of a cell line move together, so the exchanged features carry no
/// information. Works for any family. The responses are those of the training, so the result shows what the model
/// relies on, not how well it generalises.
///
/// # Errors
/// If the model cannot predict.
pub fn permutation_importance(
    model: &dyn FittedModel,
    screen: &Screen,
    groups: &[FeatureGroup],
    repetitions: usize,
    seed: Seed,
) -> Result<Vec<PermutationImportance>> {
    let tables: Vec<&EntityTable> = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
    let whole = error(model, screen, &tables)?;
    let cells = screen.all().entities(0).0;
    let mut found = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let mut rises = Vec::new();
        for repetition in 0..repetitions {
            let seed = seed.derive(at as u64).derive(repetition as u64);
            let order = exchanged(&cells, tables[0].len(), seed);
            let table = with_features_of(tables[0], &|block| exchange(block, group, &order))?;
            let mut changed = tables.clone();
            changed[0] = &table;
            rises.push(error(model, screen, &changed)? - whole);
        }
        let mean = rises.iter().sum::<f64>() / rises.len().max(1) as f64;
        let least = rises.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rises.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        found.push(PermutationImportance { rise: [mean, least, most] });
    }
    Ok(found)
}

/// For every entity of the table, the source of its new features. Training entities are permuted among themselves.
fn exchanged(cells: &[u32], len: usize, seed: Seed) -> Vec<Option<usize>> {
    let mut shuffled = cells.to_vec();
    shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.value()));
    let mut order: Vec<Option<usize>> = (0..len).map(Some).collect();
    cells.iter().zip(shuffled).for_each(|(cell, other)| order[*cell as usize] = Some(other as usize));
    order
}

/// The block with the features of a group exchanged; `None` if it has no feature of the group.
fn exchange(block: &FeatureBlock, group: &FeatureGroup, order: &[Option<usize>]) -> Option<FeatureBlock> {
    let (_, names) = group.0.iter().find(|(kind, _)| *kind == block.kind)?;
    let taken = block.take(order);
    let names: std::collections::HashSet<&String> = names.iter().collect();
    let exchanged: Vec<bool> = block.names.iter().map(|name| names.contains(name)).collect();
    if exchanged.iter().all(|one| *one) {
        return Some(taken);
    }
    let mut mixed = block.clone();
    match (&mut mixed.values, taken.values) {
        (FeatureValues::Real(own), FeatureValues::Real(taken)) => {
            for column in (0..exchanged.len()).filter(|column| exchanged[*column]) {
                own.column_mut(column).assign(&taken.column(column));
            }
        }
        (FeatureValues::Binary(own), FeatureValues::Binary(taken)) => {
            for column in (0..exchanged.len()).filter(|column| exchanged[*column]) {
                (0..own.entities()).for_each(|entity| own.set(entity, column, taken.get(entity, column)));
            }
        }
        (FeatureValues::Category(own), FeatureValues::Category(taken)) => {
            for (column, category) in taken.into_iter().enumerate().filter(|(column, _)| exchanged[*column]) {
                own[column] = category;
            }
        }
        _ => {}
    }
    Some(mixed)
}

/// The root mean square error of the predictions of all responses.
fn error(model: &dyn FittedModel, screen: &Screen, tables: &[&EntityTable]) -> Result<f64> {
    let responses = &screen.responses;
    let sides: Vec<&[u32]> = (0..responses.sides()).map(|side| responses.side(side)).collect();
    let predicted = model.predict(&Query { tables, tuples: Tuples::Listed(&sides) })?;
    let square = |(predicted, observed): (f32, &f32)| f64::from(predicted - observed).powi(2);
    let sum: f64 = predicted.into_iter().zip(responses.values()).map(square).sum();
    Ok((sum / responses.len().max(1) as f64).sqrt())
}
