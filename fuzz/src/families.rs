//! The models of all families, in a build without the neural one, whose library takes as long to build as all others, from descriptions and arrays that may hold anything: loading gives a model or an error, and what was loaded predicts.

use std::collections::BTreeMap;
use std::hint::black_box;

use halfmax::fitted as load;
use halfmax_core::{
    BitColumns, Domain, EntityTable, FeatureBlock, FeatureSpace, FeatureValues, Query, StoredModel, Tensor,
    Tuples,
};
use halfmax_kernel::Applicability;
use ndarray::Array2;
use serde::Deserialize;

/// A model as text, so that what is changed in it is still a model.
#[derive(Deserialize)]
struct Input {
    family: String,
    description: serde_json::Value,
    arrays: BTreeMap<String, Array>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Array {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    U8(Vec<u8>),
}

impl From<Array> for Tensor {
    fn from(array: Array) -> Self {
        match array {
            Array::F32(values) => Self::F32(values),
            Array::F64(values) => Self::F64(values),
            Array::I32(values) => Self::I32(values),
            Array::U32(values) => Self::U32(values),
            Array::U8(values) => Self::U8(values),
        }
    }
}

fn read(bytes: &[u8]) -> Option<(String, StoredModel)> {
    let Input { family, description, arrays } = serde_json::from_slice(bytes).ok()?;
    let tensors = arrays.into_iter().map(|(name, array)| (name, array.into())).collect();
    Some((family, StoredModel { description, tensors }))
}

/// Whether a model can be loaded.
pub fn loads(bytes: &[u8]) -> bool {
    read(bytes).is_some_and(|(family, parts)| match family.as_str() {
        "applicability" => Applicability::from_stored(&parts).is_ok(),
        _ => load(&family, &parts).is_ok(),
    })
}

/// Loads a model, takes it apart again, and has it predict.
pub fn family(bytes: &[u8]) {
    let Some((family, parts)) = read(bytes) else { return };
    if family == "applicability" {
        let _ = black_box(Applicability::from_stored(&parts).map(|read| read.stored()));
        return;
    }
    let Ok(fitted) = load(&family, &parts) else { return };
    let _ = black_box(fitted.stored());
    let (Some(cells), Some(drugs)) = (table(fitted.space(0)), table(fitted.space(1))) else { return };
    let two = [[0, 1, 2, 2].as_slice(), &[2, 1, 0, 2]];
    let three = [two[0], two[1], &[1, 1, 2, 0]];
    let _ = black_box(fitted.predict(&Query { tables: &[&cells, &drugs], tuples: Tuples::Listed(&two) }));
    let _ = black_box(
        fitted.predict(&Query { tables: &[&cells, &drugs, &drugs], tuples: Tuples::Listed(&three) }),
    );
    let _ = black_box(fitted.prepare(&[&cells, &drugs], &[0, 2]).and_then(|grid| grid.scores(&[1, 2])));
    if let Some(fitted) = fitted.as_attributable(0)
        && let Ok(attributor) = fitted.attribute(&[&cells, &drugs], 0, &[0, 2])
    {
        let _ = black_box(attributor.contributions(&[1]));
    }
}

/// Three entities with the features of a model.
fn table(space: &FeatureSpace) -> Option<EntityTable> {
    let mut table = EntityTable::new(["L0", "D1", "other"], "entity").ok()?;
    let mut kinds: BTreeMap<&str, Vec<(&str, &Domain)>> = BTreeMap::new();
    for feature in space.features.iter().take(1000) {
        kinds.entry(&feature.kind).or_default().push((&feature.name, &feature.domain));
    }
    for (kind, features) in kinds {
        let names: Vec<&str> = features.iter().map(|(name, _)| *name).collect();
        let values = match features.iter().all(|(_, domain)| **domain == Domain::Binary) {
            true => FeatureValues::Binary(BitColumns::from_fn(3, names.len(), |row, at| {
                Some((row + at) % 2 == 0)
            })),
            false => FeatureValues::real(Array2::from_shape_fn((3, names.len()), |(row, at)| match row {
                2 => f32::NAN,
                row => row as f32 - at as f32 / 8.0,
            })),
        };
        table = table.with_block(FeatureBlock::new(kind, names, values).ok()?).ok()?;
    }
    Some(table)
}
