//! Names of cell lines and drugs: which spellings mean the same entity, and which only look alike.

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

/// Other names of cell lines of the list, by their COSMIC ids. The last 19 are names in GDSC's response tables that
/// differ from its list of cell lines (H2369, NCI-SNU-1).
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

/// The form of a name for comparisons: only upper-case letters and digits.
///
/// ```
/// assert_eq!(halfmax_data::harmonise("NCI-H226"), "NCIH226");
/// ```
pub fn harmonise(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// The known cell lines: GDSC's 1,001 lines, the lines of annotations, and the lines of other files in a join.
#[derive(Clone, Debug, Default)]
pub struct CellLines {
    lines: Vec<CellLine>,
    /// The ids of each line in public databases.
    ids_of: Vec<Vec<(IdKind, String)>>,
    /// The line of each harmonised id of a public database.
    by_database_id: HashMap<String, usize>,
    /// The lines of each name in its exact spelling.
    by_spelling: HashMap<String, Vec<usize>>,
    /// The lines of each harmonised name.
    by_key: HashMap<String, Claims>,
    /// The line of each id in halfmax's tables.
    by_id: HashMap<String, usize>,
    unlisted: Unlisted,
}

/// The lines that have a name. Names take precedence over aliases.
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

/// A known cell line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellLine {
    /// The official name.
    pub name: String,
    /// The id in halfmax's tables: the harmonised name, or the official name if two lines share the harmonised form.
    pub id: String,
    /// The tissue, if known.
    pub tissue: Option<String>,
    /// The COSMIC id, if known. No two lines share an id.
    pub cosmic: Option<String>,
}

/// The meaning of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A line of the annotation, by its position.
    Known(usize),
    /// A line that no annotation knows; the value is its id, the harmonised name.
    Unknown(String),
    /// The name could mean several lines, listed here.
    Ambiguous(Vec<String>),
    /// The name holds no letter or digit.
    Nameless,
}

/// The meaning of a name, and the plainer spelling that found it.
struct Found<'a> {
    identity: Identity,
    forms: Vec<(Form, &'a str)>,
}

impl CellLines {
    /// The cell lines that come with halfmax.
    ///
    /// # Errors
    /// Never in practice, because the list is part of the program.
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

    /// Adds the cell lines of another file in a join under the names of that file. So names match that no annotation
    /// has.
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
    /// Never in practice, as for [`CellLines::embedded`].
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

    /// The meaning of a name, given whether its file keeps the punctuation of names.
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

    /// The meaning of a name in its exact spelling. Ids take precedence over names, and names over aliases.
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

    /// Removes at most two prefixes or suffixes from an unknown name, until a known name is left.
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

    /// The meaning of a plainer spelling, if it is known. A text with an id prefix can only be an id, not a name.
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

    /// Counts the names of known cell lines, including ambiguous names. Known lines come from the list, an annotation,
    /// or another file of the join. Short numbers (`697`) count only among names of other lines, because rows and
    /// columns are also numbered.
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
        // Numbers count as names of lines if at least half of the other names are known lines.
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

    /// Uses official names as ids for lines that share a harmonised name.
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
    /// Judges all names of a file. Bare numbers (COSMIC ids) give no evidence.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let shows = |name: &str| name.chars().any(|c| !(c.is_ascii_uppercase() || c.is_ascii_digit()));
        let mut names = names;
        if names.any(|name| shows(name.trim())) { Self::Kept } else { Self::Stripped }
    }
}
