//! Tables that may be larger than memory: read in parts, as often as needed.

use std::path::Path;

use halfmax_core::{Error, Result};

use crate::assign::Scope;
use crate::file_spec::{RowChoice, TableOptions};
use crate::formats::{FORMATS, PartReader};
use crate::linked::{NameLinks, curves_of_archive, with_names};
use crate::molar_mass::{DrugNames, MassesOfDrugs, with_molar_masses};
use crate::note::{Note, join_notes};
use crate::open::{ChosenRows, OpenOptions, divided, read_table_with};
use crate::plates::with_column_of;
use crate::roles::Role;
use crate::table::RawTable;

/// The size from which a file is read in parts, and the size of the parts.
#[derive(Clone, Copy, Debug)]
pub struct PartSize {
    bytes: usize,
    stopped: fn() -> bool,
}

impl Default for PartSize {
    /// 16 MiB.
    fn default() -> Self {
        Self::of_bytes(1 << 24)
    }
}

impl PartSize {
    /// Parts of `bytes` bytes of text.
    pub fn of_bytes(bytes: usize) -> Self {
        Self { bytes: bytes.max(1), stopped: || false }
    }

    /// Whether a file is read in parts. Text tables shrink to a fifth or less with compression or in Parquet.
    fn divides(self, path: &Path) -> bool {
        let is = |ending: &&str| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(ending));
        let mut packed =
            FORMATS.iter().filter(|format| format.is_packed()).flat_map(|format| format.endings());
        let packed = packed.any(is);
        let most = if packed { self.bytes as u64 / 2 } else { 4 * self.bytes as u64 };
        std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() > most)
    }

    /// In bytes of text.
    pub(crate) fn bytes(self) -> usize {
        self.bytes
    }

    /// The same size, but reading stops with an error when `stopped` returns true.
    #[must_use]
    pub fn stopping_when(self, stopped: fn() -> bool) -> Self {
        Self { stopped, ..self }
    }

    /// # Errors
    /// If `stopped` returned true.
    pub(crate) fn go_on(self) -> Result<()> {
        if (self.stopped)() { Err(Error::interrupted()) } else { Ok(()) }
    }
}

/// A table with joined columns of other tables, read at once or in parts.
pub struct TableParts {
    source: Source,
    options: TableOptions,
    joins: Vec<Join>,
    size: PartSize,
    /// A sample of the chosen rows, if only some rows are chosen.
    chosen: Option<RawTable>,
}

enum Source {
    /// A table with its options and joins applied.
    Whole(Box<RawTable>),
    Divided(Box<(Box<dyn PartReader>, NameLinks)>),
}

/// A join with another table.
enum Join {
    ColumnOf(Box<RawTable>, Role),
    MolarMasses(MassesOfDrugs),
}

impl Join {
    fn with(&self, table: &RawTable) -> Result<RawTable> {
        match self {
            Self::ColumnOf(other, role) => with_column_of(table, other, *role),
            Self::MolarMasses(masses) => masses.with(table),
        }
    }
}

impl TableOptions {
    /// Opens a file. Large delimited text and Parquet are read in parts, other files at once.
    ///
    /// # Errors
    /// If the file cannot be read, or an option does not fit it.
    pub fn parts(&self, path: &Path, size: PartSize) -> Result<TableParts> {
        let open = OpenOptions { sheet: self.sheet.clone(), separator: self.separator.clone() };
        let divided = match size.divides(path) && self.sheet.is_none() {
            true => divided(path, &open, size)?,
            false => None,
        };
        // A table of whole curves per row must be read at once, because the sign of most readings decides their
        // meaning.
        let has = |file: &dyn PartReader, role: Role| file.sample().role(role).is_some();
        let divided = divided
            .filter(|file| !has(file.as_ref(), Role::DoseList) || !has(file.as_ref(), Role::ReadingList));
        let source = match divided {
            Some(divided) => {
                let links = NameLinks::of(divided.sample(), path)?;
                Source::Divided(Box::new((divided, links)))
            }
            None => {
                let archive = if self.sheet.is_none() { curves_of_archive(path)? } else { None };
                let mut table = match archive {
                    Some(table) => table,
                    None => with_names(read_table_with(path, &open)?, path)?,
                };
                self.apply(&mut table)?;
                table.decide_contents();
                Source::Whole(Box::new(table))
            }
        };
        let mut parts = TableParts { source, options: self.clone(), joins: Vec::new(), size, chosen: None };
        parts.chosen = parts.chosen_rows()?;
        Ok(parts)
    }
}

