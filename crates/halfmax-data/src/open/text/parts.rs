//! Reads delimited text in parts, so that memory does not grow with the file. A first pass surveys the whole file. Then
//! each part can be read as a table, as often as needed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};

use super::super::changed;
use super::super::container::damaged;
use super::super::survey::{About, Survey, Surveyed};
use super::{Head, Parsed, Pass, Remarks, comma_styles, left_out, looks_like_utf16, parse, take_commas};
use crate::formats::PartReader;
use crate::number::NumberStyle;
use crate::parts::PartSize;
use crate::table::RawTable;

/// A text whose parts can be read as tables.
pub(crate) struct TextParts {
    source: Source,
    head: Head,
    styles: Vec<Option<NumberStyle>>,
    surveyed: Surveyed,
}

impl TextParts {
    /// Surveys a whole file. `None` for a file that cannot be read in parts: an encoding other than UTF-8, or unpaired quotation marks.
    ///
    /// # Errors
    /// If the file cannot be read, has no row, or has rows of different widths.
    pub fn survey(
        path: &Path,
        packing: Packing,
        separator: Option<u8>,
        size: PartSize,
    ) -> Result<Option<Box<dyn PartReader>>> {
        let Some(source) = Source::of(path, packing, size) else { return Ok(None) };
        let label = &source.label;
        let mut reader = source.open()?;
        let Some(mut first) = reader.next_part()?.filter(|first| first.contains('\n')) else {
            return Ok(None);
        };
        // Remarks may be longer than a part.
        while Remarks::of(&first).end == first.len() {
            let Some(next) = reader.next_part()? else { break };
            first += &next;
        }
        let head = Head::of(label, &first, separator)?;
        reader.format(&head);
        let body = head.format.prepared(&first[head.end..]);
        let numeric = head.format.numeric_columns(&body, head.before, head.names.len());
        let mut survey = Survey::of(&head.names, numeric);
        drop(body);
        let mut position = Position::of(&head);
        let (mut blank, mut remarks) = (0, 0);
        let mut text = Some(first);
        while let Some(own) = text {
            let parsed = match position.parse(label, &head, &own, &survey.numeric) {
                // Only the end of the file shows whether quotation marks enclose fields, so the table is read as a
                // whole.
                Err(_) if reader.quotes > 0 => return Ok(None),
                parsed => parsed?,
            };
            survey.see(&parsed.columns, parsed.rows, &parsed.places);
            (blank, remarks) = (blank + parsed.blank, remarks + parsed.remarks);
            text = reader.next_part()?;
        }
        if !reader.is_text || (head.format.quoting && reader.quotes % 2 == 1) {
            return Ok(None);
        }
        if survey.rows == 0 {
            return Err(super::super::no_rows(label));
        }
        let about = About { label, header: head.header, bytes: source.size, notes: head.notes.clone() };
        let mut styles = Vec::new();
        let surveyed = survey.conclude(about, |columns| {
            styles = comma_styles(columns, head.format.separator);
            let mut notes = take_commas(columns, &styles);
            notes.extend(left_out(remarks, blank));
            notes
        })?;
        let parts = surveyed.map(|surveyed| Self { source, head, styles, surveyed });
        Ok(parts.map(|parts| Box::new(parts) as Box<dyn PartReader>))
    }
}

impl PartReader for TextParts {
    fn sample(&self) -> &RawTable {
        &self.surveyed.sample
    }

    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<()> {
        let label = &self.source.label;
        let mut reader = self.source.open()?;
        reader.format(&self.head);
        let mut position = Position::of(&self.head);
        let mut rows = 0;
        while let Some(text) = reader.next_part()? {
            let parsed = position.parse(label, &self.head, &text, &self.surveyed.numeric)?;
            drop(text);
            rows += parsed.rows;
            let mut columns = parsed.columns;
            take_commas(&mut columns, &self.styles);
            take(self.surveyed.part(&columns, parsed.rows, parsed.places))?;
        }
        if reader.is_text && rows == self.surveyed.rows {
            return Ok(());
        }
        Err(changed(label))
    }
}

/// Where the next part begins.
struct Position {
    /// The number of records before the rows of the next part, and the number of its bytes to skip.
    before: usize,
    skipped: usize,
    first_row: usize,
}

