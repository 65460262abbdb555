//! Delimited text: encoding, line ends, remarks before the table, separator, and the parse itself.

mod parts;

use std::borrow::Cow;

use csv::{ReaderBuilder, StringRecord};
use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};
use halfmax_core::{Error, Result};
use rayon::prelude::*;

pub(crate) use self::parts::{Packing, TextParts};
use super::header::{Heading, heading, ragged};
use crate::formats::{DELIMITED_ENDINGS, has_ending};
use crate::missing::is_missing;
use crate::number::{CommaEvidence, NumberStyle, comma_evidence, plain_number, styled_number};
use crate::table::{Header, LabelsBuilder, RawColumn, RawTable, RowPlaces, Values};

/// The number of rows inspected to detect the format.
const SAMPLE: usize = 60;

/// Reads delimited text. The separator is detected unless it is given.
pub(crate) fn read_text(label: &str, bytes: Vec<u8>, separator: Option<u8>) -> Result<RawTable> {
    let mut notes = Vec::new();
    let text = decoded(label, bytes, &mut notes)?;
    let head = Head::of(label, &text, separator)?;
    let Head { format, before, first_row, .. } = head;
    let body = format.prepared(&text[head.end..]);
    refuse_unclosed(label, &body, &format, head.rows)?;
    let numeric = format.numeric_columns(&body, before, head.names.len());
    let mut parsed =
        parse(&Pass { label, text: &body, format: &format, before, first_row }, &head.names, &numeric)?;
    if parsed.rows == 0 {
        return Err(super::no_rows(label));
    }
    notes.extend(head.notes);
    let styles = comma_styles(&parsed.columns, format.separator);
    notes.extend(take_commas(&mut parsed.columns, &styles));
    notes.extend(left_out(parsed.remarks, parsed.blank));
    let mut table = RawTable::new(label, parsed.columns, parsed.rows, parsed.places, notes)?;
    table.header = head.header;
    Ok(table)
}

/// Notes on lines that are not rows of values.
fn left_out(remarks: usize, blank: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if remarks > 0 {
        notes.push(format!("remarks (#) among the rows: {remarks}"));
    }
    if blank > 0 {
        notes.push(format!("rows without any value: {blank}"));
    }
    notes
}

/// The format of a text, detected from its beginning.
pub(super) struct Head {
    format: Format,
    /// The position of the table, and the number of rows before it.
    end: usize,
    rows: usize,
    names: Vec<String>,
    header: Header,
    /// The number of records before the rows of values.
    before: usize,
    /// The file row of the first row of values.
    first_row: usize,
    notes: Vec<String>,
}

impl Head {
    fn of(label: &str, text: &str, separator: Option<u8>) -> Result<Self> {
        let remarks = Remarks::of(text);
        let mut notes = remarks.notes.clone();
        let body = &text[remarks.end..];
        if body.trim().is_empty() {
            return Err(super::empty(label));
        }
        let ending = ending_of(label);
        let format = Format::of(body, separator.or(remarks.separator), ending);
        if format.separator != ending && separator.is_none() {
            notes.push(format!("separated by {}", format.name()));
        }
        let body = format.prepared(body);
        let sample = format.sample(&body);
        let Heading { mut names, body: before, mut header, notes: more } = heading(&sample, format.width);
        notes.extend(more);
        if let Some(remark) = remarks.header(format.separator, &sample, format.width) {
            notes.retain(|note| !note.starts_with("there is no header row"));
            (names, header) = (remark, Header::Found);
        }
        let (end, rows) = (remarks.end, remarks.rows);
        if names.len() != format.width {
            return Err(ragged(label, rows + before + 1, format.width, names.len()));
        }
        Ok(Self { format, end, rows, names, header, before, first_row: rows + before + 1, notes })
    }
}

/// Refuses text with an unclosed quotation mark. It puts the rest of the file into one field, even if the row then has
/// the usual number of fields.
fn refuse_unclosed(label: &str, text: &str, format: &Format, before: usize) -> Result<()> {
    if !format.quoting || text.bytes().filter(|byte| *byte == b'"').count() % 2 == 0 {
        return Ok(());
    }
    let mut last = (0, false);
    for (at, record) in format.reader(text).into_records().enumerate() {
        let Ok(record) = record else { break };
        last = (at, record.iter().any(|field| field.ends_with(['\n', '\r']) || field.contains('\n')));
    }
    match last {
        (at, true) => Err(never_closed(label, before + at + 1)),
        _ => Ok(()),
    }
}

