//! Classifies the content of a column without its name.

use std::collections::HashSet;

use serde::Serialize;

use crate::lists::{entries, entry_number};
use crate::table::{RawTable, Values};

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Nothing: every value is missing.
    Empty,
    /// Row numbers, in order, from 0 or 1; or the index that a data frame keeps after filtering rows.
    RowNumber,
    /// 0 and 1 only.
    Binary,
    /// Whole numbers.
    WholeNumbers,
    /// Numbers.
    Numbers,
    /// Ids of one kind.
    Ids(IdKind),
    /// Lists of numbers, each in one entry: `0.0025,0.008,0.025`.
    NumberLists,
    /// Recurring texts: at most a tenth as many distinct texts as rows.
    Categories,
    /// Other texts.
    Texts,
    /// Lists or structures of a Parquet file.
    Nested,
}

/// Kinds of ids that are recognised by their form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdKind {
    /// COSMIC sample ids: 683667 to 2054094, also after `COSMIC_`, `DATA.` or `X`.
    Cosmic,
    /// Sanger model ids: `SIDM00001`.
    SangerModel,
    /// DepMap model ids: `ACH-000001`.
    DepMap,
    /// Cellosaurus accessions: `CVCL_0023`.
    Cellosaurus,
    /// CCLE names: `A549_LUNG`.
    CcleName,
    /// Ensembl genes: `ENSG00000085563`.
    Ensembl,
    /// Broad compound ids: `BRD-K50168500-001-07-9`.
    BroadCompound,
    /// InChI keys.
    InchiKey,
    /// Structures as SMILES.
    Smiles,
    /// Strings of bits: fingerprints.
    Bits,
}

impl IdKind {
    /// Whether only cell lines have such ids.
    pub fn is_of_cell_lines(self) -> bool {
        matches!(self, Self::SangerModel | Self::DepMap | Self::Cellosaurus | Self::CcleName)
    }

    /// The kind, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosmic => "COSMIC ids",
            Self::SangerModel => "Sanger model ids",
            Self::DepMap => "DepMap ids",
            Self::Cellosaurus => "Cellosaurus accessions",
            Self::CcleName => "CCLE names",
            Self::Ensembl => "Ensembl genes",
            Self::BroadCompound => "Broad compound ids",
            Self::InchiKey => "InChI keys",
            Self::Smiles => "SMILES",
            Self::Bits => "strings of bits",
        }
    }
}

impl Content {
    /// The content, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::RowNumber => "row numbers",
            Self::Binary => "0 and 1",
            Self::WholeNumbers => "whole numbers",
            Self::Numbers => "numbers",
            Self::Ids(kind) => kind.name(),
            Self::NumberLists => "lists of numbers",
            Self::Categories => "categories",
            Self::Texts => "texts",
            Self::Nested => "nested values",
        }
    }

    /// Whether the content is numbers that can be measurements.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Binary | Self::WholeNumbers | Self::Numbers)
    }
}

/// Statistics of a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// The content.
    pub content: Content,
    /// The number of missing values.
    pub missing: usize,
    /// The number of distinct values.
    pub distinct: usize,
    /// The lowest and the highest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
}

impl RawTable {
    /// The content of a column, without the statistics of its profile. The first fraction already classifies most
    /// columns of a matrix.
    pub fn content(&self, column: usize) -> Content {
        let name = self.columns.get(column).map(|column| column.name.as_str());
        if let Some(content) = self.decided.as_ref().and_then(|whole| whole.contents.get(name?)) {
            return *content;
        }
        let fraction = match &self.columns[column].values {
            Values::Numbers(numbers) => numbers.iter().any(|value| value.fract() != 0.0 && !value.is_nan()),
            Values::Singles(singles) => singles.iter().any(|value| value.fract() != 0.0 && !value.is_nan()),
            Values::Texts(labels) => return of_texts(&labels.names, self.rows()),
            Values::Other(_) => return Content::Nested,
        };
        if fraction { Content::Numbers } else { self.profile(column).content }
    }

    /// The profile of a column.
    pub fn profile(&self, column: usize) -> Profile {
        let values = &self.columns[column].values;
        match values {
            Values::Numbers(numbers) => of_numbers(&self.names()[column], numbers),
            Values::Singles(singles) => {
                let numbers: Vec<f64> = singles.iter().map(|value| f64::from(*value)).collect();
                of_numbers(&self.names()[column], &numbers)
            }
            Values::Texts(labels) => {
                let missing =
                    labels.of_row.iter().filter(|label| **label == crate::table::Labels::MISSING).count();
                Profile {
                    content: of_texts(&labels.names, self.rows()),
                    missing,
                    distinct: labels.names.len(),
                    range: None,
                }
            }
            Values::Other(_) => Profile { content: Content::Nested, missing: 0, distinct: 0, range: None },
        }
    }
}

