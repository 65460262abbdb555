//! The terminal: text, JSON lines and progress for people and scripts, and ctrl-C.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use halfmax_core::{Error, Progress, Result, listed};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Makes ctrl-C (and a termination signal) ask for a stop. A second signal ends the program at once.
pub fn listen_for_stop() {
    // Without a handler, the first ctrl-C ends the program at once, as the second ctrl-C does with a handler.
    let _ = ctrlc::set_handler(|| {
        if STOPPED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
}

/// Whether the user asked to stop.
pub fn stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// The first of NAME, NAME-2, NAME-3, … that does not exist.
pub fn free_folder(name: &Path) -> PathBuf {
    let numbered = |number: u32| {
        let mut numbered = name.as_os_str().to_owned();
        numbered.push(format!("-{number}"));
        PathBuf::from(numbered)
    };
    let mut free = std::iter::once(name.to_owned()).chain((2..).map(numbered));
    free.find(|path| !path.exists()).unwrap_or_else(|| name.to_owned())
}

/// Writes a line on standard error. If the write fails (a closed stream, a full disk), the line is lost and the command continues.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", harmless(text));
}

/// Escapes control characters as `\u{1b}`, so that names in a file cannot control the terminal.
fn harmless(text: &str) -> Cow<'_, str> {
    let commands = |sign: char| sign.is_control() && !matches!(sign, '\n' | '\t');
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len());
    for sign in text.chars() {
        match commands(sign) {
            true => harmless.extend(sign.escape_unicode()),
            false => harmless.push(sign),
        }
    }
    Cow::Owned(harmless)
}

/// Writes a line on standard output.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", harmless(text)).map_err(Error::standard_output)
}

/// The output of a command, for people or as JSON lines.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    json: bool,
    quiet: bool,
}

impl Terminal {
    /// A terminal that prints results as JSON lines or as text. `quiet` suppresses notes and progress bars.
    pub fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether results are JSON lines.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: text for people, or a JSON object with its `event`. Ends the current phase.
    pub fn result(self, event: &str, value: &impl Serialize, text: &str) -> Result<()> {
        let line = self.line(event, value, text)?;
        end_phase();
        print(&line)
    }

    /// As [`Self::result`], but the current phase continues: prints the result above the progress bar.
    pub fn result_meanwhile(self, event: &str, value: &impl Serialize, text: &str) -> Result<()> {
        let line = self.line(event, value, text)?;
        match &*phase() {
            Some(bar) => bar.bar.suspend(|| print(&line)),
            None => print(&line),
        }
    }

    fn line(self, event: &str, value: &impl Serialize, text: &str) -> Result<String> {
        if !self.json {
            return Ok(text.to_owned());
        }
        let mut object = serde_json::Map::new();
        object.insert("event".into(), event.into());
        match serde_json::to_value(value) {
            Ok(serde_json::Value::Object(fields)) => object.extend(fields),
            Ok(other) => {
                object.insert("value".into(), other);
            }
            Err(error) => {
                return Err(Error::failed(format!("{event} cannot be written as JSON")).with_source(error));
            }
        }
        Ok(serde_json::Value::Object(object).to_string())
    }

    /// Prints a note on standard error, above the progress bar if a bar is shown.
    pub fn note(self, text: &str) {
        if self.quiet {
            return;
        }
        match &*phase() {
            Some(bar) => bar.bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Reports the leftovers of a killed command that were removed.
    pub fn removed(self, left: &[PathBuf]) {
        if !left.is_empty() {
            let left: Vec<String> = left.iter().map(|path| path.display().to_string()).collect();
            self.note(&format!("removed what a killed command had left: {}", listed(&left, 5)));
        }
    }

    /// A progress bar, on a terminal only.
    pub fn progress(self, what: &'static str) -> Bar {
        self.bar(what, "{msg} {wide_bar} {percent:>3} % · {eta} left")
    }

    /// A progress bar that counts bytes.
    pub fn bytes(self, what: &'static str) -> Bar {
        self.bar(what, "{msg} {wide_bar} {decimal_bytes} of {decimal_total_bytes} · {eta} left")
    }

    fn bar(self, what: &'static str, template: &str) -> Bar {
        let visible = !self.quiet && !self.json && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Bar { bar, what, terminal: self }
    }
}

/// The progress bar of the phase that a library function began last.
static PHASE: Mutex<Option<Bar>> = Mutex::new(None);

fn phase() -> MutexGuard<'static, Option<Bar>> {
    PHASE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the progress bar of the last phase from the terminal.
pub fn end_phase() {
    *phase() = None;
}

impl Progress for Terminal {
    fn phase(&self, what: &'static str) {
        let mut phase = phase();
        // The old bar must disappear before the new bar appears.
        *phase = None;
        *phase = Some(self.progress(what));
    }

    fn step(&self, done: usize, total: usize) {
        if let Some(bar) = &*phase() {
            bar.step(done, total);
        }
    }

    fn detail(&self, text: &str) {
        if let Some(bar) = &*phase() {
            bar.detail(text);
        }
    }

    fn note(&self, text: &str) {
        Self::note(*self, text);
    }

    fn warn(&self, text: &str) {
        Self::note(*self, text);
    }

    fn stopped(&self) -> bool {
        stopped()
    }
}

/// A progress bar that also reports whether the user asked to stop.
pub struct Bar {
    bar: ProgressBar,
    what: &'static str,
    terminal: Terminal,
}

impl Progress for Bar {
    fn step(&self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
    }

    fn detail(&self, text: &str) {
        self.bar.set_message(format!("{}: {text}", self.what));
    }

    fn note(&self, text: &str) {
        self.bar.suspend(|| self.terminal.note(text));
    }

    fn warn(&self, text: &str) {
        Self::note(self, text);
    }

    fn stopped(&self) -> bool {
        stopped()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