fn never_closed(label: &str, row: usize) -> Error {
    Error::data(format!("{label}: row {row} opens a quotation mark that is never closed"))
        .with_help("close it, or double it (\"\") if it is part of the text")
}

/// Text as UTF-8, whatever its encoding.
fn decoded(label: &str, bytes: Vec<u8>, notes: &mut Vec<String>) -> Result<String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || looks_like_utf16(&bytes) {
        let little = bytes.starts_with(&[0xff, 0xfe])
            || (!bytes.starts_with(&[0xfe, 0xff]) && bytes.get(1) == Some(&0));
        let (text, damaged) = if little { UTF_16LE } else { UTF_16BE }.decode_with_bom_removal(&bytes);
        if damaged {
            return Err(Error::data(format!("{label}: the text is UTF-16 and damaged"))
                .with_help("save the file as UTF-8"));
        }
        notes.push("encoded in UTF-16".into());
        return Ok(text.into_owned());
    }
    let bytes = match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            return Ok(text);
        }
        Err(error) => {
            let row = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            notes.push(format!("row {row} is not valid UTF-8: read as Windows-1252 (Latin-1)"));
            error.into_bytes()
        }
    };
    let control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
    if bytes.iter().any(|byte| control(byte) || matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d)) {
        let row = notes.pop().unwrap_or_default();
        let row = row.split(':').next().unwrap_or_default().to_owned();
        return Err(Error::data(format!("{label}: {row}, and the file is not in another known encoding"))
            .with_help("save the file as UTF-8"));
    }
    Ok(WINDOWS_1252.decode(&bytes).0.into_owned())
}

/// Whether text without a byte order mark is UTF-16: every other byte at its beginning is zero.
pub(super) fn looks_like_utf16(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512) & !1];
    let zeros = |offset: usize| start.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let half = start.len() / 2;
    half >= 4
        && ((zeros(1) * 10 >= half * 9 && zeros(0) == 0) || (zeros(0) * 10 >= half * 9 && zeros(1) == 0))
}

/// The separator that a file's ending promises.
fn ending_of(label: &str) -> u8 {
    if has_ending(label, &DELIMITED_ENDINGS[1..]) { b'\t' } else { b',' }
}

/// The lines before the table: remarks, the separator line for spreadsheet programs, the head of a GCT file.
#[derive(Debug, Default)]
struct Remarks {
    /// The position of the table.
    end: usize,
    /// The number of file rows before the table.
    rows: usize,
    separator: Option<u8>,
    /// The last line of remarks, which may be the header.
    last: Option<String>,
    notes: Vec<String>,
}

impl Remarks {
    fn of(text: &str) -> Self {
        let mut found = Self::default();
        let mut first: Option<&str> = None;
        let mut skip_sizes = false;
        while let Some((line, next)) = line_at(text, found.end) {
            let content = line.trim_start_matches('"').trim();
            if std::mem::take(&mut skip_sizes) {
                found.pass(next);
                continue;
            }
            let lower = content.to_ascii_lowercase();
            if let Some(separator) =
                lower.strip_prefix("sep=").filter(|rest| rest.trim().len() <= 1 || *rest == "\\t")
            {
                found.separator =
                    separator.bytes().next().map(|byte| if byte == b'\\' { b'\t' } else { byte });
                found.notes.push(format!("the line {content:?} gives the separator"));
            } else if content == "#1.2" || content == "#1.3" {
                skip_sizes = true;
                found.notes.push("a GCT file".into());
            } else if content.starts_with('#') || content.starts_with('!') {
                first.get_or_insert(content);
                found.last = Some(line.to_owned());
            } else if !content.is_empty() {
                break;
            }
            found.pass(next);
        }
        if let Some(first) = first {
            let first: String = first.chars().take(60).collect();
            found.notes.push(format!("remarks before the header ({first})"));
        }
        found
    }

    fn pass(&mut self, next: usize) {
        self.end = next;
        self.rows += 1;
    }

