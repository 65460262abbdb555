//! The boundary to the libraries that parse files. If a library panics on a damaged file, the panic becomes an error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use halfmax_core::{Error, Result};

thread_local! {
    /// How many calls are inside a library now, on this thread.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// Calls a library that reads a file of this kind. After a failure, do not use anything that `read` borrows.
///
/// # Errors
/// If the library panics, which it does only on a damaged file.
pub(super) fn guarded<T>(label: &str, kind: &str, read: impl FnOnce() -> Result<T>) -> Result<T> {
    silence_what_is_caught();
    let _inside = Inside::enter();
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Error::data(format!("{label}: the {kind} file is damaged"))
            .with_help("copy or download the file again"))
    })
}

/// Counts a call while it runs, even if it ends by unwinding.
struct Inside;

impl Inside {
    fn enter() -> Self {
        HERE.set(HERE.get() + 1);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        HERE.set(HERE.get() - 1);
    }
}

/// Suppresses the message of a panic that is caught here. Other panics are reported as usual.
fn silence_what_is_caught() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !is_caught() {
                before(panic);
            }
        }));
    });
}

/// Whether a panic of this thread will be caught: the thread is inside a library.
fn is_caught() -> bool {
    HERE.get() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_an_error() {
        let error = guarded("t.parquet", "Parquet", || -> Result<()> { panic!("index out of bounds") });
        assert_eq!(error.unwrap_err().to_string(), "t.parquet: the Parquet file is damaged");
        assert_eq!(guarded("t.parquet", "Parquet", || Ok(7)).unwrap(), 7);
        assert!(HERE.get() == 0 && !is_caught());
    }
}
