//! `halfmax shell`: completions, manual pages and reference pages, generated from the list of commands and flags.

use std::path::PathBuf;

use clap::{Arg, Command, Subcommand};
use clap_complete::Shell;
use halfmax::reference;
use halfmax_core::{Error, Result};
use halfmax_data::{RunFolder, write_atomically};

use crate::Global;

/// Print the completions of a shell, or write the manual pages.
#[derive(Subcommand)]
pub enum ShellCommand {
    /// Print the completions of a shell: source <(halfmax shell completions bash).
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write the generated pages of the book: every command, configuration key and model family.
    #[command(hide = true)]
    Reference {
        /// The folder to write the pages into.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write a manual page for every command.
    Man {
        /// The folder to write, which must be empty or not exist yet.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// `halfmax shell …`.
pub fn shell(command: &ShellCommand, program: &Command, global: &Global) -> Result<()> {
    match command {
        ShellCommand::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut program.clone(), "halfmax", &mut text);
            std::io::Write::write_all(&mut std::io::stdout(), &text).map_err(Error::standard_output)
        }
        ShellCommand::Reference { out } => {
            for (name, text) in [
                ("commands.md", commands_page(program)),
                ("configuration.md", reference::configuration_page()),
                ("families.md", reference::families_page()),
                ("configuration.schema.json", reference::configuration_schema_text()),
            ] {
                let path = out.join(name);
                global.may_write(&path, &[])?;
                write_atomically(&path, |file| file.write_all(text.as_bytes()))?;
            }
            Ok(())
        }
        ShellCommand::Man { out } => {
            let folder = RunFolder::create(out)?;
            clap_mangen::generate_to(program.clone(), folder.path("")).map_err(|error| {
                Error::failed(format!("{}: the manual pages cannot be written", out.display()))
                    .with_source(error)
            })?;
            folder.finish().map(|_| ())
        }
    }
}

/// The book's page on commands, with their arguments and options.
fn commands_page(program: &Command) -> String {
    let mut program = program.clone();
    program.build();
    let mut text = String::from(
        "# Commands\n\n<!-- Generated from the code: cargo xtask reference -->\n\n`halfmax COMMAND --help` prints the same texts. Every command also takes \
         the options at the end of this page.\n",
    );
    for command in
        program.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        describe(command, &mut text);
    }
    text += "\n## Options of every command\n\n";
    text += &arguments(program.get_arguments().filter(|argument| argument.is_global_set()));
    text
}

fn describe(command: &Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    *text += &format!("\n## `{name}`\n\n{about}.\n\n");
    let subcommands: Vec<&Command> =
        command.get_subcommands().filter(|own| !own.is_hide_set() && own.get_name() != "help").collect();
    if subcommands.is_empty() {
        let usage = command.clone().render_usage().to_string();
        *text += &format!("    {}\n\n", usage.trim_start_matches("Usage: "));
        *text += &arguments(command.get_arguments().filter(|argument| !argument.is_global_set()));
    }
    subcommands.into_iter().for_each(|own| describe(own, text));
}

/// A table of arguments and their meanings.
fn arguments<'a>(all: impl Iterator<Item = &'a Arg>) -> String {
    let mut text = String::from("| argument | meaning |\n|---|---|\n");
    for argument in all.filter(|argument| {
        !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str())
    }) {
        let values: Vec<String> =
            argument.get_value_names().into_iter().flatten().map(ToString::to_string).collect();
        let takes = argument.get_action().takes_values();
        let spelt = match argument.get_long() {
            Some(long) if takes => format!("--{long} {}", values.join(" ")),
            Some(long) => format!("--{long}"),
            None => values.join(" "),
        };
        let about =
            argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        let mut meaning = about.replace('\n', " ").replace('|', "\\|");
        if !meaning.ends_with(['.', '!', '?']) {
            meaning.push('.');
        }
        let possible = argument.get_possible_values();
        if takes && !possible.is_empty() {
            let names: Vec<String> = possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
            meaning += &format!(" One of {}.", names.join(", "));
        }
        let defaults: Vec<String> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        if takes && !defaults.is_empty() {
            meaning += &format!(" Default: `{}`.", defaults.join(","));
        }
        text += &format!("| `{}` | {} |\n", spelt.trim(), meaning.trim());
    }
    text
}
