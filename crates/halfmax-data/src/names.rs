//! Names of cell lines and drugs: which spellings mean the same thing, and which only look as if they did.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use halfmax_core::{Error, Result};

use crate::columns;
use crate::open::{read_bytes, read_table};
use crate::table::RawTable;

static COSMIC_CELL_LINES: &[u8] = include_bytes!("../../../datasets/cell-lines/cosmic.csv.gz");

/// Other names of cell lines that differ in more than punctuation: (alternative, name in the annotation).
const SYNONYMS: [(&str, &str); 11] = [
    ("786-O", "786-0"),
    ("A549/ATCC", "A549"),
    ("HL-60(TB)", "HL-60"),
    ("Hep 3B", "HEP3B2-1-7"),
    ("LNCaP", "LNCaP-Clone-FGC"),
    ("MDA-MB-231/ATCC", "MDA-MB-231"),
    ("MSTO", "MSTO-211H"),
    ("NIH:OVCAR-3", "OVCAR-3"),
    ("U-251 MG", "U251"),
    ("U-87", "U-87-MG"),
    ("RPMI-8226/S", "RPMI-8226"),
];

/// The form of a name in which spellings are compared: upper-case ASCII letters and digits only.
///
/// ```
/// assert_eq!(halfmax_data::harmonise("NCI-H226"), "NCIH226");
/// ```
pub fn harmonise(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// The cell lines that are known by name: GDSC's 1,001, and what annotations add.
#[derive(Clone, Debug)]
pub struct CellLines {
    lines: Vec<CellLine>,
    by_name: HashMap<String, usize>,
    by_key: HashMap<String, Vec<usize>>,
}

/// What is known of one cell line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellLine {
    /// The official name.
    pub name: String,
    /// The id in halfmax's tables: the harmonised name, or the official one where two lines share the harmonised form.
    pub id: String,
    /// The tissue, where known.
    pub tissue: Option<String>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A line of the annotation, by its position.
    Known(usize),
    /// A line that no annotation knows; the id is its harmonised name.
    Unknown(String),
    /// Several lines of the annotation could be meant.
    Ambiguous(Vec<usize>),
    /// The name holds no letter or digit.
    Nameless,
}

/// The names of one file, resolved.
#[derive(Clone, Debug, Default)]
pub struct Identified {
    /// For each name its id; `None` where it is missing or ambiguous.
    pub ids: Vec<Option<String>>,
    /// The different names that could mean several lines, each with those lines.
    pub ambiguous: BTreeMap<String, Vec<String>>,
    /// The different ids that no annotation knows.
    pub unknown: BTreeSet<String>,
    /// How many different ids an annotation knows.
    pub known: usize,
}

impl CellLines {
    /// The cell lines that come with halfmax.
    ///
    /// # Errors
    /// None in practice: the list is part of the program.
    pub fn embedded() -> Result<Self> {
        let mut lines = Self { lines: Vec::new(), by_name: HashMap::new(), by_key: HashMap::new() };
        lines.add(&read_bytes("cell-lines/cosmic.csv.gz", COSMIC_CELL_LINES)?)?;
        for (alternative, name) in SYNONYMS {
            if let Some(line) = lines.by_name.get(name).copied() {
                lines.add_name(alternative, line);
            }
        }
        Ok(lines)
    }

    /// Adds the cell lines and names of a table: a column of names (`cell_line`, …), and, as far as there, `cosmic_id`,
    /// `sanger_model_id`, `depmap_id`, `synonyms` (separated by semicolons) and `tissue`.
    ///
    /// # Errors
    /// If the file cannot be read, or has no column of names.
    pub fn add_annotation(&mut self, path: impl AsRef<Path>) -> Result<RawTable> {
        let table = read_table(path)?;
        self.add(&table)?;
        Ok(table)
    }

    pub(crate) fn add(&mut self, table: &RawTable) -> Result<()> {
        let Some(name_column) = table.find(&columns::CELL_LINE) else {
            return Err(no_column(table, "of cell-line names", &columns::CELL_LINE[..6]));
        };
        let names = table.texts(name_column)?;
        let mut others = Vec::new();
        for wanted in ["cosmic_id", "sanger_model_id", "depmap_id", "synonyms", "aliases", "alias"] {
            if let Some(column) = table.find(&[wanted]).filter(|column| *column != name_column) {
                others.push(table.texts(column)?);
            }
        }
        let tissues = table.find(&columns::TISSUE).map(|column| table.texts(column)).transpose()?;
        let start = self.lines.len();
        for (row, name) in names.iter().enumerate() {
            let Some(name) = name else { continue };
            let known = if start == 0 { None } else { self.known(name) };
            let line = known.unwrap_or_else(|| self.new_line(name));
            if let Some(tissue) = tissues.as_ref().and_then(|tissues| tissues[row].clone()) {
                self.lines[line].tissue.get_or_insert(tissue);
            }
            self.add_name(name, line);
            for other in others.iter().filter_map(|column| column[row].as_ref()) {
                other.split(';').map(str::trim).for_each(|name| self.add_name(name, line));
            }
        }
        self.name_apart();
        Ok(())
    }

    fn known(&self, name: &str) -> Option<usize> {
        match self.resolve(name, Punctuation::Kept) {
            Identity::Known(line) => Some(line),
            _ => None,
        }
    }

