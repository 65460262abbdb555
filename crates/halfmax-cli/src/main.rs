//! The `halfmax` command: its subcommands, the options of every subcommand, and its exit codes.

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

/// Fits allocate and free buffers of some hundred kilobytes thousands of times. The system's allocator returns each buffer
/// to the kernel, which clears the buffer again.
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

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 input data refused, 4 a check failed (data check,
reproduce), 130 interrupted.";

#[derive(Args, Clone)]
pub(crate) struct Global {
    /// The number of threads, 1 to 1024; results do not depend on it. Default: RAYON_NUM_THREADS, else all processors of the machine.
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
    /// The memory that fits may use: 8GB, 500MB or unlimited. halfmax refuses fits that need more before they start. Default: the memory
    /// that is free on the machine and that the container and ulimit -v allow.
    #[arg(long, global = true, value_name = "SIZE")]
    memory: Option<String>,
    /// The seed of all random numbers, except the draw of folds. Default: the seed of the configuration or of the file of options.
    #[arg(long, global = true, value_name = "N")]
    seed: Option<u64>,
    /// Print only results.
    #[arg(long, global = true)]
    quiet: bool,
    /// Print one JSON object per line on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// Replace output files that already exist.
    #[arg(long, global = true)]
    overwrite: bool,
    /// The folder of fetched datasets. Default: the folder in the environment variable HALFMAX_DATA, else the platform's folder for data.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Assign a role to a column, in every file with a column of this name: drug=inhibitor. ignore=COLUMN ignores a column. May be
    /// given more than once.
    #[arg(long = "column", global = true, value_name = "ROLE=NAME")]
    columns: Vec<String>,
    /// Change a key of the configuration: model.0.rounds=500. May be given more than once.
    #[arg(long = "config-override", global = true, value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// The largest size to which one packed file, a table or a model, may unpack at once, for example 8GiB. halfmax refuses a file
    /// that unpacks to more before it fills the memory. Default: 2GiB.
    #[arg(long, global = true, value_name = "SIZE", value_parser = halfmax_data::parse_size)]
    unpack_limit: Option<u64>,
    #[arg(skip)]
    held: Held,
}

/// The outputs that this process may write, with their locks.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<Vec<(PathBuf, OutputLock)>>>);

