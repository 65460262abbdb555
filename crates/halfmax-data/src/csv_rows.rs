//! Rows of a table as delimited text. Texts are quoted if necessary; missing numbers are empty.

use std::io::{self, Write};

use rayon::prelude::*;

use crate::writers::{OutputColumn, rows_of};

/// The number of rows that one thread writes at a time.
const ROWS: usize = 1024;

/// Writes a table.
///
/// # Errors
/// If writing fails.
pub fn write_csv(out: &mut dyn Write, columns: &[(&str, OutputColumn)]) -> io::Result<()> {
    write_names(out, columns.iter().map(|(name, _)| *name), b',')?;
    write_rows(out, columns, rows_of(columns), b',')
}

/// Writes the line of column names.
///
/// # Errors
/// If writing fails.
pub(crate) fn write_names<'a>(
    out: &mut dyn Write,
    names: impl Iterator<Item = &'a str>,
    separator: u8,
) -> io::Result<()> {
    let mut line = Vec::new();
    for (at, name) in names.enumerate() {
        if at > 0 {
            line.push(separator);
        }
        push_text(&mut line, name, separator);
    }
    line.push(b'\n');
    out.write_all(&line)
}

/// Writes the first rows of a table.
///
/// # Errors
/// If writing fails.
pub(crate) fn write_rows(
    out: &mut dyn Write,
    columns: &[(&str, OutputColumn)],
    rows: usize,
    separator: u8,
) -> io::Result<()> {
    let at_once = ROWS * rayon::current_num_threads();
    for first in (0..rows).step_by(at_once) {
        let parts: Vec<usize> = (first..rows.min(first + at_once)).step_by(ROWS).collect();
        let lines = parts.par_iter().map(|first| lines(columns, *first..rows.min(first + ROWS), separator));
        for lines in lines.collect::<Vec<_>>() {
            out.write_all(&lines)?;
        }
    }
    Ok(())
}

fn lines(columns: &[(&str, OutputColumn)], rows: std::ops::Range<usize>, separator: u8) -> Vec<u8> {
    let mut lines = Vec::new();
    for row in rows {
        for (at, (_, column)) in columns.iter().enumerate() {
            if at > 0 {
                lines.push(separator);
            }
            push_value(&mut lines, column, row, separator);
        }
        lines.push(b'\n');
    }
    lines
}

fn push_value(line: &mut Vec<u8>, column: &OutputColumn, row: usize, separator: u8) {
    match column {
        OutputColumn::Text(values) => push_text(line, values[row], separator),
        OutputColumn::F32(values) => push_number(line, values[row], values[row].is_nan()),
        OutputColumn::F64(values) => push_number(line, values[row], values[row].is_nan()),
        OutputColumn::U32(values) => line.extend_from_slice(values[row].to_string().as_bytes()),
        OutputColumn::I8(values) => line.extend_from_slice(values[row].to_string().as_bytes()),
    }
}

fn push_number(line: &mut Vec<u8>, value: impl zmij::Float, missing: bool) {
    if !missing {
        line.extend_from_slice(zmij::Buffer::new().format(value).as_bytes());
    }
}

/// A text. It is quoted if it is empty, to differ from a missing value, or contains a character that ends a value.
fn push_text(line: &mut Vec<u8>, text: &str, separator: u8) {
    if !text.is_empty() && !text.contains([char::from(separator), '"', '\n', '\r']) {
        return line.extend_from_slice(text.as_bytes());
    }
    line.push(b'"');
    line.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    line.push(b'"');
}
