//! Parquet and Arrow (Feather) files.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use halfmax_core::{Error, Result, listed};
use polars_arrow::datatypes::{ArrowSchema, Field};
use polars_buffer::Buffer;
use polars_error::PolarsError;
use polars_parquet::parquet::metadata::{ColumnChunkMetadata, FileMetadata, RowGroupMetadata};
use polars_parquet::parquet::schema::types::PhysicalType;

use super::array_values::values_of;
use super::arrays::{Arrays, ArrowBytes, ParquetBytes};
use super::guard::guarded;
use super::kinds::{Source, set_aside};
use super::limit::refuse_beyond_limit;
use super::pages::{self, Unpacked};
use crate::table::{RawColumn, RawTable, RowPlaces, Values};

pub(crate) fn read_parquet(label: &str, bytes: &[u8]) -> Result<RawTable> {
    if bytes.len() < 12 || !bytes.ends_with(b"PAR1") {
        return Err(cut_short(label));
    }
    Buffer::with_slice(bytes, |bytes| guarded(label, "Parquet", || read_parquet_bytes(label, bytes)))
}

fn read_parquet_bytes(label: &str, bytes: Buffer<u8>) -> Result<RawTable> {
    let file = ParquetBytes::of(bytes.clone()).map_err(|error| unreadable(label, "Parquet", error))?;
    let columns = FileColumns::of(label, &file.schema, Source::Parquet)?;
    let rows = rows_of_parquet(label, &file.about)?;
    let mut unpacked = 0;
    for group in &file.about.row_groups {
        let read = |place: Range<usize>| bytes.get(place).map(Cow::Borrowed);
        let values = bytes_of_values(group, &columns)?;
        unpacked += pages_of_group(label, bytes.len(), group, &columns, read)?.all.max(values);
    }
    refuse_beyond_limit(label, unpacked)?;
    columns.table(label, file.read(label, &columns.read, 0..rows)?)
}

/// The number of rows that a Parquet file declares.
///
/// # Errors
/// If the file declares more rows than a table can have.
pub(super) fn rows_of_parquet(label: &str, about: &FileMetadata) -> Result<usize> {
    let rows = about.row_groups.iter().map(RowGroupMetadata::num_rows).fold(0, usize::saturating_add);
    let rows = rows.max(about.num_rows);
    if rows < u32::MAX as usize {
        return Ok(rows);
    }
    Err(Error::data(format!(
        "{label}: the file declares {rows} rows, but a table can have at most {}",
        u32::MAX - 1
    ))
    .with_help("copy or download the file again; if it really has that many rows, split it"))
}

/// The unpacked size of the pages of one row group, in the columns that are read.
///
/// # Errors
/// As [`pages::check`].
pub(super) fn pages_of_group<'a>(
    label: &str,
    size: usize,
    group: &RowGroupMetadata,
    columns: &FileColumns,
    read: impl FnMut(Range<usize>) -> Option<Cow<'a, [u8]>>,
) -> Result<Unpacked> {
    pages::check(label, size, columns.of_group(group), read)
}

/// The bytes that the values of a row group take in a table, whatever they take in the file.
fn bytes_of_values(group: &RowGroupMetadata, columns: &FileColumns) -> Result<u128> {
    let bytes = columns.of_group(group).map(|column| {
        let values = u128::try_from(column.num_values()).unwrap_or(u128::from(u64::MAX));
        values * bytes_per_value(column.physical_type())
    });
    Ok(bytes.sum())
}

/// The bytes that one row takes in a table, in the columns of a Parquet file that are read.
pub(super) fn bytes_per_row(about: &FileMetadata, columns: &FileColumns) -> u128 {
    let own =
        about.schema_descr.columns().iter().filter(|column| columns.reads(column.path_in_schema.first()));
    own.map(|column| bytes_per_value(column.descriptor.primitive_type.physical_type)).sum()
}

/// The least number of bytes that a value takes.
fn bytes_per_value(kind: PhysicalType) -> u128 {
    match kind {
        PhysicalType::FixedLenByteArray(length) => (length as u128).max(8),
        _ => 8,
    }
}

pub(super) fn cut_short(label: &str) -> Error {
    Error::data(format!("{label}: the Parquet file is truncated"))
        .with_help("copy or download the file again")
}

