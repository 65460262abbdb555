//! Gene sets from GMT files, as published by MSigDB, Reactome and Enrichr.

use std::collections::HashMap;

use super::{Mechanism, Reference, symbols};
use halfmax_core::{Error, Result};

/// A named set of genes, without directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneSet {
    /// Its name, unique in the file.
    pub name: String,
    /// The description; often an address.
    pub description: String,
    /// Its genes without repeats, by approved HGNC symbol if they have one.
    pub genes: Vec<String>,
}

/// The sets of a GMT file. Each line holds a set: its name, a description and its genes, separated by tabs. `path` is
/// for messages.
///
/// Empty lines and empty columns are skipped, weights (`TP53,1.0`) are dropped, and old gene symbols are translated.
///
/// # Errors
/// If a line has no gene or no tabs, two sets have the same name, genes are Entrez ids, the file has no sets, or it is
/// a web page. The error names the file, the line, what was found and what was expected.
///
/// ```
/// use halfmax_mechanisms::{Mechanism, parse_gmt};
/// let sets = parse_gmt("HALLMARK_X\thttps://example.org\tTP53\tMLL2\n", "x.gmt")?;
/// assert_eq!(sets[0].genes, ["TP53", "KMT2D"]);
/// let mechanism = Mechanism::from(sets[0].clone());
/// assert_eq!((mechanism.id.as_str(), mechanism.members.len()), ("HALLMARK_X", 2));
///
/// let error = parse_gmt("HALLMARK_X\tno genes", "x.gmt").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "x.gmt: line 1: set \"HALLMARK_X\" has no gene: expected a name, a description and at least one gene, separated \
///      by tabs"
/// );
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub fn parse_gmt(text: &str, path: &str) -> Result<Vec<GeneSet>> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('<') {
        return Err(Error::data(format!("{path}: a web page or XML file, expected a GMT file of gene sets"))
            .with_help("download the .gmt file itself; some sites require a login"));
    }
    let mut sets = Vec::new();
    let mut lines_of = HashMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let set = gene_set(line).map_err(|error| error.with_context(format!("{path}: line {}", at + 1)))?;
        if let Some(first) = lines_of.insert(set.name.clone(), at + 1) {
            return Err(Error::data(format!(
                "{path}: line {}: set {:?} is already in line {first}, expected unique names",
                at + 1,
                set.name
            ))
            .with_help("rename or remove one of them"));
        }
        sets.push(set);
    }
    if sets.is_empty() {
        return Err(Error::data(format!("{path}: no gene sets, expected one gene set per line"))
            .with_help("use a GMT file, for example from MSigDB or Reactome"));
    }
    Ok(sets)
}

/// The set of one line.
fn gene_set(line: &str) -> Result<GeneSet> {
    let mut columns = line.split('\t').map(str::trim);
    let (name, description) = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
    let mut genes: Vec<String> = Vec::new();
    for column in columns {
        let named = column.split(',').next().unwrap_or_default().trim();
        let gene = symbols::approved(named).unwrap_or(named);
        if !gene.is_empty() && !genes.iter().any(|met| met == gene) {
            genes.push(gene.to_string());
        }
    }
    if genes.is_empty() || name.is_empty() {
        return Err(incomplete(line, name));
    }
    if genes.iter().all(|gene| gene.bytes().all(|letter| letter.is_ascii_digit())) {
        return Err(Error::data(format!(
            "set {name:?} has Entrez ids such as {:?}, expected gene symbols",
            genes[0]
        ))
        .with_help("use the version of this file with symbols: its name ends in .symbols.gmt"));
    }
    Ok(GeneSet { name: name.to_string(), description: description.to_string(), genes })
}

fn incomplete(line: &str, name: &str) -> Error {
    let expected = "expected a name, a description and at least one gene, separated by tabs";
    let shown: String = name.chars().take(60).collect();
    let found = match (line.contains('\t'), name.is_empty()) {
        (false, _) => format!("{shown:?} has no tab"),
        (true, true) => "a set has no name".to_string(),
        (true, false) => format!("set {shown:?} has no gene"),
    };
    Error::data(format!("{found}: {expected}"))
        .with_help("separate the columns with tabs, not with blanks or commas")
}

/// The same set as a mechanism whose genes have no direction.
impl From<GeneSet> for Mechanism {
    fn from(set: GeneSet) -> Self {
        let is_address = set.description.starts_with("https://") || set.description.starts_with("http://");
        let references =
            is_address.then(|| Reference { text: set.name.clone(), url: set.description.clone() });
        let summary = if is_address { String::new() } else { set.description };
        Self {
            name: set.name.clone(),
            id: set.name,
            summary,
            members: set.genes,
            references: references.into_iter().collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_they_come() {
        let sets =
            parse_gmt("\u{feff}A\t\tTP53,1.0\t\tMDM2\tTP53,0.5\r\n\n B \tnote\tX1\n", "a.gmt").unwrap();
        assert_eq!(
            sets[0],
            GeneSet {
                name: "A".into(),
                description: String::new(),
                genes: vec!["TP53".into(), "MDM2".into()]
            }
        );
        assert_eq!((sets[1].name.as_str(), sets[1].description.as_str()), ("B", "note"));
        let mechanism = Mechanism::from(sets[1].clone());
        assert_eq!((mechanism.summary.as_str(), mechanism.references.len()), ("note", 0));
        assert_eq!(mechanism.genes().collect::<Vec<_>>(), ["X1"]);
    }

    #[test]
    fn what_is_no_gmt_file_is_refused() {
        let message = |text: &str| {
            let error = parse_gmt(text, "f").unwrap_err();
            assert!(error.help().is_some(), "{error}");
            error.to_string()
        };
        let expected = "expected a name, a description and at least one gene, separated by tabs";
        assert_eq!(message("A\tb\tC\nD E F"), format!("f: line 2: \"D E F\" has no tab: {expected}"));
        assert_eq!(message("A\tb\t\t"), format!("f: line 1: set \"A\" has no gene: {expected}"));
        assert_eq!(message("\tb\tC"), format!("f: line 1: a set has no name: {expected}"));
        assert_eq!(
            message(" <!DOCTYPE html>"),
            "f: a web page or XML file, expected a GMT file of gene sets"
        );
        assert_eq!(message("\n \n"), "f: no gene sets, expected one gene set per line");
        assert_eq!(
            message("A\tb\tC\n\nA\tb\tC"),
            "f: line 3: set \"A\" is already in line 1, expected unique names"
        );
        assert_eq!(
            message("A\tb\t7157\t4193"),
            "f: line 1: set \"A\" has Entrez ids such as \"7157\", expected gene symbols"
        );
    }
}
