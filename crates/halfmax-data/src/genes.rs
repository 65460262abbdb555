//! Names of genes: symbols, symbols with ids, Entrez and Ensembl ids, and dates that spreadsheets make from symbols.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use halfmax_core::{FeatureSpace, listed};
use halfmax_mechanisms::{approved_symbol, symbol_of_ensembl, symbol_of_entrez};

use crate::names::without_decimal_zero;
use crate::report::grouped;

/// Counts the names of known genes: symbols that HGNC approves, Ensembl ids, and symbols with ids (`TP53 (7157)`).
/// Aliases and bare numbers do not count, because S1 or 7 can be anything.
///
/// ```
/// let names = ["ABCB1", "TP53 (7157)", "ENSG00000085563.12", "KRAS_mut", "5243", "A549_LUNG"];
/// assert_eq!(halfmax_data::count_known_genes(names.into_iter()), 4);
/// ```
pub fn count_known_genes<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.filter(|name| is_known_gene(name)).count()
}

/// The suffixes of gene symbols in names of events: `KRAS_mut`, `MYC_AMP`.
const EVENTS: [&str; 3] = ["mut", "amp", "del"];

/// Whether a name is a gene symbol, alone or with the suffix of an event.
pub(crate) fn is_known_gene(name: &str) -> bool {
    let name = name.trim();
    let event = name.rsplit_once('_').filter(|(_, end)| EVENTS.contains(&end.to_ascii_lowercase().as_str()));
    let name = event.map_or(name, |(gene, _)| gene);
    let is_approved = |name: &str| approved_symbol(name) == Some(name);
    let upper = || name.chars().any(char::is_lowercase).then(|| name.to_uppercase());
    is_approved(name)
        || matches!(by_id(name), ById::Gene { .. })
        || upper().is_some_and(|name| is_approved(&name))
}

/// How a feature is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Naming {
    SymbolWithId,
    Entrez,
    Ensembl,
}

impl Naming {
    fn described(self) -> &'static str {
        match self {
            Self::SymbolWithId => "symbols with ids",
            Self::Entrez => "Entrez ids",
            Self::Ensembl => "Ensembl ids",
        }
    }
}

/// The meaning of the id in a feature's name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ById {
    /// The symbol of the gene.
    Gene { symbol: String, naming: Naming },
    /// An id that is not in HGNC's table.
    Unknown,
    /// A symbol and an id of different genes.
    Contradiction,
    /// The name has no id.
    None,
}

/// The gene of a name that is written as an id: `(5243)`, `ENSG00000085563.12`, `entrez:5243`, `ABCB1 (5243)`,
/// `ABCB1|5243`.
fn by_id(name: &str) -> ById {
    if let Some((symbol, id)) = symbol_and_id(name) {
        return with_symbol(symbol, id);
    }
    let in_brackets = name.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let lower = name.to_ascii_lowercase();
    let prefixed = ["entrezid", "entrez", "geneid", "hsa", "ncbigene"].iter().find_map(|prefix| {
        let rest = lower.strip_prefix(prefix)?;
        let at = name.len() - rest.trim_start_matches([':', '_', '.', ' ', '-']).len();
        name.get(at..)
    });
    match in_brackets.or(prefixed) {
        Some(id) if id.bytes().all(|byte| byte.is_ascii_digit()) && !id.is_empty() => {
            named(symbol_of(id), Naming::Entrez)
        }
        _ if is_ensembl(name) => named(symbol_of(name), Naming::Ensembl),
        _ => ById::None,
    }
}

fn named(symbol: Option<&str>, naming: Naming) -> ById {
    symbol.map_or(ById::Unknown, |symbol| ById::Gene { symbol: symbol.to_owned(), naming })
}

