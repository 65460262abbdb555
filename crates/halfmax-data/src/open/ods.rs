//! Checks of OpenDocument sheets before reading. A repeated cell or row is stored once, and the reader expands it as
//! often as the file declares. If a document ends inside a table, calamine 0.38 searches for the rest forever. Format:
//! OpenDocument 1.3, "Tables".

use std::borrow::Cow;

use halfmax_core::{Error, Result};

use super::limit::refuse_beyond_limit;

/// The memory per cell besides its text: the value, its formula, and its place among the rows.
const BYTES_PER_CELL: u128 = 64;

/// The reader expands at most this many columns and rows.
const MOST_COLUMNS: u128 = 16_384;
const MOST_ROWS: u128 = 1_048_576;

/// Refuses sheets that are incomplete, or that exceed the limit after expanding repeated cells and rows.
///
/// # Errors
/// If the sheets are incomplete or too large.
pub(super) fn check(label: &str, content: &[u8]) -> Result<()> {
    let written_out = written_out(content).map_err(|what| {
        Error::data(format!("{label}: the workbook is damaged: {what}"))
            .with_help("copy or download the file again, or save the sheet as CSV (UTF-8)")
    })?;
    refuse_beyond_limit(label, written_out)
}

/// An open cell.
struct Cell {
    repeats: u128,
    begins: usize,
    filled: bool,
}

/// The number of bytes of all cells, or a description of the damage.
fn written_out(content: &[u8]) -> Result<u128, String> {
    let (mut sum, mut row, mut row_repeats, mut empty) = (0_u128, 0_u128, 1_u128, 0_u128);
    let mut cell: Option<Cell> = None;
    let mut open: Vec<&[u8]> = Vec::new();
    let mut tags = Tags { content, at: 0 };
    while let Some(tag) = tags.next()? {
        let name = tag.name();
        let is_cell = matches!(name, b"table:table-cell" | b"table:covered-table-cell");
        if !tag.ends {
            match name {
                b"table:table-row" => {
                    (row, empty) = (0, 0);
                    row_repeats = tag.repeats("table:number-rows-repeated").min(MOST_ROWS);
                }
                b"text:p" => cell.iter_mut().for_each(|cell| cell.filled = true),
                _ if is_cell => {
                    let repeats = tag.repeats("table:number-columns-repeated").min(MOST_COLUMNS);
                    cell = Some(Cell { repeats, begins: tag.begins, filled: tag.has_value() });
                }
                _ => {}
            }
            if !tag.is_closed() {
                open.push(name);
                continue;
            }
        } else if open.pop() != Some(name) {
            return Err(format!("{} is closed but was not opened", shown(name)));
        }
        if is_cell && let Some(Cell { repeats, begins, filled }) = cell.take() {
            // Empty cells at the end of a row are not expanded.
            if filled {
                row += empty * BYTES_PER_CELL + repeats * (BYTES_PER_CELL + (tags.at - begins) as u128);
                empty = 0;
            } else {
                empty += repeats;
            }
        } else if name == b"table:table-row" {
            sum += std::mem::take(&mut row) * row_repeats;
        }
    }
    match open.last() {
        None => Ok(sum),
        Some(name) => Err(format!("the document ends inside {}", shown(name))),
    }
}

fn shown(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&name[..name.len().min(80)])
}

/// The tags of a document, except those in comments.
struct Tags<'a> {
    content: &'a [u8],
    at: usize,
}

struct Tag<'a> {
    /// The text between the brackets, without the leading slash.
    inside: &'a [u8],
    begins: usize,
    /// Whether the tag closes an element.
    ends: bool,
}

