//! Zip archives that hold tables.

use std::borrow::Cow;

use halfmax_core::Result;

use super::{TableFormat, recognised};
use crate::open::{OpenOptions, is_zip, members, tables_of_archive, unzip};
use crate::table::RawTable;

/// An archive with one table of another format, or several tables with a choice.
pub(super) struct Zip;

impl TableFormat for Zip {
    fn name(&self) -> &'static str {
        "a zip archive"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["zip"]
    }

    /// An archive inside an archive is not opened.
    fn endings_in_archives(&self) -> &'static [&'static str] {
        &[]
    }

    fn recognises(&self, _label: &str, bytes: &[u8]) -> Result<bool> {
        Ok(is_zip(bytes))
    }

    fn read(&self, label: &str, bytes: Cow<'_, [u8]>, options: &OpenOptions) -> Result<RawTable> {
        let (member, inner) = unzip(label, &bytes, options.sheet.as_deref())?;
        drop(bytes);
        let options = OpenOptions { sheet: None, ..options.clone() };
        let label = format!("{label}/{member}");
        let mut table = recognised(&label, &inner)?.read(&label, Cow::Owned(inner), &options)?;
        table.notes.insert(0, format!("read from {member} in the archive").into());
        Ok(table)
    }

    fn tables(&self, label: &str, bytes: Vec<u8>) -> Result<Vec<String>> {
        Ok(tables_of_archive(&members(label, &bytes)?).into_iter().map(str::to_owned).collect())
    }
}
