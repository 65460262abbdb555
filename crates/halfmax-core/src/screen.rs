//! A screen: responses over the entities of two or more sides.

use std::collections::HashSet;
use std::ops::Range;

use crate::{EntityTable, Error, FeatureValues, Result, ValidationGroup};

/// What was measured: responses over the entities of two or more sides.
#[derive(Clone, Debug)]
pub struct Screen {
    /// The measured quantity, as the column is named: "LN_IC50", "AUC", "synergy".
    pub target: String,
    /// The tables of entities. Two sides may share a table (both drugs of a pair).
    pub tables: Vec<EntityTable>,
    /// The sides of a response, in order.
    pub sides: Vec<Side>,
    /// The responses.
    pub responses: Responses,
}

/// One side of a response: its name, and the table of its entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The name of the side, also its column name in written files: "cell_line", "drug", "drug_b".
    pub name: String,
    /// The position of its table in [`Screen::tables`].
    pub table: usize,
}

impl Side {
    /// The cell-line side.
    pub fn cell_line(table: usize) -> Self {
        Self { name: "cell_line".into(), table }
    }

    /// The (first) drug side.
    pub fn drug(table: usize) -> Self {
        Self { name: "drug".into(), table }
    }

    /// The second drug side of a screen of combinations.
    pub fn drug_b(table: usize) -> Self {
        Self { name: "drug_b".into(), table }
    }
}

/// Observed responses: each has an entity on every side, a value and a weight.
#[derive(Clone, Debug, Default)]
pub struct Responses {
    entities: Vec<Vec<u32>>,
    values: Vec<f32>,
    weights: Option<Vec<f32>>,
}

impl Responses {
    /// Makes responses from one list of entity positions per side, the values, and the weights if they are not all 1.
    ///
    /// # Errors
    /// If the lists differ in length, a value is not finite, or a weight is not finite and positive.
    pub fn new(entities: Vec<Vec<u32>>, values: Vec<f32>, weights: Option<Vec<f32>>) -> Result<Self> {
        let lengths = entities.iter().map(Vec::len).chain(weights.iter().map(Vec::len));
        for length in lengths {
            if length != values.len() {
                return Err(Error::data(format!(
                    "{length} entities or weights for {} responses",
                    values.len()
                )));
            }
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::data(format!("response {at} is {}: expected a finite number", values[at])));
        }
        if let Some(weights) = &weights
            && let Some(at) = weights.iter().position(|w| !(w.is_finite() && *w > 0.0))
        {
            return Err(Error::data(format!(
                "the weight of response {at} is {}: expected a finite number above 0",
                weights[at]
            )));
        }
        Ok(Self { entities, values, weights })
    }

    /// Number of responses.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no responses.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The entity of every response on one side.
    pub fn side(&self, side: usize) -> &[u32] {
        &self.entities[side]
    }

    /// Number of sides.
    pub fn sides(&self) -> usize {
        self.entities.len()
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The weight of one response; 1 if no weights were given.
    pub fn weight(&self, at: usize) -> f32 {
        self.weights.as_ref().map_or(1.0, |weights| weights[at])
    }

    /// The weights, if they are not all 1.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }
}

impl Screen {
    /// Makes a screen. Checks that every response names entities that exist.
    ///
    /// # Errors
    /// If there are fewer than two sides, if a side names a table that does not exist, or if a response names an entity
    /// that does not exist.
    pub fn new(
        target: impl Into<String>,
        tables: Vec<EntityTable>,
        sides: Vec<Side>,
        responses: Responses,
    ) -> Result<Self> {
        if sides.len() < 2 || sides.len() != responses.sides() {
            return Err(Error::data(format!(
                "a screen has {} sides and its responses have {}: expected the same number, at least 2",
                sides.len(),
                responses.sides()
            )));
        }
        for (at, side) in sides.iter().enumerate() {
            let Some(table) = tables.get(side.table) else {
                return Err(Error::data(format!("side {:?} has no table", side.name)));
            };
            let beyond = responses.side(at).iter().find(|entity| **entity as usize >= table.len());
            if let Some(entity) = beyond {
                return Err(Error::data(format!(
                    "a response names {} number {entity} of {}",
                    table.entity_kind(),
                    table.len()
                )));
            }
        }
        Ok(Self { target: target.into(), tables, sides, responses })
    }