pub(crate) fn read_arrow(label: &str, bytes: &[u8]) -> Result<RawTable> {
    if bytes.starts_with(b"FEA1") {
        return Err(Error::data(format!(
            "{label}: this is a Feather file of version 1, which is not supported"
        ))
        .with_help(
            "write it again in version 2: arrow::write_feather(x, \"file.feather\") or frame.to_feather(\"file.feather\")",
        ));
    }
    super::arrow::check(label, bytes)?;
    guarded(label, "Arrow", || {
        let failed = |error| unreadable(label, "Arrow", error);
        let file = ArrowBytes::of(bytes).map_err(failed)?;
        let columns = FileColumns::of(label, file.schema(), Source::Arrow)?;
        columns.table(label, file.read(&columns.read).map_err(failed)?)
    })
}

/// The columns of a file: columns to read, and columns with values other than numbers or texts, which are set aside
/// unread.
pub(super) struct FileColumns {
    /// The name of each column, and a description of its type if it is set aside.
    all: Vec<(String, Option<String>)>,
    /// The positions of the columns to read.
    pub read: Vec<usize>,
    /// The names of the columns set aside.
    aside: HashSet<String>,
}

impl FileColumns {
    /// # Errors
    /// If no column can be read.
    pub fn of(label: &str, schema: &ArrowSchema, source: Source) -> Result<Self> {
        let kind = |field: &Field| (field.name.to_string(), set_aside(&field.dtype, source));
        let all: Vec<(String, Option<String>)> = schema.iter_values().map(kind).collect();
        let read: Vec<usize> = (0..all.len()).filter(|at| all[*at].1.is_none()).collect();
        let aside = all.iter().filter(|(_, kind)| kind.is_some()).map(|(name, _)| name.clone()).collect();
        let columns = Self { all, read, aside };
        if columns.read.is_empty() {
            let aside = columns.all.iter().filter_map(|(name, kind)| Some((name.as_str(), kind.as_deref()?)));
            return Err(Error::data(format!(
                "{label}: no column holds text or numbers, only {}",
                listed_kinds(aside)
            ))
            .with_help("write the file again with plain columns of text and numbers"));
        }
        Ok(columns)
    }

    /// The columns of a row group that are read.
    fn of_group<'a>(&'a self, group: &'a RowGroupMetadata) -> impl Iterator<Item = &'a ColumnChunkMetadata> {
        let columns = group.parquet_columns().iter();
        columns.filter(|column| self.reads(column.descriptor().path_in_schema.first()))
    }

    /// Whether a column of this name is read.
    fn reads(&self, name: Option<&impl AsRef<str>>) -> bool {
        name.is_none_or(|name| !self.aside.contains(name.as_ref()))
    }

    /// The columns of a table, from the arrays of the columns that were read.
    ///
    /// # Errors
    /// If the values of a column cannot be converted.
    pub fn columns(&self, label: &str, arrays: Arrays) -> Result<Vec<RawColumn>> {
        let mut read = arrays.columns.into_iter();
        let mut columns = Vec::with_capacity(self.all.len());
        for (name, kind) in &self.all {
            let values = match kind {
                Some(kind) => Values::Other(kind.clone()),
                None => values_of(label, name, read.next().ok_or_else(|| super::changed(label))?)?,
            };
            columns.push(RawColumn { name: name.trim().to_owned(), values });
        }
        Ok(columns)
    }

    fn table(&self, label: &str, arrays: Arrays) -> Result<RawTable> {
        let rows = arrays.rows;
        if rows == 0 {
            return Err(super::no_rows(label));
        }
        let columns = self.columns(label, arrays)?;
        let notes = notes_of(&columns);
        RawTable::new(label, columns, rows, RowPlaces::From(2), notes)
    }
}

/// Notes on columns that are set aside.
pub(super) fn notes_of(columns: &[RawColumn]) -> Vec<String> {
    let aside = columns.iter().filter_map(|column| match &column.values {
        Values::Other(kind) => Some((column.name.as_str(), kind.as_str())),
        _ => None,
    });
    let aside: Vec<(&str, &str)> = aside.collect();
    match aside.is_empty() {
        true => Vec::new(),
        false => {
            let aside = listed_kinds(aside.into_iter());
            vec![format!("columns that hold neither numbers nor texts are set aside: {aside}")]
        }
    }
}

fn listed_kinds<'a>(columns: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let texts: Vec<String> = columns.map(|(name, kind)| format!("{name:?} ({kind})")).collect();
    listed(&texts, 8)
}

pub(super) fn unreadable(label: &str, kind: &str, error: PolarsError) -> Error {
    Error::data(format!("{label}: the {kind} file cannot be read: {error}"))
        .with_help("write it again with plain columns of text and numbers")
        .with_source(error)
}
