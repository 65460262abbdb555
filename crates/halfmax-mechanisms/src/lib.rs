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
    /// The classes of drugs that the mechanisms speak of.
    #[serde(default, rename = "class")]
    pub classes: Vec<DrugClass>,
    /// What features of data sets are called, and the genes that is: "HER2" → ERBB2.
    #[serde(default)]
    pub synonyms: BTreeMap<String, Vec<String>>,
    /// What is to be known of genes.
    #[serde(default)]
    pub genes: Genes,
}

/// What a catalogue says of genes as such.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genes {
    /// Symbols to take for genes although HGNC has not approved them.
    #[serde(default)]
    pub also: Vec<String>,
}

/// A mechanism: the genes that it works by, by HGNC symbol, and what is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mechanism {
    /// A short name, unique in the catalogue: "efflux".
    pub id: String,
    /// What it is.
    pub name: String,
    /// The sections of the review that treat it: "4.4".
    #[serde(default)]
    pub sections: Vec<String>,
    /// How it makes cells resist, in plain words.
    #[serde(default)]
    pub summary: String,
    /// Genes whose higher expression or copy number confers resistance.
    #[serde(default)]
    pub up: Vec<String>,
    /// Genes of which less resists.
    #[serde(default)]
    pub down: Vec<String>,
    /// Genes that resist by a change of their sequence or activity.
    #[serde(default)]
    pub altered: Vec<String>,
    /// Genes that do nothing themselves: more of them tells that the mechanism is at work.
    #[serde(default)]
    pub markers: Vec<String>,
    /// Genes of which no direction is known: those of a set from a GMT file, see [`parse_gmt`].
    #[serde(default)]
    pub members: Vec<String>,
    /// Ids of the classes of drugs that it makes cells resist; "all" for every drug.
    #[serde(default)]
    pub classes: Vec<String>,
    /// What can be tried against it.
    #[serde(default)]
    pub strategies: Vec<CounterStrategy>,
    /// What it is known from.
    #[serde(default)]
    pub references: Vec<Reference>,
    /// Where genes act otherwise than listed.
    #[serde(default, rename = "exception")]
    pub exceptions: Vec<Exception>,
}

/// Something that can be tried against a mechanism. A suggestion for research, never advice on treatment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterStrategy {
    /// What it is.
    pub text: String,
    /// What sort of strategy it is.
    pub kind: StrategyKind,
    /// Where it comes from.
    pub reference: String,
}

/// The sorts of strategies of the review's Table 1.
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

/// A source that can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Authors, title, journal, year.
    pub text: String,
    /// Where it is: a DOI or PubMed address.
    pub url: String,
}

/// A state of genes that, for some classes of drugs, acts otherwise than the mechanism's lists say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Ids of the classes of drugs.
    pub classes: Vec<String>,
    /// The genes; they need not be in the mechanism's lists.
    pub genes: Vec<String>,
    /// The state of the gene that is spoken of.
    pub when: Sense,
    /// What cells in that state are.
    pub direction: Direction,
    /// Why.
    pub why: String,
    /// Where it comes from.
    pub reference: String,
}

/// Which way something shifts the response to a drug.
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
    /// The catalogue that comes with halfmax ("builtin"), or that of a TOML file.
    ///
    /// # Errors
    /// If the file cannot be read or is no catalogue.
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
                .because(error)
                .help("give the path of a TOML file, or \"builtin\"")
        })?;
        Self::parse(&text).map_err(|error| error.at(name))
    }

    /// A catalogue from its text. One that has no classes of drugs takes those of the builtin one, and so with synonyms.
    ///
    /// # Errors
    /// If it is not TOML, a key is unknown, there is no mechanism, two have the same id, or one has no gene, a gene twice,
    /// a name that is no approved symbol, a class that there is not, or no reference. The error names the mechanism, the
    /// key and its value, and what was expected.
    ///
    /// ```
    /// use halfmax_mechanisms::Mechanisms;
    /// let error = Mechanisms::parse("[[mechanism]]\nid = \"efflux\"\nname = \"Efflux\"").unwrap_err();
    /// assert_eq!(error.to_string(), "mechanism \"efflux\" has no gene: expected some in up, down or altered");
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

    /// The mechanism of this id.
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
    /// All its genes.
    pub fn genes(&self) -> impl Iterator<Item = &str> {
        [&self.up, &self.down, &self.altered, &self.markers, &self.members]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// Whether it makes cells resist drugs of any of these classes.
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

    /// Which way a gene in this state shifts the response to a drug of these classes, as far as the mechanism says.
    ///
    /// What the exceptions for these classes say comes first, and counts for nothing if two of them disagree; then what
    /// the lists say. The opposite state shifts the opposite way, and a mutation of a gene of which less acts is taken
    /// for its loss. Whether the mechanism [concerns](Self::concerns) the drug at all is not asked.
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

    /// The state of a gene that resists, by the lists.
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

    /// Where a gene in the state `known` goes this way, the way that it goes in the state `seen`.
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