    /// The names of the columns, if the last remark is the header: as many fields as the rows, names above values.
    fn header(&self, separator: u8, sample: &[Vec<String>], width: usize) -> Option<Vec<String>> {
        let line = self.last.as_deref()?.trim_start_matches(['#', '!', '"']);
        let names: Vec<String> =
            line.split(char::from(separator)).map(|name| name.trim().trim_matches('"').to_owned()).collect();
        let number = |field: &String| plain_number(field.trim()).is_some();
        let values = sample.first().is_some_and(|row| row.iter().any(number));
        let is_header = width >= 2 && names.len() == width && values && !names.iter().any(number);
        is_header.then_some(names)
    }
}

/// The line at a position and where the next begins.
fn line_at(text: &str, start: usize) -> Option<(&str, usize)> {
    let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
    let Some(end) = rest.find(['\n', '\r']) else { return Some((rest, text.len())) };
    let width = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
    Some((&rest[..end], start + end + width))
}

/// How the fields of a text are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    separator: u8,
    /// The number of fields of most rows.
    width: usize,
    /// Whether quotation marks enclose fields.
    quoting: bool,
    /// Whether several blanks count as one separator.
    runs: bool,
}

/// A possible format with its evidence.
struct Candidate {
    format: Format,
    /// Rows before the first of the usual width.
    before: usize,
    /// The share of rows of the usual width.
    share: f64,
}

impl Format {
    fn of(text: &str, separator: Option<u8>, ending: u8) -> Self {
        let quoting = true;
        let try_one =
            |separator: u8, runs: bool| Candidate::of(text, Self { separator, width: 1, quoting, runs });
        if let Some(separator) = separator {
            return try_one(separator, separator == b' ').format.checked(text);
        }
        let mut usual: Vec<Candidate> = [ending, b',', b'\t', b';', b'|']
            .into_iter()
            .enumerate()
            .filter(|(at, separator)| *at == 0 || *separator != ending)
            .map(|(_, separator)| try_one(separator, false))
            .filter(Candidate::is_table)
            .collect();
        // The separator of the file ending comes first, so it wins ties.
        usual.sort_by(|a, b| {
            (a.before, b.share).partial_cmp(&(b.before, a.share)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let best = usual.into_iter().next();
        let blank = || {
            [false, true]
                .into_iter()
                .map(|runs| try_one(b' ', runs))
                .find(|one| one.is_table() && one.share >= 0.9 && one.before == 0)
        };
        let format = best
            .or_else(blank)
            .map_or(Self { separator: ending, width: 1, quoting, runs: false }, |best| best.format);
        format.checked(text)
    }

    /// Unpaired quotation marks enclose nothing: in text separated by tabs they are part of a field.
    fn checked(self, text: &str) -> Self {
        let odd = self.separator == b'\t' && text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1;
        if odd { Candidate::of(text, Self { quoting: false, ..self }).format } else { self }
    }

    fn name(self) -> String {
        match self.separator {
            b'\t' => "tabs".into(),
            b';' => "semicolons".into(),
            b',' => "commas".into(),
            b' ' => "blanks".into(),
            b'|' => "vertical bars".into(),
            other => format!("{:?}", char::from(other)),
        }
    }

    /// The text with a single blank for each run of blanks, if runs count as one separator.
    fn prepared(self, text: &str) -> Cow<'_, str> {
        if self.runs { Cow::Owned(single_blanks(text)) } else { Cow::Borrowed(text) }
    }

    fn reader(self, text: &str) -> csv::Reader<&[u8]> {
        ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.separator)
            .quoting(self.quoting)
            .from_reader(text.as_bytes())
    }

    fn sample(self, text: &str) -> Vec<Vec<String>> {
        let records = self.reader(text).into_records().take(SAMPLE).filter_map(Result::ok);
        records.map(|record| record.iter().map(|field| field.trim().to_owned()).collect()).collect()
    }

    /// The columns that hold only numbers in the first rows.
    fn numeric_columns(self, text: &str, before: usize, width: usize) -> Vec<bool> {
        let mut numeric = vec![true; width];
        for record in self.reader(text).into_records().take(SAMPLE).filter_map(Result::ok).skip(before) {
            for (numeric, field) in numeric.iter_mut().zip(record.iter().map(trimmed)) {
                *numeric = *numeric && (plain_number(field).is_some() || is_missing(field));
            }
        }
        numeric
    }
}

impl Candidate {
    fn of(text: &str, format: Format) -> Self {
        // Use only enough text for the sample, so that the whole text is not copied to collapse blanks.
        let prepared = if format.runs {
            Cow::Owned(single_blanks(text.get(..floor(text, 1 << 16)).unwrap_or(text)))
        } else {
            Cow::Borrowed(text)
        };
        let widths: Vec<usize> = format
            .reader(&prepared)
            .into_records()
            .take(SAMPLE)
            .filter_map(Result::ok)
            .map(|record| record.len())
            .collect();
        let count = |width: usize| widths.iter().filter(|other| **other == width).count();
        let width = widths.iter().copied().max_by_key(|width| (count(*width), *width)).unwrap_or(1);
        let before = widths.iter().position(|other| *other == width || *other + 1 == width).unwrap_or(0);
        let share = count(width) as f64 / (widths.len() - before).max(1) as f64;
        Self { format: Format { width, ..format }, before, share: share.min(1.0) }
    }