impl Position {
    fn of(head: &Head) -> Self {
        Self { before: head.before, skipped: head.end, first_row: head.first_row }
    }

    fn parse(&mut self, label: &str, head: &Head, text: &str, numeric: &[bool]) -> Result<Parsed> {
        let body = head.format.prepared(text.get(self.skipped..).unwrap_or_default());
        let (before, first_row) = (self.before, self.first_row);
        let pass = Pass { label, text: &body, format: &head.format, before, first_row };
        let parsed = parse(&pass, &head.names, numeric)?;
        self.first_row += parsed.records.saturating_sub(before);
        (self.before, self.skipped) = (0, 0);
        Ok(parsed)
    }
}

/// How a text is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not compressed.
    Plain,
    /// Gzip.
    Gzip,
}

/// A text file, compressed or not.
struct Source {
    path: PathBuf,
    label: String,
    packing: Packing,
    /// The size of the file in bytes.
    size: u64,
    part: PartSize,
}

impl Source {
    /// `None` if the path is not a file.
    fn of(path: &Path, packing: Packing, part: PartSize) -> Option<Self> {
        let about = std::fs::metadata(path).ok().filter(|about| about.is_file())?;
        let label = path.display().to_string();
        Some(Self { path: path.to_owned(), label, packing, size: about.len(), part })
    }

    fn open(&self) -> Result<Reader> {
        let file = File::open(&self.path).map_err(|error| unreadable(&self.label, error))?;
        let file = BufReader::with_capacity(1 << 18, file);
        let inner: Box<dyn Read> = match self.packing {
            Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
            Packing::Plain => Box::new(file),
        };
        Ok(Reader {
            inner,
            label: self.label.clone(),
            packing: self.packing,
            part: self.part,
            buffer: Vec::new(),
            ended: false,
            quoting: true,
            separators: vec![b',', b'\t', b';', b'|'],
            is_text: true,
            read: 0,
            quotes: 0,
        })
    }
}

fn unreadable(label: &str, error: io::Error) -> Error {
    Error::data(format!("{label}: cannot be read: {error}")).with_source(error)
}

/// The position of a byte within a field.
#[derive(Clone, Copy)]
enum Field {
    Begins,
    Plain,
    Enclosed,
    /// After a quotation mark that closes the field or is the first of a doubled pair.
    MayEnd,
}

/// Reads parts that end at the end of a record.
struct Reader {
    inner: Box<dyn Read>,
    label: String,
    packing: Packing,
    part: PartSize,
    buffer: Vec<u8>,
    ended: bool,
    /// Whether quotation marks enclose ends of lines.
    quoting: bool,
    /// The separator of fields; several candidates until it is known.
    separators: Vec<u8>,
    /// Whether all bytes so far were UTF-8 text with recognisable records. If not, reading stops.
    is_text: bool,
    /// The number of bytes read.
    read: u64,
    /// The number of quotation marks in the returned parts.
    quotes: usize,
}

impl Reader {
    /// The minimum length of the first part, which decides the format, however short the other parts are.
    const BEGINNING: usize = 1 << 12;
    /// The longest plausible record. A longer record means an unclosed quotation mark.
    const LONGEST_RECORD: usize = 1 << 26;

    fn format(&mut self, head: &Head) {
        self.quoting = head.format.quoting;
        self.separators = vec![head.format.separator];
    }

    /// The next part; `None` at the end.
    fn next_part(&mut self) -> Result<Option<String>> {
        let begins = self.read == 0;
        let part = self.part.bytes();
        let mut wanted = if begins { part.max(Self::BEGINNING) } else { part };
        self.part.go_on()?;
        let end = loop {
            self.fill(wanted)?;
            match self.last_end() {
                _ if self.ended => break self.buffer.len(),
                Some(end) => break end,
                None if self.buffer.len() > Self::LONGEST_RECORD.max(part) => {
                    self.is_text = false;
                    return Ok(None);
                }
                None => wanted = 2 * self.buffer.len(),
            }
        };
        let rest = self.buffer.split_off(end);
        let mut part = std::mem::replace(&mut self.buffer, rest);
        if begins {
            let marked = [[0xff, 0xfe], [0xfe, 0xff]].iter().any(|mark| part.starts_with(mark));
            self.is_text = !marked && !looks_like_utf16(&part);
            if part.starts_with("\u{feff}".as_bytes()) {
                part.drain(.."\u{feff}".len());
            }
        }
        if !self.is_text || part.is_empty() {
            return Ok(None);
        }
        self.quotes += part.iter().filter(|byte| **byte == b'"').count();
        let text = String::from_utf8(part);
        self.is_text = text.is_ok();
        Ok(text.ok())
    }

