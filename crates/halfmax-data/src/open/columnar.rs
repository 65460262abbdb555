//! Parquet and Arrow (Feather) files.

use std::borrow::Cow;
use std::io::Cursor;

use halfmax_core::{Error, Result};
use polars::prelude::{
    ChunkedArray, Column, DataFrame, DataType, IpcReader, ParquetReader, PolarsNumericType, SerReader,
};

use super::guard::guarded;
use crate::table::{LabelsBuilder, RawColumn, RawTable, RowPlaces, Values};

pub(super) fn read_parquet(label: &str, bytes: &[u8]) -> Result<RawTable> {
    if bytes.len() < 12 || !bytes.ends_with(b"PAR1") {
        return Err(cut_short(label));
    }
    let size = bytes.len();
    guarded(label, "Parquet", || {
        let failed = |error| unreadable(label, "Parquet", error);
        let mut reader = ParquetReader::new(Cursor::new(bytes));
        let about = reader.get_metadata().map_err(failed)?;
        let rows: usize =
            about.row_groups.iter().map(|group| group.num_rows()).fold(0, usize::saturating_add);
        let columns = about.schema_descr.columns().len();
        refuse_impossible_size(label, rows.max(about.num_rows), columns, size)?;
        let columns = about.row_groups.iter().flat_map(|group| group.parquet_columns());
        let columns = columns.map(|column| (column.byte_range(), column.num_values()));
        super::pages::check(label, size, columns, |place| bytes.get(place).map(Cow::Borrowed))?;
        table_of_frame(label, reader.finish().map_err(failed)?)
    })
}

pub(super) fn cut_short(label: &str) -> Error {
    Error::data(format!("{label}: the Parquet file is cut short")).help("copy or download the file again")
}

/// At most so many values for each byte of a file: one value that is repeated takes next to nothing, but a page of a
/// thousand such values takes some bytes.
const MOST_VALUES_PER_BYTE: usize = 1 << 14;

/// At most so many bytes are unpacked from one, of an Arrow file: as many as the best compression of one repeated value.
const MOST_BYTES_PER_BYTE: usize = 1 << 14;

/// So many bytes are never too many.
const FEW_BYTES: usize = 1 << 25;

/// So many values are never too many.
const FEW_VALUES: usize = 1 << 22;

/// Refuses a file that says it holds more values than a file of its size can.
pub(super) fn refuse_impossible_size(label: &str, rows: usize, columns: usize, bytes: usize) -> Result<()> {
    let most = bytes.saturating_mul(MOST_VALUES_PER_BYTE).max(FEW_VALUES);
    if rows.saturating_mul(columns) <= most && rows < u32::MAX as usize {
        return Ok(());
    }
    Err(Error::data(format!(
        "{label}: the file says that it holds {rows} rows × {columns} columns, which its {bytes} bytes cannot"
    ))
    .help("copy or download the file again"))
}

pub(super) fn read_arrow(label: &str, bytes: &[u8]) -> Result<RawTable> {
    if bytes.starts_with(b"FEA1") {
        return Err(Error::data(format!(
            "{label}: this is the first version of Feather, which is not read any more"
        ))
        .help(
            "write it again: arrow::write_feather(x, \"file.feather\") or frame.to_feather(\"file.feather\")",
        ));
    }
    super::arrow::check(label, bytes, bytes.len().saturating_mul(MOST_BYTES_PER_BYTE).max(FEW_BYTES))?;
    guarded(label, "Arrow", || {
        let frame = IpcReader::new(Cursor::new(bytes)).finish();
        table_of_frame(label, frame.map_err(|error| unreadable(label, "Arrow", error))?)
    })
}

pub(super) fn unreadable(label: &str, kind: &str, error: polars::error::PolarsError) -> Error {
    Error::data(format!("{label}: the {kind} file cannot be read: {error}"))
        .help("write it again with plain columns of text and numbers")
        .because(error)
}

