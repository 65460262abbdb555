//! Workbooks (xlsx, xlsb, xls, ods), one sheet of which is a table.

use std::io::Cursor;

use calamine::{Cell, Data, Range, Reader, Sheets, open_workbook_auto_from_rs};
use halfmax_core::{Error, Result, listed};

use super::container::{extract, members, refuse_beyond_limit_in_all};
use super::guard::guarded;
use super::header::table_of_rows;
use super::limit::refuse_so_far;
use crate::table::RawTable;

type Workbook = Sheets<Cursor<Vec<u8>>>;

/// Reads the wanted sheet, or the only sheet that holds a table.
pub(crate) fn read_workbook(label: &str, bytes: Vec<u8>, sheet: Option<&str>) -> Result<RawTable> {
    let mut workbook = open_workbook(label, bytes)?;
    let names = workbook.sheet_names();
    let name = match sheet {
        Some(wanted) => chosen(label, &names, wanted)?,
        None => only_table(label, &mut workbook, &names)?,
    };
    let range = sheet_of(label, &mut workbook, &name)?;
    let rows: Vec<Vec<String>> = range.rows().map(|row| row.iter().map(text_of).collect()).collect();
    let first_row = range.start().map_or(1, |(row, _)| row as usize + 1);
    let mut table = table_of_rows(&format!("{label} [{name}]"), rows, first_row)?;
    if names.len() > 1 {
        table.notes.insert(0, format!("read from the sheet {name:?} of {}", names.len()).into());
    }
    Ok(table)
}

/// The sheets of a workbook that look like tables.
pub(crate) fn sheets_of_workbook(label: &str, bytes: Vec<u8>) -> Result<Vec<String>> {
    let mut workbook = open_workbook(label, bytes)?;
    let mut found = Vec::new();
    for name in workbook.sheet_names() {
        if looks_like_a_table(&sheet_of(label, &mut workbook, &name)?) {
            found.push(name);
        }
    }
    Ok(found)
}

fn open_workbook(label: &str, bytes: Vec<u8>) -> Result<Workbook> {
    super::xls::check(label, &bytes)?;
    if bytes.starts_with(b"PK") {
        refuse_beyond_limit_in_all(label, &bytes)?;
        if members(label, &bytes)?.iter().any(|name| name == "content.xml") {
            super::ods::check(label, &extract(label, &bytes, "content.xml")?)?;
        }
    }
    guarded(label, "workbook", || {
        open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|error| {
            Error::data(format!("{label}: the workbook cannot be read"))
                .with_help("if it has a password, save it without a password; otherwise save the sheet as CSV (UTF-8)")
                .with_source(error)
        })
    })
}

fn sheet_of(label: &str, workbook: &mut Workbook, name: &str) -> Result<Range<Data>> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::data(format!("{label}: the sheet {name:?} cannot be read"))
            .with_help("save the sheet as CSV (UTF-8)")
            .with_source(error)
    };
    let place = format!("{label} [{name}]");
    guarded(label, "workbook", || match workbook {
        Sheets::Xlsx(book) => match book.worksheet_cells_reader(name) {
            Ok(mut reader) => compact(&place, || {
                let cell = reader.next_cell().map_err(|error| failed(error.into()))?;
                Ok(cell.map(|cell| Cell::new(cell.get_position(), cell.get_value().clone().into())))
            }),
            Err(calamine::XlsxError::NotAWorksheet(_)) => Ok(Range::empty()),
            Err(error) => Err(failed(error.into())),
        },
        Sheets::Xlsb(book) => {
            let mut reader = book.worksheet_cells_reader(name).map_err(|error| failed(error.into()))?;
            compact(&place, || {
                let cell = reader.next_cell().map_err(|error| failed(error.into()))?;
                Ok(cell.map(|cell| Cell::new(cell.get_position(), cell.get_value().clone().into())))
            })
        }
        other => other.worksheet_range(name).map_err(|error| failed(error.into())),
    })
}

/// A sheet may have this many places for each filled cell, ...
const MOST_PLACES_PER_CELL: usize = 256;

/// ... and always at least this many.
const FEW_PLACES: usize = 1 << 22;

/// The number of filled cells, and the corners of the rectangle that holds all of them.
#[derive(Default)]
pub(super) struct Extent {
    pub cells: usize,
    corners: Option<[(u32, u32); 2]>,
}

