//! Entities (cell lines, drugs) and their features.

use std::collections::HashMap;

use ndarray::{Array2, ShapeBuilder};

use crate::{BitColumns, Error, Result, listed};

/// Entities of one kind (cell lines, or drugs): their ids and their features, each stored once.
#[derive(Clone, Debug, Default)]
pub struct EntityTable {
    kind: String,
    ids: Vec<String>,
    index: HashMap<String, usize>,
    blocks: Vec<FeatureBlock>,
    groups: HashMap<String, Category>,
}

impl EntityTable {
    /// A table of entities without features. `kind` is the word for an entity in messages: "cell line", "drug".
    ///
    /// # Errors
    /// If an id occurs twice.
    pub fn new<S: Into<String>>(ids: impl IntoIterator<Item = S>, kind: impl Into<String>) -> Result<Self> {
        let kind = kind.into();
        let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
        let mut index = HashMap::with_capacity(ids.len());
        for (at, id) in ids.iter().enumerate() {
            if index.insert(id.clone(), at).is_some() {
                return Err(Error::data(format!("{kind} {id:?} occurs twice"))
                    .with_help("keep one row for each id, or average its rows"));
            }
        }
        Ok(Self { kind, ids, index, blocks: Vec::new(), groups: HashMap::new() })
    }

    /// Adds a block of features, one row per entity in the order of the ids.
    ///
    /// # Errors
    /// If the number of rows differs from the number of entities, or the table already has a block of this kind.
    pub fn with_block(mut self, block: FeatureBlock) -> Result<Self> {
        if block.entities() != self.len() {
            return Err(Error::data(format!(
                "feature block {:?} has {} rows for {} {}s",
                block.kind,
                block.entities(),
                self.len(),
                self.kind
            )));
        }
        if self.block(&block.kind).is_some() {
            return Err(Error::data(format!("feature block {:?} occurs twice", block.kind)));
        }
        self.blocks.push(block);
        Ok(self)
    }

    /// Adds a grouping of the entities that is not a feature: the tissue of cell lines, for splits and naive predictors.
    ///
    /// # Errors
    /// If the grouping and the table differ in length.
    pub fn with_group(mut self, name: impl Into<String>, group: Category) -> Result<Self> {
        let name = name.into();
        if group.codes.len() != self.len() {
            return Err(Error::data(format!(
                "grouping {name:?} has {} entries for {} {}s",
                group.codes.len(),
                self.len(),
                self.kind
            )));
        }
        self.groups.insert(name, group);
        Ok(self)
    }

    /// A grouping of the entities.
    pub fn group(&self, name: &str) -> Option<&Category> {
        self.groups.get(name)
    }

    /// The word for one entity: "cell line", "drug".
    pub fn entity_kind(&self) -> &str {
        &self.kind
    }

    /// The ids, in order.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Number of entities.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the table has no entities.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The position of an id.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    /// The feature blocks, in the order they were added.
    pub fn blocks(&self) -> &[FeatureBlock] {
        &self.blocks
    }

    /// The block of this kind.
    pub fn block(&self, kind: &str) -> Option<&FeatureBlock> {
        self.blocks.iter().find(|block| block.kind == kind)
    }
}

/// Features of one kind ("expression", "mutation", "fingerprint") for all entities of a table.
#[derive(Clone, Debug)]
pub struct FeatureBlock {
    /// The kind; unique within a table.
    pub kind: String,
    /// One name per feature; unique within the block.
    pub names: Vec<String>,
    /// The values.
    pub values: FeatureValues,
}

/// The values of a block, in the form that suits them.
#[derive(Clone, Debug)]
pub enum FeatureValues {
    /// Real numbers, entities × features, column-major; NaN is missing.
    Real(Array2<f32>),
    /// Bits, entities × features.
    Binary(BitColumns),
    /// One category per feature and entity.
    Category(Vec<Category>),
}

/// A categorical feature: a level for each entity, or `None` where the level is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// The levels, sorted.
    pub levels: Vec<String>,
    /// For each entity, the position of its level; `None` where missing.
    pub codes: Vec<Option<u16>>,
}

