//! Checks of old workbooks (.xls) before reading: how far apart their cells lie.
//!
//! The reader keeps each sheet as one rectangle that holds all filled cells. Two cells in opposite corners of a damaged
//! file would exhaust the memory. Formats: \[MS-CFB\] (the file) and \[MS-XLS\] (the records in it).

use halfmax_core::{Error, Result};

use super::workbook::{Extent, refuse_scattered};

/// The rows and columns of the largest sheet that the format has.
const LARGEST_SHEET: usize = 65_536 * 256;

const SECTOR_IDS: std::ops::Range<u32> = 0..0xffff_fffa;

/// Refuses an old workbook whose sheets cannot be kept in memory. The reader refuses files of other formats.
///
/// # Errors
/// If cells lie far apart, or a sheet declares a larger size than the format allows.
pub(super) fn check(label: &str, bytes: &[u8]) -> Result<()> {
    let damaged = || {
        Error::data(format!("{label}: the workbook is damaged: a stream in it has no end"))
            .with_help("copy or download the file again")
    };
    let Some(streams) = Streams::of(bytes) else { return Ok(()) };
    if !streams.end() {
        return Err(damaged());
    }
    let Some(stream) = streams.workbook() else { return Ok(()) };
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
            // Charts inside a sheet have separate cells.
            _ if depth > 1 => {}
            DIMENSIONS if claimed(data) > LARGEST_SHEET => {
                return Err(Error::data(format!(
                    "{label}: a sheet of the workbook declares {} cells, more than the format allows",
                    claimed(data)
                ))
                .with_help("copy or download the file again, or save the sheet as CSV (UTF-8)"));
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

/// The number of cells that a sheet declares. A sheet that ends before it begins counts as too large, because it is
/// damaged.
fn claimed(data: &[u8]) -> usize {
    let narrow = |at: usize| u16_at(data, at).map_or(0, u32::from);
    let wide = |at: usize| u32_at(data, at).unwrap_or(0);
    // The first row and column, and the row and column after the last.
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

/// The records of a stream: their kinds and contents.
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

/// A compound file: sectors of one size, and the successor of each sector.
struct Sectors<'a> {
    bytes: &'a [u8],
    size: usize,
    next: Vec<u32>,
}

impl Sectors<'_> {
    fn get(&self, id: u32) -> Option<&[u8]> {
        let start = (id as usize).checked_mul(self.size)?;
        let end = self.bytes.len().min(start.checked_add(self.size)?);
        self.bytes.get(start..end).filter(|found| !found.is_empty())
    }

    /// The bytes of the chain that begins with a sector, at most `most`. Also at most the size of the file, because a
    /// cyclic chain would have no end.
    fn chain(&self, mut id: u32, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while SECTOR_IDS.contains(&id) && bytes.len() < most.min(self.bytes.len() + self.size) {
            let Some(sector) = self.get(id) else { break };
            bytes.extend_from_slice(sector);
            id = self.next.get(id as usize).copied().unwrap_or(u32::MAX);
        }
        bytes.truncate(most);
        bytes
    }

    /// Whether the chain that begins with a sector ends and stays within the file. The reader would follow any other
    /// chain forever.
    fn ends(&self, mut id: u32) -> bool {
        const END_OF_CHAIN: u32 = 0xffff_fffe;
        for _ in 0..=self.bytes.len() / self.size + 1 {
            if id == END_OF_CHAIN {
                return true;
            }
            let (Some(_), Some(next)) = (self.get(id), self.next.get(id as usize)) else { return false };
            id = *next;
        }
        false
    }
}

/// The streams of a compound file.
struct Streams<'a> {
    sectors: Sectors<'a>,
    /// The directory of the streams.
    entries: Vec<u8>,
    /// Whether the directory has an end.
    listed: bool,
    /// The first sector of the table of small sectors, and its length in bytes.
    small_table: (u32, usize),
}

