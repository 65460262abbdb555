//! Arrow and Feather files.

use std::borrow::Cow;

use halfmax_core::Result;

use super::TableFormat;
use crate::open::{OpenOptions, read_arrow};
use crate::table::RawTable;

/// The Arrow format, which Feather files also use.
pub(super) struct Feather;

impl TableFormat for Feather {
    fn name(&self) -> &'static str {
        "Feather"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["feather", "arrow"]
    }

    fn endings_in_archives(&self) -> &'static [&'static str] {
        &["feather"]
    }

    fn recognises(&self, _label: &str, bytes: &[u8]) -> Result<bool> {
        Ok(bytes.starts_with(b"ARROW1") || bytes.starts_with(b"FEA1"))
    }

    fn read(&self, label: &str, bytes: Cow<'_, [u8]>, _options: &OpenOptions) -> Result<RawTable> {
        read_arrow(label, &bytes)
    }
}
