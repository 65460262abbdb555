//! Binary features, one bit per entity and feature.

/// Binary features of entities, one bit each, column by column: mutations, events, fingerprints.
///
/// A value may be missing. Columns are stored as `u64` words over the entities, so that "the entities of this node that
/// carry the mutation" is an `AND` of two short word lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitColumns {
    entities: usize,
    columns: usize,
    set: Vec<u64>,
    missing: Option<Vec<u64>>,
}

impl BitColumns {
    /// All zeros, none missing.
    pub fn zeros(entities: usize, columns: usize) -> Self {
        Self { entities, columns, set: vec![0; columns * entities.div_ceil(64)], missing: None }
    }

    /// From a function of (entity, column); `None` is missing.
    pub fn from_fn(entities: usize, columns: usize, value: impl Fn(usize, usize) -> Option<bool>) -> Self {
        let mut bits = Self::zeros(entities, columns);
        for column in 0..columns {
            for entity in 0..entities {
                bits.set(entity, column, value(entity, column));
            }
        }
        bits
    }

    /// How many `u64` words one column takes.
    pub fn words_per_column(&self) -> usize {
        self.entities.div_ceil(64)
    }

    /// Number of entities (rows).
    pub fn entities(&self) -> usize {
        self.entities
    }

    /// Number of features (columns).
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The words of one column; bit `i % 64` of word `i / 64` belongs to entity `i`. Missing values are zero here.
    pub fn column(&self, column: usize) -> &[u64] {
        let words = self.words_per_column();
        &self.set[column * words..(column + 1) * words]
    }

    /// The words that mark the missing values of one column, where any value of the table is missing.
    pub fn missing_in(&self, column: usize) -> Option<&[u64]> {
        let words = self.words_per_column();
        self.missing.as_ref().map(|missing| &missing[column * words..(column + 1) * words])
    }

    /// The value of one entity's feature, `None` where missing.
    pub fn get(&self, entity: usize, column: usize) -> Option<bool> {
        let bit = 1u64 << (entity % 64);
        let word = entity / 64;
        if self.missing_in(column).is_some_and(|missing| missing[word] & bit != 0) {
            return None;
        }
        Some(self.column(column)[word] & bit != 0)
    }

    /// Sets one value; `None` marks it missing.
    pub fn set(&mut self, entity: usize, column: usize, value: Option<bool>) {
        let at = column * self.words_per_column() + entity / 64;
        let bit = 1u64 << (entity % 64);
        match value {
            Some(true) => self.set[at] |= bit,
            Some(false) | None => self.set[at] &= !bit,
        }
        match (&mut self.missing, value) {
            (Some(missing), Some(_)) => missing[at] &= !bit,
            (Some(missing), None) => missing[at] |= bit,
            (None, Some(_)) => {}
            (None, None) => {
                let mut missing = vec![0; self.set.len()];
                missing[at] |= bit;
                self.missing = Some(missing);
            }
        }
    }

    /// The table with its entities taken in another order; `None` gives an entity whose values are all missing.
    pub fn take(&self, entities: &[Option<usize>]) -> Self {
        Self::from_fn(entities.len(), self.columns, |row, column| {
            entities[row].and_then(|entity| self.get(entity, column))
        })
    }
}
