//! The sink of a Parquet file: a buffer before the file that remembers the system error. The Parquet writer writes
//! eight bytes at a time and keeps only the text of an error.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A buffered file. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct ParquetOut(Arc<Mutex<State>>);

struct State {
    out: BufWriter<File>,
    failed: Option<io::Error>,
}

impl ParquetOut {
    pub fn new(file: File) -> Self {
        Self(Arc::new(Mutex::new(State { out: BufWriter::with_capacity(1 << 18, file), failed: None })))
    }

    /// The error that ended the writing; returned only once.
    pub fn take_error(&self) -> Option<io::Error> {
        self.state().failed.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for ParquetOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.state().remembering(|out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.state().remembering(BufWriter::flush)
    }
}

impl State {
    fn remembering<T>(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> io::Result<T> {
        write(&mut self.out).map_err(|error| {
            let same = io::Error::new(error.kind(), error.to_string());
            self.failed = Some(error);
            same
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_remembered() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut out = ParquetOut::new(full);
        out.write_all(b"PAR1").unwrap();
        assert!(out.take_error().is_none());
        assert!(out.clone().flush().is_err());
        assert_eq!(out.take_error().unwrap().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn small_writes_are_gathered() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut out = ParquetOut::new(file.reopen().unwrap());
        (0..1000).for_each(|_| out.write_all(&[7; 8]).unwrap());
        assert_eq!(file.as_file().metadata().unwrap().len(), 0);
        out.flush().unwrap();
        assert_eq!(file.as_file().metadata().unwrap().len(), 8000);
    }
}