    fn fill(&mut self, wanted: usize) -> Result<()> {
        let missing = wanted.saturating_sub(self.buffer.len()) as u64;
        if self.ended || missing == 0 {
            return Ok(());
        }
        let read = self.inner.by_ref().take(missing).read_to_end(&mut self.buffer);
        let read = read.map_err(|error| match self.packing {
            Packing::Gzip => damaged(&self.label, error),
            Packing::Plain => unreadable(&self.label, error),
        })? as u64;
        self.read += read;
        self.ended = read < missing;
        Ok(())
    }

    /// The end of the last complete record in the buffer: the end of a line outside quotation marks.
    fn last_end(&self) -> Option<usize> {
        if !self.quoting || !self.buffer.contains(&b'"') {
            return self.buffer.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        }
        // The parser's rules: a quotation mark opens only at the beginning of a field, and a doubled mark inside is one
        // character.
        let (mut state, mut last) = (Field::Begins, None);
        for (at, byte) in self.buffer.iter().enumerate() {
            state = match (state, byte) {
                (Field::Begins, b'"') | (Field::MayEnd, b'"') => Field::Enclosed,
                (Field::Enclosed, b'"') => Field::MayEnd,
                (Field::Enclosed, _) => Field::Enclosed,
                (_, b'\n') => {
                    last = Some(at + 1);
                    Field::Begins
                }
                (_, byte) if self.separators.contains(byte) => Field::Begins,
                _ => Field::Plain,
            };
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, part: usize) -> Option<(Box<dyn PartReader>, tempfile::NamedTempFile)> {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        TextParts::survey(file.path(), Packing::Plain, None, PartSize::of_bytes(part))
            .unwrap()
            .map(|parts| (parts, file))
    }

    /// Every entry of a table with its row in the file.
    fn entries(table: &RawTable) -> Vec<(usize, Vec<String>)> {
        let columns: Vec<_> = (0..table.names().len()).map(|at| table.texts(at).unwrap()).collect();
        let row = |at: usize| columns.iter().map(|column| column[at].clone().unwrap_or_default()).collect();
        (0..table.rows()).map(|at| (table.row_of(at), row(at))).collect()
    }

    #[test]
    fn parts_are_what_the_whole_is() {
        let row = |at: usize| match at {
            13 => ",,\n".to_owned(),
            17 => "# a remark\n".to_owned(),
            700 => "\"A\n20\",20,\"say \"\"yes\"\"\"\n".to_owned(),
            _ => format!("L{},{}.5,{}\n", at % 7, at, if at == 900 { "text" } else { "NA" }),
        };
        let text = format!("# made up\nline,b,c\n{}", (0..1200).map(row).collect::<String>());
        for part in [1, 40, 300, 10_000] {
            let (parts, file) = parts(&text, part).unwrap();
            let whole = crate::open::read_table(file.path()).unwrap();
            let mut all = Vec::new();
            parts
                .each(&mut |table| {
                    assert_eq!(table.names(), whole.names());
                    all.extend(entries(&table));
                    Ok(())
                })
                .unwrap();
            assert_eq!(all, entries(&whole), "{part}");
            assert_eq!(parts.sample().notes(), whole.notes());
            let content = |table: &RawTable| (0..3).map(|at| table.content(at)).collect::<Vec<_>>();
            assert_eq!(content(parts.sample()), content(&whole));
        }
    }

    #[test]
    fn what_only_the_whole_can_tell_is_left_to_it() {
        assert!(parts("a,b\nx,\"1\ny,2\n", 4).is_none());
        assert!(parts("a,a\n1,1\n2,3\n", 4).is_none());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"a,b\nx,1\n\xe4,2\n").unwrap();
        assert!(
            TextParts::survey(file.path(), Packing::Plain, None, PartSize::of_bytes(4)).unwrap().is_none()
        );
    }
}
