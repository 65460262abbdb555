//! Anchors: unique names that are valid for `id` and `#hash`.

use std::collections::{BTreeMap, BTreeSet};

/// An `id` of the document: `[a-z0-9-]+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Anchor(String);

impl Anchor {
    /// An anchor that is fixed in the source of this crate.
    pub(crate) fn fixed(id: &'static str) -> Self {
        Self(id.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Creates unique anchors.
#[derive(Default)]
pub(crate) struct Anchors {
    used: BTreeSet<String>,
    next: BTreeMap<String, usize>,
}

impl Anchors {
    /// `prefix-slug`, or `prefix-slug-2`, `-3`, … if the name is taken.
    pub(crate) fn claim(&mut self, prefix: &'static str, name: &str) -> Anchor {
        let wished = format!("{prefix}-{}", slug(name));
        if self.used.insert(wished.clone()) {
            return Anchor(wished);
        }
        let number = self.next.entry(wished.clone()).or_insert(2);
        loop {
            let numbered = format!("{wished}-{number}");
            *number += 1;
            if self.used.insert(numbered.clone()) {
                return Anchor(numbered);
            }
        }
    }
}

/// Lower-case ASCII letters and digits, hyphens in place of all other characters, at most 40 characters, never empty.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        if slug.len() >= 40 {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let trimmed = slug.trim_end_matches('-');
    if trimmed.is_empty() { "unnamed".into() } else { trimmed.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_plain() {
        assert_eq!(slug("5-Fluorouracil"), "5-fluorouracil");
        assert_eq!(slug(" <b>BI-2536 (PLK1)</b> "), "b-bi-2536-plk1-b");
        assert_eq!(slug("\u{202e}"), "unnamed");
        assert_eq!(slug(""), "unnamed");
        assert_eq!(slug(&"x".repeat(200)).len(), 40);
    }

    #[test]
    fn equal_names_get_distinct_anchors() {
        let mut anchors = Anchors::default();
        let names = ["a", "A", "a 2", "a", "a-2", "", "…", "a-2-2"];
        let given: Vec<Anchor> = names.iter().map(|name| anchors.claim("d", name)).collect();
        let distinct: BTreeSet<&Anchor> = given.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{given:?}");
        assert_eq!(given[0].as_str(), "d-a");
        assert_eq!(given[1].as_str(), "d-a-2");
    }
}
