//! Names of drugs: the form for comparisons, SMILES used as names, and the names that R makes.

/// The form of a drug's name in which spellings are compared: lower case, without blanks, hyphens and underscores,
/// unless they stand between two digits. Parentheses, signs and all other characters stay: `Nutlin-3a (-)` is not
/// `Nutlin-3a (+)`. A name that is a structure stays unchanged: `c1ccccc1O` is phenol, `C1CCCCC1O` cyclohexanol.
///
/// ```
/// use halfmax_data::drug_key;
/// assert_eq!(drug_key("Torin 2"), drug_key("torin2"));
/// assert_ne!(drug_key("Nutlin-3a (-)"), drug_key("Nutlin-3a"));
/// assert_ne!(drug_key("compound 1-12"), drug_key("compound 11-2"));
/// ```
pub fn drug_key(name: &str) -> String {
    if is_smiles(name) {
        return name.to_owned();
    }
    // A single hyphen in parentheses is a sign of optical rotation, not punctuation.
    let marked =
        name.replace("(-)", "(minus)").replace("(\u{2212})", "(minus)").replace("(+/-)", "(plusminus)");
    let mut key = String::with_capacity(marked.len());
    let mut gap = false;
    for c in marked.trim().chars() {
        if c.is_whitespace() || matches!(c, '-' | '_') {
            gap = true;
            continue;
        }
        if gap && c.is_ascii_digit() && key.ends_with(|last: char| last.is_ascii_digit()) {
            key.push('-');
        }
        gap = false;
        key.extend(c.to_lowercase());
    }
    key
}

/// Whether a name is a structure: only atoms, bonds and rings, and more of them than an ordinary name could contain.
pub(crate) fn is_smiles(name: &str) -> bool {
    let bytes = name.as_bytes();
    let (mut at, mut atoms, mut marks) = (0, 0, 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        at += match rest {
            [b'C', b'l', ..] | [b'B', b'r', ..] => {
                atoms += 1;
                2
            }
            [b'B' | b'C' | b'N' | b'O' | b'P' | b'S' | b'F' | b'I', ..] => {
                atoms += 1;
                1
            }
            [b'b' | b'c' | b'n' | b'o' | b'p' | b's', ..] => {
                (atoms, marks) = (atoms + 1, marks + 1);
                1
            }
            [b'[', ..] => match rest.iter().position(|byte| *byte == b']') {
                Some(end) => {
                    (atoms, marks) = (atoms + 1, marks + 1);
                    end + 1
                }
                None => return false,
            },
            [b'(' | b'=' | b'#', ..] => {
                marks += 1;
                1
            }
            [b')' | b'-' | b'/' | b'\\' | b'.' | b'%' | b'@' | b'+' | b':' | b'~' | b'0'..=b'9', ..] => 1,
            _ => return false,
        };
    }
    name.len() >= 5 && atoms >= 3 && (marks > 0 || atoms >= 5)
}

/// The column name that R makes from a name: an X before a digit, and a full stop for each sign.
pub(crate) fn made_by_r(name: &str) -> String {
    let x = name.starts_with(|c: char| c.is_ascii_digit() || c == '_');
    let dotted = name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '_') { c } else { '.' });
    x.then_some('X').into_iter().chain(dotted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_told_from_names() {
        for smiles in
            ["CC(=O)Oc1ccccc1C(=O)O", "c1ccccc1O", "C1CCCCC1O", "NCCc1ccc(O)c(O)c1", "C[N+](C)C", "CCO.CCN"]
        {
            assert!(is_smiles(smiles), "{smiles}");
        }
        for name in [
            "Torin 2",
            "PI-103",
            "CCI-779",
            "BI-2536",
            "SN-38",
            "JQ1",
            "BIBW2992",
            "Nutlin-3a (-)",
            "CCCP",
            "NSC-87877",
        ] {
            assert!(!is_smiles(name), "{name}");
        }
    }

    #[test]
    fn structures_that_differ_in_case_are_different_drugs() {
        assert_ne!(drug_key("c1ccccc1O"), drug_key("C1CCCCC1O"));
        assert_ne!(drug_key("C[NH2+]CC=O"), drug_key("C[NH2]CC=O"));
    }

    #[test]
    fn r_leaves_traces() {
        assert_eq!(made_by_r("Nutlin-3a (-)"), "Nutlin.3a....");
        assert_eq!(made_by_r("17-AAG"), "X17.AAG");
    }
}
