//! halfmax-data
