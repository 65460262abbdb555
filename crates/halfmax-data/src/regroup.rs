//! Regroups rows that come in any order. Rows that come in parts are kept in a temporary file, so that memory does not
//! grow with their number.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halfmax_core::{Error, Result};

use crate::bytes::Bytes;
use crate::parts::PartSize;
use crate::table::{Labels, LabelsBuilder, RawColumn, RawTable, RowPlaces, Values};

/// The largest number of names in the key of a group.
pub(crate) const KEY: usize = 4;

/// Collects rows and assigns each to a group.
pub(crate) struct Regroup {
    size: PartSize,
    /// The number of groups per unit.
    groups_per_unit: usize,
    scratch: PathBuf,
    groups: Groups,
    /// The first table of rows with their groups, until another table follows.
    only: Option<(RawTable, Vec<u32>)>,
    store: Option<Store>,
}

/// Groups by their names, numbered in order of appearance.
#[derive(Default)]
struct Groups {
    /// The names at each position of the key.
    known: [HashMap<String, u32>; KEY],
    names: [Vec<String>; KEY],
    of_key: HashMap<[u32; KEY], u32>,
    keys: Vec<[u32; KEY]>,
    /// The first file row of each group.
    first: Vec<u32>,
}

impl Groups {
    /// The groups of rows of a table by the labels of some columns.
    fn of_rows(&mut self, table: &RawTable, labels: &[Arc<Labels>], rows: &[usize]) -> Vec<u32> {
        let numbers: Vec<Vec<u32>> = labels
            .iter()
            .enumerate()
            .map(|(place, labels)| labels.names.iter().map(|name| self.number(place, name)).collect())
            .collect();
        let group = |row: &usize| {
            let mut key = [Labels::MISSING; KEY];
            for ((key, labels), numbers) in key.iter_mut().zip(labels).zip(&numbers) {
                *key = numbers.get(labels.of_row[*row] as usize).copied().unwrap_or(Labels::MISSING);
            }
            let next = self.keys.len() as u32;
            let at = *self.of_key.entry(key).or_insert(next);
            let place = table.row_of(*row) as u32;
            if at == next {
                self.keys.push(key);
                self.first.push(place);
            }
            let first = &mut self.first[at as usize];
            *first = place.min(*first);
            at
        };
        rows.iter().map(group).collect()
    }

    /// The groups in the order of the file, without rows.
    fn in_order(mut self) -> Self {
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        order.sort_by_key(|at| self.first[*at]);
        self.keys = order.iter().map(|at| self.keys[*at]).collect();
        self.first = order.iter().map(|at| self.first[*at]).collect();
        self.of_key = self.keys.iter().enumerate().map(|(at, key)| (*key, at as u32)).collect();
        self
    }

    fn number(&mut self, place: usize, name: &str) -> u32 {
        if let Some(known) = self.known[place].get(name) {
            return *known;
        }
        let next = self.names[place].len() as u32;
        self.known[place].insert(name.to_owned(), next);
        self.names[place].push(name.to_owned());
        next
    }
}

impl Regroup {
    /// Regroups rows into tables of about the size of a part. `bytes_of_a_group` is the approximate size of a group.
    /// Rows that do not stay in memory go into an unnamed file in the folder `scratch`.
    pub fn new(size: PartSize, bytes_of_a_group: usize, scratch: &Path) -> Self {
        Self {
            size,
            groups_per_unit: (size.bytes() / UNITS / bytes_of_a_group).max(1),
            scratch: scratch.to_owned(),
            groups: Groups::default(),
            only: None,
            store: None,
        }
    }

