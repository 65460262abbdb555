//! The mechanisms by which tumours resist drugs: a catalogue in TOML that can be read, edited and extended.

mod check;
mod classes;
mod gmt;
mod reading;
mod symbols;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use halfmax_core::{Error, Result};

pub use classes::DrugClass;
pub use gmt::{GeneSet, parse_gmt};
pub use halfmax_core::Sense;
pub use reading::Reading;
pub use symbols::{approved as approved_symbol, symbol_of_ensembl, symbol_of_entrez};

/// A catalogue of the mechanisms by which tumours resist drugs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mechanisms {
    /// The mechanisms.
    #[serde(rename = "mechanism")]
    pub list: Vec<Mechanism>,
    /// The classes of drugs that the mechanisms refer to.
    #[serde(default, rename = "class")]
    pub classes: Vec<DrugClass>,
    /// Feature names in data sets, and their genes: "HER2" → ERBB2.
    #[serde(default)]
    pub synonyms: BTreeMap<String, Vec<String>>,
    /// Information on genes.
    #[serde(default)]
    pub genes: Genes,
}

/// Information of a catalogue on genes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genes {
    /// Symbols to accept as genes although HGNC has not approved them.
    #[serde(default)]
    pub also: Vec<String>,
}

/// A mechanism: its genes, by HGNC symbol, and its description.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mechanism {
    /// A short name, unique in the catalogue: "efflux".
    pub id: String,
    /// The full name.
    pub name: String,
    /// The sections of the review that treat it: "4.4".
    #[serde(default)]
    pub sections: Vec<String>,
    /// How it makes cells resistant, in plain words.
    #[serde(default)]
    pub summary: String,
    /// Genes whose higher expression or copy number confers resistance.
    #[serde(default)]
    pub up: Vec<String>,
    /// Genes whose lower expression or copy number, or loss, confers resistance.
    #[serde(default)]
    pub down: Vec<String>,
    /// Genes that confer resistance by a change of their sequence or activity.
    #[serde(default)]
    pub altered: Vec<String>,
    /// Marker genes without an effect of their own: a higher expression shows that the mechanism is active.
    #[serde(default)]
    pub markers: Vec<String>,
    /// Genes of unknown direction: those of a set from a GMT file, see [`parse_gmt`].
    #[serde(default)]
    pub members: Vec<String>,
    /// Ids of the drug classes to which it makes cells resistant; "all" for every drug.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Counter-strategies.
    #[serde(default)]
    pub strategies: Vec<CounterStrategy>,
    /// The sources.
    #[serde(default)]
    pub references: Vec<Reference>,
    /// Cases in which genes act differently than listed.
    #[serde(default, rename = "exception")]
    pub exceptions: Vec<Exception>,
}

/// A counter-strategy against a mechanism. A suggestion for research, never advice on treatment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterStrategy {
    /// The description.
    pub text: String,
    /// The kind of strategy.
    pub kind: StrategyKind,
    /// The source.
    pub reference: String,
}

/// The kinds of strategies in the review's Table 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrategyKind {
    /// Targeted therapies.
    Targeted,
    /// Immunotherapies.
    Immunotherapy,
    /// Combination approaches.
    Combination,
    /// Adaptive therapy.
    Adaptive,
    /// Genomic and biomarker-based approaches.
    Biomarker,
    /// Epigenetic therapies.
    Epigenetic,
    /// Metabolic targeting.
    Metabolic,
}

/// A citable source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Authors, title, journal, year.
    pub text: String,
    /// Its DOI or PubMed address.
    pub url: String,
}

/// A state of genes that, for some classes of drugs, acts differently than the mechanism's lists say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Ids of the classes of drugs.
    pub classes: Vec<String>,
    /// The genes; they need not be in the mechanism's lists.
    pub genes: Vec<String>,
    /// The state of the gene.
    pub when: Sense,
    /// The response of cells in this state.
    pub direction: Direction,
    /// The reason.
    pub why: String,
    /// The source.
    pub reference: String,
}

/// The direction of a shift of the response to a drug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Towards resistance: a higher IC50.
    Resistant,
    /// Towards sensitivity: a lower IC50.
    Sensitive,
}

const BUILTIN: &str = halfmax_datasets::MECHANISMS;

