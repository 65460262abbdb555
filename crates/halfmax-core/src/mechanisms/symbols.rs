//! Gene symbols as HGNC approves them.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

const SYMBOLS: &str = include_str!("../../../../datasets/hgnc/symbols.tsv");

/// What a name of a gene is to HGNC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Previous(&'static str),
    Alias(&'static str),
    /// A name that two genes have had.
    Ambiguous,
}

#[derive(Default)]
struct Table {
    approved: HashSet<&'static str>,
    others: HashMap<&'static str, Name>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::default();
        let rows = || {
            SYMBOLS.lines().filter_map(|line| {
                let mut columns = line.split('\t');
                Some((columns.next()?, columns.next()?, columns.next()?))
            })
        };
        table.approved = rows().map(|(symbol, ..)| symbol).collect();
        // A previous symbol outranks an alias that another gene goes by.
        rows().for_each(|(symbol, previous, _)| table.add(previous, Name::Previous(symbol)));
        rows().for_each(|(symbol, _, aliases)| table.add(aliases, Name::Alias(symbol)));
        table
    })
}

impl Table {
    fn add(&mut self, names: &'static str, means: Name) {
        for name in names.split(',').filter(|name| !name.is_empty()) {
            let met = self.others.entry(name).or_insert(means);
            if matches!((*met, means), (Name::Previous(a), Name::Previous(b)) | (Name::Alias(a), Name::Alias(b)) if a != b)
            {
                *met = Name::Ambiguous;
            }
        }
    }
}

/// Whether HGNC approves this symbol.
pub(super) fn is_approved(symbol: &str) -> bool {
    table().approved.contains(symbol)
}

/// The approved symbol of a gene that has, or has had, this name; none if no gene or several have had it.
pub(super) fn approved(name: &str) -> Option<&'static str> {
    let table = table();
    table.approved.get(name).copied().or_else(|| match table.others.get(name)? {
        Name::Previous(symbol) | Name::Alias(symbol) => Some(symbol),
        Name::Ambiguous => None,
    })
}

/// What is meant by a name that is no approved symbol, as a sentence.
pub(super) fn advice(name: &str) -> String {
    let also = format!("or, if the symbol is right, add also = [{name:?}] under [genes]");
    let upper = name.to_uppercase();
    match table().others.get(name) {
        Some(Name::Previous(symbol)) => {
            return format!("{name} is an old symbol of {symbol}: write {symbol}");
        }
        Some(Name::Alias(symbol)) => return format!("{name} is an alias of {symbol}: write {symbol}"),
        Some(Name::Ambiguous) => {
            return format!("{name} is an old name of several genes: write the approved symbol, {also}");
        }
        None => {}
    }
    match in_other_letters(name).or_else(|| nearest(&upper, table().approved.iter().copied())) {
        Some(symbol) => format!("did you mean {symbol}? Write it, {also}"),
        None => format!("write the approved symbol of a human gene, {also}"),
    }
}

/// The approved symbol of a gene that has, or has had, this name in large or small letters.
fn in_other_letters(name: &str) -> Option<&'static str> {
    let mut rows = SYMBOLS.lines().filter_map(|line| Some((line.split('\t').next()?, line)));
    rows.find(|(_, line)| {
        line.split(['\t', ',']).any(|met| !met.is_empty() && met.eq_ignore_ascii_case(name))
    })
    .map(|(symbol, _)| symbol)
}

/// The candidate that is least edits away from `name`, if that is few for its length; the first in the alphabet of several.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = 1 + name.chars().count() / 5;
    candidates
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= most)
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and substitutions between two words.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_lead_to_the_approved_symbol() {
        assert!(is_approved("ABCB1") && is_approved("HLA-A") && !is_approved("MDR1"));
        assert_eq!(approved("MLL2"), Some("KMT2D"));
        assert_eq!(approved("C15orf55"), Some("NUTM1"));
        assert_eq!(approved("no gene"), None);
        assert!(advice("MLL2").starts_with("MLL2 is an old symbol of KMT2D"));
        assert!(advice("abcb1").starts_with("did you mean ABCB1?"));
        assert!(advice("SLFN111").starts_with("did you mean SLFN11?"));
        assert!(advice("completely else").starts_with("write the approved symbol"));
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!([edits("", "abc"), edits("abc", "abc"), edits("kitten", "sitting")], [3, 0, 3]);
        assert_eq!(nearest("upp", ["up", "down"].into_iter()), Some("up"));
        assert_eq!(nearest("é", ["x"].into_iter()), Some("x"));
    }
}