    /// Adds some rows of a table. The labels determine their groups.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub fn add(&mut self, table: &RawTable, labels: &[Arc<Labels>], rows: &[usize]) -> Result<()> {
        let groups = self.groups.of_rows(table, labels, rows);
        let table = match rows.len() == table.rows() {
            true => table.clone(),
            false => table.with_rows(rows),
        };
        if let Some((first, of_first)) = self.only.take() {
            self.keep(&first, &of_first)?;
        } else if self.store.is_none() {
            self.only = Some((table, groups));
            return Ok(());
        }
        self.keep(&table, &groups)
    }

    fn keep(&mut self, table: &RawTable, groups: &[u32]) -> Result<()> {
        let store = match self.store.take() {
            Some(store) => store,
            None => Store::create(&self.scratch, table)?,
        };
        let store = self.store.insert(store);
        let mut of_units: HashMap<usize, Vec<usize>> = HashMap::new();
        for (row, group) in groups.iter().enumerate() {
            of_units.entry(*group as usize / self.groups_per_unit).or_default().push(row);
        }
        let mut of_units: Vec<(usize, Vec<usize>)> = of_units.into_iter().collect();
        of_units.sort_unstable();
        for (at, rows) in of_units {
            store.append(at, table, &rows)?;
        }
        Ok(())
    }

    /// The groups, after all rows were added.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    ///
    /// `labels` returns the labels of rows again, in case the rows came in another order than in the file.
    pub fn finish(mut self, labels: impl Fn(&RawTable) -> Result<Vec<Arc<Labels>>>) -> Result<Regrouped> {
        let tables = match (self.only.take(), self.store.take()) {
            (Some((table, _)), _) => Tables::Whole(table),
            (None, Some(store)) => {
                let kept = store.tables(self.size.bytes());
                let in_order = self.groups.first.is_sorted();
                Tables::Kept(if in_order { kept } else { self.put_in_order(&kept, labels)? })
            }
            (None, None) => Tables::None,
        };
        Ok(Regrouped { groups: self.groups, tables })
    }
}

impl Regroup {
    /// Adds the rows again, with their groups numbered in the order of the file.
    fn put_in_order(
        &mut self,
        kept: &KeptTables,
        labels: impl Fn(&RawTable) -> Result<Vec<Arc<Labels>>>,
    ) -> Result<KeptTables> {
        self.groups = std::mem::take(&mut self.groups).in_order();
        for table in 0..kept.tables.len() {
            let table = kept.table(table)?;
            let rows: Vec<usize> = (0..table.rows()).collect();
            let groups = self.groups.of_rows(&table, &labels(&table)?, &rows);
            self.keep(&table, &groups)?;
        }
        let store = self.store.take().ok_or_else(|| Error::failed("a temporary file of rows is missing"))?;
        Ok(store.tables(self.size.bytes()))
    }
}

/// The approximate number of units per table. Units are written separately, because the size of a group is known only
/// after all rows.
const UNITS: usize = 16;

/// Rows by group, in order of first appearance in the file.
pub(crate) struct Regrouped {
    groups: Groups,
    tables: Tables,
}

enum Tables {
    None,
    /// All groups, with their rows in the original order.
    Whole(RawTable),
    Kept(KeptTables),
}

impl Regrouped {
    /// The number of groups.
    pub fn groups(&self) -> usize {
        self.groups.keys.len()
    }

    /// The names of a group; `None` where its rows have no label.
    pub fn names(&self, group: usize) -> [Option<&str>; KEY] {
        let key = self.groups.keys[group];
        std::array::from_fn(|place| self.groups.names[place].get(key[place] as usize).map(String::as_str))
    }

    /// The number of tables.
    pub fn tables(&self) -> usize {
        match &self.tables {
            Tables::None => 0,
            Tables::Whole(_) => 1,
            Tables::Kept(kept) => kept.tables.len(),
        }
    }

    /// The size of the temporary file in bytes; `None` if all rows stayed in memory.
    pub fn bytes_on_disk(&self) -> Option<u64> {
        match &self.tables {
            Tables::Kept(kept) => Some(kept.store.written),
            Tables::None | Tables::Whole(_) => None,
        }
    }