    fn is_table(&self) -> bool {
        self.format.width > 1 && self.share >= 0.5
    }
}

/// The largest position up to `most` at which a text can be cut.
fn floor(text: &str, most: usize) -> usize {
    let most = most.min(text.len());
    (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A text whose runs of blanks are collapsed, except in quotation marks.
fn single_blanks(text: &str) -> String {
    let mut quoted = false;
    let mut single = String::with_capacity(text.len());
    let mut last = '\n';
    for letter in text.chars() {
        quoted ^= letter == '"';
        let blank = |letter: char| letter == ' ' || letter == '\t';
        if !quoted && blank(letter) {
            if !blank(last) && last != '\n' {
                single.push(' ');
            }
        } else {
            if matches!(letter, '\n' | '\r') && single.ends_with(' ') {
                single.pop();
            }
            single.push(letter);
        }
        last = letter;
    }
    single
}

/// The columns of a text.
struct Parsed {
    columns: Vec<RawColumn>,
    rows: usize,
    /// The number of records read, including those before the rows of values.
    records: usize,
    /// Rows without any value, which are left out.
    blank: usize,
    /// Lines of remarks among the rows, which are left out.
    remarks: usize,
    places: RowPlaces,
}

/// A column that is being read.
enum Builder {
    Numbers(Vec<f64>),
    /// A column that was read as numbers until a text appeared.
    Broken,
    Texts(LabelsBuilder),
    /// Already read.
    Done,
}

impl Builder {
    fn push(&mut self, field: &str) {
        match self {
            Self::Numbers(values) => {
                // Most fields are numbers, so check for missing values only if parsing fails.
                let field = trimmed(field);
                match plain_number(field) {
                    Some(value) => values.push(value),
                    None if is_missing(field) => values.push(f64::NAN),
                    None => *self = Self::Broken,
                }
            }
            Self::Texts(labels) => labels.push(Some(field)),
            Self::Broken | Self::Done => {}
        }
    }

    /// An empty builder of the same kind.
    fn fresh(&self, rows: usize) -> Self {
        match self {
            Self::Numbers(_) => Self::Numbers(Vec::with_capacity(rows)),
            Self::Texts(_) => Self::Texts(LabelsBuilder::default()),
            Self::Broken | Self::Done => Self::Done,
        }
    }

    /// Appends the next rows.
    fn append(&mut self, next: Self) {
        match (&mut *self, next) {
            (Self::Numbers(values), Self::Numbers(more)) => values.extend_from_slice(&more),
            (Self::Numbers(_), Self::Broken) => *self = Self::Broken,
            (Self::Texts(labels), Self::Texts(more)) => labels.append(&more.finish()),
            _ => {}
        }
    }
}

/// A field without the blanks around it.
fn trimmed(field: &str) -> &str {
    let bytes = field.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) if first.is_ascii_graphic() && last.is_ascii_graphic() => field,
        _ => field.trim(),
    }
}

/// Reads the rows of values. Columns marked as numeric are read as numbers; columns in which a text appears are read
/// again.
fn parse(pass: &Pass, names: &[String], numeric: &[bool]) -> Result<Parsed> {
    let text = pass.text;
    // A row takes at least a byte for each of its fields.
    let most = lines_in(text).min(text.len() / names.len().max(1) + 1);
    let mut builders: Vec<Builder> = numeric
        .iter()
        .map(|numeric| match numeric {
            true => Builder::Numbers(Vec::with_capacity(most)),
            false => Builder::Texts(LabelsBuilder::default()),
        })
        .collect();
    let outcome = pass.read(&mut builders, PIECE)?;
    let mut columns: Vec<Option<Values>> = Vec::new();
    let mut again = Vec::new();
    for builder in builders {
        let (values, next) = match builder {
            Builder::Numbers(values) => (Some(Values::numbers(values)), Builder::Done),
            Builder::Texts(labels) => (Some(Values::texts(labels.finish())), Builder::Done),
            Builder::Broken | Builder::Done => (None, Builder::Texts(LabelsBuilder::default())),
        };
        columns.push(values);
        again.push(next);
    }
    if columns.iter().any(Option::is_none) {
        pass.read(&mut again, PIECE)?;
        for (column, builder) in columns.iter_mut().zip(again) {
            if let Builder::Texts(labels) = builder {
                *column = Some(Values::texts(labels.finish()));
            }
        }
    }
    let columns = names
        .iter()
        .zip(columns)
        .filter_map(|(name, values)| Some(RawColumn { name: name.clone(), values: values? }));
    Ok(Parsed {
        columns: columns.collect(),
        rows: outcome.places.len(),
        records: outcome.records,
        blank: outcome.blank,
        remarks: outcome.remarks,
        places: if outcome.blank + outcome.remarks == 0 {
            RowPlaces::From(pass.first_row)
        } else {
            RowPlaces::Listed(outcome.places)
        },
    })
}

fn lines_in(text: &str) -> usize {
    text.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1
}

/// One pass over all rows.
struct Pass<'a> {
    label: &'a str,
    text: &'a str,
    format: &'a Format,
    before: usize,
    first_row: usize,
}

