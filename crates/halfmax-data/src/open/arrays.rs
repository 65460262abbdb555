//! The columns of Parquet and Arrow files as arrays. Reads the chosen rows, group by group or batch by batch.

use std::io::Cursor;
use std::ops::Range;

use halfmax_core::{Error, Result};
use polars_arrow::array::{ArrayRef, new_null_array};
use polars_arrow::compute::concatenate::concatenate;
use polars_arrow::datatypes::{ArrowSchema, ArrowSchemaRef};
use polars_arrow::io::ipc::read::{FileMetadata as ArrowMetadata, FileReader, read_file_metadata};
use polars_buffer::Buffer;
use polars_error::{PolarsError, PolarsResult, polars_ensure};
use polars_parquet::parquet::metadata::{FileMetadata, RowGroupMetadata};
use polars_parquet::read::{
    BasicDecompressor, Filter, PageReader, column_iter_to_arrays, infer_schema, read_metadata,
};
use rayon::prelude::*;

use super::columnar::unreadable;
use super::guard::guarded;

/// Columns of a file. The arrays of a column share one type, and hold its rows in order.
pub(crate) struct Arrays {
    pub rows: usize,
    pub columns: Vec<Vec<ArrayRef>>,
}

impl Arrays {
    /// Joins the arrays of each column into one.
    ///
    /// # Errors
    /// If the arrays of a column cannot be joined.
    pub fn joined(self) -> PolarsResult<Vec<ArrayRef>> {
        let joined = self.columns.into_iter().map(|mut column| match column.len() {
            1 => Ok(column.swap_remove(0)),
            _ => concatenate(&column.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
        });
        joined.collect()
    }
}

/// The bytes of a Parquet file, with the metadata at its end.
pub(crate) struct ParquetBytes {
    bytes: Buffer<u8>,
    pub about: FileMetadata,
    pub schema: ArrowSchema,
}

impl ParquetBytes {
    /// # Errors
    /// If the metadata at the end of the file are invalid.
    pub fn of(bytes: Buffer<u8>) -> PolarsResult<Self> {
        let about = read_metadata(&mut Cursor::new(bytes.as_slice()))?;
        let schema = infer_schema(&about)?;
        Ok(Self { bytes, about, schema })
    }

    /// Reads some rows of the columns at these positions.
    ///
    /// # Errors
    /// If a column cannot be unpacked, or does not have one value per row.
    pub fn read(&self, label: &str, columns: &[usize], rows: Range<usize>) -> Result<Arrays> {
        let groups = self.groups_of(rows);
        let parts: Vec<(usize, usize)> =
            columns.iter().flat_map(|column| (0..groups.len()).map(|group| (*column, group))).collect();
        let read = parts.par_iter().map(|(column, group)| {
            let (about, rows) = &groups[*group];
            // A panic on another thread is caught there, so that it prints nothing.
            guarded(label, "Parquet", || {
                let arrays = self
                    .column_of(*column, about, rows.clone())
                    .map_err(|error| unreadable(label, "Parquet", error))?;
                let (found, expected) = (arrays.iter().map(|array| array.len()).sum::<usize>(), rows.len());
                if found != expected {
                    let what = format!("a column has {found} values for {expected} rows");
                    return Err(Error::data(format!("{label}: the Parquet file is damaged: {what}"))
                        .with_help("copy or download the file again"));
                }
                Ok(arrays)
            })
        });
        let mut read = read.collect::<Result<Vec<_>>>()?.into_iter();
        let columns = columns.iter().map(|_| read.by_ref().take(groups.len()).flatten().collect());
        let columns: Vec<Vec<ArrayRef>> = columns.collect();
        one_type(columns.iter()).map_err(|error| unreadable(label, "Parquet", error))?;
        Ok(Arrays { rows: groups.iter().map(|(_, rows)| rows.len()).sum(), columns })
    }

