//! The sensitive end of a target, for work that depends on it.

use halfmax_core::{End, Error, Result, Target};

/// The place where a user can set the sensitive end.
#[derive(Clone, Copy)]
pub enum Remedy {
    /// In the configuration.
    Configuration,
    /// In the request, for a trained model.
    CommandLine,
}

/// The sensitive end.
///
/// # Errors
/// If the sensitive end is not known. `for_what` names the work that needs it.
pub fn sensitive_end(target: &Target, for_what: &str, remedy: Remedy) -> Result<End> {
    target.sensitive.ok_or_else(|| {
        let help = match remedy {
            Remedy::Configuration => {
                "set target.sensitive = \"low\" if low values mean that the drug works, else \"high\""
            }
            Remedy::CommandLine => {
                "set `sensitive` to low (`--sensitive low`) if low values mean that the drug works, else to high \
                 (`--sensitive high`); target.sensitive in the configuration stores this in every model trained with it"
            }
        };
        let name = &target.name;
        Error::config(format!("the sensitive end of {name} is not known, but {for_what} depends on it")).with_help(help)
    })
}