/// The results of a pass besides the values.
#[derive(Default)]
struct Outcome {
    /// The number of records read, including those before the rows of values.
    records: usize,
    blank: usize,
    /// Lines of remarks among the rows.
    remarks: usize,
    /// The file row of each row of values.
    places: Vec<u32>,
}

/// The rows of one piece of the text.
struct Piece {
    builders: Vec<Builder>,
    outcome: Outcome,
}

/// Why a piece was not read to its end, with the number of the record.
enum Stopped {
    Ragged(usize, StringRecord),
    Unreadable(usize, csv::Error),
}

/// The size in bytes of the pieces of a long text. One piece per thread is read at a time.
const PIECE: usize = 1 << 22;

impl Pass<'_> {
    fn read(&self, builders: &mut [Builder], length: usize) -> Result<Outcome> {
        let pieces = self.pieces(length);
        let mut found = Outcome::default();
        for (at, together) in pieces.chunks(rayon::current_num_threads()).enumerate() {
            let read: Vec<Result<Piece, Stopped>> = together
                .par_iter()
                .enumerate()
                .map(|(within, text)| {
                    let skip = if at == 0 && within == 0 { self.before } else { 0 };
                    self.read_piece(text, skip, builders)
                })
                .collect();
            for piece in read {
                self.append(piece, builders, &mut found)?;
            }
        }
        Ok(found)
    }

    /// The text in pieces that end where a line ends. Text with quotation marks is one piece: they may enclose ends of lines.
    fn pieces(&self, length: usize) -> Vec<&str> {
        let mut rest = self.text;
        let mut pieces = Vec::new();
        let whole = self.format.quoting && rest.len() > length && rest.contains('"');
        while !whole && rest.len() > length {
            let end = rest.as_bytes()[length..].iter().position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| length + end + 1) else { break };
            let (piece, next) = rest.split_at(end);
            pieces.push(piece);
            rest = next;
        }
        pieces.push(rest);
        pieces
    }

    fn read_piece(&self, text: &str, skip: usize, like: &[Builder]) -> Result<Piece, Stopped> {
        let width = like.len();
        let rows = lines_in(text).min(text.len() / width.max(1) + 1);
        let mut builders: Vec<Builder> = like.iter().map(|builder| builder.fresh(rows)).collect();
        let mut found = Outcome::default();
        let mut reader = self.format.reader(text);
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(|error| Stopped::Unreadable(found.records, error))? {
            found.records += 1;
            if found.records <= skip {
                continue;
            }
            if width > 1 && record.len() == 1 && record[0].starts_with('#') {
                found.remarks += 1;
                continue;
            }
            if record.len() != width && !record.iter().skip(width).all(str::is_empty) || record.len() < width
            {
                return Err(Stopped::Ragged(found.records, record));
            }
            if record.iter().all(|field| field.trim().is_empty()) {
                found.blank += 1;
                continue;
            }
            builders.iter_mut().zip(record.iter()).for_each(|(builder, field)| builder.push(field));
            found.places.push(found.records as u32);
        }
        Ok(Piece { builders, outcome: found })
    }

    fn append(
        &self,
        piece: Result<Piece, Stopped>,
        builders: &mut [Builder],
        found: &mut Outcome,
    ) -> Result<()> {
        // The row of a record, counted from 1 in its piece.
        let row = |record: usize| self.first_row + found.records + record - self.before - 1;
        let Piece { builders: next, outcome } = match piece {
            Ok(piece) => piece,
            Err(Stopped::Ragged(record, fields)) => return Err(self.ragged(row(record), &fields)),
            Err(Stopped::Unreadable(records, error)) => {
                let row = self.first_row + found.records + records;
                return Err(
                    Error::data(format!("{}: row {row} cannot be read", self.label)).with_source(error)
                );
            }
        };
        builders.iter_mut().zip(next).for_each(|(builder, next)| builder.append(next));
        found.places.extend(outcome.places.iter().map(|record| row(*record as usize) as u32));
        found.blank += outcome.blank;
        found.remarks += outcome.remarks;
        found.records += outcome.records;
        Ok(())
    }

    fn ragged(&self, row: usize, record: &StringRecord) -> Error {
        // An unclosed quotation mark puts the rest of the file into one field.
        let odd = self.text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1;
        if self.format.quoting && odd && record.iter().any(|field| field.contains('\n')) {
            return never_closed(self.label, row);
        }
        ragged(self.label, row, record.len(), self.format.width)
    }
}

