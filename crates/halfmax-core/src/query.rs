//! What a model predicts: lists or grids of entities.

use crate::{EntityTable, Error, Result};

/// What to predict: tuples of entities out of tables, one table per side.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// For each side, the table of its entities.
    pub tables: &'a [&'a EntityTable],
    /// The tuples to predict.
    pub tuples: Tuples<'a>,
}

impl Query<'_> {
    /// Checks that there is one table for each side.
    ///
    /// # Errors
    /// If the number of tables differs from the number of sides.
    pub fn check_tables(tables: &[&EntityTable], sides: usize) -> Result<()> {
        if tables.len() == sides {
            return Ok(());
        }
        Err(Error::data(format!("a query has {} tables, but the model has {sides} sides", tables.len())))
    }

    /// Checks that the query has this many sides, lists of one length, and only entities that its tables have. A grid or
    /// list without any side is an empty query.
    ///
    /// # Errors
    /// If one of these conditions does not hold; the error names the first.
    ///
    /// ```
    /// use halfmax_core::{EntityTable, Query, Tuples};
    /// let (cells, drugs) = (EntityTable::new(["A549"], "cell line")?, EntityTable::new(["Paclitaxel"], "drug")?);
    /// let query = Query { tables: &[&cells, &drugs], tuples: Tuples::Listed(&[&[0], &[1]]) };
    /// assert_eq!(query.check(2).unwrap_err().to_string(), "a query names drug number 1 of 1");
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn check(&self, sides: usize) -> Result<()> {
        let (Tuples::Listed(lists) | Tuples::Grid(lists)) = self.tuples;
        if self.tables.len() != sides || !(lists.len() == sides || lists.is_empty()) {
            return Err(Error::data(format!(
                "a query has {} tables and {} sides, but the model has {sides} sides",
                self.tables.len(),
                lists.len()
            )));
        }
        let listed = matches!(self.tuples, Tuples::Listed(_));
        if listed && lists.iter().any(|list| list.len() != lists[0].len()) {
            return Err(Error::data("the lists of a query's sides differ in length"));
        }
        for (table, list) in self.tables.iter().zip(lists) {
            if let Some(entity) = list.iter().find(|entity| **entity as usize >= table.len()) {
                let (kind, count) = (table.entity_kind(), table.len());
                return Err(Error::data(format!("a query names {kind} number {entity} of {count}")));
            }
        }
        Ok(())
    }
}

/// Tuples of entities, as positions in the tables of a [`Query`].
#[derive(Clone, Copy, Debug)]
pub enum Tuples<'a> {
    /// One list of positions per side, all of the same length.
    Listed(&'a [&'a [u32]]),
    /// Every combination of these entities, one list per side.
    Grid(&'a [&'a [u32]]),
}

impl Tuples<'_> {
    /// Number of tuples.
    pub fn len(&self) -> usize {
        match self {
            Self::Listed(sides) => sides.first().map_or(0, |side| side.len()),
            Self::Grid(sides) => sides.iter().map(|side| side.len()).product(),
        }
    }

    /// Whether there are no tuples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entity on each side of tuple `at`.
    pub fn get(&self, at: usize, tuple: &mut [u32]) {
        match self {
            Self::Listed(sides) => {
                for (entity, side) in tuple.iter_mut().zip(*sides) {
                    *entity = side[at];
                }
            }
            Self::Grid(sides) => {
                let mut rest = at;
                for (entity, side) in tuple.iter_mut().zip(*sides).rev() {
                    *entity = side[rest % side.len()];
                    rest /= side.len();
                }
            }
        }
    }
}