    /// Reads the groups of rows in order, with all columns.
    pub fn each_group<'a>(&'a self, label: &'a str) -> impl Iterator<Item = Result<Arrays>> + 'a {
        let all: Vec<usize> = (0..self.schema.len()).collect();
        let mut first = 0;
        self.about.row_groups.iter().map(move |group| {
            let rows = first..first + group.num_rows();
            first = rows.end;
            self.read(label, &all, rows)
        })
    }

    /// The groups that contain some of these rows. Each comes with the positions of these rows in the group.
    fn groups_of(&self, rows: Range<usize>) -> Vec<(&RowGroupMetadata, Range<usize>)> {
        let mut first = 0usize;
        let own = self.about.row_groups.iter().map(|group| {
            let start = rows.start.saturating_sub(first).min(group.num_rows());
            let end = rows.end.saturating_sub(first).min(group.num_rows());
            first = first.saturating_add(group.num_rows());
            (group, start..end)
        });
        own.filter(|(_, rows)| !rows.is_empty()).collect()
    }

    fn column_of(
        &self,
        column: usize,
        group: &RowGroupMetadata,
        rows: Range<usize>,
    ) -> PolarsResult<Vec<ArrayRef>> {
        let Some((name, field)) = self.schema.get_at_index(column) else { return Ok(Vec::new()) };
        let Some(chunks) = group.columns_under_root_iter(name) else {
            return Ok(vec![new_null_array(field.dtype().clone(), rows.len())]);
        };
        let (pages, types) = chunks
            .map(|chunk| {
                let place = chunk.byte_range();
                let bytes = self.bytes.clone().sliced(place.start as usize..place.end as usize);
                let pages = PageReader::new(Cursor::new(bytes), chunk, Vec::new(), usize::MAX);
                let kind = &chunk.descriptor().descriptor.primitive_type;
                (BasicDecompressor::new(pages, Vec::new()), kind)
            })
            .unzip();
        let filter = Filter::new_ranged(rows.start, rows.end);
        let (arrays, _) = column_iter_to_arrays(pages, types, field.clone(), Some(filter))?;
        Ok(arrays)
    }
}

/// The bytes of an Arrow file, with the metadata at its end.
pub(super) struct ArrowBytes<'a> {
    bytes: &'a [u8],
    about: ArrowMetadata,
}

impl<'a> ArrowBytes<'a> {
    /// # Errors
    /// If the metadata at the end of the file are invalid, or two columns share a name.
    pub fn of(bytes: &'a [u8]) -> PolarsResult<Self> {
        let about = read_file_metadata(&mut Cursor::new(bytes))?;
        polars_ensure!(
            about.schema.len() == about.ipc_schema.fields.len(),
            Duplicate: "two columns have the same name"
        );
        Ok(Self { bytes, about })
    }

    pub fn schema(&self) -> &ArrowSchemaRef {
        &self.about.schema
    }

    /// Reads all rows of the columns at these ascending positions.
    ///
    /// # Errors
    /// If a batch cannot be unpacked.
    pub fn read(self, columns: &[usize]) -> PolarsResult<Arrays> {
        let mut all: Vec<Vec<ArrayRef>> = columns.iter().map(|_| Vec::new()).collect();
        let mut rows = 0;
        for batch in FileReader::new(Cursor::new(self.bytes), self.about, Some(columns.to_vec()), None) {
            let batch = batch?;
            rows += batch.len();
            all.iter_mut().zip(batch.into_arrays()).for_each(|(column, array)| column.push(array));
        }
        one_type(all.iter())?;
        Ok(Arrays { rows, columns: all })
    }
}

/// # Errors
/// If the arrays of a column differ in type.
fn one_type<'a>(columns: impl Iterator<Item = &'a Vec<ArrayRef>>) -> Result<(), PolarsError> {
    for column in columns {
        let Some(first) = column.first() else { continue };
        polars_ensure!(
            column.iter().all(|array| array.dtype() == first.dtype()),
            ComputeError: "cannot create series from multiple arrays with different types"
        );
    }
    Ok(())
}
