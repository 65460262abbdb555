//! What the fuzz targets call. The tests of halfmax-data and halfmax-eval call the same functions on every input that once found something.

pub mod families;
pub mod readers;
