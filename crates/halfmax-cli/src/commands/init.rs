//! `halfmax init`: drafts a configuration for some files.

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::DraftConfig;
use halfmax_core::Result;
use halfmax_data::write_atomically;
use serde_json::json;

use crate::Global;
use crate::terminal::Terminal;

/// Write a configuration for your files: the role of each file, open questions, and suitable splits and models.
#[derive(Args)]
pub struct InitArgs {
    /// The files: responses, features of cell lines, drugs, annotations, folds, in any order.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The configuration to write.
    #[arg(long, value_name = "FILE", default_value = "screen.toml")]
    out: PathBuf,
}

/// `halfmax init`.
pub fn init(args: &InitArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let inputs: Vec<&Path> = args.files.iter().map(PathBuf::as_path).collect();
    global.may_write(&args.out, &inputs)?;
    let draft = DraftConfig::for_files(&args.files, args.out.parent().unwrap_or(Path::new("")))?;
    write_atomically(&args.out, |file| std::io::Write::write_all(file, draft.text.as_bytes()))?;
    let out = args.out.display();
    let facts = json!({ "out": out.to_string(), "taken": draft.taken, "open": draft.open });
    let mut lines: Vec<String> =
        draft.taken.iter().map(|taken| format!("{}: {}", taken.name, taken.role)).collect();
    lines.extend(draft.open.iter().map(|open| format!("to decide: {open}")));
    let next = if draft.open.is_empty() { "evaluate" } else { "data check" };
    lines.push(format!("{out} written; next: halfmax {next} {out}"));
    terminal.result("configuration", &facts, &lines.join("\n"))
}