    /// The table of a side's entities.
    pub fn table(&self, side: usize) -> &EntityTable {
        &self.tables[self.sides[side].table]
    }

    /// Whether the responses are of combinations of two drugs from one table. The order of the two drugs has no meaning,
    /// and a prediction must not depend on it.
    ///
    /// ```
    /// use halfmax_core::{EntityTable, Responses, Screen, Side};
    /// let tables = vec![EntityTable::new(["A549"], "cell line")?, EntityTable::new(["SN-38", "MK-1775"], "drug")?];
    /// let responses = Responses::new(vec![vec![0], vec![0], vec![1]], vec![12.5], None)?;
    /// let sides = vec![Side::cell_line(0), Side::drug(1), Side::drug_b(1)];
    /// assert!(Screen::new("synergy", tables, sides, responses)?.is_of_combinations());
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn is_of_combinations(&self) -> bool {
        matches!(self.sides.as_slice(), [_, first, second] if first.table == second.table)
    }

    /// Refuses a screen with other sides than cell lines and drugs, for a family that takes only these.
    ///
    /// # Errors
    /// If the screen does not have exactly two sides.
    pub fn expect_two_sides(&self, family: &str) -> Result<()> {
        if self.sides.len() == 2 {
            return Ok(());
        }
        let sides = self.sides.len();
        Err(Error::config(format!(
            "family {family:?} does not take a screen with {sides} sides: expected two, cell lines and drugs"
        )))
    }

    /// What identifies the drug, or the combination of drugs, of a response: its entities on every side except the first.
    /// They are in ascending order if their order has no meaning.
    pub fn members(&self, response: usize) -> Vec<u32> {
        let mut members: Vec<u32> =
            (1..self.sides.len()).map(|side| self.responses.side(side)[response]).collect();
        if self.is_of_combinations() {
            members.sort_unstable();
        }
        members
    }

    /// The sides that an entity of this side may also stand on: both drug sides for combinations, otherwise this side alone.
    pub fn interchangeable(&self, side: usize) -> Range<usize> {
        if side > 0 && self.is_of_combinations() { 1..3 } else { side..side + 1 }
    }

    /// A view of all responses and all features.
    pub fn all(&self) -> TrainView<'_> {
        let rows = (0..self.responses.len()).collect();
        TrainView { screen: self, rows, features: FeatureSelection::all(self) }
    }
}

/// The part of a screen that a model may learn from: some responses, some features.
#[derive(Clone, Debug)]
pub struct TrainView<'a> {
    /// The screen.
    pub screen: &'a Screen,
    /// Positions of the responses to learn from.
    pub rows: Vec<usize>,
    /// The features to learn from.
    pub features: FeatureSelection,
}

impl TrainView<'_> {
    /// For each entity of a side's table, whether a response to learn from names it on that side. A drug of combinations
    /// may be on either drug side.
    pub fn seen(&self, side: usize) -> Vec<bool> {
        let mut seen = vec![false; self.screen.table(side).len()];
        for side in self.screen.interchangeable(side) {
            let entities = self.screen.responses.side(side);
            self.rows.iter().for_each(|row| seen[entities[*row] as usize] = true);
        }
        seen
    }
}

impl TrainView<'_> {
    /// The entities of a side that the responses to learn from name (see [`TrainView::seen`]), as ascending positions in
    /// the table. The second list holds, for every entity of the table, its place among them (0 for other entities).
    pub fn entities(&self, side: usize) -> (Vec<u32>, Vec<usize>) {
        let seen = self.seen(side);
        let mut entities = Vec::new();
        let mut place = vec![0; seen.len()];
        for at in (0..seen.len()).filter(|at| seen[*at]) {
            place[at] = entities.len();
            entities.push(at as u32);
        }
        (entities, place)
    }
}

/// The responses of a view that stay together when some are set aside. Made by [`TrainView::groups`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The groups of each response, one response after the other.
    numbers: Vec<usize>,
    /// Where the groups of each response begin, and where the last ones end; `None` if each response has one group.
    starts: Option<Vec<usize>>,
    count: usize,
}

