//! The `halfmax` command.

mod commands;
mod dose_options;
mod picture_args;
mod recipes;
mod table_args;
mod terminal;
mod threads;
mod values;

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, CommandFactory, Parser, Subcommand};
use halfmax::Config;
use halfmax_core::{Error, ErrorKind, Result};
use halfmax_data::{
    OutputLock, SaidColumns, TableFile, TableOptions, followed, refuse_existing, refuse_occupied,
};

use crate::terminal::{Terminal, say};

/// Fits take and give back buffers of some hundred kilobytes thousands of times; the system's allocator returns each to
/// the kernel and has it cleared again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Predicts how cancer cell lines respond to drugs, and judges its predictions honestly.
///
/// Research use only.
#[derive(Parser)]
#[command(name = "halfmax", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

const EXAMPLES: &str = "Examples:
  halfmax demo
  halfmax data fetch gdsc2
  halfmax data check screen.toml
  halfmax evaluate screen.toml --out runs/lco
  halfmax train screen.toml --out runs/model
  halfmax score runs/model/model.halfmax --cells new.csv --drugs drugs.csv --top 10 --out scores.parquet
  halfmax explain runs/model/model.halfmax --out why/report.html

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 input data refused, 4 the result does not meet what was
asked, 130 interrupted.";

#[derive(Args, Clone)]
pub(crate) struct Global {
    /// Threads to use; all of the machine's by default. Results do not depend on it.
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
    /// Memory that fits may take: 8GB, 500MB, unlimited. By default what is free on the machine and what the container and ulimit -v leave. Fits that need
    /// more are refused before they start.
    #[arg(long, global = true, value_name = "SIZE")]
    memory: Option<String>,
    /// Seed of everything random; the configuration's by default.
    #[arg(long, global = true, value_name = "N")]
    seed: Option<u64>,
    /// Print results only.
    #[arg(long, global = true)]
    quiet: bool,
    /// Print one JSON object per line on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// Replace an output file that exists.
    #[arg(long, global = true)]
    overwrite: bool,
    /// The folder of fetched datasets; by default that of the environment variable HALFMAX_DATA, else the platform's.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Say which column has which role, in every file that has a column of this name: drug=inhibitor. May be given more than once;
    /// ignore=COLUMN sets a column aside.
    #[arg(long = "column", global = true, value_name = "ROLE=NAME")]
    columns: Vec<String>,
    /// Change the configuration: model.0.rounds=500. May be given more than once.
    #[arg(long = "config-override", global = true, value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// How much may come out of one packed file, a table or a model, at once: 8GiB. 2GiB by default; a file that unpacks to more is refused
    /// before it fills the memory.
    #[arg(long, global = true, value_name = "SIZE", value_parser = halfmax_data::parse_size)]
    unpack_limit: Option<u64>,
    #[arg(skip)]
    held: Held,
}

/// The outputs that this process may write, with their locks.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<Vec<(PathBuf, OutputLock)>>>);

