//! Output of text lines: their destination, and the joining of files of lines.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use halfmax_core::{Error, Result};
use tempfile::NamedTempFile;

use crate::output::{cannot_write, completed};
use crate::writers::unreadable_piece;

/// The destination of lines.
pub(super) enum LineOut {
    Standard,
    File(BufWriter<NamedTempFile>),
}

/// The kind of a file whose lines are added to other lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// Each line is a row.
    Lines,
    /// Delimited text: a header, and rows that may have line breaks between quotation marks.
    FirstTable,
    /// Delimited text after another file, with a repeated header.
    NextTable,
}

impl LineOut {
    pub fn of(file: NamedTempFile) -> Self {
        Self::File(BufWriter::new(file))
    }

    pub fn writer(&mut self) -> Box<dyn Write + '_> {
        match self {
            Self::Standard => Box::new(std::io::stdout().lock()),
            Self::File(out) => Box::new(out),
        }
    }

    /// Adds the lines of a file. Returns the number of rows.
    ///
    /// # Errors
    /// If the file cannot be read, or writing fails.
    pub fn append(&mut self, path: &Path, piece: &Path, lines: Piece) -> Result<usize> {
        let unreadable = |error| unreadable_piece(piece, error);
        let Self::File(out) = self else { return Err(Error::failed("standard output cannot join pieces")) };
        let mut file = BufReader::with_capacity(1 << 20, File::open(piece).map_err(unreadable)?);
        let quoting = lines != Piece::Lines;
        if lines == Piece::NextTable {
            file.skip_until(b'\n').map_err(unreadable)?;
        }
        let (mut rows, mut inside) = (0, false);
        loop {
            let bytes = file.fill_buf().map_err(unreadable)?;
            if bytes.is_empty() {
                break;
            }
            for byte in bytes {
                inside ^= quoting && *byte == b'"';
                rows += usize::from(*byte == b'\n' && !inside);
            }
            out.write_all(bytes).map_err(|error| cannot_write(path, error))?;
            let read = bytes.len();
            file.consume(read);
        }
        // The header of the first piece is kept. It does not count as a row.
        Ok(rows - usize::from(lines == Piece::FirstTable && rows > 0))
    }

    /// Completes and returns the file; `None` for standard output.
    ///
    /// # Errors
    /// If the last bytes cannot be written.
    pub fn finish(self, path: &Path) -> Result<Option<NamedTempFile>> {
        match self {
            Self::Standard => {
                std::io::stdout().flush().map_err(|error| cannot_write(path, error))?;
                Ok(None)
            }
            Self::File(out) => completed(out, path).map(Some),
        }
    }
}