impl Extent {
    /// Adds a filled cell.
    pub fn hold(&mut self, row: u32, column: u32) {
        let [first, last] = self.corners.unwrap_or([(row, column); 2]);
        self.corners = Some([(first.0.min(row), first.1.min(column)), (last.0.max(row), last.1.max(column))]);
        self.cells += 1;
    }

    /// The number of places in the rectangle.
    pub fn places(&self) -> usize {
        let side = |first: u32, last: u32| (last - first) as usize + 1;
        self.corners.map_or(0, |[first, last]| side(first.0, last.0).saturating_mul(side(first.1, last.1)))
    }
}

/// Refuses cells whose rectangle is almost empty: a cell filled by mistake, far from the others, would exhaust the
/// memory.
pub(super) fn refuse_scattered(label: &str, cells: usize, places: usize) -> Result<()> {
    if places <= cells.saturating_mul(MOST_PLACES_PER_CELL).max(FEW_PLACES) {
        return Ok(());
    }
    Err(Error::data(format!(
        "{label}: a sheet spans {places} cells between its first and its last row and column, but only {cells} are filled"
    ))
    .with_help("clear the cells far below or beside the table, or save the table as CSV (UTF-8)"))
}

/// The cells of a sheet, in the smallest rectangle that holds all filled cells.
///
/// # Errors
/// If a cell cannot be read, they lie far apart, or their texts are longer than the limit.
fn compact(label: &str, mut next: impl FnMut() -> Result<Option<Cell<Data>>>) -> Result<Range<Data>> {
    let mut cells = Vec::new();
    let mut extent = Extent::default();
    // The file stores a text once, even if many cells share it.
    let mut texts = 0;
    while let Some(cell) = next()? {
        if let Data::String(text) = cell.get_value() {
            texts += text.len();
            refuse_so_far(label, texts)?;
        }
        if *cell.get_value() != Data::Empty {
            let (row, column) = cell.get_position();
            extent.hold(row, column);
            cells.push(cell);
        }
    }
    refuse_scattered(label, extent.cells, extent.places())?;
    Ok(Range::from_sparse(cells))
}

fn chosen(label: &str, names: &[String], wanted: &str) -> Result<String> {
    let by_name = names.iter().find(|name| name.trim() == wanted.trim());
    let by_number = || wanted.parse::<usize>().ok().and_then(|number| names.get(number.checked_sub(1)?));
    by_name.or_else(by_number).cloned().ok_or_else(|| {
        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        Error::data(format!("{label}: the workbook has no sheet {wanted:?}; it has {}", listed(&quoted, 10)))
            .with_help("give the name of a sheet, or its number from 1")
    })
}

/// The only sheet that holds a table.
fn only_table(label: &str, workbook: &mut Workbook, names: &[String]) -> Result<String> {
    if let [name] = names {
        return Ok(name.clone());
    }
    let mut tables = Vec::new();
    for name in names {
        let range = sheet_of(label, workbook, name)?;
        if looks_like_a_table(&range) {
            tables.push((name.clone(), range.height(), range.width()));
        }
    }
    if let [(name, _, _)] = tables.as_slice() {
        return Ok(name.clone());
    }
    let described: Vec<String> = tables
        .iter()
        .map(|(name, rows, columns)| format!("{name:?} ({rows} rows × {columns} columns)"))
        .collect();
    let first = tables
        .first()
        .map_or_else(|| names.first().cloned().unwrap_or_default(), |(name, _, _)| name.clone());
    let found = if tables.is_empty() {
        "no sheet that looks like a table".into()
    } else {
        format!("several tables: {}", listed(&described, 8))
    };
    Err(Error::data(format!("{label}: the workbook has {found}"))
        .with_help(format!("choose a sheet: sheet = {first:?} (`--sheet`)")))
}

/// At least two columns, and three rows with two or more entries.
fn looks_like_a_table(range: &Range<Data>) -> bool {
    let filled = |row: &&[Data]| row.iter().filter(|cell| !matches!(cell, Data::Empty)).count() >= 2;
    range.width() >= 2 && range.rows().filter(filled).take(3).count() >= 3
}

/// A cell as text. A date stays a date, so that a gene symbol turned into a date by a spreadsheet program is noticed.
fn text_of(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::String(text) => text.trim().to_owned(),
        Data::Float(value) => value.to_string(),
        Data::Int(value) => value.to_string(),
        Data::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
        Data::DateTime(date) => {
            let (year, month, day, ..) = date.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        // These are in the list of missing values.
        Data::Error(error) => error.to_string(),
        #[allow(unreachable_patterns)]
        _ => String::new(),
    }
}