/// Where a path leads, whatever its spelling: links are followed, also those to files that do not exist yet.
fn place_of(path: &Path) -> PathBuf {
    let path = followed(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

impl Global {
    /// What is said of columns.
    fn columns(&self) -> Result<SaidColumns> {
        table_args::pairs("--column", &self.columns)
    }

    /// A file with what is said of columns.
    fn table(&self, path: &Path) -> Result<TableFile> {
        let options = TableOptions { everywhere: self.columns()?, ..TableOptions::default() };
        Ok(TableFile { file: path.to_path_buf(), options })
    }

    /// Refuses to replace a file, unless that is asked for; never an input, or what is no file. Other processes may not write it until this one ends.
    fn may_write(&self, path: &Path, inputs: &[&Path]) -> Result<()> {
        if path.as_os_str() == "-" {
            return Ok(());
        }
        let place = place_of(path);
        if let Some(input) = inputs.iter().find(|input| place_of(input) == place) {
            return Err(Error::config(format!("{}: is also an input ({})", path.display(), input.display()))
                .with_help("give another name: an input is never replaced"));
        }
        if place.exists() && !place.is_file() && !place.is_dir() {
            return Err(Error::config(format!(
                "{}: is not an ordinary file (a device or a pipe)",
                path.display()
            ))
            .with_help("name a file, or - for standard output"));
        }
        // What a killed command left of it is gone then.
        if self.hold(place)? && !self.overwrite {
            refuse_existing(path)?;
        }
        Ok(())
    }

    /// Refuses to write into a folder that holds something, unless files may be replaced. Other processes may not write it until this one ends.
    fn may_fill(&self, folder: &Path) -> Result<()> {
        let place = place_of(folder);
        self.hold(place.clone())?;
        if self.overwrite && place.is_dir() {
            return Ok(());
        }
        refuse_occupied(&place, folder).map_err(|error| {
            error.with_help("give another name, or --overwrite to replace files in the folder")
        })
    }

    /// Takes the lock of an output, and says what it removed of a killed command. False if this process has it already.
    fn hold(&self, place: PathBuf) -> Result<bool> {
        let mut held = self.held.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.iter().any(|(own, _)| *own == place) {
            return Ok(false);
        }
        let lock = OutputLock::take(&place)?;
        Terminal::new(self.json, self.quiet).removed(lock.removed());
        held.push((place, lock));
        Ok(true)
    }

    /// As [`Self::may_write`] for the files of several arguments, no two of which may name one file: the later would replace the earlier.
    fn may_write_all(&self, files: &[(&str, Option<&Path>)], inputs: &[&Path]) -> Result<()> {
        let named: Vec<(&str, &Path)> =
            files.iter().filter_map(|(flag, path)| Some((*flag, (*path)?))).collect();
        for (at, (flag, path)) in named.iter().enumerate() {
            let same = |other: &Path| place_of(other) == place_of(path);
            if let Some((earlier, _)) = named[..at].iter().find(|(_, other)| same(other)) {
                let error = Error::config(format!("{}: named by both {earlier} and {flag}", path.display()));
                return Err(error.with_help("give two files"));
            }
        }
        named.iter().try_for_each(|(_, path)| self.may_write(path, inputs))
    }

    /// As [`Self::read_config`]; a recipe that comes with the program need not be there.
    fn read_recipe(&self, path: &Path, terminal: Terminal) -> Result<Config> {
        recipes::bring(path, terminal)?;
        self.read_config(path)
    }

    /// Reads a configuration with the overrides, and notes where fetched datasets are.
    fn read_config(&self, path: &Path) -> Result<Config> {
        let mut config = Config::read(path, &self.overrides)?;
        config.data.data_dir.clone_from(&self.data_dir);
        config.data.columns.extend(self.columns()?);
        Ok(config)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Everything once on the embedded dataset: evaluate, train, score, explain.
    Demo(commands::demo::DemoArgs),
    /// Write a configuration for some files: what each was taken for, what is left open, splits and models that make sense.
    Init(commands::init::InitArgs),
    /// Say what the keys of a configuration mean, or print their JSON schema for editors.
    Config(commands::config::ConfigArgs),
    /// Fetch datasets, and look at data before using them.
    #[command(subcommand)]
    Data(commands::data::DataCommand),
    /// Fit a model of a configuration on everything that it names, and write RUN/model.halfmax.
    Train(commands::train::TrainArgs),
    /// Cross-validate every model and the naive predictors without leaks, and write a leaderboard.
    Evaluate(ConfigAndOut),
    /// Score cell lines and drugs, or combinations of two drugs, with a trained model.
    Score(commands::score::ScoreArgs),
    /// Fit dose–response curves to raw readings: IC50, EC50, Emax, Hill slope and AUC, with intervals and flags.
    FitCurves(Box<commands::fit_curves::FitCurvesArgs>),
    /// Score dose matrices of two or more drugs against what HSA, Bliss, Loewe and ZIP expect of drugs that do not interact.
    Synergy(Box<commands::synergy::SynergyArgs>),
    /// Say what a trained model's predictions rest on: features, and the mechanisms of resistance that they tell of.
    Explain(commands::explain::ExplainArgs),
    /// Write a trained model in another program's format.
    Export(commands::export::ExportArgs),
    /// Remove what killed commands left in a folder: temporary files and folders, and locks. The next command with the same output does it, too.
    Clean(commands::clean::CleanArgs),
    /// Run a run again and compare; exit 0 only if every prediction is identical.
    Reproduce(commands::reproduce::ReproduceArgs),
    /// Print the completions of a shell, or write the manual pages.
    #[command(subcommand)]
    Shell(commands::shell::ShellCommand),
}

#[derive(Args)]
pub(crate) struct ConfigAndOut {
    /// The configuration, a TOML file.
    pub(crate) config: PathBuf,
    /// The folder to write; must not exist or be empty. By default the first of runs/NAME, runs/NAME-2, … that is free.
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
}

impl ConfigAndOut {
    /// The folder to write, which is said where it was not given.
    pub(crate) fn folder(&self, name: &str, terminal: Terminal) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
            let name: String = name.chars().map(plain).collect();
            let folder = terminal::free_folder(&Path::new("runs").join(name.trim_start_matches('.')));
            terminal.note(&format!("writing to {}", folder.display()));
            folder
        })
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results, everything else is a usage error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    terminal::listen_for_stop();
    let terminal = Terminal::new(cli.global.json, cli.global.quiet);
    match run(cli, terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::end_phase();
            explain(&error);
            ExitCode::from(match error.kind() {
                ErrorKind::Failed => 1,
                ErrorKind::Config => 2,
                ErrorKind::Data => 3,
                ErrorKind::NotReproduced => 4,
                ErrorKind::Interrupted => 130,
            })
        }
    }
}

