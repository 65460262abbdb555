//! `halfmax clean`: removes what killed commands left in a folder.

use std::path::PathBuf;

use clap::Args;
use halfmax_core::{Result, listed};
use halfmax_data::{counted, remove_leftovers};
use serde_json::json;

use crate::terminal::Terminal;

/// Remove what killed commands left in a folder.
#[derive(Args)]
pub struct CleanArgs {
    /// The folder to clean. Its subfolders stay as they are.
    folder: PathBuf,
}

/// `halfmax clean`.
pub fn clean(args: &CleanArgs, terminal: Terminal) -> Result<()> {
    let folder = &args.folder;
    let (removed, writing) = remove_leftovers(folder)?;
    let shown = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    let (removed, writing) = (shown(&removed), shown(&writing));
    if !writing.is_empty() {
        terminal.note(&format!(
            "left alone, because other processes are writing to them: {}",
            listed(&writing, 5)
        ));
    }
    let text = match removed.is_empty() {
        true => format!("{}: no leftovers of killed commands", folder.display()),
        false => format!("{} removed: {}", counted(removed.len(), "leftover"), listed(&removed, 10)),
    };
    terminal.result("cleaned", &json!({"removed": removed, "writing": writing}), &text)
}
