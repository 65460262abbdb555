//! The pages of the reference that are made from the code are those of the code.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use halfmax::reference;

#[test]
fn the_pages_are_current() {
    let pages = [
        ("configuration.md", reference::configuration_page()),
        ("families.md", reference::families_page()),
        ("configuration.schema.json", reference::configuration_schema_text()),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    for (name, page) in pages {
        let there = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(there == page, "docs/reference/{name} is not current: cargo xtask reference");
    }
}

#[test]
fn every_key_has_a_meaning() {
    for key in reference::keys() {
        for entry in reference::explain_key(&key) {
            let meaning = entry.lines().nth(1).unwrap_or_default().trim();
            assert!(meaning.len() > 5, "{key} has no meaning:\n{entry}");
            assert!(!meaning.contains("[`"), "{key}: a link is left:\n{entry}");
        }
    }
    assert!(reference::explain_key("model.boost.rounds")[0].contains("by default"));
    assert!(reference::explain_key("split.kind")[0].contains("lco or leave_cell_line: "));
    assert!(reference::explain_key("no_such_key").is_empty());
}
