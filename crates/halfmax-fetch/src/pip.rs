//! Python packages, downloaded by pip and never installed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use halfmax_core::{Error, Progress, Result};
use halfmax_data::datasets::PackageKind;

/// The log file of pip.
const LOG: &str = "pip.log";

/// A command that runs pip: a program and its first arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pip {
    commands: Vec<Vec<String>>,
}

impl Default for Pip {
    /// Python's pip module, else a pip program, else pip through uv.
    fn default() -> Self {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        let commands = ["python3 -m pip", "python -m pip", "py -m pip", "pip3", "pip", "uvx pip"];
        Self { commands: commands.map(words).to_vec() }
    }
}

/// A package for pip to download.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Package<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub kind: PackageKind,
    pub sha256: &'a str,
}

impl Pip {
    /// A pip that runs with this program and first arguments.
    pub fn with_command(command: Vec<String>) -> Self {
        Self { commands: vec![command] }
    }

    /// Downloads a package into a folder. pip compares the checksum before it looks inside.
    pub(crate) fn download(
        &self,
        package: Package<'_>,
        into: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf> {
        let requirement = into.join("requirement.txt");
        let line = format!("{}=={} --hash=sha256:{}\n", package.name, package.version, package.sha256);
        std::fs::write(&requirement, line).map_err(|error| {
            Error::failed(format!("{}: cannot be written", requirement.display())).with_source(error)
        })?;
        for command in &self.commands {
            let Some(mut child) = started(command, package, &requirement, into)? else { continue };
            let success = finished(&mut child, progress)?;
            let said = std::fs::read_to_string(into.join(LOG)).unwrap_or_default();
            if success {
                return downloaded(into);
            }
            // A Python without pip counts as missing.
            if said.contains("No module named pip") {
                continue;
            }
            let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
            let last = said.last().copied().unwrap_or("no message");
            return Err(Error::failed(format!(
                "pip cannot download {} {}: {}",
                package.name,
                package.version,
                last.trim()
            )));
        }
        Err(Error::failed("pip not found: python3, python, pip and uvx cannot be run")
            .with_help("install Python, or download the package elsewhere"))
    }
}

/// Starts pip; `None` if there is no such program.
fn started(
    command: &[String],
    package: Package<'_>,
    requirement: &Path,
    into: &Path,
) -> Result<Option<Child>> {
    let Some((program, first)) = command.split_first() else { return Ok(None) };
    let mut command = Command::new(program);
    command.args(first).args(["download", "--no-deps", "--require-hashes", "--disable-pip-version-check"]);
    command.args(["--progress-bar", "off", "--no-input", "--quiet"]);
    match package.kind {
        PackageKind::Wheel => command.args(["--only-binary", ":all:"]),
        PackageKind::Source => command.args(["--no-binary", ":all:"]),
    };
    command.arg("--requirement").arg(requirement).arg("--dest").arg(into);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // Use a file, because nobody reads a pipe while pip runs.
    let said = into.join(LOG);
    let log = std::fs::File::create(&said).map_err(|error| {
        Error::failed(format!("{}: cannot be written", said.display())).with_source(error)
    })?;
    match command.stderr(log).spawn() {
        Ok(child) => Ok(Some(child)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::failed(format!("{program} cannot be run")).with_source(error)),
    }
}

/// Waits for pip. Returns whether it succeeded.
fn finished(child: &mut Child, progress: &dyn Progress) -> Result<bool> {
    loop {
        if let Err(stopped) = progress.check() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(stopped);
        }
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => return Err(Error::failed("waiting for pip failed").with_source(error)),
        }
    }
}

/// The one archive in the folder.
fn downloaded(into: &Path) -> Result<PathBuf> {
    let found = std::fs::read_dir(into).into_iter().flatten().flatten().map(|entry| entry.path());
    let archive = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(".whl") || name.ends_with(".tar.gz")
    };
    found.into_iter().find(archive).ok_or_else(|| Error::failed("pip downloaded nothing"))
}
