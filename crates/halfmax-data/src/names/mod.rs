//! Names of cell lines and drugs: which spellings mean the same thing, and which only look as if they did.

mod annotation;
mod drug_names;
mod forms;
mod identified;
mod ids;
mod roles;
mod unlisted;

use std::collections::{BTreeSet, HashMap};

use halfmax_core::Result;

use crate::open::read_bytes;

pub use annotation::Annotation;
pub use drug_names::drug_key;
pub use forms::Form;
pub use identified::Identified;

pub(crate) use drug_names::{is_smiles, made_by_r};
pub(crate) use ids::{IdKind, linking_annotation, without_decimal_zero};

use forms::plainer;
use unlisted::Unlisted;

/// Other names of cell lines of the list, by their COSMIC ids. The last 19 are what GDSC's tables of responses call lines
/// that its list of cell lines calls otherwise (H2369, NCI-SNU-1).
const SYNONYMS: [(&str, &str); 30] = [
    ("786-O", "905947"),
    ("A549/ATCC", "905949"),
    ("HL-60(TB)", "905938"),
    ("Hep 3B", "1240147"),
    ("LNCaP", "907788"),
    ("MDA-MB-231/ATCC", "905960"),
    ("MSTO", "908152"),
    ("NIH:OVCAR-3", "905933"),
    ("U-251 MG", "905983"),
    ("U-87", "687590"),
    ("RPMI-8226/S", "905964"),
    ("NCI-H2369", "1290808"),
    ("NCI-H2373", "1290809"),
    ("NCI-H2461", "1290810"),
    ("NCI-H2591", "1240131"),
    ("NCI-H2595", "1240132"),
    ("NCI-H2722", "1290812"),
    ("NCI-H2731", "1240134"),
    ("NCI-H2795", "1290813"),
    ("NCI-H2803", "1240135"),
    ("NCI-H2804", "1240136"),
    ("NCI-H2810", "1240137"),
    ("NCI-H2818", "1290814"),
    ("NCI-H2869", "1240138"),
    ("NCI-H290", "1240139"),
    ("NCI-H3118", "1240140"),
    ("NCI-H513", "1240141"),
    ("SNU-1", "908444"),
    ("SNU-16", "908446"),
    ("SNU-5", "908445"),
];

