//! The threads that work is shared among.

use std::sync::mpsc;
use std::thread::available_parallelism;

use halfmax_core::{Error, Result};
use rayon::ThreadPoolBuilder;

use crate::terminal::say;

/// The variable that says how many threads tables are read and written with, by polars.
const OF_TABLES: &str = "POLARS_MAX_THREADS";
/// Threads besides those of both pools: one that draws progress, one to spare.
const BESIDES: usize = 2;
/// The most that `--threads` takes.
const MOST: usize = 1024;

/// Starts so many threads, by default as many as the machine has processors; where not as many can be started, as many as can, which is said.
///
/// # Errors
/// If the number is none, or too few threads can be started.
pub fn start(asked: Option<usize>) -> Result<()> {
    if let Some(threads) = asked.filter(|threads| !(1..=MOST).contains(threads)) {
        return Err(Error::parameter("--threads", threads, "1 to 1024"));
    }
    let processors = available_parallelism().map_or(1, usize::from);
    let said = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok().filter(|count| *count > 0);
    let wanted = asked.or_else(|| said("RAYON_NUM_THREADS")).unwrap_or(processors).min(MOST);
    let of_tables = said(OF_TABLES).unwrap_or(processors);
    let startable = startable(wanted + of_tables + BESIDES);
    let threads = match Plan::of(startable, wanted, of_tables) {
        Plan::Threads(threads) => threads,
        Plan::Again { of_tables } => return again_with(of_tables),
        Plan::TooFew => return Err(too_few(startable)),
    };
    if threads < wanted {
        say(&format!(
            "warning: the work goes on with {threads} of {wanted} threads: no more can be started (see ulimit -u, or the container's limit of processes)"
        ));
    }
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| too_few(startable).because(error))
}

/// What is done with the threads that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// So many share the work.
    Threads(usize),
    /// The program starts again with so many threads for tables, so that some are left.
    Again { of_tables: usize },
    /// There are not enough.
    TooFew,
}

impl Plan {
    fn of(startable: usize, wanted: usize, of_tables: usize) -> Self {
        let shared = startable.saturating_sub(BESIDES);
        match shared.saturating_sub(of_tables).min(wanted) {
            0 if shared >= 2 => Self::Again { of_tables: shared / 2 },
            0 => Self::TooFew,
            threads => Self::Threads(threads),
        }
    }
}

fn too_few(startable: usize) -> Error {
    Error::failed(format!(
        "only {startable} further threads can be started: expected at least {}",
        2 + BESIDES
    ))
    .help("allow this user more processes (ulimit -u, or the limit of the container), or end some that run; --threads does not help")
}

/// How many threads can be started at once, at most `most`.
fn startable(most: usize) -> usize {
    let mut started = Vec::new();
    for _ in 0..most {
        // Each waits until its sender is dropped.
        let (sender, receiver) = mpsc::channel::<()>();
        let wait = move || receiver.recv().is_ok();
        match std::thread::Builder::new().stack_size(1 << 16).spawn(wait) {
            Ok(thread) => started.push((sender, thread)),
            Err(_) => break,
        }
    }
    let count = started.len();
    let (senders, threads): (Vec<_>, Vec<_>) = started.into_iter().unzip();
    drop(senders);
    threads.into_iter().for_each(|thread| drop(thread.join()));
    count
}

/// Starts this program again in its own place, with fewer threads for tables: their number is read but once.
#[cfg(unix)]
fn again_with(of_tables: usize) -> Result<()> {
    use std::os::unix::process::CommandExt;

    let program = std::env::current_exe()
        .map_err(|error| Error::failed("the program cannot be started with fewer threads").because(error))?;
    let error = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(OF_TABLES, of_tables.to_string())
        .exec();
    Err(Error::failed("the program cannot be started with fewer threads")
        .because(error)
        .help(format!("set the environment variable {OF_TABLES}={of_tables}")))
}

#[cfg(not(unix))]
fn again_with(of_tables: usize) -> Result<()> {
    Err(Error::failed("too few threads can be started for the pool that reads tables")
        .help(format!("set the environment variable {OF_TABLES}={of_tables}")))
}

#[cfg(test)]
mod tests {
    use super::{Plan, startable};

    #[test]
    fn threads_that_cannot_be_started_are_done_without() {
        assert_eq!(Plan::of(10, 4, 4), Plan::Threads(4));
        assert_eq!(Plan::of(9, 4, 4), Plan::Threads(3));
        assert_eq!(Plan::of(7, 4, 4), Plan::Threads(1));
        assert_eq!(Plan::of(6, 4, 4), Plan::Again { of_tables: 2 });
        assert_eq!(Plan::of(6, 4, 2), Plan::Threads(2));
        assert_eq!(Plan::of(4, 64, 64), Plan::Again { of_tables: 1 });
        assert_eq!(Plan::of(4, 64, 1), Plan::Threads(1));
        for startable in 0..4 {
            assert_eq!(Plan::of(startable, 1, 1), Plan::TooFew);
        }
    }

    #[test]
    fn threads_are_counted_and_ended() {
        assert_eq!(startable(3), 3);
        assert_eq!(startable(0), 0);
    }
}
