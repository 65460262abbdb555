//! Where an interrupted run leaves what it has.

use std::path::{Path, PathBuf};

/// A path beside the place of a run.
pub fn beside(out: &Path, ending: &str) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    out.with_file_name(name)
}