    /// The size in bytes of a table in the temporary file; `None` if all rows stayed in memory.
    pub fn bytes_of_table(&self, at: usize) -> Option<usize> {
        let Tables::Kept(kept) = &self.tables else { return None };
        let units = kept.tables.get(at)?.clone();
        Some(kept.store.units[units].iter().flatten().map(|chunk| chunk.bytes).sum())
    }

    /// The rows of some groups, in the order of the file.
    ///
    /// # Errors
    /// If the temporary file cannot be read.
    pub fn table(&self, at: usize) -> Result<RawTable> {
        match &self.tables {
            Tables::Whole(table) => Ok(table.clone()),
            Tables::Kept(kept) => kept.table(at),
            Tables::None => Err(Error::failed("no rows were added")),
        }
    }
}

/// A temporary file of rows, and the units of each table.
struct KeptTables {
    store: Store,
    tables: Vec<Range<usize>>,
}

/// A temporary file of rows.
struct Store {
    file: File,
    folder: PathBuf,
    written: u64,
    /// The pieces of each unit.
    units: Vec<Vec<Chunk>>,
    /// The names of the columns of pieces.
    schemas: Vec<Vec<String>>,
    /// A template of the tables, without columns and rows.
    like: RawTable,
}

#[derive(Clone, Copy)]
struct Chunk {
    at: u64,
    bytes: usize,
    rows: usize,
    schema: usize,
}

impl Store {
    fn create(folder: &Path, table: &RawTable) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(|error| not_kept(folder, error))?;
        Ok(Self {
            file,
            folder: folder.to_owned(),
            written: 0,
            units: Vec::new(),
            schemas: Vec::new(),
            like: table.without_columns(),
        })
    }

    fn append(&mut self, at: usize, table: &RawTable, rows: &[usize]) -> Result<()> {
        let schema = self.schemas.iter().position(|names| names == table.names()).unwrap_or_else(|| {
            self.schemas.push(table.names().to_vec());
            self.schemas.len() - 1
        });
        // The widest piece decides the columns; other pieces may lack some.
        if table.names().len() > self.like.names().len() {
            self.like = table.without_columns();
        }
        let mut bytes = Vec::new();
        rows.iter().for_each(|row| bytes.extend((table.row_of(*row) as u32).to_le_bytes()));
        table.columns.iter().for_each(|column| encode(&column.values, rows, &mut bytes));
        self.file.write_all(&bytes).map_err(|error| not_kept(&self.folder, error))?;
        if self.units.len() <= at {
            self.units.resize_with(at + 1, Vec::new);
        }
        self.units[at].push(Chunk { at: self.written, bytes: bytes.len(), rows: rows.len(), schema });
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Groups the units into tables of about `bytes` bytes, each with at least one unit.
    fn tables(self, bytes: usize) -> KeptTables {
        let mut tables: Vec<Range<usize>> = Vec::new();
        let mut size = 0;
        for (at, unit) in self.units.iter().enumerate() {
            let own: usize = unit.iter().map(|chunk| chunk.bytes).sum();
            match tables.last_mut() {
                Some(last) if size + own <= bytes => {
                    last.end = at + 1;
                    size += own;
                }
                _ => {
                    tables.push(at..at + 1);
                    size = own;
                }
            }
        }
        KeptTables { store: self, tables }
    }

    fn table(&self, units: Range<usize>) -> Result<RawTable> {
        let names = self.like.names();
        let mut places: Vec<u32> = Vec::new();
        let mut columns: Vec<Vec<Values>> = vec![Vec::new(); names.len()];
        for chunk in self.units[units].iter().flatten() {
            let bytes = self.read(chunk).map_err(|error| not_kept(&self.folder, error))?;
            let mut rest = Bytes(&bytes);
            let own = rest.chunk(chunk.rows, self.schemas[chunk.schema].len());
            let (own_places, mut values) = own.ok_or_else(|| {
                not_kept(&self.folder, io::Error::other("a temporary file was changed or damaged"))
            })?;
            places.extend(own_places);
            for (column, name) in columns.iter_mut().zip(names) {
                let from = self.schemas[chunk.schema].iter().position(|other| other == name);
                column.push(match from {
                    Some(from) => std::mem::replace(&mut values[from], Values::Other(String::new())),
                    None => Values::numbers(vec![f64::NAN; chunk.rows]),
                });
            }
        }
        let column = |(name, parts): (&String, Vec<Values>)| RawColumn {
            name: name.clone(),
            values: Values::joined(parts),
        };
        let columns = names.iter().zip(columns).map(column).collect();
        let rows = places.len();
        let in_order = places.is_sorted();
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by_key(|row| places[*row]);
        let table = RawTable::like(&self.like, columns, rows, RowPlaces::Listed(places));
        Ok(if in_order { table } else { table.with_rows(&order) })
    }

    fn read(&self, chunk: &Chunk) -> io::Result<Vec<u8>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(chunk.at))?;
        let mut bytes = vec![0; chunk.bytes];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl KeptTables {
    fn table(&self, at: usize) -> Result<RawTable> {
        self.store.table(self.tables[at].clone())
    }
}

