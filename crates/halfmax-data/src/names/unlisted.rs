//! Cell lines that no annotation knows: which spellings mean the same line.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::forms::plainer;
use super::harmonise;
use super::ids::without_decimal_zero;

/// The names of unlisted lines in the files of a join so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unlisted {
    /// The spellings of each harmonised name, each with its id.
    by_key: HashMap<String, Vec<(String, String)>>,
    /// The ids of each harmonised plainer spelling of these names.
    plainer: HashMap<String, BTreeSet<String>>,
}

/// The meaning of an unlisted name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// The line with this id.
    Id(String),
    /// Ambiguous: several spellings that differ in more than punctuation.
    OneOf(Vec<String>),
}

/// Whether other names of a file have the same letters and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Collision {
    None,
    /// They differ in punctuation or case: `PDX 3` and `pdx3`.
    Alike,
    /// They separate digits at different positions: `P1-12` and `P11-2`.
    Different,
}

/// The harmonised form of an unlisted name: `12.0` is 12, not 120.
pub(crate) fn key_of(name: &str) -> String {
    harmonise(without_decimal_zero(name).unwrap_or(name))
}

impl Unlisted {
    /// Adds the spellings of an id in a file.
    pub fn learn(&mut self, id: &str, spellings: &BTreeSet<String>) {
        for spelling in spellings {
            let known = self.by_key.entry(key_of(spelling)).or_default();
            if !known.iter().any(|(other, own)| other == spelling && own == id) {
                known.push((spelling.clone(), id.to_owned()));
            }
            for plain in plainer(spelling) {
                self.plainer.entry(key_of(plain.text)).or_default().insert(id.to_owned());
            }
        }
    }

    /// Whether an earlier file has a line of this name.
    pub fn has(&self, name: &str) -> bool {
        let key = key_of(name);
        self.by_key.contains_key(&key) || self.plainer.contains_key(&key)
    }

    /// The single line of earlier files that this name can mean.
    pub fn only(&self, name: &str) -> Option<String> {
        let known = self.by_key.get(&key_of(name))?;
        let ids: BTreeSet<&String> = known.iter().map(|(_, id)| id).collect();
        match (ids.len(), ids.into_iter().next()) {
            (1, Some(id)) => Some(id.clone()),
            _ => None,
        }
    }

    /// The meaning of each unlisted name of a file. Names that differ only in punctuation or case stay separate, unless
    /// an earlier file has a single line that matches all of them.
    pub fn resolve<'a>(&self, names: &BTreeSet<&'a str>) -> BTreeMap<&'a str, Meant> {
        let mut groups: BTreeMap<String, Vec<&'a str>> = BTreeMap::new();
        for name in names {
            groups.entry(key_of(name)).or_default().push(name);
        }
        let mut meant = BTreeMap::new();
        for (key, spellings) in groups {
            let differ = spellings.iter().any(|name| spellings.iter().any(|other| gaps_differ(name, other)));
            for name in &spellings {
                let one = match (spellings.len(), differ) {
                    (_, true) => Collision::Different,
                    (1, false) => Collision::None,
                    (_, false) => Collision::Alike,
                };
                meant.insert(*name, self.meant(name, &key, one));
            }
        }
        meant
    }

    fn meant(&self, name: &str, key: &str, collision: Collision) -> Meant {
        let known = self.by_key.get(key).map_or(&[][..], Vec::as_slice);
        if let Some((_, id)) = known.iter().find(|(spelling, _)| spelling == name) {
            return Meant::Id(id.clone());
        }
        if collision == Collision::Different {
            return Meant::Id(name.to_owned());
        }
        let fits: Vec<&(String, String)> =
            known.iter().filter(|(other, _)| !gaps_differ(name, other)).collect();
        let ids: BTreeSet<&String> = fits.iter().map(|(_, id)| id).collect();
        match (ids.len(), ids.into_iter().next()) {
            (1, Some(id)) => Meant::Id(id.clone()),
            (0, _) if collision == Collision::Alike || !known.is_empty() => Meant::Id(name.to_owned()),
            (0, _) => match self.plainer.get(key).map(|ids| (ids.len(), ids.first())) {
                Some((1, Some(id))) => Meant::Id(id.clone()),
                _ => Meant::Id(key.to_owned()),
            },
            _ => Meant::OneOf(fits.iter().map(|(spelling, _)| spelling.clone()).collect()),
        }
    }
}

/// Whether two spellings separate digits at different positions: `P1-12` is not `P11-2`.
fn gaps_differ(first: &str, second: &str) -> bool {
    let (first, second) = (gaps(first), gaps(second));
    !first.is_empty() && !second.is_empty() && first != second
}

/// The positions, counted from 0 among letters and digits, at which a separator stands between two digits.
fn gaps(name: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut count, mut last_digit, mut gap) = (0, false, false);
    for c in name.chars() {
        if !c.is_alphanumeric() {
            gap = true;
            continue;
        }
        if gap && last_digit && c.is_numeric() {
            found.push(count);
        }
        (count, last_digit, gap) = (count + 1, c.is_numeric(), false);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(all: &[(&str, &[&str])]) -> Unlisted {
        let mut unlisted = Unlisted::default();
        for (id, spellings) in all {
            unlisted.learn(id, &spellings.iter().map(|name| (*name).to_owned()).collect());
        }
        unlisted
    }

    fn ids(unlisted: &Unlisted, names: &[&str]) -> Vec<String> {
        let meant = unlisted.resolve(&names.iter().copied().collect());
        let shown = |name: &&str| match &meant[name] {
            Meant::Id(id) => id.clone(),
            Meant::OneOf(all) => all.join("|"),
        };
        names.iter().map(shown).collect()
    }

    #[test]
    fn spellings_that_collide_within_a_file_stay_apart() {
        let none = Unlisted::default();
        assert_eq!(ids(&none, &["P1-12", "P11-2", "P 3"]), ["P1-12", "P11-2", "P3"]);
        assert_eq!(ids(&none, &["pdx-7"]), ["PDX7"]);
        assert_eq!(ids(&none, &["12.0", "120"]), ["12", "120"]);
    }

    #[test]
    fn other_files_meet_them_by_their_spelling() {
        let apart = learnt(&[("P1-12", &["P1-12"]), ("P11-2", &["P11-2"])]);
        assert_eq!(ids(&apart, &["P11-2"]), ["P11-2"]);
        assert_eq!(ids(&apart, &["P112"]), ["P1-12|P11-2"]);
        let one = learnt(&[("P112", &["P1-12"])]);
        assert_eq!(ids(&one, &["P11-2", "P1-12"]), ["P11-2", "P112"]);
        assert_eq!(ids(&one, &["P11-2"]), ["P11-2"]);
        assert_eq!(ids(&one, &["P1_12"]), ["P112"]);
        assert_eq!(ids(&learnt(&[("LINE3", &["LINE3"])]), &["line 3", "LINE-3"]), ["LINE3", "LINE3"]);
    }

    #[test]
    fn prefixes_are_taken_off_towards_a_known_name() {
        let one = learnt(&[("XXPDX12", &["XX:PDX12"])]);
        assert_eq!(ids(&one, &["PDX-12"]), ["XXPDX12"]);
    }
}
