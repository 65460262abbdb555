//! Old workbooks (.xls), looked at before they are read: how far apart their cells lie.
//!
//! The reader keeps each sheet as one rectangle that holds all filled cells, so that two cells in opposite corners, in a damaged
//! file, would take more memory than there is. Formats: \[MS-CFB\] (the file) and \[MS-XLS\] (the records in it).

use halfmax_core::{Error, Result};

use super::workbook::{Extent, refuse_scattered};

/// The rows and columns of the largest sheet that the format has.
const LARGEST_SHEET: usize = 65_536 * 256;

const SECTOR_IDS: std::ops::Range<u32> = 0..0xffff_fffa;

/// Refuses an old workbook whose sheets cannot be kept. What is no such workbook is left for its reader to refuse.
///
/// # Errors
/// If cells lie far apart, or a sheet says it is larger than the format allows.
pub(super) fn check(label: &str, bytes: &[u8]) -> Result<()> {
    let Some(stream) = workbook_stream(bytes) else { return Ok(()) };
    let starts = Records(&stream)
        .take_while(|(kind, _)| *kind != END)
        .filter(|(kind, _)| *kind == SHEET)
        .filter_map(|(_, data)| Some(u32_at(data, 0)? as usize));
    let (mut cells, mut places) = (0, 0_usize);
    for start in starts {
        let sheet = sheet_at(label, stream.get(start..).unwrap_or_default())?;
        places = places.saturating_add(sheet.places());
        cells += sheet.cells;
    }
    refuse_scattered(label, cells, places)
}

const BEGIN: u16 = 0x0809;
const END: u16 = 0x000a;
const SHEET: u16 = 0x0085;
const DIMENSIONS: u16 = 0x0200;
const SEVERAL_NUMBERS: u16 = 0x00bd;

/// Kinds of records that begin with the row and the column of a cell: numbers, texts, truth values, formulas.
const CELLS: [u16; 8] = [0x0203, 0x0204, 0x00d6, 0x0205, 0x027e, 0x00fd, SEVERAL_NUMBERS, 0x0006];

fn sheet_at(label: &str, stream: &[u8]) -> Result<Extent> {
    let mut extent = Extent::default();
    let mut depth = 0_usize;
    for (kind, data) in Records(stream) {
        match kind {
            BEGIN => depth += 1,
            END if depth <= 1 => break,
            END => depth -= 1,
            // Charts inside of a sheet have cells of their own.
            _ if depth > 1 => {}
            DIMENSIONS if claimed(data) > LARGEST_SHEET => {
                return Err(Error::data(format!(
                    "{label}: a sheet of the workbook says that it has {} cells, more than a sheet can have",
                    claimed(data)
                ))
                .help("copy or download the file again, or save the sheet as CSV (UTF-8)"));
            }
            kind if CELLS.contains(&kind) => {
                let (Some(row), Some(column)) = (u16_at(data, 0), u16_at(data, 2)) else { continue };
                extent.hold(u32::from(row), u32::from(column));
                if kind == SEVERAL_NUMBERS
                    && let Some(last) = u16_at(data, data.len().saturating_sub(2))
                {
                    extent.hold(u32::from(row), u32::from(last));
                }
            }
            _ => {}
        }
    }
    Ok(extent)
}

/// How many cells a sheet says it has. One that ends before it begins is as damaged as one that is too large.
fn claimed(data: &[u8]) -> usize {
    let narrow = |at: usize| u16_at(data, at).map_or(0, u32::from);
    let wide = |at: usize| u32_at(data, at).unwrap_or(0);
    // The first, and the one after the last, of the rows and of the columns.
    let ([first_row, rows], [first_column, columns]) = match data.len() {
        10 => ([narrow(0), narrow(2)], [narrow(4), narrow(6)]),
        14 | 16 => ([wide(0), wide(4)], [narrow(8), narrow(10)]),
        _ => return 0,
    };
    if rows == 0 || columns == 0 {
        return 0;
    }
    let first_column = if first_column > 255 || columns < first_column { 0 } else { first_column };
    rows.checked_sub(first_row)
        .map_or(usize::MAX, |rows| (rows as usize).saturating_mul((columns - first_column) as usize))
}

/// The records of a stream: their kinds and what they hold.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, length) = (u16_at(self.0, 0)?, usize::from(u16_at(self.0, 2)?));
        let data = self.0.get(4..4 + length)?;
        self.0 = &self.0[4 + length..];
        Some((kind, data))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// A compound file: sectors of one size, and for each the one that comes next.
struct Sectors<'a> {
    bytes: &'a [u8],
    size: usize,
    next: Vec<u32>,
}

impl Sectors<'_> {
    fn get(&self, id: u32) -> Option<&[u8]> {
        let start = (id as usize).checked_mul(self.size)?;
        self.bytes
            .get(start..self.bytes.len().min(start.checked_add(self.size)?))
            .filter(|found| !found.is_empty())
    }

    /// The bytes of the chain that begins with a sector, at most `most`.
    fn chain(&self, mut id: u32, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while SECTOR_IDS.contains(&id) && bytes.len() < most.min(self.bytes.len()) {
            let Some(sector) = self.get(id) else { break };
            bytes.extend_from_slice(sector);
            id = self.next.get(id as usize).copied().unwrap_or(u32::MAX);
        }
        bytes.truncate(most);
        bytes
    }
}

/// The stream with the records of the workbook.
fn workbook_stream(bytes: &[u8]) -> Option<Vec<u8>> {
    let size = match u16_at(bytes, 30)? {
        9 => 512,
        12 => 4096,
        _ => return None,
    };
    let mut sectors = Sectors { bytes: bytes.get(size..)?, size, next: Vec::new() };
    let mut tables: Vec<u32> = words(bytes.get(76..512)?);
    let (mut more, mut left) = (u32_at(bytes, 68)?, bytes.len() / size + 1);
    while SECTOR_IDS.contains(&more) && left > 0 {
        tables.extend(words(sectors.get(more)?));
        more = tables.pop()?;
        left -= 1;
    }
    sectors.next = tables
        .iter()
        .filter(|id| SECTOR_IDS.contains(*id))
        .filter_map(|id| sectors.get(*id))
        .flat_map(words)
        .collect();
    let entries = sectors.chain(u32_at(bytes, 48)?, usize::MAX);
    let (root, named) = (entry_at(entries.get(..128)?)?, |name: &str| {
        entries.chunks_exact(128).filter_map(entry_at).find(|entry| entry.name.eq_ignore_ascii_case(name))
    });
    let entry = named("Workbook").or_else(|| named("Book"))?;
    if entry.length >= 4096 {
        return Some(sectors.chain(entry.start, entry.length));
    }
    let small = sectors.chain(root.start, root.length);
    let next = words(&sectors.chain(u32_at(bytes, 60)?, (u32_at(bytes, 64)? as usize).saturating_mul(size)));
    Some(Sectors { bytes: &small, size: 64, next }.chain(entry.start, entry.length))
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// A stream in a compound file.
struct Entry {
    name: String,
    start: u32,
    length: usize,
}

fn entry_at(bytes: &[u8]) -> Option<Entry> {
    let letters: Vec<u16> =
        bytes.get(..64)?.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let name = String::from_utf16_lossy(&letters);
    let name = name.split('\0').next().unwrap_or_default().to_owned();
    Some(Entry { name, start: u32_at(bytes, 116)?, length: u32_at(bytes, 120)? as usize })
}
