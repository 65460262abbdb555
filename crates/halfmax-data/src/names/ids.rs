//! Kinds of cell-line ids in public data.

use std::fmt;

/// The kind of an id or name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum IdKind {
    /// `905949`
    Cosmic,
    /// `SIDM00903`
    Sanger,
    /// `ACH-000681`
    DepMap,
    /// `CVCL_0023`
    Cellosaurus,
    /// `A549_LUNG`
    Ccle,
    /// Anything else.
    Name,
}

impl IdKind {
    /// The kind of one text, by its form.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        let digits_after = |prefix: &str, least: usize| {
            text.strip_prefix(prefix)
                .is_some_and(|rest| rest.len() >= least && rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let whole = without_decimal_zero(text).unwrap_or(text);
        if digits_after("ACH-", 4) {
            Self::DepMap
        } else if digits_after("SIDM", 4) {
            Self::Sanger
        } else if text.strip_prefix("CVCL_").is_some_and(|rest| rest.len() >= 4) {
            Self::Cellosaurus
        } else if (6..=8).contains(&whole.len()) && whole.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Cosmic
        } else if ccle_name(text).is_some() {
            Self::Ccle
        } else {
            Self::Name
        }
    }

    /// The most frequent kind among these texts; the first kind in a tie.
    pub fn of_most<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut counts: Vec<(Self, usize)> = Vec::new();
        for kind in texts.map(Self::of) {
            match counts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((kind, 1)),
            }
        }
        counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(Self::Name, |(kind, _)| kind)
    }
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cosmic => "COSMIC ids",
            Self::Sanger => "Sanger ids (SIDM…)",
            Self::DepMap => "DepMap ids (ACH-…)",
            Self::Cellosaurus => "Cellosaurus ids (CVCL_…)",
            Self::Ccle => "CCLE names (NAME_TISSUE)",
            Self::Name => "plain names",
        })
    }
}

/// Help for files without common cell lines: an annotation that links their ids and names.
pub(crate) fn linking_annotation(first: IdKind, second: IdKind) -> String {
    let has = |kind| first == kind || second == kind;
    let (file, columns) = if has(IdKind::Sanger) {
        ("the Sanger model list", "model_id, model_name, COSMIC_ID, BROAD_ID")
    } else if has(IdKind::DepMap) || has(IdKind::Cellosaurus) {
        ("DepMap's Model.csv", "ModelID, CellLineName, COSMICID, CCLEName, RRID")
    } else if has(IdKind::Ccle) {
        ("CCLE's Cell_lines_annotations", "CCLE_ID, Name")
    } else if has(IdKind::Cosmic) {
        ("GDSC's Cell_Lines_Details", "Sample Name, COSMIC identifier")
    } else {
        ("a table of your own", "cell_line, synonyms")
    };
    format!("set data.annotation to {file} ({columns}), which links the ids and names of each cell line")
}

/// The number in `905949.0`, the form of `905949` in numeric tables with missing values.
pub(crate) fn without_decimal_zero(text: &str) -> Option<&str> {
    let (whole, rest) = text.split_once('.')?;
    let digits = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !rest.is_empty() && rest.bytes().all(|byte| byte == b'0')).then_some(whole)
}

/// The tissues that CCLE appends to the names of cell lines.
const CCLE_TISSUES: [&str; 44] = [
    "ADRENAL_CORTEX",
    "AUTONOMIC_GANGLIA",
    "BILE_DUCT",
    "BILIARY_TRACT",
    "BLOOD",
    "BONE",
    "BREAST",
    "CENTRAL_NERVOUS_SYSTEM",
    "CERVIX",
    "COLORECTAL",
    "EMBRYO",
    "ENDOMETRIUM",
    "ESOPHAGUS",
    "EYE",
    "FIBROBLAST",
    "GASTRIC",
    "HAEMATOPOIETIC_AND_LYMPHOID_TISSUE",
    "KIDNEY",
    "LARGE_INTESTINE",
    "LIVER",
    "LUNG",
    "LYMPHOCYTE",
    "OESOPHAGUS",
    "OVARY",
    "PANCREAS",
    "PERIPHERAL_NERVOUS_SYSTEM",
    "PLACENTA",
    "PLASMA_CELL",
    "PLEURA",
    "PROSTATE",
    "SALIVARY_GLAND",
    "SKIN",
    "SMALL_INTESTINE",
    "SOFT_TISSUE",
    "STOMACH",
    "TESTIS",
    "THYROID",
    "UPPER_AERODIGESTIVE_TRACT",
    "URINARY_TRACT",
    "UTERUS",
    "UVEA",
    "VULVA",
    "HEMATOPOIETIC_AND_LYMPHOID_TISSUE",
    "CNS",
];

/// The name in `A549_LUNG`. The suffix must be a tissue of CCLE: `MCF7_TAMR` is not MCF7.
pub(crate) fn ccle_name(text: &str) -> Option<&str> {
    let (name, tissue) = text.split_once('_')?;
    let tissue = tissue.to_ascii_uppercase();
    let known = CCLE_TISSUES.contains(&tissue.as_str());
    (known && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_by_their_form() {
        for (text, kind) in [
            ("905949", IdKind::Cosmic),
            ("905949.0", IdKind::Cosmic),
            ("SIDM00903", IdKind::Sanger),
            ("ACH-000681", IdKind::DepMap),
            ("CVCL_0023", IdKind::Cellosaurus),
            ("22RV1_PROSTATE", IdKind::Ccle),
            ("697", IdKind::Name),
            ("MCF7_TAMR", IdKind::Name),
            ("A549", IdKind::Name),
        ] {
            assert_eq!(IdKind::of(text), kind, "{text}");
        }
        assert_eq!(IdKind::of_most(["A549", "ACH-000001", "ACH-000002"].into_iter()), IdKind::DepMap);
        assert_eq!(without_decimal_zero("905949.0"), Some("905949"));
        assert_eq!(without_decimal_zero("905949.5"), None);
        assert_eq!(ccle_name("697_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE"), Some("697"));
    }
}
