//! Gene symbols approved by HGNC.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use halfmax_core::nearest_by_edits;

const SYMBOLS: &str = halfmax_datasets::HGNC_SYMBOLS;

/// The gene that has, or has had, a name; `None` for a name of several genes.
type Names = HashMap<&'static str, Option<&'static str>>;

#[derive(Default)]
struct Table {
    approved: HashSet<&'static str>,
    previous: Names,
    aliases: Names,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::default();
        for line in SYMBOLS.lines() {
            let mut columns = line.split('\t');
            let mut column = || columns.next().unwrap_or_default();
            let symbol = column();
            table.approved.insert(symbol);
            add(&mut table.previous, column(), symbol);
            add(&mut table.aliases, column(), symbol);
        }
        table
    })
}

/// The genes by their ids in other databases.
#[derive(Default)]
struct Ids {
    entrez: HashMap<u32, &'static str>,
    ensembl: HashMap<&'static str, &'static str>,
}

fn ids() -> &'static Ids {
    static IDS: OnceLock<Ids> = OnceLock::new();
    IDS.get_or_init(|| {
        let mut ids = Ids::default();
        for line in SYMBOLS.lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            let [symbol, _, _, entrez, ensembl] = columns[..] else { continue };
            if let Ok(entrez) = entrez.parse() {
                ids.entrez.insert(entrez, symbol);
            }
            if !ensembl.is_empty() {
                ids.ensembl.insert(ensembl, symbol);
            }
        }
        ids
    })
}

/// The approved symbol of the gene with this NCBI Gene (Entrez) id; `None` for an id that is not in HGNC's table.
///
/// ```
/// assert_eq!(halfmax_mechanisms::symbol_of_entrez(5243), Some("ABCB1"));
/// ```
pub fn symbol_of_entrez(id: u32) -> Option<&'static str> {
    ids().entrez.get(&id).copied()
}

/// The approved symbol of the gene with this Ensembl id, without a version; `None` for an id that is not in HGNC's
/// table.
///
/// ```
/// assert_eq!(halfmax_mechanisms::symbol_of_ensembl("ENSG00000085563"), Some("ABCB1"));
/// ```
pub fn symbol_of_ensembl(id: &str) -> Option<&'static str> {
    ids().ensembl.get(id).copied()
}

fn add(names: &mut Names, list: &'static str, symbol: &'static str) {
    for name in list.split(',').filter(|name| !name.is_empty()) {
        let met = names.entry(name).or_insert(Some(symbol));
        if *met != Some(symbol) {
            *met = None;
        }
    }
}

/// Whether HGNC approves this symbol.
pub(super) fn is_approved(symbol: &str) -> bool {
    table().approved.contains(symbol)
}

/// The approved symbol of a gene that has, or has had, this name; `None` if no gene or several genes have had it. A
/// previous symbol of a gene takes precedence over an alias of another gene. Source: HUGO Gene Nomenclature Committee.
///
/// ```
/// assert_eq!(halfmax_mechanisms::approved_symbol("MLL2"), Some("KMT2D"));
/// ```
pub fn approved(name: &str) -> Option<&'static str> {
    let table = table();
    let symbol = table.approved.get(name).copied();
    symbol.or_else(|| *table.previous.get(name).or_else(|| table.aliases.get(name))?)
}

/// The help for a name that is not an approved symbol, as a sentence.
pub(super) fn advice(name: &str) -> String {
    let table = table();
    let also = format!("or, if the symbol is right, add also = [{name:?}] under [genes]");
    match (table.previous.get(name), table.aliases.get(name)) {
        (Some(Some(symbol)), _) => return format!("{name} is an old symbol of {symbol}: write {symbol}"),
        (None, Some(Some(symbol))) => return format!("{name} is an alias of {symbol}: write {symbol}"),
        (None, None) => {}
        _ => return format!("{name} is an old name of several genes: write the intended symbol, {also}"),
    }
    let meant = in_other_letters(name);
    match meant.or_else(|| nearest_by_edits(&name.to_uppercase(), table.approved.iter().copied())) {
        Some(symbol) => format!("did you mean {symbol}? Write it, {also}"),
        None => format!("write the approved symbol of a human gene, {also}"),
    }
}

/// The approved symbol of a gene that has, or has had, this name in any case.
fn in_other_letters(name: &str) -> Option<&'static str> {
    let mut rows = SYMBOLS.lines().filter_map(|line| Some((line.split('\t').next()?, line)));
    rows.find(|(_, line)| {
        let names = line.split('\t').take(3).flat_map(|list| list.split(','));
        names.into_iter().any(|met| !met.is_empty() && met.eq_ignore_ascii_case(name))
    })
    .map(|(symbol, _)| symbol)
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
    fn ids_lead_to_the_approved_symbol() {
        assert_eq!((symbol_of_entrez(7157), symbol_of_entrez(0)), (Some("TP53"), None));
        assert_eq!(symbol_of_ensembl("ENSG00000141510"), Some("TP53"));
        assert_eq!(symbol_of_ensembl("ENSG00000141510.18"), None);
        assert_eq!(ids().entrez.len(), 27_517);
    }
}