/// The names that programs give to row numbers.
const INDEX_NAMES: [&str; 12] =
    ["", "x", "index", "idx", "rownames", "rowname", "rowid", "rownumber", "row", "no", "nr", "...1"];

/// Whether a column of this name is an index if it holds distinct integers.
pub(crate) fn is_index_name(name: &str) -> bool {
    let plain = crate::columns::plain(name);
    INDEX_NAMES.contains(&plain.as_str())
        || plain.starts_with("unnamed:")
        || plain.starts_with("indexlevel")
        || name.starts_with("...")
}

fn of_numbers(name: &str, numbers: &[f64]) -> Profile {
    let mut distinct = HashSet::new();
    let (mut missing, mut whole, mut binary) = (0, true, true);
    let mut range: Option<[f64; 2]> = None;
    for value in numbers {
        if value.is_nan() {
            missing += 1;
            continue;
        }
        whole &= value.fract() == 0.0;
        binary &= *value == 0.0 || *value == 1.0;
        distinct.insert(value.to_bits());
        range = Some(range.map_or([*value, *value], |[low, high]| [low.min(*value), high.max(*value)]));
    }
    let content = match range {
        None => Content::Empty,
        Some(_) if is_row_number(name, numbers, distinct.len(), whole && missing == 0) => Content::RowNumber,
        Some(_) if binary => Content::Binary,
        Some([low, high]) if whole && low >= 683_000.0 && high <= 2_999_999.0 && distinct.len() > 1 => {
            Content::Ids(IdKind::Cosmic)
        }
        Some(_) if whole => Content::WholeNumbers,
        Some(_) => Content::Numbers,
    };
    Profile { content, missing, distinct: distinct.len(), range }
}

/// With fewer rows, 1, 2, 3 … may be values.
pub(crate) const MANY_ROWS: usize = 10;

/// Whether numbers are row numbers: 0, 1, 2 … under any name. Under the name of an index, any distinct integers count,
/// because a sorted or filtered data frame keeps them.
fn is_row_number(name: &str, numbers: &[f64], distinct: usize, whole: bool) -> bool {
    if !whole || distinct != numbers.len() {
        return false;
    }
    let first = numbers.first().copied().unwrap_or(-1.0);
    let in_order = numbers.len() >= MANY_ROWS
        && (first == 0.0 || first == 1.0)
        && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1.0);
    let largest = numbers.iter().fold(0.0, |most: f64, value| most.max(*value));
    // COSMIC ids in a column without a name are not an index.
    let index = is_index_name(name) && numbers.iter().all(|value| *value >= 0.0) && largest < 600_000.0;
    in_order || index
}

/// A kind of ids and whether a text has its form.
type Form = (IdKind, fn(&str) -> bool);

fn of_texts(texts: &[String], rows: usize) -> Content {
    if texts.is_empty() {
        return Content::Empty;
    }
    let looked_at = &texts[..texts.len().min(200)];
    let share = |is: &dyn Fn(&str) -> bool| {
        looked_at.iter().filter(|text| is(text)).count() as f64 / looked_at.len() as f64
    };
    let kinds: [Form; 10] = [
        (IdKind::DepMap, |text| has_form(text, "ACH-", 6)),
        (IdKind::SangerModel, |text| has_form(text, "SIDM", 5)),
        (IdKind::Cellosaurus, is_cellosaurus),
        (IdKind::Ensembl, is_ensembl_gene),
        (IdKind::BroadCompound, |text| text.starts_with("BRD-") || text.starts_with("BRD:")),
        (IdKind::InchiKey, is_inchi_key),
        (IdKind::Bits, |text| text.len() >= 16 && text.bytes().all(|byte| matches!(byte, b'0' | b'1'))),
        (IdKind::Cosmic, is_prefixed_cosmic),
        (IdKind::Smiles, looks_like_smiles),
        (IdKind::CcleName, is_ccle_name),
    ];
    if share(&is_number_list) > 0.8 {
        return Content::NumberLists;
    }
    let kind = kinds.into_iter().find(|(_, is)| share(is) > 0.8);
    match kind {
        Some((kind, _)) => Content::Ids(kind),
        None if texts.len() * 10 <= rows => Content::Categories,
        None => Content::Texts,
    }
}

fn has_form(text: &str, start: &str, digits: usize) -> bool {
    text.strip_prefix(start).is_some_and(|rest| {
        rest.len() >= digits && rest.bytes().take(digits).all(|byte| byte.is_ascii_digit())
    })
}

/// Whether a text has the form of a cell-line id: `ACH-000681`, `SIDM00903`, `CVCL_0023`, `A549_LUNG`.
pub(crate) fn is_cell_line_id(text: &str) -> bool {
    has_form(text, "ACH-", 6) || has_form(text, "SIDM", 5) || is_cellosaurus(text) || is_ccle_name(text)
}