fn run(cli: Cli, terminal: Terminal) -> Result<()> {
    if !matches!(cli.command, Command::Clean(_) | Command::Config(_) | Command::Shell(_)) {
        threads::start(cli.global.threads)?;
    }
    cli.global.memory.as_deref().map_or(Ok(()), halfmax::memory::limit_memory)?;
    if let Some(bytes) = cli.global.unpack_limit {
        halfmax_data::set_unpack_limit(bytes);
    }
    let global = cli.global;
    match cli.command {
        Command::Demo(args) => commands::demo::demo(&args, &global, terminal),
        Command::Init(args) => commands::init::init(&args, &global, terminal),
        Command::Config(args) => commands::config::config(&args, terminal),
        Command::Data(command) => commands::data::data(&command, &global, terminal),
        Command::Train(args) => commands::train::train(&args, &global, terminal),
        Command::Evaluate(args) => commands::evaluate::evaluate(&args, &global, terminal),
        Command::Score(args) => commands::score::score(&args, &global, terminal),
        Command::FitCurves(args) => commands::fit_curves::fit_curves(&args, &global, terminal),
        Command::Synergy(args) => commands::synergy::synergy(&args, &global, terminal),
        Command::Explain(args) => commands::explain::explain(&args, &global, terminal),
        Command::Export(args) => commands::export::export(&args, &global, terminal),
        Command::Clean(args) => commands::clean::clean(&args, terminal),
        Command::Reproduce(args) => commands::reproduce::reproduce(&args, &global, terminal),
        Command::Shell(command) => commands::shell::shell(&command, &Cli::command(), &global),
    }
}

/// Prints an error, what caused it, and how to mend it.
fn explain(error: &Error) {
    say(&format!("error: {error}"));
    let mut cause = error.source();
    while let Some(source) = cause {
        say(&format!("  because: {source}"));
        cause = source.source();
    }
    if let Some(help) = error.help() {
        say(&format!("  help: {help}"));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_list_of_commands_is_sound() {
        Cli::command().debug_assert();
    }

    /// The lines of code blocks that call halfmax, of every page of the documentation.
    fn calls() -> Vec<(PathBuf, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut folders = vec![root.join("docs")];
        let mut pages: Vec<PathBuf> =
            ["README.md", "COMPARE.md", "CONTRIBUTING.md"].iter().map(|name| root.join(name)).collect();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "md") {
                    pages.push(path);
                }
            }
        }
        let mut calls = Vec::new();
        for page in pages {
            let text = fs::read_to_string(&page).unwrap();
            // Commands that go on in the next line.
            let text = text.replace("\\\n", " ");
            let mut fenced = false;
            for line in text.lines() {
                fenced ^= line.trim_start().starts_with("```");
                if !fenced && !line.starts_with("    ") {
                    continue;
                }
                for part in line.split(" && ") {
                    let part = part.trim().trim_start_matches("$ ").trim_start_matches("target/release/");
                    if part.starts_with("halfmax ") {
                        calls.push((page.clone(), part.split(" #").next().unwrap().trim().to_owned()));
                    }
                }
            }
        }
        calls
    }

    #[test]
    fn every_command_of_the_documentation_is_one() {
        let calls = calls();
        assert!(calls.len() > 30, "only {} were found", calls.len());
        for (page, call) in calls {
            // Templates and continued examples are not complete commands.
            if call.contains('…') || call.contains("...") || call.contains('[') || call.contains("COMMAND")
            {
                continue;
            }
            let words: Vec<String> =
                call.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect();
            if let Err(error) = Cli::try_parse_from(&words) {
                assert!(!error.use_stderr(), "{}: {call}\n{error}", page.display());
            }
        }
    }
}
