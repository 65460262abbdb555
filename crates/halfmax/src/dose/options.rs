//! Files of options: how curves and dose matrices are fitted.

use std::fs;
use std::path::Path;

use halfmax_core::{Error, Result};
use halfmax_dose::CurveParams;
use halfmax_dose::synergy::SynergyParams;
use serde::Deserialize;

use crate::suggest::unreadable;

/// The content of a file of options: a TOML file with the tables `[curves]` and `[synergy]`.
///
/// ```
/// use halfmax::dose::DoseOptions;
///
/// let options = DoseOptions::parse("[curves]\nhill = [0.2, 6]\nconfidence = 0.9\n")?;
/// assert_eq!(options.curves.hill, [0.2, 6.0]);
/// let error = DoseOptions::parse("[curves]\nconfidence = 95\n").unwrap_err();
/// assert!(error.to_string().starts_with("[curves]: confidence = 95"));
/// # Ok::<(), halfmax::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoseOptions {
    /// The seed of all random draws.
    pub seed: Option<u64>,
    /// The parameters of curve fits.
    pub curves: CurveParams,
    /// The parameters of synergy scores.
    pub synergy: SynergyParams,
}

impl DoseOptions {
    /// Reads a file of options.
    ///
    /// # Errors
    /// If the file cannot be read, or a key or a value is wrong. The error names the file and the line.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let place = path.as_ref().display();
        let text = fs::read_to_string(path.as_ref()).map_err(|error| {
            Error::config(format!("{place}: cannot be read: {error}"))
                .with_source(error)
                .with_help("give the path of a TOML file with tables [curves] and [synergy]")
        })?;
        Self::parse(&text).map_err(|error| error.with_context(place))
    }

    /// Reads options from the text of a file.
    ///
    /// # Errors
    /// If a key or a value is wrong. The error names the line.
    pub fn parse(text: &str) -> Result<Self> {
        let options: Self = toml::from_str(text).map_err(|error| unreadable(&error, Some(text)))?;
        options.curves.clone().check().map_err(|error| error.with_context("[curves]"))?;
        options.synergy.clone().check().map_err(|error| error.with_context("[synergy]"))?;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dose.toml");
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            DoseOptions::read(&path).unwrap_err().to_string()
        };
        assert!(refused("[curves]\nhil = [1, 2]\n").contains("dose.toml: line 2: unknown field `hil`"));
        assert!(refused("[curves]\nconfidence = 95\n").contains("dose.toml: [curves]: confidence = 95"));
        assert!(refused("[synergy]\nbootstrap = 3\n").contains("dose.toml: [synergy]: bootstrap = 3"));
        assert!(DoseOptions::read("none.toml").unwrap_err().to_string().contains("none.toml"));
    }
}