/// The meaning of commas in each text column of numbers, if it is clear.
fn comma_styles(columns: &[RawColumn], separator: u8) -> Vec<Option<NumberStyle>> {
    let points = columns.iter().any(|column| match &column.values {
        Values::Numbers(values) => values.iter().any(|value| value.fract() != 0.0 && value.is_finite()),
        _ => false,
    });
    let found: Vec<Option<CommaEvidence>> = columns.iter().map(evidence_of).collect();
    let decimal = found.contains(&Some(CommaEvidence::Decimal));
    let style = |(at, evidence): (usize, Option<CommaEvidence>)| match evidence? {
        CommaEvidence::Decimal => Some(NumberStyle::Comma),
        CommaEvidence::Thousands => Some(NumberStyle::Thousands),
        CommaEvidence::Either if decimal => Some(NumberStyle::Comma),
        // A file with semicolons as separators has decimal commas, unless a number contradicts.
        CommaEvidence::Either if !points && separator == b';' => Some(NumberStyle::Comma),
        CommaEvidence::Either if points && separator == b',' && has_small(&columns[at]) => {
            Some(NumberStyle::Thousands)
        }
        _ => None,
    };
    found.into_iter().enumerate().map(style).collect()
}

/// Converts texts in these styles to numbers. A column with any other text stays unchanged, so that a later error can
/// name the text. Returns notes on the conversions.
fn take_commas(columns: &mut [RawColumn], styles: &[Option<NumberStyle>]) -> Vec<String> {
    let mut named: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    for (column, style) in columns.iter_mut().zip(styles) {
        let (Some(style), Values::Texts(labels)) = (*style, &column.values) else { continue };
        let numbers: Option<Vec<f64>> = labels.names.iter().map(|text| styled_number(text, style)).collect();
        let Some(numbers) = numbers else { continue };
        let number = |label: &u32| numbers.get(*label as usize).copied().unwrap_or(f64::NAN);
        column.values = Values::numbers(labels.of_row.iter().map(number).collect());
        named[usize::from(style == NumberStyle::Thousands)].push(column.name.clone());
    }
    let kinds = named.iter().zip(["a decimal comma", "a comma between thousands"]);
    kinds
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, what)| format!("numbers with {what}: {}", halfmax_core::listed(names, 5)))
        .collect()
}

