//! The resolved cell-line names of one file.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use halfmax_core::listed;

use super::forms::Form;
use super::unlisted::Meant;
use super::{CellLines, Identity, Punctuation};
use crate::report::grouped;

/// The resolved cell-line names of one file.
#[derive(Clone, Debug, Default)]
pub struct Identified {
    /// The id of each name; `None` if the name is missing or ambiguous.
    pub ids: Vec<Option<String>>,
    /// The distinct ambiguous names, each with the lines it could mean.
    pub ambiguous: BTreeMap<String, Vec<String>>,
    /// The distinct ids that no annotation knows.
    pub unknown: BTreeSet<String>,
    /// The number of distinct ids that an annotation knows.
    pub known: usize,
    /// The spellings of each id in the file.
    pub spellings: BTreeMap<String, BTreeSet<String>>,
    /// The names and ids that were recognised by a plainer spelling, grouped by its form.
    pub read_as: BTreeMap<Form, BTreeMap<String, String>>,
}

impl Identified {
    /// Notes on how the names were read.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (form, names) in &self.read_as {
            let pairs: Vec<String> = names.iter().map(|(name, id)| format!("{name} as {id}")).collect();
            notes.push(format!("{}: {} ({})", form.note(), grouped(pairs.len()), listed(&pairs, 5)));
        }
        let together: Vec<String> = self
            .spellings
            .values()
            .filter(|spellings| spellings.len() > 1)
            .map(|spellings| spellings.iter().map(String::as_str).collect::<Vec<&str>>().join(" = "))
            .collect();
        if !together.is_empty() {
            notes.push(format!(
                "spellings of one cell line, according to the list of cell lines or the annotation: {}",
                listed(&together, 5)
            ));
        }
        let apart = self.apart();
        if !apart.is_empty() {
            notes.push(format!(
                "names that differ only in punctuation or case count as different cell lines here: {}; an annotation with \
                 synonyms merges them",
                listed(&apart, 5)
            ));
        }
        notes
    }

    /// The unknown names that share their letters and digits with another unknown name.
    fn apart(&self) -> Vec<String> {
        let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for id in &self.unknown {
            groups.entry(super::unlisted::key_of(id)).or_default().push(id);
        }
        groups.into_values().filter(|names| names.len() > 1).map(|names| names.join(" and ")).collect()
    }
}

impl CellLines {
    /// Resolves the names of one file. If no name has punctuation or a lower-case letter, the file stripped them. A
    /// name such as `TT` may then mean `TT` or `T-T` and is ambiguous.
    ///
    /// Prefixes and suffixes of names and ids (`COSMIC_905949`, `X697`, `A549_LUNG`) are removed if the full name is
    /// unknown and the rest is known. Unknown names that differ only in punctuation or case stay separate.
    pub fn identify(&self, names: &[Option<String>]) -> Identified {
        let punctuation = Punctuation::of(names.iter().flatten().map(String::as_str));
        let distinct: HashSet<&str> = names.iter().flatten().map(|name| name.trim()).collect();
        let distinct: BTreeSet<&str> = distinct.into_iter().collect();
        let mut result = Identified::default();
        let mut known = BTreeSet::new();
        let mut ids: HashMap<&str, String> = HashMap::with_capacity(distinct.len());
        let mut unlisted = BTreeSet::new();
        let prefixes = self.prefixes(&distinct, punctuation);
        for name in &distinct {
            let found = self.find(name, punctuation);
            let trusted = found.forms.iter().all(|(form, prefix)| {
                *form != Form::IdPrefix || prefixes.get(prefix).is_none_or(|(read, all)| 2 * read >= *all)
            });
            let id = match found.identity {
                Identity::Nameless => continue,
                _ if !trusted => {
                    unlisted.insert(*name);
                    continue;
                }
                Identity::Known(line) => {
                    known.insert(line);
                    self.lines[line].id.clone()
                }
                Identity::Unknown(_) if found.forms.is_empty() => {
                    unlisted.insert(*name);
                    continue;
                }
                Identity::Unknown(id) => {
                    result.unknown.insert(id.clone());
                    id
                }
                Identity::Ambiguous(lines) => {
                    result.ambiguous.insert((*name).to_owned(), lines);
                    continue;
                }
            };
            if let Some((form, _)) = found.forms.last() {
                result.read_as.entry(*form).or_default().insert((*name).to_owned(), id.clone());
            }
            ids.insert(name, id);
        }
        for (name, meant) in self.unlisted.resolve(&unlisted) {
            match meant {
                Meant::Id(id) => {
                    result.unknown.insert(id.clone());
                    ids.insert(name, id);
                }
                Meant::OneOf(spellings) => {
                    result.ambiguous.insert(name.to_owned(), spellings);
                }
            }
        }
        for (name, id) in &ids {
            result.spellings.entry(id.clone()).or_default().insert((*name).to_owned());
        }
        let id_of = |name: &Option<String>| ids.get(name.as_deref()?.trim()).cloned();
        result.ids = names.iter().map(id_of).collect();
        result.known = known.len();
        result
    }

    /// For each prefix before numbers, the number of its names that are COSMIC ids, and the number of all its names.
    fn prefixes<'a>(
        &self,
        names: &BTreeSet<&'a str>,
        punctuation: Punctuation,
    ) -> HashMap<&'a str, (usize, usize)> {
        let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
        for name in names {
            for plain in super::plainer(name).into_iter().filter(|plain| plain.form == Form::IdPrefix) {
                let known = self.known_for(plain.text, &[(plain.form, plain.prefix)], punctuation).is_some();
                let count = counts.entry(plain.prefix).or_default();
                *count = (count.0 + usize::from(known), count.1 + 1);
            }
        }
        counts
    }
}
