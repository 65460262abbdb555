//! Reads Parquet files in parts, so that memory does not grow with the file.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use polars_buffer::Buffer;
use polars_error::PolarsResult;
use polars_utils::mmap::MMapSemaphore;

use super::arrays::ParquetBytes;
use super::changed;
use super::columnar::{
    FileColumns, bytes_per_row, cut_short, notes_of, pages_of_group, rows_of_parquet, unreadable,
};
use super::guard::guarded;
use super::kinds::Source as FileSource;
use super::limit::refuse_beyond_limit;
use super::survey::{About, Survey, Surveyed};
use crate::formats::PartReader;
use crate::parts::PartSize;
use crate::table::{Header, RawColumn, RawTable, RowPlaces};

/// A Parquet file whose parts can be read as tables.
pub(crate) struct ParquetParts {
    source: Source,
    surveyed: Surveyed,
}

struct Source {
    path: PathBuf,
    label: String,
    columns: FileColumns,
    rows: usize,
    size: PartSize,
    /// The number of rows of a part.
    part: usize,
}

impl ParquetParts {
    /// Surveys a whole file; `None` for a file of another format.
    ///
    /// # Errors
    /// If the file is damaged or has no row.
    pub fn survey(path: &Path, size: PartSize) -> Result<Option<Box<dyn PartReader>>> {
        let label = path.display().to_string();
        let Ok(mut file) = File::open(path) else { return Ok(None) };
        let bytes = file.metadata().map_or(0, |about| about.len());
        let Checked { rows, columns, row } = checked(&label, &mut file, bytes as usize)?;
        if rows == 0 {
            return Err(super::no_rows(&label));
        }
        let part = usize::try_from(size.bytes() as u128 / row.max(1)).unwrap_or(usize::MAX).max(1);
        let source = Source { path: path.to_owned(), label, columns, rows, size, part };
        let mut survey: Option<Survey> = None;
        let mut notes = Vec::new();
        source.each(|columns, first, rows| {
            if survey.is_none() {
                notes = notes_of(&columns);
            }
            let survey = survey.get_or_insert_with(|| {
                let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
                Survey::of(&names, vec![true; names.len()])
            });
            survey.see(&columns, rows, &RowPlaces::From(first));
            Ok(())
        })?;
        let about = About { label: &source.label, header: Header::Found, bytes, notes };
        let surveyed = survey.map(|survey| survey.conclude(about, |_| Vec::new())).transpose()?.flatten();
        Ok(surveyed.map(|surveyed| Box::new(Self { source, surveyed }) as Box<dyn PartReader>))
    }
}

impl PartReader for ParquetParts {
    fn sample(&self) -> &RawTable {
        &self.surveyed.sample
    }

    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<()> {
        self.source.each(|columns, first, rows| {
            if self.surveyed.kept.iter().any(|at| *at >= columns.len()) {
                return Err(changed(&self.source.label));
            }
            take(self.surveyed.part(&columns, rows, RowPlaces::From(first)))
        })
    }
}

/// A file that passed the checks of its pages.
struct Checked {
    columns: FileColumns,
    rows: usize,
    /// The bytes of one row.
    row: u128,
}

fn checked(label: &str, file: &mut File, size: usize) -> Result<Checked> {
    let mut end = [0; 4];
    let ended = file.seek(SeekFrom::End(-4)).and_then(|_| file.read_exact(&mut end));
    if size < 12 || ended.is_err() || &end != b"PAR1" {
        return Err(cut_short(label));
    }
    let mut bytes = file.try_clone().map_err(|error| cannot_be_read(label, error))?;
    guarded(label, "Parquet", || {
        let file = mapped(file).map_err(|error| unreadable(label, "Parquet", error))?;
        let about = &file.about;
        let columns = FileColumns::of(label, &file.schema, FileSource::Parquet)?;
        let rows = rows_of_parquet(label, about)?;
        let row = bytes_per_row(about, &columns);
        refuse_beyond_limit(label, row)?;
        let mut read = |place: Range<usize>| -> Option<Cow<'static, [u8]>> {
            let mut chunk = vec![0; place.len()];
            bytes.seek(SeekFrom::Start(place.start as u64)).ok()?;
            bytes.read_exact(&mut chunk).ok().map(|()| Cow::Owned(chunk))
        };
        // The reader unpacks one page per column at a time.
        for group in &about.row_groups {
            refuse_beyond_limit(label, pages_of_group(label, size, group, &columns, &mut read)?.at_once)?;
        }
        Ok(Checked { columns, rows, row })
    })
}