/// The place that a path leads to, whatever its spelling. Links are followed, including links to files that do not exist yet.
fn place_of(path: &Path) -> PathBuf {
    let path = followed(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

impl Global {
    /// The roles of columns that `--column` gives.
    fn columns(&self) -> Result<SaidColumns> {
        table_args::pairs("--column", &self.columns)
    }

    /// A table file with the roles that `--column` gives.
    fn table(&self, path: &Path) -> Result<TableFile> {
        let options = TableOptions { everywhere: self.columns()?, ..TableOptions::default() };
        Ok(TableFile { file: path.to_path_buf(), options })
    }

    /// Refuses to replace an existing file without `--overwrite`. Inputs, devices and pipes are never replaced. Other processes may not
    /// write the file until this process ends.
    fn may_write(&self, path: &Path, inputs: &[&Path]) -> Result<()> {
        if path.as_os_str() == "-" {
            return Ok(());
        }
        let place = place_of(path);
        if let Some(input) = inputs.iter().find(|input| place_of(input) == place) {
            return Err(Error::config(format!("{}: is also an input ({})", path.display(), input.display()))
                .with_help("choose another name: halfmax never replaces an input"));
        }
        if place.exists() && !place.is_file() && !place.is_dir() {
            return Err(Error::config(format!(
                "{}: is not an ordinary file (a device or a pipe)",
                path.display()
            ))
            .with_help("name a file, or - for standard output"));
        }
        // `hold` first removes what a killed command left of this output.
        if self.hold(place)? && !self.overwrite {
            refuse_existing(path)?;
        }
        Ok(())
    }

    /// Refuses to write into a folder that is not empty, except with `--overwrite`. Other processes may not write into the folder until
    /// this process ends.
    fn may_fill(&self, folder: &Path) -> Result<()> {
        let place = place_of(folder);
        self.hold(place.clone())?;
        if self.overwrite && place.is_dir() {
            return Ok(());
        }
        refuse_occupied(&place, folder).map_err(|error| {
            error.with_help("choose another name, or add --overwrite to replace files in the folder")
        })
    }

    /// Takes the lock of an output, and reports the leftovers of killed commands that it removed. Returns false if this process already
    /// holds the lock.
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

    /// As [`Self::may_write`], for the files of several arguments. Two arguments may not name the same file: the later output would
    /// replace the earlier output.
    fn may_write_all(&self, files: &[(&str, Option<&Path>)], inputs: &[&Path]) -> Result<()> {
        let named: Vec<(&str, &Path)> =
            files.iter().filter_map(|(flag, path)| Some((*flag, (*path)?))).collect();
        for (at, (flag, path)) in named.iter().enumerate() {
            let same = |other: &Path| place_of(other) == place_of(path);
            if let Some((earlier, _)) = named[..at].iter().find(|(_, other)| same(other)) {
                let error = Error::config(format!("{}: named by both {earlier} and {flag}", path.display()));
                return Err(error.with_help("name two different files"));
            }
        }
        named.iter().try_for_each(|(_, path)| self.may_write(path, inputs))
    }

    /// As [`Self::read_config`]. A recipe that comes with the program is written first if it does not exist.
    fn read_recipe(&self, path: &Path, terminal: Terminal) -> Result<Config> {
        recipes::bring(path, terminal)?;
        self.read_config(path)
    }

    /// Reads a configuration, and applies the overrides, the folder of fetched datasets and the roles of columns.
    fn read_config(&self, path: &Path) -> Result<Config> {
        let mut config = Config::read(path, &self.overrides)?;
        config.data.data_dir.clone_from(&self.data_dir);
        config.data.columns.extend(self.columns()?);
        Ok(config)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole workflow on the embedded dataset: evaluate, train, score, explain.
    Demo(commands::demo::DemoArgs),
    /// Write a configuration for your files: the role of each file, open questions, and suitable splits and models.
    Init(commands::init::InitArgs),
    /// Explain the keys of a configuration, or print their JSON schema for editors.
    Config(commands::config::ConfigArgs),
    /// Fetch datasets, and inspect data before you use them.
    #[command(subcommand)]
    Data(commands::data::DataCommand),
    /// Train one model of a configuration on all data of the configuration, and write RUN/model.halfmax.
    Train(commands::train::TrainArgs),
    /// Cross-validate every model and the naive predictors without leaks, and write a leaderboard.
    Evaluate(ConfigAndOut),
    /// Score cell lines and drugs, or combinations of two drugs, with a trained model.
    Score(commands::score::ScoreArgs),
    /// Fit dose–response curves to raw readings: IC50, EC50, Emax, Hill slope and AUC, with intervals and flags.
    FitCurves(Box<commands::fit_curves::FitCurvesArgs>),
    /// Score dose matrices of two or more drugs against the expectations of HSA, Bliss, Loewe and ZIP for drugs that do not interact.
    Synergy(Box<commands::synergy::SynergyArgs>),
    /// Show which features a trained model's predictions rest on, and which mechanisms of resistance these features indicate.
    Explain(commands::explain::ExplainArgs),
    /// Test every feature of cell lines for an association with the response to every drug, by linear models with covariates.
    Associate(commands::associate::AssociateArgs),
    /// Write a trained model in another program's format.
    Export(commands::export::ExportArgs),
    /// Remove the temporary files, temporary folders and locks that killed commands left in a folder. The next command with the same
    /// output also removes them.
    Clean(commands::clean::CleanArgs),
    /// Repeat a run and compare the results. The exit code is 0 only if every prediction is identical.
    Reproduce(commands::reproduce::ReproduceArgs),
    /// Print the completions of a shell, or write the manual pages.
    #[command(subcommand)]
    Shell(commands::shell::ShellCommand),
}

#[derive(Args)]
pub(crate) struct ConfigAndOut {
    /// The configuration, a TOML file.
    pub(crate) config: PathBuf,
    /// The folder to write, which must be empty or not exist yet. Default: the first of runs/NAME, runs/NAME-2, … that is free.
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
}

impl ConfigAndOut {
    /// The folder to write. If the user gave no folder, a note names the folder.
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
            // Help and version are results; everything else is a usage error.
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
                ErrorKind::CheckFailed => 4,
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
        Command::Associate(args) => commands::associate::associate(&args, &global, terminal),
        Command::Export(args) => commands::export::export(&args, &global, terminal),
        Command::Clean(args) => commands::clean::clean(&args, terminal),
        Command::Reproduce(args) => commands::reproduce::reproduce(&args, &global, terminal),
        Command::Shell(command) => commands::shell::shell(&command, &Cli::command(), &global),
    }
}

/// Prints an error with its causes and its help.
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

    /// The lines that call halfmax in the code blocks of the documentation, each with its page.
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
            // Join commands that continue on the next line.
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
    fn every_command_in_the_documentation_parses() {
        let calls = calls();
        assert!(calls.len() > 30, "found only {} commands", calls.len());
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
