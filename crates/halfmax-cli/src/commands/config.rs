//! `halfmax config`: explains the keys of a configuration, and prints its JSON schema.

use clap::Args;
use halfmax::reference;
use halfmax_core::{Error, Result, nearest};
use serde_json::json;

use crate::terminal::Terminal;

/// Explain the keys of a configuration, or print their JSON schema for editors.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct ConfigArgs {
    /// Explain a key: data.response, top_variance, model.boost.rounds.
    #[arg(long, value_name = "KEY")]
    explain: Option<String>,
    /// Print the JSON schema of configurations, for editors.
    #[arg(long)]
    schema: bool,
}

/// `halfmax config`.
pub fn config(args: &ConfigArgs, terminal: Terminal) -> Result<()> {
    let Some(key) = &args.explain else {
        let text = reference::configuration_schema_text();
        return terminal.result("schema", &reference::configuration_schema(), text.trim_end());
    };
    let found = reference::explain_key(key.trim());
    if found.is_empty() {
        let known = reference::keys();
        let help = match nearest(key, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "docs/reference/configuration.md lists every key".to_owned(),
        };
        return Err(Error::config(format!("--explain {key:?}: no key of a configuration has this name"))
            .with_help(help));
    }
    terminal.result("keys", &json!({ "key": key, "found": found }), &found.join("\n\n"))
}