impl<'a> Tags<'a> {
    /// The next tag; `None` at the end.
    fn next(&mut self) -> Result<Option<Tag<'a>>, String> {
        loop {
            let rest = self.content.get(self.at..).unwrap_or_default();
            let Some(begins) = rest.iter().position(|byte| *byte == b'<') else { return Ok(None) };
            let own = &rest[begins..];
            let begins = self.at + begins;
            let passed_over: [(&[u8], &[u8]); 3] =
                [(b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")];
            if let Some((from, to)) = passed_over.iter().find(|(from, _)| own.starts_with(from)) {
                let inner = &own[from.len()..];
                let end = inner.windows(to.len()).position(|window| window == *to);
                let end = end.ok_or_else(|| format!("{} has no end", shown(from)))?;
                self.at = begins + from.len() + end + to.len();
                continue;
            }
            if own.starts_with(b"<!") {
                return Err("it contains a document type declaration".into());
            }
            let ends = own.starts_with(b"</");
            let from = if ends { 2 } else { 1 };
            let inside = &own[from..];
            let Some(length) = length_of_tag(inside, ends) else {
                return Err(format!("{} has no end", shown(own)));
            };
            self.at = begins + from + length + 1;
            return Ok(Some(Tag { inside: &inside[..length], begins, ends }));
        }
    }
}

/// The position of the bracket that closes a tag. Brackets in quotation marks do not close it.
fn length_of_tag(inside: &[u8], ends: bool) -> Option<usize> {
    let mut quoted = None;
    inside.iter().position(|byte| {
        match (quoted, byte) {
            (None, b'"' | b'\'') if !ends => quoted = Some(*byte),
            (Some(mark), byte) if mark == *byte => quoted = None,
            (None, b'>') => return true,
            _ => {}
        }
        false
    })
}

impl<'a> Tag<'a> {
    fn name(&self) -> &'a [u8] {
        let end = self.inside.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'/');
        &self.inside[..end.unwrap_or(self.inside.len())]
    }

    /// Whether the element has no content.
    fn is_closed(&self) -> bool {
        self.inside.ends_with(b"/")
    }

    /// The number in an attribute; 1 if the attribute is missing or not a number.
    fn repeats(&self, name: &str) -> u128 {
        let name = name.as_bytes();
        let at = self.inside.windows(name.len()).position(|window| window == name);
        let value = at.and_then(|at| self.inside.get(at + name.len()..)).unwrap_or_default();
        let from = value.iter().position(u8::is_ascii_digit).unwrap_or(value.len());
        let digits = value[from..].iter().take_while(|byte| byte.is_ascii_digit()).take(20);
        let number = digits.fold(0_u128, |number, digit| 10 * number + u128::from(digit - b'0'));
        number.max(1)
    }

    /// Whether a cell has a value or a formula.
    fn has_value(&self) -> bool {
        let has = |name: &[u8]| self.inside.windows(name.len()).any(|window| window == name);
        has(b"office:") || has(b"calcext:") || has(b"table:formula")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_cells_and_rows_count_as_often_as_they_are_written_out() {
        let cell = |repeats: u32| {
            format!(r#"<table:table-cell table:number-columns-repeated="{repeats}" office:value="1"/>"#)
        };
        let row = |repeats: u32, cells: &str| {
            format!(r#"<table:table-row table:number-rows-repeated="{repeats}">{cells}</table:table-row>"#)
        };
        let size = |text: String| written_out(text.as_bytes()).unwrap();
        let empty = r#"<table:table-cell table:number-columns-repeated="16000"/>"#;
        let one = size(row(1, &cell(1)));
        assert!((BYTES_PER_CELL..4 * BYTES_PER_CELL).contains(&one), "{one}");
        assert!(size(row(1000, &cell(100))) >= 100_000 * BYTES_PER_CELL);
        let text = "<table:table-cell><text:p>a &gt; b</text:p></table:table-cell>";
        assert!(size(row(1000, text)) >= 1000 * BYTES_PER_CELL);
        // Empty cells at the end of a row and empty rows take no memory; empty cells between cells do.
        assert!(size(row(1, &(cell(1) + empty))) < 4 * BYTES_PER_CELL);
        assert_eq!(size(row(1_000_000, empty)), 0);
        assert!(size(row(1, &(empty.to_owned() + &cell(1)))) > 16_000 * BYTES_PER_CELL);
        assert!(check("t.ods", row(1_048_576, &cell(16_384)).as_bytes()).is_err());
    }

    #[test]
    fn documents_that_are_not_whole_are_refused() {
        let whole = "<?xml version='1.0'?><a><!-- <b> --><b c='>' d=\"'\"/><![CDATA[</a>]]></a >";
        assert_eq!(written_out(whole.as_bytes()), Ok(0));
        for (wrong, what) in [
            ("<table:table><b></b>", "ends inside table:table"),
            ("<a><b></a></b>", "a is closed but was not opened"),
            ("</a>", "a is closed"),
            ("<a><!-- </a>", "<!-- has no end"),
            ("<a b='></a>", "has no end"),
            ("<!DOCTYPE a><a/>", "document type"),
        ] {
            let error = check("t.ods", wrong.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("t.ods: the workbook is damaged") && error.contains(what), "{error}");
        }
    }
}
