//! Spelling variants of cell-line names and ids: prefixes, suffixes, and changes by R and by numeric tables.

use super::ids::{ccle_name, without_decimal_zero};

/// How a file changed a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// `905949.0` for `905949`.
    DecimalZero,
    /// `COSMIC_905949` or `DATA.905949` for `905949`.
    IdPrefix,
    /// `X697` for `697`: R puts an X before names that begin with a digit.
    MadeByR,
    /// `BR:MCF7` for `MCF7`.
    PanelPrefix,
    /// `A549_LUNG` for `A549`.
    CcleTissue,
}

impl Form {
    /// The beginning of a note that lists names of this form.
    pub(crate) fn note(self) -> &'static str {
        match self {
            Self::DecimalZero => "ids read without the .0 of a table of numbers",
            Self::IdPrefix => "read as COSMIC ids, without their prefix",
            Self::MadeByR => "read without the X that R puts before a digit",
            Self::PanelPrefix => "read without the prefix of their panel",
            Self::CcleTissue => "read without the tissue that CCLE appends",
        }
    }
}

/// A plainer spelling of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plainer<'a> {
    pub text: &'a str,
    pub form: Form,
    /// The removed prefix; empty without a prefix.
    pub prefix: &'a str,
}

/// The plainer spellings that are one step away from a name.
pub(crate) fn plainer(name: &str) -> Vec<Plainer<'_>> {
    let mut found = Vec::new();
    let mut add = |text, form, prefix| found.push(Plainer { text, form, prefix });
    if let Some(whole) = without_decimal_zero(name) {
        add(whole, Form::DecimalZero, "");
    }
    if let Some((prefix, id)) = id_prefix(name) {
        add(id, Form::IdPrefix, prefix);
    }
    if let Some(rest) = name.strip_prefix('X')
        && rest.starts_with(|c: char| c.is_ascii_digit())
    {
        add(rest, Form::MadeByR, "X");
    }
    if let Some((prefix, rest)) = name.split_once(':') {
        let rest = rest.trim();
        if !rest.is_empty() && (1..=10).contains(&prefix.trim().len()) {
            add(rest, Form::PanelPrefix, prefix);
        }
    }
    if let Some(rest) = ccle_name(name) {
        add(rest, Form::CcleTissue, "");
    }
    found
}

/// A prefix before five or more digits: letters with a separator, or a word for COSMIC ids.
fn id_prefix(name: &str) -> Option<(&str, &str)> {
    let at = name.find(|c: char| c.is_ascii_digit())?;
    let (prefix, id) = name.split_at(at);
    let whole = without_decimal_zero(id).unwrap_or(id);
    let digits = whole.len() >= 5 && whole.bytes().all(|byte| byte.is_ascii_digit());
    let letters = prefix.trim_end_matches(['.', '_', ':', '-', ' ', '#', '=']);
    let word = letters.to_ascii_lowercase();
    let separated = letters.len() < prefix.len()
        && letters.len() <= 16
        && letters.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '.' | ' '));
    let known = matches!(word.as_str(), "cosmic" | "cosmicid" | "cosm" | "coss" | "data" | "x" | "id");
    (digits && !letters.is_empty() && (separated || known)).then_some((prefix, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_suffixes_are_seen() {
        let shown = |name: &str| -> Vec<(String, Form)> {
            plainer(name).into_iter().map(|plain| (plain.text.to_owned(), plain.form)).collect()
        };
        for (name, text, form) in [
            ("905949.0", "905949", Form::DecimalZero),
            ("COSMIC_905949", "905949", Form::IdPrefix),
            ("COSMIC.ID.905949", "905949", Form::IdPrefix),
            ("DATA.905949", "905949", Form::IdPrefix),
            ("cosmic905949", "905949", Form::IdPrefix),
            ("X697", "697", Form::MadeByR),
            ("X22RV1", "22RV1", Form::MadeByR),
            ("BR:MCF7", "MCF7", Form::PanelPrefix),
            ("22RV1_PROSTATE", "22RV1", Form::CcleTissue),
        ] {
            assert_eq!(shown(name), [(text.to_owned(), form)], "{name}");
        }
        for name in ["MCF7_TAMR", "NCI-H226", "SNU-1", "XMCF7", "GSM905949"] {
            assert_eq!(shown(name), [], "{name}");
        }
    }
}
