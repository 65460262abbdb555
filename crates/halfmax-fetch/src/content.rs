//! The checksum of a table's content, independent of its file format.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use halfmax_core::{Error, Result};
use halfmax_data::{PlainValue, plain_columns};
use sha2::{Digest, Sha256};

use crate::checksum::hexadecimal;
use crate::texts::Texts;

/// The SHA-256 of the names and values of a table, column by column: 64 hexadecimal digits. Numbers count in their shortest decimal form,
/// so Parquet, CSV and any compression give the same digest. The order of rows and columns counts.
/// A gap in a CSV file of a single column is a blank line and does not count.
///
/// # Errors
/// If the file is not a Parquet or CSV file (`.csv`, `.csv.gz`).
pub fn content_digest(path: &Path) -> Result<String> {
    let label = path.display().to_string();
    let unreadable = || Error::data(format!("{label}: the table cannot be read"));
    let (name, bytes) = read(path).map_err(|error| unreadable().with_source(error))?;
    let mut hash = Sha256::new();
    if name.ends_with(".parquet") {
        let columns =
            plain_columns(&label, bytes).map_err(|error| unreadable().with_source(error.to_string()))?;
        let columns =
            columns.ok_or_else(|| unreadable().with_help("expected columns of text and numbers"))?;
        for column in columns {
            add_name(&mut hash, &column.name);
            column.each(|value| add(&mut hash, &value));
        }
    } else {
        let texts = Texts::read(&bytes).map_err(|error| unreadable().with_source(error.to_string()))?;
        for (name, values) in &texts.columns {
            add_name(&mut hash, name);
            values.iter().for_each(|value| add(&mut hash, &PlainValue::Text(value)));
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}

fn add_name(hash: &mut Sha256, name: &str) {
    hash.update(name.as_bytes());
    hash.update([0x1e]);
}

fn add(hash: &mut Sha256, value: &PlainValue<'_>) {
    match value {
        PlainValue::Missing => {}
        PlainValue::Text(text) => add_text(hash, text),
        PlainValue::Number(number) => hash.update(number),
    }
    hash.update([0x1f]);
}

fn add_text(hash: &mut Sha256, text: &str) {
    match text.parse::<f64>().ok().filter(|number| number.is_finite()) {
        // Drop the sign of minus zero.
        Some(number) => hash.update((number + 0.0).to_string()),
        None => hash.update(text),
    }
}

/// The name of a file in lower case, and its decompressed bytes.
fn read(path: &Path) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut file = File::open(path)?;
    let name = path.to_string_lossy().to_ascii_lowercase();
    match name.ends_with(".gz") {
        true => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes)?,
        false => file.read_to_end(&mut bytes)?,
    };
    Ok((name, bytes))
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
