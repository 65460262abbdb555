//! Tables compressed with gzip.

use std::borrow::Cow;
use std::path::Path;

use halfmax_core::{Error, Result};

use super::{PartReader, TableFormat, recognised};
use crate::open::{OpenOptions, Packing, TextParts, gunzip};
use crate::parts::PartSize;
use crate::table::RawTable;

/// A table of another format, packed with gzip.
pub(super) struct Gzip;

impl TableFormat for Gzip {
    fn name(&self) -> &'static str {
        "gzip"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["gz"]
    }

    fn is_packed(&self) -> bool {
        true
    }

    fn recognises(&self, _label: &str, bytes: &[u8]) -> Result<bool> {
        Ok(bytes.starts_with(&[0x1f, 0x8b]))
    }

    fn read(&self, label: &str, bytes: Cow<'_, [u8]>, options: &OpenOptions) -> Result<RawTable> {
        let inner = gunzip(label, &bytes)?;
        drop(bytes);
        let format = recognised(label, &inner)?;
        if format.name() == self.name() {
            return Err(Error::data(format!("{label}: is compressed twice"))
                .with_help("decompress it once: gunzip FILE"));
        }
        format.read(label, Cow::Owned(inner), options)
    }

    /// Only text formats.
    fn parts(
        &self,
        path: &Path,
        options: &OpenOptions,
        size: PartSize,
    ) -> Result<Option<Box<dyn PartReader>>> {
        TextParts::survey(path, Packing::Gzip, options.separator()?, size)
    }
}