fn is_ensembl(text: &str) -> bool {
    text.strip_prefix("ENSG").is_some_and(|rest| {
        let (number, version) = rest.split_once('.').unwrap_or((rest, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        number.len() == 11 && digits(number) && digits(version)
    })
}

/// The symbol of an Entrez or Ensembl id.
fn symbol_of(id: &str) -> Option<&'static str> {
    match id.parse() {
        Ok(entrez) => symbol_of_entrez(entrez),
        Err(_) => symbol_of_ensembl(id.split('.').next().unwrap_or(id)),
    }
}

/// The two parts of `ABCB1 (5243)`, `ABCB1|5243`, `ABCB1_ENSG00000085563` or `ENSG00000085563_ABCB1`.
fn symbol_and_id(name: &str) -> Option<(&str, &str)> {
    let is_id =
        |text: &str| is_ensembl(text) || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some((symbol, rest)) = name.split_once(['(', '[']) {
        let id = rest.strip_suffix([')', ']'])?.trim();
        let symbol = symbol.trim();
        return (is_id(id) && !symbol.is_empty()).then_some((symbol, id));
    }
    let (first, second) = name.split_once('|').or_else(|| {
        let parts = name.rsplit_once('_').filter(|(_, id)| is_ensembl(id));
        parts.or_else(|| name.split_once('_').filter(|(id, _)| is_ensembl(id)))
    })?;
    let (first, second) = (first.trim(), second.trim());
    match (is_id(first), is_id(second)) {
        (false, true) if !first.is_empty() => Some((first, second)),
        (true, false) if !second.is_empty() => Some((second, first)),
        _ => None,
    }
}

/// The symbol as written, unless the id contradicts it.
fn with_symbol(symbol: &str, id: &str) -> ById {
    let gene = |symbol: &str| ById::Gene { symbol: symbol.to_owned(), naming: Naming::SymbolWithId };
    match (approved_symbol(symbol), symbol_of(id)) {
        (Some(own), Some(of_id)) if own != of_id => ById::Contradiction,
        (None, Some(of_id)) => gene(of_id),
        _ => gene(symbol),
    }
}

/// Names of the features of one kind, with notes.
pub(crate) struct NamedFeatures {
    pub names: Vec<String>,
    pub notes: Vec<String>,
}

/// The features of a model, by name and by gene.
pub(crate) struct ModelGenes<'a> {
    names: HashSet<&'a str>,
    /// The single feature of each gene; `None` if a gene has several.
    by_gene: HashMap<String, Option<&'a str>>,
}

impl<'a> ModelGenes<'a> {
    /// The features of a kind that a model was fitted on.
    pub fn of(space: &'a FeatureSpace, kind: &str) -> Self {
        let mut genes = Self { names: HashSet::new(), by_gene: HashMap::new() };
        for feature in space.features.iter().filter(|feature| feature.kind == kind) {
            let name = feature.name.as_str();
            genes.names.insert(name);
            let of_gene = genes.by_gene.entry(gene_of(name)).or_insert(Some(name));
            if *of_gene != Some(name) {
                *of_gene = None;
            }
        }
        genes
    }

    /// The model's name of a feature with the name `own` in a file and the gene `symbol`.
    fn name_of(&self, own: &str, symbol: &str) -> Option<&'a str> {
        let has = |name: &str| self.names.get(name).copied();
        let of_gene = || self.by_gene.get(&gene_of(symbol)).copied().flatten();
        has(own).or_else(|| has(symbol)).or_else(of_gene)
    }
}

/// The approved symbol of a name's gene, else the name itself.
fn gene_of(name: &str) -> String {
    let symbol = match by_id(name) {
        ById::Gene { symbol, .. } => symbol,
        _ => name.to_owned(),
    };
    approved_symbol(&symbol).map_or(symbol, str::to_owned)
}

/// Renames features to the symbols of their genes, if their names are or contain ids. Features that would get the same
/// name keep their own names. With a model, features get the model's names.
pub(crate) fn name_features(own: &[String], model: Option<&ModelGenes<'_>>) -> NamedFeatures {
    let numbers = entrez_numbers(own);
    let (mut unknown, mut contradictions) = (Vec::new(), Vec::new());
    let mut namings: Vec<Option<Naming>> = vec![None; own.len()];
    let mut names: Vec<String> = own.to_vec();
    for (at, name) in own.iter().enumerate() {
        let found = match numbers.get(name.as_str()) {
            Some(symbol) => named(*symbol, Naming::Entrez),
            None => by_id(name),
        };
        match found {
            ById::Gene { symbol, naming } => (names[at], namings[at]) = (symbol, Some(naming)),
            ById::Unknown => unknown.push(name.as_str()),
            ById::Contradiction => contradictions.push(name.as_str()),
            ById::None => {}
        }
        if let Some(known) = model.and_then(|model| model.name_of(name, &names[at])) {
            known.clone_into(&mut names[at]);
        }
    }
    let together = keep_apart(own, &mut names);
    let mut notes = naming_notes(own, &names, &namings);
    let mut note = |what: &str, all: &[&str]| {
        if !all.is_empty() {
            notes.push(format!("{what}: {} ({})", grouped(all.len()), listed(all, 5)));
        }
    };
    note("features with ids that are not in the table of genes, names kept", &unknown);
    note("features whose symbol and id belong to different genes, names kept", &contradictions);
    note(
        "several features of one gene, which keep their own names",
        &together.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let dates = dates_among(own);
    note(
        "features that look like dates, which spreadsheets make from symbols (MARCH1, SEPT9, DEC1): correct their names",
        &dates,
    );
    NamedFeatures { names, notes }
}

fn naming_notes(own: &[String], names: &[String], namings: &[Option<Naming>]) -> Vec<String> {
    let mut renamed: BTreeMap<Option<Naming>, Vec<String>> = BTreeMap::new();
    for ((own, name), naming) in own.iter().zip(names).zip(namings).filter(|((own, name), _)| own != name) {
        renamed.entry(*naming).or_default().push(format!("{own} as {name}"));
    }
    let note = |(naming, pairs): (Option<Naming>, Vec<String>)| {
        let what = match naming {
            Some(naming) => format!("features named by {} are renamed to their symbols", naming.described()),
            None => "features with other symbols of the model's genes are renamed as in the model".to_owned(),
        };
        format!("{what}: {} ({})", grouped(pairs.len()), listed(&pairs, 5))
    };
    renamed.into_iter().map(note).collect()
}

/// Restores the original names where two features would have the same name.
fn keep_apart(own: &[String], names: &mut [String]) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, name) in names.iter().enumerate() {
        places.entry(name).or_default().push(at);
    }
    let shared: Vec<Vec<usize>> = places
        .into_values()
        .filter(|all| all.len() > 1 && all.iter().any(|at| own[*at] != names[*at]))
        .collect();
    for at in shared.iter().flatten() {
        names[*at].clone_from(&own[*at]);
    }
    let joined =
        |all: Vec<usize>| all.into_iter().map(|at| own[at].as_str()).collect::<Vec<&str>>().join(" and ");
    shared.into_iter().map(joined).collect()
}

