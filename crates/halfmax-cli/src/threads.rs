//! The threads that share the work of a command.

use std::sync::mpsc;
use std::thread::available_parallelism;

use halfmax_core::{Error, Result};
use rayon::ThreadPoolBuilder;

use crate::terminal::say;

/// Threads besides the workers: one thread draws progress, one thread releases files, and one thread is spare.
const BESIDES: usize = 3;
/// The highest value of `--threads`.
const MOST: usize = 1024;

/// Starts `asked` worker threads; without a number, as many as `RAYON_NUM_THREADS` says, else one for each processor. If the system
/// cannot start this many threads, the function starts as many as possible and prints a warning.
///
/// # Errors
/// If the number is not 1 to 1024, or the system can start too few threads.
pub fn start(asked: Option<usize>) -> Result<()> {
    if let Some(threads) = asked.filter(|threads| !(1..=MOST).contains(threads)) {
        return Err(Error::parameter("--threads", threads, "1 to 1024"));
    }
    let processors = available_parallelism().map_or(1, usize::from);
    let said = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok().filter(|count| *count > 0);
    let wanted = asked.or_else(|| said("RAYON_NUM_THREADS")).unwrap_or(processors).min(MOST);
    let startable = startable(wanted + BESIDES);
    let threads = startable.saturating_sub(BESIDES);
    if threads == 0 {
        return Err(too_few(startable));
    }
    if threads < wanted {
        say(&format!(
            "warning: halfmax uses {threads} of {wanted} threads: the system cannot start more (see ulimit -u, or the container's limit of processes)"
        ));
    }
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| too_few(startable).with_source(error))
}

fn too_few(startable: usize) -> Error {
    Error::failed(format!(
        "only {startable} further threads can be started: expected at least {}",
        1 + BESIDES
    ))
    .with_help("allow this user more processes (ulimit -u, or the container's limit), or end some running processes; --threads does not help")
}

/// The number of threads that the system can start at once, at most `most`.
fn startable(most: usize) -> usize {
    let mut started = Vec::new();
    for _ in 0..most {
        // Each thread waits until its sender is dropped.
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

#[cfg(test)]
mod tests {
    use super::startable;

    #[test]
    fn threads_are_counted_and_ended() {
        assert_eq!(startable(3), 3);
        assert_eq!(startable(0), 0);
    }
}