impl TableParts {
    /// Joins a column of another table by their common columns.
    ///
    /// # Errors
    /// As [`with_column_of`], for the whole table or for a sample of its rows.
    pub fn with_column_of(mut self, other: RawTable, role: Role) -> Result<Self> {
        match &mut self.source {
            Source::Whole(table) => **table = with_column_of(table, &other, role)?,
            Source::Divided(..) => {
                let join = Join::ColumnOf(Box::new(other), role);
                join.with(&self.sample()?)?;
                self.joins.push(join);
            }
        }
        Ok(self)
    }

    /// Joins the molar masses of drugs.
    ///
    /// # Errors
    /// As [`with_molar_masses`].
    pub fn with_molar_masses(mut self, drugs: &RawTable) -> Result<Self> {
        match &mut self.source {
            Source::Whole(table) => **table = with_molar_masses(table, drugs)?,
            Source::Divided(..) => {
                let mut names = DrugNames::default();
                self.each(|part| names.add(&part))?;
                self.joins.push(Join::MolarMasses(names.masses(&self.sample()?, drugs)?));
            }
        }
        Ok(self)
    }

    /// A sample of the chosen rows; `None` if all rows are chosen or the table is read at once.
    fn chosen_rows(&self) -> Result<Option<RawTable>> {
        let Source::Divided(file) = &self.source else { return Ok(None) };
        let (divided, links) = file.as_ref();
        if self.options.rows.is_empty() {
            return Ok(None);
        }
        let mut chosen = ChosenRows::default();
        self.each(|part| {
            chosen.add(&part);
            Ok(())
        })?;
        let like = self.prepared(divided.sample().clone(), links, None)?;
        Ok(Some(chosen.sampled(&like)))
    }

    /// The whole table, or, if it is read in parts, a sample of its rows with notes on the whole file.
    ///
    /// # Errors
    /// If an option does not fit the table.
    pub fn sample(&self) -> Result<RawTable> {
        match &self.source {
            Source::Whole(table) => Ok(table.as_ref().clone()),
            Source::Divided(file) => match &self.chosen {
                Some(chosen) => self.joined(chosen.clone()),
                None => self.prepared(file.0.sample().clone(), &file.1, None),
            },
        }
    }

    fn joined(&self, table: RawTable) -> Result<RawTable> {
        self.joins.iter().try_fold(table, |table, join| join.with(&table))
    }

    /// The size of parts.
    pub fn size(&self) -> PartSize {
        self.size
    }

    /// Whether the table is read in parts.
    pub fn is_divided(&self) -> bool {
        matches!(self.source, Source::Divided(..))
    }

    fn prepared(
        &self,
        table: RawTable,
        links: &NameLinks,
        choice: Option<&mut RowChoice>,
    ) -> Result<RawTable> {
        let mut table = links.link(table)?;
        let rows = choice.map(|choice| choice.rows_of(&table)).transpose()?;
        table.say(&self.options.everywhere, Scope::AllFiles)?;
        table.say(&self.options.columns, Scope::ThisFile)?;
        if let Some(chosen) = &self.chosen {
            table.decided.clone_from(&chosen.decided);
        }
        if let Some(rows) = rows {
            table = table.with_rows(&rows);
        }
        if table.rows() == 0 { Ok(table) } else { self.joined(table) }
    }

    /// Passes one part after the other to `take`, in the order of the file. Returns the notes on the whole table.
    ///
    /// # Errors
    /// If the file cannot be read, no rows are left, or `take` fails.
    pub fn each(&self, mut take: impl FnMut(RawTable) -> Result<()>) -> Result<Vec<Note>> {
        let (divided, links) = match &self.source {
            Source::Whole(table) => {
                let mut table = table.as_ref().clone();
                let notes = std::mem::take(&mut table.notes);
                take(table)?;
                return Ok(notes);
            }
            Source::Divided(file) => file.as_ref(),
        };
        let mut choice = RowChoice::of(&self.options.rows);
        let mut of_parts: Vec<Note> = Vec::new();
        divided.each(&mut |part| {
            let mut table = self.prepared(part, links, choice.as_mut())?;
            join_notes(&mut of_parts, std::mem::take(&mut table.notes));
            if table.rows() > 0 { take(table) } else { Ok(()) }
        })?;
        let mut notes = divided.sample().notes.clone();
        if let Some(choice) = choice {
            notes.extend(choice.conclude(divided.sample().label())?);
        }
        notes.extend(of_parts);
        Ok(notes)
    }
}