fn is_cellosaurus(text: &str) -> bool {
    text.strip_prefix("CVCL_")
        .is_some_and(|rest| rest.len() == 4 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Whether a text is the id of a human gene in Ensembl, with or without its version.
pub(crate) fn is_ensembl_gene(text: &str) -> bool {
    text.strip_prefix("ENSG").is_some_and(|rest| {
        let digits = rest.split('.').next().unwrap_or_default();
        digits.len() == 11 && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_inchi_key(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts.as_slice(), [a, b, c] if a.len() == 14 && b.len() == 10 && c.len() == 1)
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

fn is_prefixed_cosmic(text: &str) -> bool {
    ["COSMIC_", "COSMIC", "DATA.", "X"].iter().any(|start| {
        text.strip_prefix(start).is_some_and(|rest| {
            let digits = rest.split('.').next().unwrap_or_default();
            (6..=7).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

fn is_ccle_name(text: &str) -> bool {
    const TISSUES: [&str; 12] = [
        "_LUNG",
        "_SKIN",
        "_BREAST",
        "_OVARY",
        "_PROSTATE",
        "_KIDNEY",
        "_LIVER",
        "_STOMACH",
        "_BONE",
        "_PANCREAS",
        "_TISSUE",
        "_TRACT",
    ];
    const MORE: [&str; 8] = [
        "_INTESTINE",
        "_SYSTEM",
        "_THYROID",
        "_ENDOMETRIUM",
        "_OESOPHAGUS",
        "_PLEURA",
        "_GANGLIA",
        "_CERVIX",
    ];
    TISSUES.iter().chain(&MORE).any(|end| text.ends_with(end))
}

/// Whether a text could be a SMILES: only its letters and signs, and a sign that is rare in names.
pub(crate) fn looks_like_smiles(text: &str) -> bool {
    let text = text.split([',', ';', ' ']).next().unwrap_or_default();
    let signs = text.bytes().filter(|byte| matches!(byte, b'=' | b'#' | b'[' | b'(' | b'@')).count();
    let letters = |byte: u8| {
        byte.is_ascii_digit()
            || matches!(
                byte,
                b'B' | b'C'
                    | b'N'
                    | b'O'
                    | b'P'
                    | b'S'
                    | b'F'
                    | b'I'
                    | b'H'
                    | b'b'
                    | b'c'
                    | b'n'
                    | b'o'
                    | b'p'
                    | b's'
                    | b'l'
                    | b'r'
                    | b'='
                    | b'#'
                    | b'('
                    | b')'
                    | b'['
                    | b']'
                    | b'@'
                    | b'+'
                    | b'-'
                    | b'/'
                    | b'\\'
                    | b'.'
                    | b'%'
                    | b'a'
                    | b'i'
                    | b'e'
                    | b'A'
                    | b'K'
                    | b'g'
                    | b'M'
                    | b't'
                    | b'Z'
            )
    };
    text.len() >= 4 && signs > 0 && text.bytes().all(letters)
}

fn is_number_list(text: &str) -> bool {
    let number = |entry: &str| entry_number(entry).is_some() || crate::missing::is_missing(entry);
    text.trim().trim_matches(['[', ']']).contains([',', ';', '|', ' '])
        && entries(text).next().is_some()
        && entries(text).all(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::read_bytes;

    fn content(text: &str) -> Vec<Content> {
        let table = read_bytes("t.csv", text.as_bytes()).unwrap();
        (0..table.names().len()).map(|column| table.profile(column).content).collect()
    }

    #[test]
    fn row_numbers_are_seen_under_any_name() {
        assert_eq!(content("a,b\n0,x\n1,y\n2,z\n3,x\n4,x\n5,x\n6,x\n7,x\n8,x\n9,x\n")[0], Content::RowNumber);
        assert_ne!(content("a,b\n0,x\n1,y\n2,z\n")[0], Content::RowNumber);
        assert_eq!(content("Unnamed: 0,b\n7,x\n3,y\n5,z\n")[0], Content::RowNumber);
        assert_eq!(content("G1,b\n7,x\n3,y\n5,z\n")[0], Content::WholeNumbers);
        assert_eq!(content(",b\n905949,x\n905946,y\n905940,z\n")[0], Content::Ids(IdKind::Cosmic));
    }

    #[test]
    fn ids_show_by_their_form() {
        let header = "a,b,c,d,e\n";
        let rows = "ACH-000001,SIDM00001,CVCL_0023,CC(=O)Oc1ccccc1,\"1,2,3\"\nACH-000002,SIDM00002,CVCL_A123,C1CC1,\"0.5,2\"\n";
        let kinds =
            [IdKind::DepMap, IdKind::SangerModel, IdKind::Cellosaurus, IdKind::Smiles].map(Content::Ids);
        let found = content(&format!("{header}{rows}"));
        assert_eq!(found[..3], kinds[..3]);
        assert_eq!(found[4], Content::NumberLists);
        assert!(
            looks_like_smiles("C/C=C\\C(=O)N")
                && !looks_like_smiles("Nutlin-3a (-)")
                && !looks_like_smiles("A549")
        );
    }
}
