//! What a shell and a reader of manual pages need, made from the one list of commands and flags.

use std::path::PathBuf;

use clap::{Command, Subcommand};
use clap_complete::Shell;
use halfmax_core::{Error, Result};
use halfmax_data::RunFolder;

/// Print the completions of a shell, or write the manual pages.
#[derive(Subcommand)]
pub enum ShellCommand {
    /// Print the completions of a shell: source <(halfmax shell completions bash).
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write a manual page for every command.
    Man {
        /// The folder to write; must not exist or be empty.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// `halfmax shell …`.
pub fn shell(command: &ShellCommand, program: &Command) -> Result<()> {
    match command {
        ShellCommand::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut program.clone(), "halfmax", &mut text);
            std::io::Write::write_all(&mut std::io::stdout(), &text).map_err(Error::standard_output)
        }
        ShellCommand::Man { out } => {
            let folder = RunFolder::create(out)?;
            clap_mangen::generate_to(program.clone(), folder.path("")).map_err(|error| {
                Error::failed(format!("{}: the manual pages cannot be written", out.display())).because(error)
            })?;
            folder.finish().map(|_| ())
        }
    }
}
