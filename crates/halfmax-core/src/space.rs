//! The features that a model was fitted on, and how it finds them in other tables.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{EntityTable, Error, FeatureBlock, FeatureSelection, FeatureValues, Result, listed};

/// The features of one side that a model was fitted on, by name, so that it can find them again in other tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSpace {
    /// The features, in the order the model numbers them.
    pub features: Vec<Feature>,
}

/// One feature of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// The kind of its block: "expression", "mutation".
    pub kind: String,
    /// Its name within the block.
    pub name: String,
    /// The values that the feature takes.
    pub domain: Domain,
}

impl Feature {
    /// The gene of a feature that is named after a gene: "BRAF" for a mutation "BRAF_mut".
    pub fn gene(&self) -> &str {
        self.name.strip_suffix("_mut").unwrap_or(&self.name)
    }
}

/// The values that a feature takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Real numbers.
    Real,
    /// 0 or 1.
    Binary,
    /// One of these levels, numbered in this order.
    Category(Vec<String>),
}

/// Where a table has each feature of a model, for the features that the table has.
#[derive(Clone, Debug)]
pub struct Alignment<'a> {
    space: &'a FeatureSpace,
    table: &'a EntityTable,
    columns: Vec<Option<(usize, usize)>>,
}

/// The space of a side whose features a model does not use.
static NONE: FeatureSpace = FeatureSpace { features: Vec::new() };

impl FeatureSpace {
    /// The space without features, for a side whose features a model does not use.
    pub fn none() -> &'static Self {
        &NONE
    }

    /// All features of a table.
    pub fn whole(table: &EntityTable) -> Self {
        let all = |block: &FeatureBlock| (0..block.len()).collect();
        Self::gathered(table, |at| table.blocks().get(at).map_or_else(Vec::new, all))
    }

    /// The selected features of a table, in the order of its blocks.
    pub fn selected(table: &EntityTable, table_at: usize, selection: &FeatureSelection) -> Self {
        Self::gathered(table, |block| selection.columns(table_at, block).to_vec())
    }

    fn gathered(table: &EntityTable, columns: impl Fn(usize) -> Vec<usize>) -> Self {
        let mut features = Vec::new();
        for (block_at, block) in table.blocks().iter().enumerate() {
            for column in columns(block_at) {
                let domain = match &block.values {
                    FeatureValues::Real(_) => Domain::Real,
                    FeatureValues::Binary(_) => Domain::Binary,
                    FeatureValues::Category(all) => Domain::Category(all[column].levels.clone()),
                };
                let name = block.names[column].clone();
                features.push(Feature { kind: block.kind.clone(), name, domain });
            }
        }
        Self { features }
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Whether there is no feature.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// Finds the features in a table by kind and name. Their order and any further features do not matter.
    ///
    /// # Errors
    /// If the table has less than half of the features.
    pub fn align<'a>(&'a self, table: &'a EntityTable) -> Result<Alignment<'a>> {
        let mut places = HashMap::new();
        for (block_at, block) in table.blocks().iter().enumerate() {
            for (column, name) in block.names.iter().enumerate() {
                places.insert((block.kind.as_str(), name.as_str()), (block_at, column));
            }
        }
        let columns: Vec<_> = self
            .features
            .iter()
            .map(|feature| places.get(&(feature.kind.as_str(), feature.name.as_str())).copied())
            .collect();
        let alignment = Alignment { space: self, table, columns };
        if alignment.share() < 0.5 {
            let missing = alignment.missing();
            return Err(Error::data(format!(
                "the {} table has {:.0} % of the {} features that the model was fitted on: expected at least half; \
                 missing: {}",
                table.entity_kind(),
                100.0 * alignment.share(),
                self.len(),
                listed(&missing, 5)
            ))
            .with_help("use the same kinds of feature files as in training"));
        }
        Ok(alignment)
    }
}

impl Alignment<'_> {
    /// The share of the model's features that the table has, 0 to 1; 1 for a model without features.
    pub fn share(&self) -> f64 {
        if self.columns.is_empty() {
            return 1.0;
        }
        self.columns.iter().flatten().count() as f64 / self.columns.len() as f64
    }

    /// Names of the features that the table lacks, as `kind/name`.
    pub fn missing(&self) -> Vec<String> {
        self.space
            .features
            .iter()
            .zip(&self.columns)
            .filter(|(_, column)| column.is_none())
            .map(|(feature, _)| format!("{}/{}", feature.kind, feature.name))
            .collect()
    }

    /// One feature's value for every entity: the number, 0 or 1, or the position of the level in the *model's* levels.
    /// NaN if the value is missing, the table lacks the feature, or the model does not know the level.
    pub fn column(&self, feature: usize) -> Vec<f32> {
        let all: Vec<u32> = (0..self.table.len() as u32).collect();
        self.values(feature, &all)
    }

    /// As [`Alignment::values`], for models that cannot use infinite values.
    ///
    /// # Errors
    /// If a value is infinite. The error names the feature and the entity.
    pub fn finite_values(&self, feature: usize, entities: &[u32]) -> Result<Vec<f32>> {
        let values = self.values(feature, entities);
        let Some(at) = values.iter().position(|value| value.is_infinite()) else { return Ok(values) };
        let Feature { kind, name, .. } = &self.space.features[feature];
        Err(Error::data(format!(
            "feature {name:?} of the {kind} features is infinite for {} {:?}: expected a finite number",
            self.table.entity_kind(),
            self.table.ids()[entities[at] as usize]
        ))
        .with_help("leave the value empty if it is not known"))
    }

    /// As [`Alignment::column`], for some entities of the table.
    pub fn values(&self, feature: usize, entities: &[u32]) -> Vec<f32> {
        let Some((block, column)) = self.columns[feature] else {
            return vec![f32::NAN; entities.len()];
        };
        let entities = entities.iter().map(|entity| *entity as usize);
        match (&self.table.blocks()[block].values, &self.space.features[feature].domain) {
            (FeatureValues::Real(values), Domain::Real | Domain::Binary) => {
                entities.map(|entity| values[[entity, column]]).collect()
            }
            (FeatureValues::Binary(bits), Domain::Real | Domain::Binary) => entities
                .map(|entity| bits.get(entity, column).map_or(f32::NAN, |bit| f32::from(u8::from(bit))))
                .collect(),
            (FeatureValues::Category(categories), Domain::Category(levels)) => {
                let category = &categories[column];
                let translated: Vec<f32> = category
                    .levels
                    .iter()
                    .map(|level| levels.binary_search(level).map_or(f32::NAN, |at| at as f32))
                    .collect();
                let code = |code: &Option<u16>| code.map_or(f32::NAN, |code| translated[usize::from(code)]);
                entities.map(|entity| code(&category.codes[entity])).collect()
            }
            _ => vec![f32::NAN; entities.len()],
        }
    }
}