/// The form of a name in which spellings are compared: upper-case letters and digits only.
///
/// ```
/// assert_eq!(halfmax_data::harmonise("NCI-H226"), "NCIH226");
/// ```
pub fn harmonise(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// The cell lines that are known by name: GDSC's 1,001, what annotations add, and what other files of a join have.
#[derive(Clone, Debug, Default)]
pub struct CellLines {
    lines: Vec<CellLine>,
    /// For each line its ids in public databases.
    ids_of: Vec<Vec<(IdKind, String)>>,
    /// For each id of public databases, harmonised, its line.
    by_database_id: HashMap<String, usize>,
    /// For each name as it is spelt the lines.
    by_spelling: HashMap<String, Vec<usize>>,
    /// For each harmonised name the lines.
    by_key: HashMap<String, Claims>,
    /// For each id of halfmax's tables its line.
    by_id: HashMap<String, usize>,
    unlisted: Unlisted,
}

/// The lines that have a name. Names beat aliases.
#[derive(Clone, Debug, Default)]
struct Claims {
    names: Vec<usize>,
    aliases: Vec<usize>,
}

impl Claims {
    fn best(&self) -> &[usize] {
        if self.names.is_empty() { &self.aliases } else { &self.names }
    }
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
    /// The COSMIC id, where known: no two lines share one.
    pub cosmic: Option<String>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A line of the annotation, by its position.
    Known(usize),
    /// A line that no annotation knows; the id is its harmonised name.
    Unknown(String),
    /// Several lines could be meant: their names.
    Ambiguous(Vec<String>),
    /// The name holds no letter or digit.
    Nameless,
}

/// What a name stands for, and by which plainer spelling it was found.
struct Found<'a> {
    identity: Identity,
    forms: Vec<(Form, &'a str)>,
}

impl CellLines {
    /// The cell lines that come with halfmax.
    ///
    /// # Errors
    /// None in practice: the list is part of the program.
    pub fn embedded() -> Result<Self> {
        let mut lines = Self::default();
        let table = read_bytes("cell-lines/cosmic.csv.gz", halfmax_datasets::COSMIC_CELL_LINES)?;
        lines.annotate(&table)?;
        for (alternative, cosmic) in SYNONYMS {
            if let Some(line) = lines.by_database_id.get(cosmic).copied() {
                lines.claim_alias(alternative, line);
            }
        }
        Ok(lines)
    }

    /// Makes the cell lines of another file of a join known, by what the file calls them, so that names meet that no annotation has.
    pub fn learn(&mut self, file: &Identified) {
        for (id, spellings) in &file.spellings {
            if !self.by_id.contains_key(id) {
                self.unlisted.learn(id, spellings);
            }
        }
    }

    /// The cell lines that come with halfmax and those of a table, by their ids.
    ///
    /// # Errors
    /// None in practice, as [`CellLines::embedded`].
    pub fn with_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut lines = Self::embedded()?;
        for id in ids.into_iter().collect::<BTreeSet<&str>>() {
            if !lines.by_id.contains_key(id) {
                lines.unlisted.learn(id, &BTreeSet::from([id.to_owned()]));
            }
        }
        Ok(lines)
    }

    /// The lines, in the order of the annotation.
    pub fn lines(&self) -> &[CellLine] {
        &self.lines
    }

    /// The line that has this id.
    pub fn with_id(&self, id: &str) -> Option<&CellLine> {
        self.by_id.get(id).map(|line| &self.lines[*line])
    }

    /// What one name stands for, given whether the file it is from keeps the punctuation of its names.
    pub fn resolve(&self, name: &str, punctuation: Punctuation) -> Identity {
        self.find(name.trim(), punctuation).identity
    }

    fn find<'a>(&self, name: &'a str, punctuation: Punctuation) -> Found<'a> {
        let identity = self.as_it_is(name, punctuation);
        if !matches!(identity, Identity::Unknown(_)) || self.unlisted.only(name).is_some() {
            return Found { identity, forms: Vec::new() };
        }
        self.by_a_plainer_spelling(name, punctuation).unwrap_or(Found { identity, forms: Vec::new() })
    }

    /// What a name stands for as it is spelt. Ids beat names, and names beat aliases.
    fn as_it_is(&self, name: &str, punctuation: Punctuation) -> Identity {
        let key = harmonise(name);
        if key.is_empty() {
            return Identity::Nameless;
        }
        if let Some(line) = self.by_database_id.get(&key) {
            return Identity::Known(*line);
        }
        let same_key = self.by_key.get(&key).map_or(&[][..], Claims::best);
        let exact = match self.by_spelling.get(name).map(Vec::as_slice) {
            Some([line]) => Some(*line),
            _ => None,
        };
        match (exact, same_key) {
            (Some(line), [_] | []) => Identity::Known(line),
            (Some(line), _) if punctuation == Punctuation::Kept => Identity::Known(line),
            (None, [line]) => Identity::Known(*line),
            (None, []) => Identity::Unknown(unlisted::key_of(name)),
            (_, several) => Identity::Ambiguous(self.names_of(several)),
        }
    }

    fn names_of(&self, lines: &[usize]) -> Vec<String> {
        lines.iter().map(|line| self.lines[*line].name.clone()).collect()
    }

    /// Takes prefixes and suffixes off an unknown name, two at most, until a known one is left.
    fn by_a_plainer_spelling<'a>(&self, name: &'a str, punctuation: Punctuation) -> Option<Found<'a>> {
        let mut reached: Vec<(&'a str, Vec<(Form, &'a str)>)> = vec![(name, Vec::new())];
        for _ in 0..2 {
            let mut next = Vec::new();
            for (text, forms) in &reached {
                for plain in plainer(text) {
                    let forms = [forms.as_slice(), &[(plain.form, plain.prefix)]].concat();
                    next.push((plain.text, forms));
                }
            }
            let mut found = next.iter().filter_map(|(text, forms)| {
                let identity = self.known_for(text, forms, punctuation)?;
                Some(Found { identity, forms: forms.clone() })
            });
            if let Some(first) = found.next() {
                let same = found.all(|other| other.identity == first.identity);
                return same.then_some(first);
            }
            reached = next;
        }
        None
    }

    /// What a plainer spelling stands for, if that is known. What was an id before its prefix is no name after it.
    fn known_for(&self, text: &str, forms: &[(Form, &str)], punctuation: Punctuation) -> Option<Identity> {
        if forms.iter().any(|(form, _)| *form == Form::IdPrefix) {
            let id = without_decimal_zero(text).unwrap_or(text);
            return self.by_database_id.get(id).map(|line| Identity::Known(*line));
        }
        match self.as_it_is(text, punctuation) {
            Identity::Unknown(_) => self.unlisted.only(text).map(Identity::Unknown),
            Identity::Nameless => None,
            identity => Some(identity),
        }
    }

    /// How many of these names are of known cell lines, ambiguous ones included: of the list, an annotation, or another file
    /// of the join. Short numbers (`697`) count only among names of other lines, since rows and columns are numbered, too.
    pub fn count_known<'a>(&self, names: impl Iterator<Item = &'a str>) -> usize {
        let (mut known, mut numbers, mut others) = (0, 0, 0);
        for name in names.map(str::trim) {
            let is_known = match self.find(name, Punctuation::Kept).identity {
                Identity::Known(_) | Identity::Ambiguous(_) => true,
                Identity::Unknown(_) => self.unlisted.has(name),
                Identity::Nameless => false,
            };
            let number = name.len() < 6 && name.bytes().all(|byte| byte.is_ascii_digit());
            others += usize::from(!number);
            match (is_known, number) {
                (true, true) => numbers += 1,
                (true, false) => known += 1,
                (false, _) => {}
            }
        }
        // Numbers are names of lines where at least every other of the remaining names is one.
        if others > 0 && 2 * known >= others { known + numbers } else { known }
    }

    fn new_line(&mut self, name: &str) -> usize {
        let id = harmonise(name);
        self.lines.push(CellLine { name: name.to_owned(), id, tissue: None, cosmic: None });
        self.ids_of.push(Vec::new());
        self.lines.len() - 1
    }

    fn claim_alias(&mut self, name: &str, line: usize) {
        let key = harmonise(name);
        if key.is_empty() {
            return;
        }
        let claims = self.by_key.entry(key).or_default();
        if !claims.names.contains(&line) && !claims.aliases.contains(&line) {
            claims.aliases.push(line);
        }
    }

    /// Gives lines that share a harmonised name their official names as ids.
    fn name_apart(&mut self) {
        for claims in self.by_key.values().filter(|claims| claims.names.len() > 1) {
            for line in &claims.names {
                let line = &mut self.lines[*line];
                line.id.clone_from(&line.name);
            }
        }
        self.by_id.clear();
        for at in 0..self.lines.len() {
            let line = &mut self.lines[at];
            if self.by_id.contains_key(&line.id) {
                line.id = match &line.cosmic {
                    Some(cosmic) => format!("{} (COSMIC {cosmic})", line.name),
                    None => format!("{} (line {} of the annotation)", line.name, at + 1),
                };
            }
            self.by_id.insert(line.id.clone(), at);
        }
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