/// The symbols of features that are unmarked Entrez ids: most features are numbers (or, from R, numbers after an X),
/// most of these numbers are gene ids, and they are not just consecutive.
fn entrez_numbers(names: &[String]) -> HashMap<&str, Option<&'static str>> {
    let number = |name: &str| -> Option<u32> {
        let text = name.strip_prefix('X').unwrap_or(name);
        let digits = without_decimal_zero(text).unwrap_or(text);
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let numbers: HashMap<&str, u32> =
        names.iter().filter_map(|name| Some((name.as_str(), number(name)?))).collect();
    let distinct: BTreeSet<u32> = numbers.values().copied().collect();
    let (Some(first), Some(last)) = (distinct.first(), distinct.last()) else { return HashMap::new() };
    let known = distinct.iter().filter(|number| symbol_of_entrez(**number).is_some()).count();
    let counted = 2 * distinct.len() > (last - first + 1) as usize;
    if distinct.len() < 3 || 2 * numbers.len() < names.len() || 5 * known < 4 * distinct.len() || counted {
        return HashMap::new();
    }
    numbers.into_iter().map(|(name, number)| (name, symbol_of_entrez(number))).collect()
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const OTHER_MONTHS: [&str; 34] = [
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "sept",
    "september",
    "october",
    "november",
    "december",
    "mrz",
    "mär",
    "mai",
    "okt",
    "dez",
    "janv",
    "févr",
    "mars",
    "avr",
    "juin",
    "juil",
    "août",
    "déc",
    "ene",
    "abr",
    "ago",
    "dic",
    "set",
    "ott",
    "gen",
    "out",
    "fev",
];

/// Whether a name is a date, as spreadsheets write one: `1-Mar`, `Mar-1`, `2022-03-01`, `01/09/2023`.
pub(crate) fn looks_like_date(name: &str) -> bool {
    let name = name.trim();
    if approved_symbol(name).is_some() {
        return false;
    }
    let name = name.split_once(" 00:00").map_or(name, |(day, _)| day);
    let name = name.split_once("T00:00").map_or(name, |(day, _)| day);
    let plain = match name.strip_prefix('X') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => name,
    };
    let parts: Vec<&str> = plain.split(['-', '.', '/', ' ', '_']).filter(|part| !part.is_empty()).collect();
    let number =
        |part: &str| part.parse::<u32>().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()));
    let month = |part: &str| {
        let lower = part.to_lowercase();
        MONTHS.contains(&lower.as_str()) || OTHER_MONTHS.contains(&lower.as_str())
    };
    let day = |part: &str| number(part).is_some_and(|day| (1..=31).contains(&day) && part.len() <= 2);
    let month_number =
        |part: &str| number(part).is_some_and(|month| (1..=12).contains(&month) && part.len() <= 2);
    let year = |part: &str| number(part).is_some_and(|year| (1900..=2100).contains(&year) || part.len() == 2);
    match parts[..] {
        [first, second] => (day(first) && month(second)) || (month(first) && (day(second) || year(second))),
        [first, second, third] => {
            (first.len() == 4 && year(first) && (month(second) || month_number(second)) && day(third))
                || (day(first) && month(second) && year(third))
                || (month(first) && day(second) && year(third))
                || (third.len() == 4
                    && year(third)
                    && day(first)
                    && day(second)
                    && (month_number(first) || month_number(second)))
        }
        [one] => MONTHS.iter().any(|month| {
            let lower = one.to_lowercase();
            lower.strip_suffix(month).is_some_and(day)
        }),
        _ => false,
    }
}

