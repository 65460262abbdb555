use halfmax_core::{Error, Result};

/// What a first pass over delimited text finds: the header, where the rows begin, and how many there are.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    pub names: Vec<String>,
    pub body: &'a [u8],
    pub rows: usize,
}

/// Checks that delimited text is a table before it is parsed: UTF-8, every row as long as the header, quotation marks
/// in pairs. Errors name the row, which a parser made for speed cannot do.
pub(crate) fn scan<'a>(label: &str, bytes: &'a [u8], separator: u8) -> Result<Scan<'a>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    refuse_what_is_no_text(label, bytes)?;
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    let bytes = &bytes[..end];
    if bytes.is_empty() {
        return Err(Error::data(format!("{label}: the file is empty"))
            .help("a table needs a header row and at least one row of values"));
    }
    let mut rows = Rows { label, bytes, separator, at: 0, row: 0, fields: Vec::new(), keep: true };
    rows.next()?;
    let names: Vec<String> = rows.fields.iter().map(|field| unquoted(field)).collect();
    let body = &bytes[rows.at.min(bytes.len())..];
    rows.keep = false;
    while rows.at < bytes.len() {
        let fields = rows.next()?;
        if fields != names.len() {
            return Err(ragged(label, rows.row, fields, names.len()));
        }
    }
    Ok(Scan { names, body, rows: rows.row - 1 })
}

fn refuse_what_is_no_text(label: &str, bytes: &[u8]) -> Result<()> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::data(format!("{label}: compressed with gzip, but its ending does not say so"))
            .help("add .gz to the file's name"));
    }
    if bytes.starts_with(b"PAR1") {
        return Err(Error::data(format!("{label}: this is a Parquet file, but its ending does not say so"))
            .help("give it the ending .parquet"));
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.contains(&0) {
        return Err(Error::data(format!("{label}: this is no text file"))
            .help("save a spreadsheet as CSV (UTF-8), and keep workbooks and archives out"));
    }
    std::str::from_utf8(bytes).map(|_| ()).map_err(|error| {
        let row = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        Error::data(format!("{label}: row {row} is not valid UTF-8")).help("save the file as UTF-8")
    })
}

fn ragged(label: &str, row: usize, fields: usize, header: usize) -> Error {
    Error::data(format!("{label}: row {row} has {fields} fields where the header has {header}")).help(
        "check the separator and the quotation marks of that row: a text that holds the separator needs \"…\"",
    )
}

fn unquoted(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    let text = text.trim();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\"").trim().to_owned(),
        None => text.to_owned(),
    }
}

struct Rows<'a> {
    label: &'a str,
    bytes: &'a [u8],
    separator: u8,
    at: usize,
    row: usize,
    fields: Vec<&'a [u8]>,
    keep: bool,
}

impl Rows<'_> {
    /// Passes over one row and gives its number of fields.
    fn next(&mut self) -> Result<usize> {
        self.row += 1;
        self.fields.clear();
        let mut count = 0;
        loop {
            let start = self.at;
            let end = self.field_end(start)?;
            count += 1;
            if self.keep {
                self.fields.push(&self.bytes[start..end]);
            }
            match self.bytes.get(end) {
                Some(byte) if *byte == self.separator => self.at = end + 1,
                Some(b'\r') => {
                    self.at = end + 2;
                    return Ok(count);
                }
                Some(_) => {
                    self.at = end + 1;
                    return Ok(count);
                }
                None => {
                    self.at = end;
                    return Ok(count);
                }
            }
        }
    }

    /// The end of the field that begins at `start`: the position of its separator, line end, or the end of the text.
    fn field_end(&self, start: usize) -> Result<usize> {
        let mut at = start;
        if self.bytes.get(at) == Some(&b'"') {
            at = self.closing_quote(at)? + 1;
            if self.bytes.get(at).is_none_or(|byte| self.ends_field(at, *byte)) {
                return Ok(at);
            }
            return Err(self.stray_quote());
        }
        while let Some(byte) = self.bytes.get(at) {
            if self.ends_field(at, *byte) {
                break;
            }
            if *byte == b'"' {
                return Err(self.stray_quote());
            }
            at += 1;
        }
        Ok(at)
    }

    fn ends_field(&self, at: usize, byte: u8) -> bool {
        byte == self.separator || byte == b'\n' || (byte == b'\r' && self.bytes.get(at + 1) == Some(&b'\n'))
    }

    fn closing_quote(&self, opening: usize) -> Result<usize> {
        let mut at = opening + 1;
        loop {
            match (self.bytes.get(at), self.bytes.get(at + 1)) {
                (Some(b'"'), Some(b'"')) => at += 2,
                (Some(b'"'), _) => return Ok(at),
                (Some(_), _) => at += 1,
                (None, _) => {
                    return Err(Error::data(format!(
                        "{}: row {} opens a quotation mark that is never closed",
                        self.label, self.row
                    ))
                    .help("close it, or double it (\"\") if it is part of the text"));
                }
            }
        }
    }

    fn stray_quote(&self) -> Error {
        Error::data(format!("{}: row {} has a quotation mark within a field", self.label, self.row))
            .help("put the whole field in quotation marks and double those inside: \"5\"\" disc\"")
    }
}