    fn new_line(&mut self, name: &str) -> usize {
        self.lines.push(CellLine { name: name.to_owned(), id: harmonise(name), tissue: None });
        self.lines.len() - 1
    }

    fn add_name(&mut self, name: &str, line: usize) {
        let key = harmonise(name);
        if key.is_empty() {
            return;
        }
        self.by_name.entry(name.to_owned()).or_insert(line);
        let lines = self.by_key.entry(key).or_default();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }

    /// Gives lines that share a harmonised name their official names as ids.
    fn name_apart(&mut self) {
        for lines in self.by_key.values().filter(|lines| lines.len() > 1) {
            for line in lines {
                let line = &mut self.lines[*line];
                line.id.clone_from(&line.name);
            }
        }
    }

    /// The lines, in the order of the annotation.
    pub fn lines(&self) -> &[CellLine] {
        &self.lines
    }

    /// The line that has this id.
    pub fn with_id(&self, id: &str) -> Option<&CellLine> {
        let lines = self.by_key.get(&harmonise(id))?;
        lines.iter().map(|line| &self.lines[*line]).find(|line| line.id == id)
    }

    /// What one name stands for, given whether the file it is from keeps the punctuation of its names.
    pub fn resolve(&self, name: &str, punctuation: Punctuation) -> Identity {
        let name = name.trim();
        let key = harmonise(name);
        if key.is_empty() {
            return Identity::Nameless;
        }
        let same_key = self.by_key.get(&key).map_or(&[][..], Vec::as_slice);
        let exact = self.by_name.get(name).copied();
        match (exact, same_key) {
            (Some(line), [_] | []) => Identity::Known(line),
            (Some(line), _) if punctuation == Punctuation::Kept => Identity::Known(line),
            (None, [line]) => Identity::Known(*line),
            (None, []) => Identity::Unknown(key),
            (_, several) => Identity::Ambiguous(several.to_vec()),
        }
    }

    /// Resolves the names of one file. Where none of them shows punctuation or a lower-case letter, they were stripped,
    /// and a name such as `TT` may stand for `TT` or `T-T`: it is then ambiguous.
    pub fn identify(&self, names: &[Option<String>]) -> Identified {
        let punctuation = Punctuation::of(names.iter().flatten().map(String::as_str));
        let mut result = Identified::default();
        let mut known = BTreeSet::new();
        for name in names {
            let id = match name.as_deref().map(|name| (name, self.resolve(name, punctuation))) {
                None | Some((_, Identity::Nameless)) => None,
                Some((_, Identity::Known(line))) => {
                    known.insert(line);
                    Some(self.lines[line].id.clone())
                }
                Some((_, Identity::Unknown(key))) => {
                    result.unknown.insert(key.clone());
                    Some(key)
                }
                Some((name, Identity::Ambiguous(lines))) => {
                    let lines = lines.iter().map(|line| self.lines[*line].name.clone()).collect();
                    result.ambiguous.insert(name.to_owned(), lines);
                    None
                }
            };
            result.ids.push(id);
        }
        result.known = known.len();
        result
    }

    /// How many of these names belong to the annotation, ambiguous ones included.
    pub(crate) fn count_known<'a>(&self, names: impl Iterator<Item = &'a str>) -> usize {
        names
            .filter(|name| {
                self.by_name.contains_key(name.trim()) || self.by_key.contains_key(&harmonise(name))
            })
            .count()
    }
}

/// Whether the names of a file keep their punctuation and case, so that an exact match is evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Punctuation {
    /// Some name has punctuation or a lower-case letter.
    Kept,
    /// All names are upper-case letters and digits.
    Stripped,
}

impl Punctuation {
    /// Judges from all names of a file. Numbers alone (COSMIC ids) say nothing.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let shows = |name: &str| name.chars().any(|c| !(c.is_ascii_uppercase() || c.is_ascii_digit()));
        let mut names = names;
        if names.any(|name| shows(name.trim())) { Self::Kept } else { Self::Stripped }
    }
}

/// The error of a table in which a needed column is not recognised.
pub(crate) fn no_column(table: &RawTable, what: &str, names: &[&str]) -> Error {
    let found: Vec<&str> = table.names().iter().map(String::as_str).collect();
    Error::data(format!("{}: no column {what} among {}", table.label(), halfmax_core::listed(&found, 12)))
        .help(format!("name it one of {}", names.join(", ")))
}

/// The form of a drug's name in which spellings are compared: lower case, without blanks, hyphens and underscores.
/// Parentheses, signs and all else stay: `Nutlin-3a (-)` is not `Nutlin-3a (+)`.
///
/// ```
/// use halfmax_data::drug_key;
/// assert_eq!(drug_key("Torin 2"), drug_key("torin2"));
/// assert_ne!(drug_key("Nutlin-3a (-)"), drug_key("Nutlin-3a"));
/// ```
pub fn drug_key(name: &str) -> String {
    // A hyphen that stands alone in parentheses is a sign of optical rotation, not punctuation.
    let marked =
        name.replace("(-)", "(minus)").replace("(\u{2212})", "(minus)").replace("(+/-)", "(plusminus)");
    marked
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}
