//! halfmax-data
mod columns;
mod digest;
mod scan;
mod table;
pub use digest::sha256_file;
pub use table::{RawTable, read_bytes, read_table};