impl Groups {
    /// Number of groups.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The groups of response `at` of the view, ascending: one, or several where groups overlap.
    pub fn of_response(&self, at: usize) -> &[usize] {
        match &self.starts {
            Some(starts) => &self.numbers[starts[at]..starts[at + 1]],
            None => &self.numbers[at..=at],
        }
    }

    /// Number of responses.
    fn responses(&self) -> usize {
        self.starts.as_ref().map_or(self.numbers.len(), |starts| starts.len() - 1)
    }

    /// For every response of the view, whether one of its groups is marked.
    pub fn holding(&self, marked: &[bool]) -> Vec<bool> {
        (0..self.responses()).map(|at| self.of_response(at).iter().any(|group| marked[*group])).collect()
    }
}

/// Numbers the keys in ascending order. Returns the number of each key and the count of different keys.
fn numbered<K: Ord>(keys: &[K]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_unstable_by(|a, b| keys[*a].cmp(&keys[*b]));
    let mut numbers = vec![0; keys.len()];
    let mut count = 0;
    for same in order.chunk_by(|a, b| keys[*a] == keys[*b]) {
        same.iter().for_each(|at| numbers[*at] = count);
        count += 1;
    }
    (numbers, count)
}

impl TrainView<'_> {
    /// The groups of the view's responses, numbered in the order of their entities.
    ///
    /// ```
    /// use halfmax_core::{EntityTable, Responses, Screen, Side, ValidationGroup};
    /// let tables = vec![EntityTable::new(["A549"], "cell line")?, EntityTable::new(["a", "b", "c"], "drug")?];
    /// let responses = Responses::new(vec![vec![0, 0], vec![0, 2], vec![1, 1]], vec![1.0, 2.0], None)?;
    /// let sides = vec![Side::cell_line(0), Side::drug(1), Side::drug_b(1)];
    /// let screen = Screen::new("synergy", tables, sides, responses)?;
    /// assert_eq!(screen.all().groups(ValidationGroup::Combination).count(), 2);
    /// let drugs = screen.all().groups(ValidationGroup::Member);
    /// assert_eq!((drugs.count(), drugs.of_response(0), drugs.of_response(1)), (3, &[0, 1][..], &[1, 2][..]));
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn groups(&self, validation: ValidationGroup) -> Groups {
        let responses = &self.screen.responses;
        let sides = responses.sides();
        let entity = |side: usize, row: usize| responses.side(side)[row];
        let rows = self.rows.iter().copied();
        let (numbers, count) = match validation {
            ValidationGroup::Entity(side) => {
                numbered(&rows.map(|row| entity(side, row)).collect::<Vec<u32>>())
            }
            ValidationGroup::Groups(side, groups) => {
                numbered(&rows.map(|row| groups[entity(side, row) as usize] as u32).collect::<Vec<u32>>())
            }
            ValidationGroup::Response | ValidationGroup::Combination if sides <= 3 => {
                // Members of combinations are in ascending order. Single drugs, and members from two tables,
                // are in the order of the sides.
                let key = |row: usize| {
                    let mut key = [0; 3];
                    let first = usize::from(matches!(validation, ValidationGroup::Combination));
                    (first..sides).for_each(|side| key[side] = entity(side, row));
                    if first == 1 && self.screen.is_of_combinations() {
                        key[1..].sort_unstable();
                    }
                    key
                };
                numbered(&rows.map(key).collect::<Vec<[u32; 3]>>())
            }
            ValidationGroup::Response => {
                let key = |row: usize| (0..sides).map(|side| entity(side, row)).collect();
                numbered(&rows.map(key).collect::<Vec<Vec<u32>>>())
            }
            ValidationGroup::Combination => {
                numbered(&rows.map(|row| self.screen.members(row)).collect::<Vec<Vec<u32>>>())
            }
            ValidationGroup::Member => return self.groups_of_members(),
        };
        Groups { numbers, starts: None, count }
    }

    /// The groups of [`ValidationGroup::Member`]: one for each entity on every side except the first.
    fn groups_of_members(&self) -> Groups {
        let sides = 1..self.screen.responses.sides();
        let key = |side: usize, row: usize| {
            (self.screen.sides[side].table as u32, self.screen.responses.side(side)[row])
        };
        let keys: Vec<(u32, u32)> =
            self.rows.iter().flat_map(|row| sides.clone().map(|side| key(side, *row))).collect();
        let (of_keys, count) = numbered(&keys);
        let (mut numbers, mut starts) = (Vec::with_capacity(of_keys.len()), vec![0]);
        for groups in of_keys.chunks(sides.len().max(1)) {
            let mut groups = groups.to_vec();
            groups.sort_unstable();
            groups.dedup();
            numbers.extend(groups);
            starts.push(numbers.len());
        }
        Groups { numbers, starts: Some(starts), count }
    }
}