impl<'a> Streams<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
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
        let tables = tables.iter().filter(|id| SECTOR_IDS.contains(*id));
        sectors.next = tables.filter_map(|id| sectors.get(*id)).flat_map(words).collect();
        let list = u32_at(bytes, 48)?;
        let (entries, listed) = (sectors.chain(list, usize::MAX), sectors.ends(list));
        let small_table = (u32_at(bytes, 60)?, (u32_at(bytes, 64)? as usize).saturating_mul(size));
        Some(Self { sectors, entries, listed, small_table })
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        // In files with small sectors the upper half of a length may hold anything.
        let meant = if self.sectors.size == 512 { u64::from(u32::MAX) } else { u64::MAX };
        let entries = self.entries.chunks_exact(128).filter_map(entry_at);
        entries.map(move |entry| Entry { length: entry.length & meant, ..entry })
    }

    /// Whether the chains of the directory, the table of small sectors and every stream end within the file.
    fn end(&self) -> bool {
        let most = self.sectors.bytes.len() + self.sectors.size;
        self.listed
            && self.entries.len() < most
            && self.small_table.1 <= most
            && self.entries().all(|entry| entry.name.is_empty() || entry.length <= most as u64)
    }

    /// The stream with the records of the workbook.
    fn workbook(&self) -> Option<Vec<u8>> {
        let named = |name: &str| self.entries().find(|entry| entry.name.eq_ignore_ascii_case(name));
        let entry = named("Workbook").or_else(|| named("Book"))?;
        let length = usize::try_from(entry.length).ok()?;
        if length >= 4096 {
            return Some(self.sectors.chain(entry.start, length));
        }
        let root = self.entries().next()?;
        let small = self.sectors.chain(root.start, usize::try_from(root.length).ok()?);
        let next = words(&self.sectors.chain(self.small_table.0, self.small_table.1));
        Some(Sectors { bytes: &small, size: 64, next }.chain(entry.start, length))
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// A stream in a compound file.
struct Entry {
    name: String,
    start: u32,
    length: u64,
}

fn entry_at(bytes: &[u8]) -> Option<Entry> {
    let pairs = bytes.get(..64)?.as_chunks::<2>().0;
    let letters: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let name = String::from_utf16_lossy(&letters);
    let name = name.split('\0').next().unwrap_or_default().to_owned();
    let (low, high) = (u32_at(bytes, 120)?, u32_at(bytes, 124)?);
    Some(Entry { name, start: u32_at(bytes, 116)?, length: u64::from(low) | u64::from(high) << 32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_le_bytes(), &(data.len() as u16).to_le_bytes(), data].concat()
    }

    fn number(row: u16, column: u16) -> Vec<u8> {
        record(0x0203, &[row.to_le_bytes().as_slice(), &column.to_le_bytes(), &[0; 10]].concat())
    }

    #[test]
    fn cells_are_counted_up_to_the_end_of_the_sheet() {
        let chart = [record(BEGIN, &[0; 16]), number(60_000, 200), record(END, &[])].concat();
        let sheet =
            [record(BEGIN, &[0; 16]), number(2, 1), chart, number(11, 4), record(END, &[]), number(9999, 9)];
        let extent = sheet_at("t.xls", &sheet.concat()).unwrap();
        assert_eq!((extent.cells, extent.places()), (2, 10 * 4));
        let far = sheet_at("t.xls", &[number(0, 0), number(65_535, 255)].concat()).unwrap();
        let error = refuse_scattered("t.xls", far.cells, far.places()).unwrap_err();
        assert!(
            error.to_string().contains("16777216 cells") && error.to_string().contains("only 2"),
            "{error}"
        );
    }

    #[test]
    fn sizes_that_no_sheet_has_are_refused() {
        let size = |rows: [u32; 2], columns: [u16; 2]| {
            let mut data: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
            data.extend(columns.iter().flat_map(|column| column.to_le_bytes()));
            data.extend([0; 2]);
            record(DIMENSIONS, &data)
        };
        assert!(sheet_at("t.xls", &size([0, 65_536], [0, 256])).is_ok());
        assert!(sheet_at("t.xls", &size([0, 0], [0, 0])).is_ok());
        assert!(sheet_at("t.xls", &size([0, u32::MAX], [0, 256])).is_err());
        assert!(sheet_at("t.xls", &size([9, 3], [0, 2])).is_err());
    }
}