/// The evidence from the commas of a text column, if all its texts could be numbers.
fn evidence_of(column: &RawColumn) -> Option<CommaEvidence> {
    let Values::Texts(labels) = &column.values else { return None };
    let mut seen = CommaEvidence::Either;
    for text in &labels.names {
        if plain_number(text).is_some() {
            // A decimal point elsewhere in the column rules out a decimal comma.
            if text.contains('.') && seen == CommaEvidence::Decimal {
                return None;
            }
            if text.contains('.') {
                seen = CommaEvidence::Thousands;
            }
            continue;
        }
        seen = match (seen, comma_evidence(text)) {
            (_, CommaEvidence::Neither) => return None,
            (seen, CommaEvidence::Either) => seen,
            (CommaEvidence::Either, evidence) => evidence,
            (seen, evidence) if seen == evidence => seen,
            _ => return None,
        };
    }
    (!labels.names.is_empty()).then_some(seen)
}

/// Whether a column has a number below a thousand without a comma: then its commas separate thousands.
fn has_small(column: &RawColumn) -> bool {
    let Values::Texts(labels) = &column.values else { return false };
    labels.names.iter().any(|text| plain_number(text).is_some_and(|value| value.abs() < 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, piece: usize) -> Result<(Vec<Builder>, Outcome)> {
        let format = Format { separator: b',', width: 3, quoting: true, runs: false };
        let pass = Pass { label: "t.csv", text, format: &format, before: 1, first_row: 2 };
        let mut builders = vec![
            Builder::Texts(LabelsBuilder::default()),
            Builder::Numbers(Vec::new()),
            Builder::Numbers(Vec::new()),
        ];
        let found = pass.read(&mut builders, piece)?;
        Ok((builders, found))
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let row = |at: usize| match at {
            13 => ",,\r\n".to_owned(),
            17 => "# a remark\n".to_owned(),
            _ => format!("L{},{}.5,{}\n", at % 7, at, if at == 40 { "text" } else { "NA" }),
        };
        let text = format!("a,b,c\n{}", (0..60).map(row).collect::<String>());
        let (whole, all) = read(&text, usize::MAX).unwrap();
        for piece in [1, 10, 33, 500] {
            let (parts, found) = read(&text, piece).unwrap();
            assert_eq!((found.places, found.blank, found.remarks), (all.places.clone(), 1, 1), "{piece}");
            assert_eq!(labels_of(&parts[0]), labels_of(&whole[0]), "{piece}");
            assert!(matches!((&parts[1], &whole[1]), (Builder::Numbers(a), Builder::Numbers(b)) if a == b));
            assert!(matches!((&parts[2], &whole[2]), (Builder::Broken, Builder::Broken)));
        }
        assert_eq!(&all.places[11..15], [13, 14, 16, 17]);
    }

    fn labels_of(builder: &Builder) -> Vec<String> {
        let Builder::Texts(labels) = builder else { panic!("no texts") };
        let labels = labels.labels();
        (0..labels.of_row.len()).map(|row| labels.at(row).unwrap_or("-").to_owned()).collect()
    }

    #[test]
    fn a_row_of_another_width_is_named_by_its_row_of_the_file() {
        let text = format!("a,b,c\n{}L,1\n{}", "L,1,2\n".repeat(30), "L,1,2\n".repeat(30));
        for piece in [usize::MAX, 50] {
            let error = read(&text, piece).map(|_| ()).unwrap_err();
            assert_eq!(error.to_string(), "t.csv: row 32 has 2 fields where the header has 3");
        }
    }

    #[test]
    fn text_with_quotation_marks_is_not_cut() {
        let text = "a,b,c\n\"L\n1\",1,2\nL,3,4\n";
        let (builders, found) = read(text, 3).unwrap();
        assert_eq!(found.places, [2, 3]);
        assert_eq!(labels_of(&builders[0]), ["L\n1", "L"]);
    }
}
