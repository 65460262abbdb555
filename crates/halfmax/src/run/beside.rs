//! The paths for the saved state of an interrupted run.

use std::path::{Path, PathBuf};

/// A path beside the output of a run.
pub fn beside(out: &Path, ending: &str) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    out.with_file_name(name)
}