impl Category {
    /// From one label per entity. Levels are sorted, so they do not depend on the order of the entities.
    ///
    /// # Errors
    /// If there are more than 65,535 different labels.
    pub fn from_labels<S: AsRef<str>>(labels: &[Option<S>]) -> Result<Self> {
        let mut levels: Vec<String> =
            labels.iter().flatten().map(|label| label.as_ref().to_owned()).collect();
        levels.sort();
        levels.dedup();
        if levels.len() > usize::from(u16::MAX) {
            return Err(Error::data(format!("{} different categories in one feature", levels.len()))
                .with_help("a categorical feature should have a few hundred levels at most"));
        }
        let codes = labels
            .iter()
            .map(|label| {
                let label = label.as_ref()?.as_ref();
                let at = levels.binary_search_by(|level| level.as_str().cmp(label)).ok()?;
                u16::try_from(at).ok()
            })
            .collect();
        Ok(Self { levels, codes })
    }
}

impl FeatureValues {
    /// Real numbers, entities × features, brought into column-major order.
    pub fn real(values: Array2<f32>) -> Self {
        if values.t().is_standard_layout() {
            return Self::Real(values);
        }
        let mut columns = Array2::zeros(values.raw_dim().f());
        columns.assign(&values);
        Self::Real(columns)
    }
}

impl FeatureBlock {
    /// Makes a block. Checks that the numbers of names and columns agree and that no name occurs twice.
    ///
    /// # Errors
    /// If the number of names differs from the number of columns, or a name occurs twice.
    pub fn new<S: Into<String>>(
        kind: impl Into<String>,
        names: impl IntoIterator<Item = S>,
        values: FeatureValues,
    ) -> Result<Self> {
        let block = Self { kind: kind.into(), names: names.into_iter().map(Into::into).collect(), values };
        let columns = match &block.values {
            FeatureValues::Real(values) => values.ncols(),
            FeatureValues::Binary(bits) => bits.columns(),
            FeatureValues::Category(categories) => categories.len(),
        };
        if columns != block.names.len() {
            return Err(Error::data(format!(
                "feature block {:?} has {} names for {columns} columns",
                block.kind,
                block.names.len()
            )));
        }
        let mut sorted: Vec<&str> = block.names.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        let mut repeated: Vec<&str> =
            sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        repeated.dedup();
        if !repeated.is_empty() {
            return Err(Error::data(format!(
                "feature block {:?} names a feature twice: {}",
                block.kind,
                listed(&repeated, 5)
            )));
        }
        Ok(block)
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether the block has no feature.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Number of entities (rows).
    pub fn entities(&self) -> usize {
        match &self.values {
            FeatureValues::Real(values) => values.nrows(),
            FeatureValues::Binary(bits) => bits.entities(),
            FeatureValues::Category(categories) => {
                categories.first().map_or(0, |category| category.codes.len())
            }
        }
    }

    /// The block with its entities taken in another order; `None` gives an entity whose values are all missing.
    #[must_use]
    pub fn take(&self, entities: &[Option<usize>]) -> Self {
        let values = match &self.values {
            FeatureValues::Real(values) => {
                let shape = (entities.len(), values.ncols()).f();
                FeatureValues::Real(Array2::from_shape_fn(shape, |(row, column)| {
                    entities[row].map_or(f32::NAN, |entity| values[[entity, column]])
                }))
            }
            FeatureValues::Binary(bits) => FeatureValues::Binary(bits.take(entities)),
            FeatureValues::Category(categories) => FeatureValues::Category(
                categories
                    .iter()
                    .map(|category| Category {
                        levels: category.levels.clone(),
                        codes: entities
                            .iter()
                            .map(|entity| entity.and_then(|entity| category.codes[entity]))
                            .collect(),
                    })
                    .collect(),
            ),
        };
        Self { kind: self.kind.clone(), names: self.names.clone(), values }
    }

    /// As [`FeatureBlock::take`], but without a copy if the block is already in this order.
    #[must_use]
    pub fn into_order(self, entities: &[Option<usize>]) -> Self {
        let same = entities.len() == self.entities()
            && entities.iter().enumerate().all(|(at, entity)| *entity == Some(at));
        if same { self } else { self.take(entities) }
    }

    /// The share of values that are missing, 0 to 1; 0 for an empty block.
    pub fn missing_share(&self) -> f64 {
        let total = self.entities() * self.len();
        if total == 0 {
            return 0.0;
        }
        let missing: usize = match &self.values {
            FeatureValues::Real(values) => values.t().iter().filter(|value| value.is_nan()).count(),
            FeatureValues::Binary(bits) => (0..bits.columns())
                .filter_map(|column| bits.missing_in(column))
                .flatten()
                .map(|word| word.count_ones() as usize)
                .sum(),
            FeatureValues::Category(categories) => categories
                .iter()
                .map(|category| category.codes.iter().filter(|code| code.is_none()).count())
                .sum(),
        };
        missing as f64 / total as f64
    }
}
