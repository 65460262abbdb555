//! Tasks for contributors to halfmax; `cargo xtask` lists the tasks. The tasks only run other programs, so this crate builds in a moment.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A task: its name, its description and its function.
struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<(), String>,
}

const TASKS: &[Task] = &[
    Task { name: "fmt", about: "format the code", run: |_| cargo("fmt --all", &[]) },
    Task { name: "lint", about: "check format and lints, warnings denied", run: |_| lint() },
    Task { name: "typos", about: "check the spelling of code and documentation", run: |_| typos() },
    Task { name: "test", about: "run all tests; arguments go to cargo test", run: test },
    Task { name: "docs", about: "build the documentation of all crates, warnings denied", run: |_| docs() },
    Task { name: "reference", about: "write the generated pages of docs/reference", run: |_| reference() },
    Task {
        name: "features",
        about: "check the builds without neural models and for other devices",
        run: |_| features(),
    },
    Task {
        name: "msrv",
        about: "check with the oldest supported compiler, if it is installed",
        run: |_| msrv(),
    },
    Task {
        name: "deny",
        about: "check licences, sources and advisories, and that NOTICE is current",
        run: |_| deny(),
    },
    Task { name: "examples", about: "run the examples of the library", run: |_| examples() },
    Task { name: "package", about: "check that every crate can be packaged", run: |_| package() },
    Task {
        name: "bench",
        about: "run the benchmarks, and add their medians to benches/history.csv; arguments go to cargo bench",
        run: bench,
    },
    Task {
        name: "ci",
        about: "run all checks that a change must pass: lint, typos, test, docs, features, deny, examples, package",
        run: |_| ci(),
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let task = arguments.first().and_then(|name| TASKS.iter().find(|task| task.name == *name));
    let Some(task) = task else {
        say("Usage: cargo xtask TASK\n");
        TASKS.iter().for_each(|task| say(&format!("  {:<10} {}", task.name, task.about)));
        return ExitCode::from(2);
    };
    match (task.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn run(command: &mut Command) -> Result<(), String> {
    say(&format!("+ {command:?}"));
    match command.current_dir(root()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: cannot be run: {error}")),
    }
}

/// Runs cargo with the arguments of a text, which spaces separate, followed by more arguments.
fn cargo(arguments: &str, more: &[String]) -> Result<(), String> {
    run(Command::new("cargo").args(arguments.split(' ')).args(more))
}

/// Whether a program is installed.
fn is_there(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
}

fn lint() -> Result<(), String> {
    cargo("fmt --all --check", &[])?;
    cargo("clippy --release --workspace --all-targets -- -D warnings", &[])
}

/// Checks the spelling of British English, with the exceptions in `_typos.toml`.
fn typos() -> Result<(), String> {
    match is_there("typos", "--version") {
        true => run(&mut Command::new("typos")),
        false => {
            say("skipped: typos is not installed (pip install -r xtask/requirements.txt)");
            Ok(())
        }
    }
}

/// Runs the tests with a fixed seed: property tests draw the same cases in every run, so a test that passed once passes again.
fn test(more: &[String]) -> Result<(), String> {
    run(Command::new("cargo")
        .args(["test", "--release", "--workspace"])
        .args(more)
        .env("PROPTEST_RNG_SEED", "1"))
}

fn docs() -> Result<(), String> {
    run(Command::new("cargo")
        .args(["doc", "--release", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    match is_there("mdbook", "--version") {
        true => run(Command::new("mdbook").args(["build", "docs"])),
        false => {
            say("skipped: mdbook is not installed; tests check the links of the book");
            Ok(())
        }
    }
}

fn reference() -> Result<(), String> {
    cargo("run --release -- shell reference --out docs/reference --overwrite --quiet", &[])
}

/// Checks these features without a full build. `DOCS_RS` stops a build script from downloading LLVM, and `tch-check` avoids the search
/// for `LibTorch`.
fn features() -> Result<(), String> {
    run(Command::new("cargo")
        .args(["check", "--release", "-p", "halfmax-neural", "--features", "cuda,wgpu,tch-check"])
        .env("DOCS_RS", "1"))?;
    cargo("check --release -p halfmax-cli --no-default-features", &[])
}

fn msrv() -> Result<(), String> {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).map_err(|error| error.to_string())?;
    let version = text.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    let version = version.ok_or("Cargo.toml has no rust-version")?;
    let here = Command::new("rustc").arg("--version").output().map_err(|error| error.to_string())?;
    if String::from_utf8_lossy(&here.stdout).contains(&format!("rustc {version}.")) {
        say(&format!("the compiler here is {version}, the oldest supported one"));
        return cargo("check --release --workspace --all-targets", &[]);
    }
    let toolchain = format!("+{version}");
    match is_there("cargo", &toolchain) {
        true => cargo(&format!("{toolchain} check --release --workspace --all-targets"), &[]),
        false => {
            say(&format!("skipped: Rust {version} is not installed (rustup toolchain install {version})"));
            Ok(())
        }
    }
}

fn deny() -> Result<(), String> {
    let notice = Command::new(root().join(".ci/notice")).current_dir(root()).output();
    let notice = notice.map_err(|error| format!(".ci/notice: {error}"))?;
    let there = std::fs::read(root().join("NOTICE")).map_err(|error| format!("NOTICE: {error}"))?;
    if notice.stdout != there {
        return Err("NOTICE is out of date: run .ci/notice > NOTICE".into());
    }
    if !is_there("cargo-deny", "--version") {
        say("skipped: cargo-deny is not installed");
        return Ok(());
    }
    cargo("deny check licenses bans sources", &[])?;
    match cargo("deny fetch", &[]) {
        Ok(()) => cargo("deny check --disable-fetch advisories", &[]),
        Err(_) => {
            say("skipped: the database of advisories cannot be fetched");
            Ok(())
        }
    }
}

fn examples() -> Result<(), String> {
    let folder = root().join("crates/halfmax/examples");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    // Build with the features of the whole workspace, so that nothing is built twice.
    cargo("build --release --workspace --examples", &[])?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    names.iter().try_for_each(|name| run(&mut Command::new(target.join("release/examples").join(name))))
}

fn package() -> Result<(), String> {
    cargo("package --workspace --no-verify --allow-dirty --exclude xtask", &[])
}

/// Runs the benchmarks, and adds one line per benchmark to the history: the day, the commit, the processors and the median.
fn bench(more: &[String]) -> Result<(), String> {
    let begun = std::time::SystemTime::now();
    cargo("bench --workspace", more)?;
    let answer = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(root()).output();
        output.map_or_else(
            |_| String::new(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let (day, commit) = (answer("date", &["+%Y-%m-%d"]), answer("git", &["rev-parse", "--short", "HEAD"]));
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut medians = Vec::new();
    collect_medians(&target.join("criterion"), "", begun, &mut medians)?;
    medians.sort();
    let path = root().join("benches/history.csv");
    let mut text = std::fs::read_to_string(&path)
        .unwrap_or_else(|_| "day,commit,processors,benchmark,median_seconds\n".to_owned());
    for (name, seconds) in medians {
        text += &format!("{day},{commit},{processors},{name},{seconds}\n");
    }
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Collects the medians, in seconds, of all benchmarks in a folder of criterion that ran after `since`.
fn collect_medians(
    folder: &Path,
    name: &str,
    since: std::time::SystemTime,
    into: &mut Vec<(String, String)>,
) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let estimates = folder.join("new/estimates.json");
    if let Ok(text) = std::fs::read_to_string(&estimates) {
        let changed = std::fs::metadata(&estimates).and_then(|data| data.modified()).map_err(failed)?;
        let median =
            text.split("\"median\"").nth(1).and_then(|rest| rest.split("\"point_estimate\":").nth(1));
        let number = median
            .and_then(|rest| rest.split([',', '}']).next())
            .and_then(|text| text.trim().parse::<f64>().ok());
        if let Some(nanoseconds) = number.filter(|_| changed >= since) {
            into.push((name.to_owned(), format!("{:.6e}", nanoseconds / 1e9)));
        }
        return Ok(());
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && own != "report" {
            let name = if name.is_empty() { own } else { format!("{name}/{own}") };
            collect_medians(&path, &name, since, into)?;
        }
    }
    Ok(())
}

fn ci() -> Result<(), String> {
    lint()?;
    typos()?;
    test(&[])?;
    docs()?;
    features()?;
    deny()?;
    examples()?;
    package()
}
