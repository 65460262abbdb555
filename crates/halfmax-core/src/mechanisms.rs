use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A catalogue of the mechanisms by which tumours resist drugs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mechanisms {
    /// The mechanisms.
    #[serde(rename = "mechanism")]
    pub list: Vec<Mechanism>,
}

/// A mechanism: the genes that it works by, by HGNC symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mechanism {
    /// A short name, unique in the catalogue: "efflux".
    pub id: String,
    /// What it is.
    pub name: String,
    /// Genes of which more resists.
    #[serde(default)]
    pub up: Vec<String>,
    /// Genes of which less resists.
    #[serde(default)]
    pub down: Vec<String>,
    /// Genes that resist by a change of their sequence or activity.
    #[serde(default)]
    pub altered: Vec<String>,
}

const BUILTIN: &str = include_str!("../../../datasets/mechanisms.toml");

impl Mechanisms {
    /// The catalogue that comes with halfmax ("builtin"), or that of a TOML file.
    ///
    /// # Errors
    /// If the file cannot be read or is no catalogue.
    ///
    /// ```
    /// use halfmax_core::Mechanisms;
    /// let builtin = Mechanisms::named("builtin")?;
    /// assert!(builtin.list[0].genes().any(|gene| gene == "ABCB1"));
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<Self> {
        if name == "builtin" {
            return Self::parse(BUILTIN);
        }
        let text = std::fs::read_to_string(name).map_err(|error| {
            Error::config(format!("mechanisms = {name:?}: the catalogue cannot be read"))
                .because(error)
                .help("give the path of a TOML file, or \"builtin\"")
        })?;
        Self::parse(&text).map_err(|error| error.at(name))
    }

    /// A catalogue from its text.
    ///
    /// # Errors
    /// If it is not TOML, a key is unknown, there is no mechanism, two have the same id, or one has no gene or a gene twice.
    ///
    /// ```
    /// use halfmax_core::Mechanisms;
    /// let error = Mechanisms::parse("[[mechanism]]\nid = \"efflux\"\nname = \"Efflux\"").unwrap_err();
    /// assert_eq!(error.to_string(), "mechanism \"efflux\" has no gene: expected some in up, down or altered");
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let catalogue: Self = toml::from_str(text)
            .map_err(|error| Error::config(format!("no catalogue of mechanisms: {error}")).because(error))?;
        if catalogue.list.is_empty() {
            return Err(Error::config("the catalogue has no mechanism").help("add a [[mechanism]]"));
        }
        for (at, mechanism) in catalogue.list.iter().enumerate() {
            let id = &mechanism.id;
            if catalogue.list[..at].iter().any(|other| other.id == *id) {
                return Err(Error::config(format!("two mechanisms are called {id:?}")));
            }
            let genes: Vec<&str> = mechanism.genes().collect();
            if genes.is_empty() {
                return Err(Error::config(format!(
                    "mechanism {id:?} has no gene: expected some in up, down or altered"
                )));
            }
            if let Some(twice) = genes.iter().enumerate().find(|(at, gene)| genes[..*at].contains(gene)) {
                return Err(Error::config(format!("mechanism {id:?} names {:?} twice", twice.1)));
            }
        }
        Ok(catalogue)
    }
}

impl Mechanism {
    /// All its genes.
    pub fn genes(&self) -> impl Iterator<Item = &str> {
        self.up.iter().chain(&self.down).chain(&self.altered).map(String::as_str)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn catalogues_with_mistakes_are_refused() {
        let message = |text: &str| Mechanisms::parse(text).unwrap_err().to_string();
        let one = |id: &str, up: &str| format!("[[mechanism]]\nid = \"{id}\"\nname = \"x\"\nup = {up}\n");
        assert_eq!(message(&one("a", "[\"B\", \"B\"]")), "mechanism \"a\" names \"B\" twice");
        let twice = one("a", "[\"B\"]") + &one("a", "[\"C\"]");
        assert_eq!(message(&twice), "two mechanisms are called \"a\"");
        assert_eq!(message("mechanism = []"), "the catalogue has no mechanism");
        assert!(message(&(one("a", "[\"B\"]") + "upp = [\"D\"]")).contains("unknown field `upp`"));
        let error = Mechanisms::named("/nowhere/m.toml").unwrap_err();
        assert_eq!(error.to_string(), "mechanisms = \"/nowhere/m.toml\": the catalogue cannot be read");
    }
}
