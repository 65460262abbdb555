//! Parquet and Arrow (Feather) files.

use std::io::Cursor;

use halfmax_core::{Error, Result};
use polars::prelude::{Column, DataFrame, DataType, IpcReader, ParquetReader, SerReader};

use crate::table::{LabelsBuilder, RawColumn, RawTable, RowPlaces, Values};

pub(super) fn read_parquet(label: &str, bytes: &[u8]) -> Result<RawTable> {
    if bytes.len() < 12 || !bytes.ends_with(b"PAR1") {
        return Err(Error::data(format!("{label}: the Parquet file is cut short"))
            .help("copy or download the file again"));
    }
    let frame = ParquetReader::new(Cursor::new(bytes)).finish();
    table_of_frame(label, frame.map_err(|error| unreadable(label, "Parquet", error))?)
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
    let frame = IpcReader::new(Cursor::new(bytes)).finish();
    table_of_frame(label, frame.map_err(|error| unreadable(label, "Arrow", error))?)
}

fn unreadable(label: &str, kind: &str, error: polars::error::PolarsError) -> Error {
    Error::data(format!("{label}: the {kind} file cannot be read: {error}"))
        .help("write it again with plain columns of text and numbers")
        .because(error)
}

fn table_of_frame(label: &str, frame: DataFrame) -> Result<RawTable> {
    let rows = frame.height();
    if rows == 0 {
        return Err(super::no_rows(label));
    }
    let columns = frame
        .into_columns()
        .into_iter()
        .map(|column| {
            Ok(RawColumn { name: column.name().trim().to_owned(), values: values_of(label, &column)? })
        })
        .collect::<Result<_>>()?;
    RawTable::new(label, columns, rows, RowPlaces::From(2), Vec::new())
}

fn values_of(label: &str, column: &Column) -> Result<Values> {
    let failed = |error: polars::error::PolarsError| {
        Error::data(format!("{label}: column {:?}: {error}", column.name().as_str())).because(error)
    };
    let kind = column.dtype();
    Ok(match kind {
        DataType::Float32 => Values::Singles(
            column.f32().map_err(failed)?.iter().map(|value| value.unwrap_or(f32::NAN)).collect(),
        ),
        DataType::Int64 | DataType::UInt64 if !fits_a_number(column) => {
            texts(&column.cast(&DataType::String).map_err(failed)?).map_err(failed)?
        }
        kind if kind.is_primitive_numeric() || kind.is_bool() || matches!(kind, DataType::Null) => {
            let numbers = column.cast(&DataType::Float64).map_err(failed)?;
            Values::Numbers(
                numbers.f64().map_err(failed)?.iter().map(|value| value.unwrap_or(f64::NAN)).collect(),
            )
        }
        DataType::String => texts(column).map_err(failed)?,
        kind => match column.cast(&DataType::String).and_then(|cast| texts(&cast)) {
            Ok(texts) if !kind.is_nested() => texts,
            _ => Values::Other(kind.to_string()),
        },
    })
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
    Ok(Values::Texts(builder.finish()))
}