impl Mechanisms {
    /// The catalogue that comes with halfmax ("builtin"), or the catalogue in a TOML file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a valid catalogue.
    ///
    /// ```
    /// use halfmax_mechanisms::Mechanisms;
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
                .with_source(error)
                .with_help("set the path of a TOML file, or \"builtin\"")
        })?;
        Self::parse(&text).map_err(|error| error.with_context(name))
    }

    /// A catalogue from its text. Without classes of drugs, it takes those of the builtin catalogue; the same applies
    /// to synonyms.
    ///
    /// # Errors
    /// If the text is not TOML, a key is unknown, there are no mechanisms, or two have the same id. Also if a mechanism
    /// has no genes, a repeated gene, a name that is not an approved symbol, an unknown class, or no reference. The
    /// error names the mechanism, the key and its value, and what was expected.
    ///
    /// ```
    /// use halfmax_mechanisms::Mechanisms;
    /// let error = Mechanisms::parse("[[mechanism]]\nid = \"efflux\"\nname = \"Efflux\"").unwrap_err();
    /// assert_eq!(error.to_string(), "mechanism \"efflux\" has no genes: expected at least one in up, down or altered");
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let mut catalogue = check::read(text)?;
        if catalogue.classes.is_empty() || catalogue.synonyms.is_empty() {
            let builtin = check::read(BUILTIN)?;
            fill(&mut catalogue.classes, builtin.classes, Vec::is_empty);
            fill(&mut catalogue.synonyms, builtin.synonyms, BTreeMap::is_empty);
        }
        check::check(&catalogue)?;
        Ok(catalogue)
    }

    /// The mechanism with this id.
    ///
    /// ```
    /// use halfmax_mechanisms::Mechanisms;
    /// assert_eq!(Mechanisms::named("builtin")?.mechanism("emt").map(|emt| emt.sections.len()), Some(1));
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn mechanism(&self, id: &str) -> Option<&Mechanism> {
        self.list.iter().find(|mechanism| mechanism.id == id)
    }
}

impl Mechanism {
    /// All genes of the mechanism.
    pub fn genes(&self) -> impl Iterator<Item = &str> {
        [&self.up, &self.down, &self.altered, &self.markers, &self.members]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// Whether it makes cells resistant to drugs of any of these classes.
    ///
    /// ```
    /// use halfmax_mechanisms::Mechanisms;
    /// let catalogue = Mechanisms::named("builtin")?;
    /// let efflux = catalogue.mechanism("efflux").unwrap();
    /// assert!(efflux.concerns(&catalogue.classes_of("Vinblastine", "", "")));
    /// assert!(!efflux.concerns(&catalogue.classes_of("Trametinib", "", "")));
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn concerns(&self, classes: &[&DrugClass]) -> bool {
        self.classes.iter().any(|id| id == check::ALL) || among(&self.classes, classes)
    }

    /// The direction in which a gene in this state shifts the response to a drug of these classes; `None` if the
    /// mechanism gives no direction.
    ///
    /// Exceptions for these classes take precedence over the lists; if two exceptions disagree, the direction is
    /// unknown. The opposite state shifts in the opposite direction. A mutation of a gene whose loss acts counts as its
    /// loss. This method does not check whether the mechanism [concerns](Self::concerns) the drug.
    ///
    /// ```
    /// use halfmax_mechanisms::{Direction, Mechanisms, Sense};
    /// let catalogue = Mechanisms::named("builtin")?;
    /// let mapk = catalogue.mechanism("mapk_erk").unwrap();
    /// let expected = |drug: &str| mapk.expected("KRAS", Sense::Altered, &catalogue.classes_of(drug, "", ""));
    /// assert_eq!(expected("Gefitinib"), Some(Direction::Resistant));
    /// assert_eq!(expected("Trametinib"), Some(Direction::Sensitive));
    /// assert_eq!(mapk.expected("ABCB1", Sense::More, &[]), None);
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn expected(&self, gene: &str, sense: Sense, classes: &[&DrugClass]) -> Option<Direction> {
        let mut said = self
            .exceptions
            .iter()
            .filter(|exception| among(&exception.classes, classes) && has(&exception.genes, gene))
            .filter_map(|exception| exception.direction.follows(exception.when, sense));
        match said.next() {
            Some(first) => said.all(|other| other == first).then_some(first),
            None => Direction::Resistant.follows(self.state(gene)?, sense),
        }
    }

    /// The state of a gene that confers resistance, by the lists.
    fn state(&self, gene: &str) -> Option<Sense> {
        if has(&self.up, gene) || has(&self.markers, gene) {
            Some(Sense::More)
        } else if has(&self.down, gene) {
            Some(Sense::Less)
        } else {
            has(&self.altered, gene).then_some(Sense::Altered)
        }
    }
}

fn fill<T>(own: &mut T, builtin: T, is_empty: impl Fn(&T) -> bool) {
    if is_empty(own) {
        *own = builtin;
    }
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|one| one == name)
}

fn among(ids: &[String], classes: &[&DrugClass]) -> bool {
    classes.iter().any(|class| has(ids, &class.id))
}

impl Direction {
    /// The other direction.
    ///
    /// ```
    /// use halfmax_mechanisms::Direction;
    /// assert_eq!(Direction::Resistant.opposite(), Direction::Sensitive);
    /// ```
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Resistant => Self::Sensitive,
            Self::Sensitive => Self::Resistant,
        }
    }

    /// The direction of a gene in the state `seen`, if it has this direction in the state `known`.
    fn follows(self, known: Sense, seen: Sense) -> Option<Self> {
        match (known, seen) {
            (Sense::More, Sense::More) | (Sense::Less, Sense::Less | Sense::Altered) => Some(self),
            (Sense::Altered, Sense::Altered) => Some(self),
            (Sense::More, Sense::Less) | (Sense::Less, Sense::More) => Some(self.opposite()),
            (Sense::More, Sense::Altered) | (Sense::Altered, Sense::More | Sense::Less) => None,
        }
    }
}

#[cfg(test)]
mod tests;
