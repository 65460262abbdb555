//! Anchors: names made fit for `id` and `#hash`, each given once.

use std::collections::{BTreeMap, BTreeSet};

/// An `id` of the document: `[a-z0-9-]+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Anchor(String);

impl Anchor {
    /// One that the source of this crate names.
    pub(crate) fn fixed(id: &'static str) -> Self {
        Self(id.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hands out anchors, none twice.
#[derive(Default)]
pub(crate) struct Anchors {
    used: BTreeSet<String>,
    next: BTreeMap<String, usize>,
}

impl Anchors {
    /// `prefix-slug`, or `prefix-slug-2`, `-3`, … where that is taken.
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

/// Lower-case ASCII letters and digits, hyphens for whatever is between them, at most 40 characters, never empty.
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