fn table_of_frame(label: &str, frame: DataFrame) -> Result<RawTable> {
    let rows = frame.height();
    if rows == 0 {
        return Err(super::no_rows(label));
    }
    RawTable::new(label, columns_of_frame(label, frame)?, rows, RowPlaces::From(2), Vec::new())
}

pub(super) fn columns_of_frame(label: &str, frame: DataFrame) -> Result<Vec<RawColumn>> {
    let column = |column: Column| {
        Ok(RawColumn { name: column.name().trim().to_owned(), values: values_of(label, column)? })
    };
    frame.into_columns().into_iter().map(column).collect()
}

fn values_of(label: &str, column: Column) -> Result<Values> {
    let name = column.name().clone();
    let failed = |error: polars::error::PolarsError| {
        Error::data(format!("{label}: column {:?}: {error}", name.as_str())).because(error)
    };
    Ok(match column.dtype() {
        DataType::Float32 => {
            let singles = column.f32().map_err(failed)?.clone();
            drop(column);
            Values::singles(with_missing(singles, f32::NAN))
        }
        DataType::Int64 | DataType::UInt64 if !fits_a_number(&column) => {
            texts(&column.cast(&DataType::String).map_err(failed)?).map_err(failed)?
        }
        kind if kind.is_primitive_numeric() || kind.is_bool() || matches!(kind, DataType::Null) => {
            let cast = column.cast(&DataType::Float64).map_err(failed)?;
            let numbers = cast.f64().map_err(failed)?.clone();
            drop((column, cast));
            Values::numbers(with_missing(numbers, f64::NAN))
        }
        DataType::String => texts(&column).map_err(failed)?,
        kind => match column.cast(&DataType::String).and_then(|cast| texts(&cast)) {
            Ok(texts) if !kind.is_nested() => texts,
            _ => Values::Other(kind.to_string()),
        },
    })
}

/// The numbers of a column, with `missing` where one is missing. Those of one chunk are taken over, not copied, if nobody else holds them.
fn with_missing<T: PolarsNumericType>(column: ChunkedArray<T>, missing: T::Native) -> Vec<T::Native> {
    let rows = column.len();
    let mut all = Vec::new();
    for chunk in column.downcast_into_iter() {
        let (_, values, present) = chunk.into_inner();
        let mut values = values.into_mut().right_or_else(|shared| shared.to_vec());
        if let Some(present) = present {
            let absent = present.iter().enumerate().filter(|(_, present)| !present);
            absent.for_each(|(at, _)| values[at] = missing);
        }
        if values.len() == rows {
            return values;
        }
        all.extend_from_slice(&values);
    }
    all
}

/// Whether whole numbers of 64 bits survive as numbers: ids of 20 digits do not.
fn fits_a_number(column: &Column) -> bool {
    let largest = column.cast(&DataType::Float64).ok().and_then(|cast| {
        cast.f64()
            .ok()
            .map(|values| values.iter().flatten().fold(0.0, |most: f64, value| most.max(value.abs())))
    });
    largest.is_none_or(|largest| largest <= 9_007_199_254_740_992.0)
}

fn texts(column: &Column) -> Result<Values, polars::error::PolarsError> {
    let mut builder = LabelsBuilder::default();
    column.str()?.iter().for_each(|text| builder.push(text));
    Ok(Values::texts(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_values_than_a_file_can_hold_are_refused() {
        assert!(refuse_impossible_size("t.parquet", 1_000_000, 4, 500).is_ok());
        assert!(refuse_impossible_size("t.parquet", 1_000_000, 1000, 200_000).is_ok());
        let error = refuse_impossible_size("t.parquet", 1 << 40, 3, 2044).unwrap_err().to_string();
        assert!(error.contains("1099511627776 rows × 3 columns, which its 2044 bytes cannot"), "{error}");
        assert!(refuse_impossible_size("t.parquet", usize::MAX, usize::MAX, usize::MAX).is_err());
    }
}
