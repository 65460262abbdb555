//! OpenDocument sheets, looked at before they are read: a cell or a row that is repeated stands in the file once, and the reader writes it out as often as
//! the file says. Format: OpenDocument 1.3, "Tables".

use halfmax_core::Result;

use super::limit::refuse_beyond_limit;

/// What the reader needs for a cell besides its text: the value, its formula, and its place among the rows.
const BYTES_PER_CELL: u128 = 64;

/// The reader writes out no more columns and rows than this.
const MOST_COLUMNS: u128 = 16_384;
const MOST_ROWS: u128 = 1_048_576;

/// Refuses sheets that take more than the limit once their repeated cells and rows are written out.
///
/// # Errors
/// If they do.
pub(super) fn check(label: &str, content: &[u8]) -> Result<()> {
    refuse_beyond_limit(label, written_out(content))
}

/// How many bytes all cells take.
fn written_out(content: &[u8]) -> u128 {
    let (mut sum, mut row, mut row_repeats, mut empty) = (0_u128, 0_u128, 1_u128, 0_u128);
    for tag in Tags(content) {
        if tag.is("table:table-row") {
            sum += row * row_repeats;
            (row, empty) = (0, 0);
            row_repeats = tag.repeats("table:number-rows-repeated").min(MOST_ROWS);
        } else if tag.is("table:table-cell") || tag.is("table:covered-table-cell") {
            let repeats = tag.repeats("table:number-columns-repeated").min(MOST_COLUMNS);
            // Empty cells at the end of a row are not written out.
            if tag.is_empty() {
                empty += repeats;
            } else {
                row += empty * BYTES_PER_CELL + repeats * (BYTES_PER_CELL + tag.size() as u128);
                empty = 0;
            }
        }
    }
    sum + row * row_repeats
}

/// The tags of a document, each with the text up to the next one that begins a row or a cell.
struct Tags<'a>(&'a [u8]);

struct Tag<'a> {
    /// From its name to the bracket that closes it.
    head: &'a [u8],
    /// What follows up to the next row or cell.
    rest: &'a [u8],
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        const START: &[u8] = b"<table:";
        let find = |bytes: &[u8]| bytes.windows(START.len()).position(|window| window == START);
        let own = self.0.get(find(self.0)? + 1..)?;
        let end = find(own).unwrap_or(own.len());
        let (tag, next) = own.split_at(end);
        self.0 = next;
        let closed = tag.iter().position(|byte| *byte == b'>').unwrap_or(tag.len());
        let (head, rest) = tag.split_at(closed);
        Some(Tag { head, rest })
    }
}

impl Tag<'_> {
    fn is(&self, name: &str) -> bool {
        self.head
            .strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.first().is_none_or(|next| next.is_ascii_whitespace() || *next == b'/'))
    }

    /// The number that an attribute holds; 1 without one, or one that is no number.
    fn repeats(&self, name: &str) -> u128 {
        let name = name.as_bytes();
        let at = self.head.windows(name.len()).position(|window| window == name);
        let value = at.and_then(|at| self.head.get(at + name.len()..)).unwrap_or_default();
        let from = value.iter().position(u8::is_ascii_digit).unwrap_or(value.len());
        let digits = value[from..].iter().take_while(|byte| byte.is_ascii_digit()).take(20);
        let number = digits.fold(0_u128, |number, digit| 10 * number + u128::from(digit - b'0'));
        number.max(1)
    }

    /// Whether the cell has neither value nor formula nor text.
    fn is_empty(&self) -> bool {
        let has = |name: &[u8]| self.head.windows(name.len()).any(|window| window == name);
        !has(b"office:")
            && !has(b"calcext:")
            && !has(b"table:formula")
            && !self.rest.windows(6).any(|window| window == b"<text:")
    }

    fn size(&self) -> usize {
        self.head.len() + self.rest.len()
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
        let empty = r#"<table:table-cell table:number-columns-repeated="16000"/>"#;
        let one = written_out(row(1, &cell(1)).as_bytes());
        assert!((BYTES_PER_CELL..4 * BYTES_PER_CELL).contains(&one), "{one}");
        assert!(written_out(row(1000, &cell(100)).as_bytes()) >= 100_000 * BYTES_PER_CELL);
        // Those at the end of a row, and empty rows, take nothing; those between cells do.
        assert!(written_out(row(1, &(cell(1) + empty)).as_bytes()) < 4 * BYTES_PER_CELL);
        assert_eq!(written_out(row(1_000_000, empty).as_bytes()), 0);
        assert!(written_out(row(1, &(empty.to_owned() + &cell(1))).as_bytes()) > 16_000 * BYTES_PER_CELL);
        assert!(check("t.ods", row(1_048_576, &cell(16_384)).as_bytes()).is_err());
        assert!(check("t.ods", b"<table:table-cell <table:").is_ok());
    }
}