fn not_kept(folder: &Path, error: io::Error) -> Error {
    Error::failed(format!("{}: a temporary file of rows cannot be written there: {error}", folder.display()))
        .with_help("free some space there, or set the environment variable TMPDIR to another folder")
        .with_source(error)
}

/// Writes the values of some rows: a type byte, then the numbers, or the distinct texts and the position of each row's
/// text.
fn encode(values: &Values, rows: &[usize], into: &mut Vec<u8>) {
    match values.taken(rows) {
        Values::Numbers(values) => {
            into.push(0);
            values.iter().for_each(|value| into.extend(value.to_le_bytes()));
        }
        Values::Singles(values) => {
            into.push(1);
            values.iter().for_each(|value| into.extend(value.to_le_bytes()));
        }
        Values::Texts(labels) => {
            into.push(2);
            into.extend((labels.names.len() as u32).to_le_bytes());
            for name in &labels.names {
                into.extend((name.len() as u32).to_le_bytes());
                into.extend(name.as_bytes());
            }
            labels.of_row.iter().for_each(|label| into.extend(label.to_le_bytes()));
        }
        Values::Other(kind) => {
            into.push(3);
            into.extend((kind.len() as u32).to_le_bytes());
            into.extend(kind.as_bytes());
        }
    }
}

