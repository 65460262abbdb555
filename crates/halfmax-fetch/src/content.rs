//! The checksum of a table's content, independent of its file format.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use halfmax_core::{Error, Result};
use polars::prelude::{AnyValue, CsvReadOptions, DataFrame, DataType, ParquetReader, SerReader};
use sha2::{Digest, Sha256};

use crate::checksum::hexadecimal;

/// The SHA-256 of the names and values of a table, column by column: 64 hexadecimal digits. A number counts as its
/// shortest decimal form, so a table has the same digest as Parquet, as CSV, and with any compression. The order of
/// rows and columns counts.
///
/// # Errors
/// If the file is not a Parquet or CSV file (`.csv`, `.csv.gz`).
pub fn content_digest(path: &Path) -> Result<String> {
    let frame = read(path)?;
    let mut hash = Sha256::new();
    for column in frame.columns() {
        hash.update(column.name().as_bytes());
        hash.update([0x1e]);
        let series = column.as_materialized_series();
        for value in series.iter() {
            add(&mut hash, &value);
            hash.update([0x1f]);
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}

fn add(hash: &mut Sha256, value: &AnyValue<'_>) {
    match value {
        AnyValue::Null => {}
        AnyValue::Float32(number) => hash.update((number + 0.0).to_string()),
        AnyValue::Float64(number) => hash.update((number + 0.0).to_string()),
        AnyValue::String(text) => add_text(hash, text),
        AnyValue::StringOwned(text) => add_text(hash, text),
        other => hash.update(other.to_string()),
    }
}

fn add_text(hash: &mut Sha256, text: &str) {
    match text.parse::<f64>().ok().filter(|number| number.is_finite()) {
        // Drop the sign of minus zero.
        Some(number) => hash.update((number + 0.0).to_string()),
        None => hash.update(text),
    }
}

fn read(path: &Path) -> Result<DataFrame> {
    let label = path.display();
    let unreadable = || Error::data(format!("{label}: the table cannot be read"));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable().because(error))?;
    let name = path.to_string_lossy().to_ascii_lowercase();
    let read = match name.ends_with(".gz") {
        true => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes),
        false => std::io::BufReader::new(file).read_to_end(&mut bytes),
    };
    read.map_err(|error| unreadable().because(error))?;
    let frame = match name.ends_with(".parquet") {
        true => ParquetReader::new(Cursor::new(bytes)).finish(),
        false => {
            let options = CsvReadOptions::default().with_has_header(true).with_infer_schema_length(Some(0));
            options.into_reader_with_file_handle(Cursor::new(bytes)).finish()
        }
    };
    let frame = frame.map_err(|error| unreadable().because(error.to_string()))?;
    let plain =
        |kind: &DataType| kind.is_primitive_numeric() || matches!(kind, DataType::String | DataType::Boolean);
    match frame.columns().iter().all(|column| plain(column.dtype())) {
        true => Ok(frame),
        false => Err(unreadable().help("expected columns of text and numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str, text: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        content_digest(&path).unwrap()
    }

    #[test]
    fn what_counts_is_what_the_table_holds() {
        let plain = digest("a.csv", b"cell_line,x\nA549,-0.000042\nHELA,0\n");
        assert_eq!(plain, digest("b.csv", b"cell_line,x\nA549,-4.2e-05\nHELA,-0.0\n"));
        for other in [
            "cell_line,y\nA549,-0.000042\nHELA,0\n",
            "cell_line,x\nHELA,0\nA549,-0.000042\n",
            "cell_line,x\nA549,\nHELA,0\n",
        ] {
            assert_ne!(plain, digest("c.csv", other.as_bytes()));
        }
    }
}