/// The features that look like dates: by their form, or, among gene symbols, as spreadsheet serial numbers of early
/// March, September and December.
fn dates_among(names: &[String]) -> Vec<&str> {
    let mut dates: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| looks_like_date(name)).collect();
    let numbers: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| name.parse::<f64>().is_ok()).collect();
    let few = !numbers.is_empty() && numbers.len() <= 60 && 10 * numbers.len() <= names.len();
    if few && numbers.iter().all(|number| is_serial_of_symbol(number)) {
        dates.extend(numbers);
    }
    dates
}

/// Whether a number is the spreadsheet serial (days since 1900) of a date that replaces a symbol.
fn is_serial_of_symbol(text: &str) -> bool {
    let Ok(serial) = text.parse::<i64>() else { return false };
    if !(36_000..=55_000).contains(&serial) {
        return false;
    }
    // Civil date of the days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let days = serial - 25_569 + 719_468;
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    matches!((month, day), (3, 1..=11) | (9, 1..=15) | (12, 1..=2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_as(own: &[&str]) -> (Vec<String>, String) {
        let own: Vec<String> = own.iter().map(|name| (*name).to_owned()).collect();
        let named = name_features(&own, None);
        (named.names, named.notes.join("\n"))
    }

    #[test]
    fn ids_become_symbols() {
        for (own, symbol) in [
            ("ABCB1 (5243)", "ABCB1"),
            ("(5243)", "ABCB1"),
            ("ABCB1|5243", "ABCB1"),
            ("ENSG00000085563", "ABCB1"),
            ("ENSG00000085563.12", "ABCB1"),
            ("ABCB1_ENSG00000085563", "ABCB1"),
            ("ENSG00000085563.12_ABCB1", "ABCB1"),
            ("TP53 (ENSG00000141510)", "TP53"),
            ("entrez:5243", "ABCB1"),
            ("MDR1 (5243)", "MDR1"),
            ("NOTHING9 (5243)", "ABCB1"),
            ("NOTHING9 (999999999)", "NOTHING9"),
            ("ABCB1", "ABCB1"),
            ("MLL2", "MLL2"),
            ("loss_cnaPANCAN389_(RB1)", "loss_cnaPANCAN389_(RB1)"),
            ("5243", "5243"),
        ] {
            assert_eq!(named_as(&[own]).0, [symbol], "{own}");
        }
    }

    #[test]
    fn numbers_are_ids_if_they_are_not_counted() {
        assert_eq!(named_as(&["5243", "9429", "596", "4170"]).0, ["ABCB1", "ABCG2", "BCL2", "MCL1"]);
        assert_eq!(named_as(&["X5243", "X9429", "X596"]).0, ["ABCB1", "ABCG2", "BCL2"]);
        assert_eq!(named_as(&["1", "2", "9", "10", "12"]).0[0], "A1BG");
        let counted: Vec<String> = (0..50).map(|at| at.to_string()).collect();
        assert_eq!(name_features(&counted, None).names, counted);
    }

    #[test]
    fn what_would_collide_keeps_its_name() {
        let (names, notes) = named_as(&["ABCB1 (5243)", "ABCB1", "TP53 (7157)"]);
        assert_eq!(names, ["ABCB1 (5243)", "ABCB1", "TP53"]);
        assert!(notes.contains("keep their own names: 1 (ABCB1 (5243) and ABCB1)"), "{notes}");
        let (names, notes) = named_as(&["TP53 (5243)"]);
        assert_eq!(names, ["TP53 (5243)"]);
        assert!(notes.contains("different genes"), "{notes}");
    }

    #[test]
    fn dates_are_seen() {
        for name in [
            "1-Mar",
            "Mar-1",
            "2-Sep",
            "01-Dec",
            "Sep-02",
            "2022-03-01",
            "2001/9/7",
            "3/1/2022",
            "1-Mar-22",
            "1. Mrz",
        ] {
            assert!(looks_like_date(name), "{name}");
        }
        for name in
            ["MARCH1", "SEPT9", "DEC1", "HLA-A", "NKX2-1", "1-2", "5-8S", "H2-K1", "MT-ND1", "A-1", "KRT1-5"]
        {
            assert!(!looks_like_date(name), "{name}");
        }
        let mut own = vec!["TP53", "ABCB1", "EGFR", "KRAS", "BRAF", "MYC", "RB1", "PTEN", "MET", "ERBB2"];
        own.push("44621");
        assert!(named_as(&own).1.contains("look like dates"), "1 March 2022");
        own[10] = "44500";
        assert!(!named_as(&own).1.contains("look like dates"), "31 October 2021");
    }
}
