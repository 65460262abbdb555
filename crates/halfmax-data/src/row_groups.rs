//! Parquet files, written group of rows by group of rows.

use std::io::Write;

use polars_arrow::array::{ArrayRef, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_error::{PolarsError, PolarsResult, polars_ensure};
use polars_parquet::read::ParquetError;
use polars_parquet::write::{
    CompressedPage, CompressionOptions, Compressor, DynIter, DynStreamingIterator, Encoding,
    FallibleStreamingIterator, FileWriter, KeyValue, ParquetType, StatisticsOptions, Version, WriteOptions,
    array_to_columns, get_dtype_encoding, schema_to_metadata_key,
};
use rayon::prelude::*;

use crate::writers::OutputColumn;

const OPTIONS: WriteOptions = WriteOptions {
    statistics: StatisticsOptions {
        min_value: true,
        max_value: true,
        distinct_count: false,
        null_count: true,
        binary_statistics_truncate_length: None,
    },
    compression: CompressionOptions::Zstd(None),
    version: Version::V1,
    data_page_size: None,
};

/// A Parquet file whose columns are known.
pub(crate) struct RowGroups<W: Write> {
    writer: FileWriter<W>,
    kinds: Vec<(ParquetType, Vec<Encoding>)>,
    notes: Vec<(String, String)>,
}

impl<W: Write> RowGroups<W> {
    /// Starts a file with these columns, and with notes in its metadata.
    ///
    /// # Errors
    /// If Parquet does not support the type of a column.
    pub fn new(out: W, schema: ArrowSchema, notes: &[(String, String)]) -> PolarsResult<Self> {
        let encodings: Vec<Vec<Encoding>> =
            schema.iter_values().map(|field| get_dtype_encoding(&field.dtype)).collect();
        let writer = FileWriter::try_new(out, widely_readable(schema), OPTIONS)?;
        let kinds = writer.parquet_schema().fields().iter().cloned().zip(encodings).collect();
        Ok(Self { writer, kinds, notes: notes.to_vec() })
    }

    /// Writes a group of rows from one array per column.
    ///
    /// # Errors
    /// If the number or the types of the arrays differ from those of the columns, or writing fails.
    pub fn write(&mut self, rows: usize, arrays: &[ArrayRef]) -> PolarsResult<()> {
        polars_ensure!(
            arrays.len() == self.kinds.len(),
            ShapeMismatch: "{} columns, expected {}", arrays.len(), self.kinds.len()
        );
        let columns = arrays.par_iter().zip(&self.kinds);
        let pages = columns.map(|(array, (kind, encodings))| pages_of(array, kind, encodings));
        let pages: Vec<_> = pages.collect::<PolarsResult<Vec<_>>>()?.into_iter().flatten().map(Ok).collect();
        self.writer.write(rows as u64, DynIter::new(pages.into_iter()))
    }

    /// Writes the end of the file.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(&mut self) -> PolarsResult<()> {
        let notes =
            self.notes.iter().map(|(key, value)| KeyValue { key: key.clone(), value: Some(value.clone()) });
        let notes = (!self.notes.is_empty())
            .then(|| std::iter::once(schema_to_metadata_key(self.writer.schema())).chain(notes).collect());
        self.writer.end(notes).map(drop)
    }
}

/// The columns in types that every reader of Parquet knows. Readers older than 2024 do not know views of texts; the pages are the same.
fn widely_readable(schema: ArrowSchema) -> ArrowSchema {
    let known = |mut field: Field| {
        if field.dtype == ArrowDataType::Utf8View {
            field.dtype = ArrowDataType::LargeUtf8;
        }
        (field.name.clone(), field)
    };
    schema.into_iter_values().map(known).collect()
}

type Pages = DynStreamingIterator<'static, CompressedPage, PolarsError>;

/// The compressed pages of a column.
fn pages_of(array: &ArrayRef, kind: &ParquetType, encodings: &[Encoding]) -> PolarsResult<Vec<Pages>> {
    let columns = array_to_columns(array, kind.clone(), OPTIONS, encodings)?;
    let compressed = columns.into_iter().map(|pages| {
        let pages =
            pages.map(|page| page.map_err(|error| ParquetError::FeatureNotSupported(error.to_string())));
        let compressor = Compressor::new_from_vec(pages, OPTIONS.compression, Vec::new());
        DynStreamingIterator::new(compressor.map_err(PolarsError::from))
    });
    Ok(compressed.collect())
}

/// The columns of a table with these types. Values may be missing.
pub(crate) fn schema_of(columns: &[(&str, OutputColumn)]) -> ArrowSchema {
    let fields = columns.iter().map(|(name, column)| {
        let kind = match column {
            OutputColumn::Text(_) => ArrowDataType::Utf8View,
            OutputColumn::F32(_) => ArrowDataType::Float32,
            OutputColumn::F64(_) => ArrowDataType::Float64,
            OutputColumn::U32(_) => ArrowDataType::UInt32,
            OutputColumn::I8(_) => ArrowDataType::Int8,
        };
        Field::new((*name).into(), kind, true)
    });
    fields.map(|field| (field.name.clone(), field)).collect()
}

/// The values of a column. NaN is written as missing.
pub(crate) fn array_of(column: &OutputColumn) -> ArrayRef {
    match column {
        OutputColumn::Text(values) => Utf8ViewArray::from_slice_values(values).boxed(),
        OutputColumn::F32(values) => {
            let values: Vec<Option<f32>> =
                values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect();
            PrimitiveArray::from(values).boxed()
        }
        OutputColumn::F64(values) => {
            let values: Vec<Option<f64>> =
                values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect();
            PrimitiveArray::from(values).boxed()
        }
        OutputColumn::U32(values) => PrimitiveArray::from_slice(values).boxed(),
        OutputColumn::I8(values) => PrimitiveArray::from_slice(values).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_as_every_reader_knows_them() {
        let texts = ["a", "b"];
        let schema =
            schema_of(&[("text", OutputColumn::Text(&texts)), ("number", OutputColumn::F64(&[1.0, 2.0]))]);
        let groups = RowGroups::new(Vec::new(), schema, &[]).unwrap();
        let kinds: Vec<&ArrowDataType> =
            groups.writer.schema().iter_values().map(|field| &field.dtype).collect();
        assert_eq!(kinds, [&ArrowDataType::LargeUtf8, &ArrowDataType::Float64]);
    }
}
