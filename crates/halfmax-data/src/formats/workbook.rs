//! Workbooks of spreadsheet programs.

use std::borrow::Cow;

use halfmax_core::Result;

use super::TableFormat;
use crate::open::{OpenOptions, is_zip, members, read_workbook, sheets_of_workbook};
use crate::table::RawTable;

/// A workbook of a spreadsheet program, with a table in one sheet.
pub(super) struct Workbook;

impl TableFormat for Workbook {
    fn name(&self) -> &'static str {
        "a workbook"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["xlsx", "xls", "xlsb", "ods"]
    }

    fn endings_in_archives(&self) -> &'static [&'static str] {
        &["xlsx", "xls"]
    }

    fn recognises(&self, label: &str, bytes: &[u8]) -> Result<bool> {
        if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
            return Ok(true);
        }
        if !is_zip(bytes) {
            return Ok(false);
        }
        let names = members(label, bytes)?;
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        Ok(has("xl/workbook.xml") || has("xl/workbook.bin") || (has("content.xml") && has("mimetype")))
    }

    fn read(&self, label: &str, bytes: Cow<'_, [u8]>, options: &OpenOptions) -> Result<RawTable> {
        read_workbook(label, bytes.into_owned(), options.sheet.as_deref())
    }

    fn tables(&self, label: &str, bytes: Vec<u8>) -> Result<Vec<String>> {
        sheets_of_workbook(label, bytes)
    }
}
