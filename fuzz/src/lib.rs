//! What the fuzz targets call. The tests of halfmax-data call the same functions on every input that once found something.

pub mod readers;
