//! The `halfmax` binary, run as a user does.

use std::path::Path;
use std::process::{Command, Output};

/// Runs a command in a folder.
pub fn halfmax(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_halfmax")).current_dir(folder).args(arguments).output().unwrap()
}