/// The kind of the blocks with the effects of single drugs. A drug's features are named after cell lines, and a cell line's
/// features after drugs, each as `id/measure`.
pub const SINGLE_AGENT: &str = "single_agent";

impl TrainView<'_> {
    /// Leaves out single-agent features of entities that the responses to learn from do not name. Otherwise a drug's
    /// features would reveal its effects on held-out cell lines.
    pub fn leave_out_unseen_single_agents(&mut self) {
        let screen = self.screen;
        let mut seen: Vec<Vec<bool>> = screen.tables.iter().map(|table| vec![false; table.len()]).collect();
        for (at, side) in screen.sides.iter().enumerate() {
            let own = self.seen(at);
            seen[side.table].iter_mut().zip(own).for_each(|(seen, own)| *seen |= own);
        }
        let unseen: HashSet<&str> = screen
            .tables
            .iter()
            .zip(&seen)
            .flat_map(|(table, seen)| table.ids().iter().zip(seen))
            .filter(|(_, seen)| !**seen)
            .map(|(id, _)| id.as_str())
            .collect();
        for (table, entities) in screen.tables.iter().enumerate() {
            for (block, own) in
                entities.blocks().iter().enumerate().filter(|(_, own)| own.kind == SINGLE_AGENT)
            {
                let named = |column: &usize| own.names[*column].rsplit_once('/').map_or("", |(id, _)| id);
                self.features.columns[table][block].retain(|column| !unseen.contains(named(column)));
            }
        }
    }
}

/// Which features of each table's blocks a model uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureSelection {
    columns: Vec<Vec<Vec<usize>>>,
}

impl FeatureSelection {
    /// All features.
    pub fn all(screen: &Screen) -> Self {
        let columns = screen
            .tables
            .iter()
            .map(|table| table.blocks().iter().map(|block| (0..block.len()).collect()).collect())
            .collect();
        Self { columns }
    }

    /// The selected columns of one block.
    pub fn columns(&self, table: usize, block: usize) -> &[usize] {
        &self.columns[table][block]
    }

    /// Keeps the `most` features of a block of real numbers that vary most over the entities marked in `seen`. Other
    /// blocks, and blocks with at most that many features, stay whole. The variance ignores missing values. On ties the
    /// earlier feature wins.
    pub fn keep_most_variable(
        &mut self,
        screen: &Screen,
        table: usize,
        block: usize,
        most: usize,
        seen: &[bool],
    ) {
        let FeatureValues::Real(values) = &screen.tables[table].blocks()[block].values else {
            return;
        };
        let kept = &mut self.columns[table][block];
        if kept.len() <= most {
            return;
        }
        let mut ranked: Vec<(f64, usize)> =
            kept.iter().map(|column| (variance(values.column(*column).iter().zip(seen)), *column)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        *kept = ranked[..most].iter().map(|(_, column)| *column).collect();
        kept.sort_unstable();
    }
}

fn variance<'a>(values: impl Iterator<Item = (&'a f32, &'a bool)>) -> f64 {
    let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for (value, seen) in values {
        if *seen && !value.is_nan() {
            n += 1.0;
            let delta = f64::from(*value) - mean;
            mean += delta / n;
            squares += delta * (f64::from(*value) - mean);
        }
    }
    if n > 1.0 { squares / (n - 1.0) } else { 0.0 }
}