/// Reads the content of a piece.
impl<'a> Bytes<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.number()? as usize;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// The file positions of rows, and their values by column.
    fn chunk(&mut self, rows: usize, columns: usize) -> Option<(Vec<u32>, Vec<Values>)> {
        let places = (0..rows).map(|_| self.number()).collect::<Option<_>>()?;
        Some((places, (0..columns).map(|_| self.values(rows)).collect::<Option<_>>()?))
    }

    fn values(&mut self, rows: usize) -> Option<Values> {
        Some(match self.array::<1>()? {
            [0] => {
                let values = (0..rows).map(|_| self.array().map(f64::from_le_bytes));
                Values::numbers(values.collect::<Option<_>>()?)
            }
            [1] => {
                let values = (0..rows).map(|_| self.array().map(f32::from_le_bytes));
                Values::singles(values.collect::<Option<_>>()?)
            }
            [2] => {
                let count = self.number()?;
                let mut builder = LabelsBuilder::default();
                let names: Vec<&str> = (0..count).map(|_| self.text()).collect::<Option<_>>()?;
                for _ in 0..rows {
                    builder.push(names.get(self.number()? as usize).copied());
                }
                Values::texts(builder.finish())
            }
            _ => Values::Other(self.text()?.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::read_bytes;

    /// A part of a file that begins at a row.
    fn part(first: usize, text: &str) -> RawTable {
        let mut part = read_bytes("t.csv", text.as_bytes()).unwrap();
        part.places = RowPlaces::From(first);
        part
    }

    /// Every row of every table: its entries and its position in the file.
    fn rows(found: &Regrouped, columns: usize) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for at in 0..found.tables() {
            let table = found.table(at).unwrap();
            let texts: Vec<_> = (0..columns).map(|column| table.texts(column).unwrap()).collect();
            for row in 0..table.rows() {
                let own = texts.iter().map(|column| column[row].clone().unwrap_or("-".into()));
                all.push(own.chain([table.row_of(row).to_string()]).collect());
            }
        }
        all
    }

    fn labels(table: &RawTable) -> Result<Vec<Arc<Labels>>> {
        Ok(vec![table.labels(0)?])
    }

    fn regrouped<'a>(parts: impl Iterator<Item = &'a RawTable>) -> Regrouped {
        // A group is a unit, and a unit a table.
        let mut regroup = Regroup::new(PartSize::of_bytes(10), 10, &std::env::temp_dir());
        for part in parts {
            let all: Vec<usize> = (0..part.rows()).collect();
            regroup.add(part, &labels(part).unwrap(), &all).unwrap();
        }
        regroup.finish(labels).unwrap()
    }

    #[test]
    fn groups_are_whole_and_in_the_order_of_the_file() {
        let parts = [
            part(2, "line,value\nB,1\nA,2\nB,3\n"),
            part(5, "line,value\nC,x\nA,4\n"),
            part(7, "line,value,more\n,5,1\nB,6,2\n"),
        ];
        for found in [regrouped(parts.iter()), regrouped(parts.iter().rev())] {
            assert_eq!((found.groups(), found.tables()), (4, 4));
            assert_eq!(found.names(1), [Some("A"), None, None, None]);
            assert_eq!(found.names(3), [None; KEY]);
            let expected = [
                ["B", "1", "-", "2"],
                ["B", "3", "-", "4"],
                ["B", "6", "2", "8"],
                ["A", "2", "-", "3"],
                ["A", "4", "-", "6"],
                ["C", "x", "-", "5"],
                ["-", "5", "1", "7"],
            ];
            assert_eq!(rows(&found, 3), expected.map(|row| row.map(str::to_owned).to_vec()));
            assert!(found.bytes_on_disk().is_some());
        }
    }

    #[test]
    fn units_fill_tables() {
        let mut regroup = Regroup::new(PartSize::of_bytes(1000), 10, &std::env::temp_dir());
        for at in 0..4 {
            let text: String = (0..25).map(|row| format!("L{},{row}\n", at * 25 + row)).collect();
            let part = part(2 + 25 * at, &format!("line,value\n{text}"));
            let all: Vec<usize> = (0..25).collect();
            regroup.add(&part, &labels(&part).unwrap(), &all).unwrap();
        }
        let found = regroup.finish(labels).unwrap();
        // A hundred rows of about 25 bytes.
        assert!((2..=5).contains(&found.tables()), "{}", found.tables());
        let places: Vec<usize> = rows(&found, 2).iter().map(|row| row[2].parse().unwrap()).collect();
        assert_eq!(places, (2..102).collect::<Vec<usize>>());
    }

    #[test]
    fn rows_of_one_table_stay_in_memory() {
        let only = part(2, "line,value\nB,1\nA,2\nB,3\n");
        let mut regroup = Regroup::new(PartSize::of_bytes(1), 1, Path::new("/nowhere"));
        regroup.add(&only, &labels(&only).unwrap(), &[0, 2]).unwrap();
        let found = regroup.finish(labels).unwrap();
        assert_eq!((found.groups(), found.tables(), found.bytes_on_disk()), (1, 1, None));
        assert_eq!(rows(&found, 1), [["B", "2"], ["B", "4"]]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let one = part(2, "line,value\nB,1\n");
        let mut regroup = Regroup::new(PartSize::of_bytes(1), 1, Path::new("/nowhere"));
        regroup.add(&one, &labels(&one).unwrap(), &[0]).unwrap();
        let error = regroup.add(&one, &labels(&one).unwrap(), &[0]).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere: a temporary file of rows"), "{error}");
        assert!(error.help().unwrap().contains("TMPDIR"));
    }
}