/// A file that is mapped into memory, so that only what is read of it takes memory.
///
/// # Errors
/// If the end of the file cannot be followed.
pub(crate) fn mapped(file: &File) -> PolarsResult<ParquetBytes> {
    ParquetBytes::of(Buffer::from_owner(MMapSemaphore::new_from_file(file)?))
}

fn cannot_be_read(label: &str, error: std::io::Error) -> Error {
    Error::data(format!("{label}: cannot be read: {error}")).with_source(error)
}

impl Source {
    /// Passes the columns of each part to `take`, with the first row of the part in the file and its number of rows.
    fn each(&self, mut take: impl FnMut(Vec<RawColumn>, usize, usize) -> Result<()>) -> Result<()> {
        let label = &self.label;
        let mut first = 0;
        while first < self.rows {
            self.size.go_on()?;
            let rows = self.part.min(self.rows - first);
            let file = File::open(&self.path).map_err(|error| cannot_be_read(label, error))?;
            let columns = guarded(label, "Parquet", || {
                let file = mapped(&file).map_err(|error| unreadable(label, "Parquet", error))?;
                let arrays = file.read(label, &self.columns.read, first..first + rows)?;
                if arrays.rows != rows {
                    return Err(changed(label));
                }
                self.columns.columns(label, arrays)
            })?;
            take(columns, first + 2, rows)?;
            first += rows;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writers::{OutputColumn, TableWriter};

    #[test]
    fn parts_are_what_the_whole_is() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("t.parquet");
        let mut writer = TableWriter::create(&path).unwrap();
        for block in 0..7 {
            let lines: Vec<String> = (0..50).map(|at| format!("L{}", (block * 50 + at) % 9)).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let values: Vec<f64> = (0..50).map(|at| if at == 3 { f64::NAN } else { f64::from(at) }).collect();
            let index: Vec<u32> = (0..50).map(|at| block * 50 + at).collect();
            let columns = [
                ("line", OutputColumn::Text(&lines)),
                ("value", OutputColumn::F64(&values)),
                ("place", OutputColumn::U32(&index)),
            ];
            writer.write(&columns).unwrap();
        }
        writer.finish().unwrap();
        let whole = crate::open::read_table(&path).unwrap();
        for part in [1, 24 * 33, 1 << 20] {
            let parts = ParquetParts::survey(&path, PartSize::of_bytes(part)).unwrap().unwrap();
            let (mut texts, mut places) = (Vec::new(), Vec::new());
            parts
                .each(&mut |table| {
                    assert_eq!(table.names(), whole.names());
                    places.extend((0..table.rows()).map(|at| table.row_of(at)));
                    texts.extend((0..table.rows()).map(|row| {
                        (0..3).map(|column| table.texts(column).unwrap()[row].clone()).collect::<Vec<_>>()
                    }));
                    Ok(())
                })
                .unwrap();
            let all: Vec<Vec<Option<String>>> = (0..3).map(|column| whole.texts(column).unwrap()).collect();
            let expected: Vec<Vec<_>> =
                (0..350).map(|row| all.iter().map(|column| column[row].clone()).collect()).collect();
            assert_eq!((texts, places), (expected, (2..352).collect::<Vec<usize>>()), "{part}");
            let content = |table: &RawTable| (0..3).map(|at| table.content(at)).collect::<Vec<_>>();
            assert_eq!(content(parts.sample()), content(&whole));
        }
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        assert!(ParquetParts::survey(&path, PartSize::of_bytes(1)).is_err());
    }
}
