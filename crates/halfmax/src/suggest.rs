//! Errors for misspelt names, with the nearest known name.

use halfmax_core::{Error, nearest};

/// An error of the TOML reader with its place, and the nearest known key for a misspelt key.
pub fn unreadable(error: &toml::de::Error, text: Option<&str>) -> Error {
    let mut message = error.message().trim().to_owned();
    for (name, meaning) in [("usize", "a whole number"), ("u64", "a whole number"), ("f64", "a number")] {
        message = message.replace(&format!("expected {name}"), &format!("expected {meaning}"));
    }
    let line = text.zip(error.span()).map(|(text, span)| {
        let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
        format!("line {line}: ")
    });
    let help = suggestion(&message);
    // Without a position in the text, the message of the reader names the key.
    let words = error.to_string();
    let key = words.lines().find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
    let key = key.filter(|key| !message.contains(&format!("`{key}`"))).map(|key| format!("{key}: "));
    let place = line.or(key).unwrap_or_default();
    let error = Error::config(format!("{place}{message}"));
    match help {
        Some(help) => error.with_help(help),
        None => error,
    }
}

/// For "unknown field `a`, expected one of `b`, `c`": the nearest of the expected names.
fn suggestion(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let known = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let wrong = quoted.next().filter(|_| known)?;
    nearest(wrong, quoted).map(|near| format!("did you mean `{near}`?"))
}
