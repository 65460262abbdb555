//! The page of layouts in the documentation equals the program's list.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use halfmax_data::{LAYOUTS, ROLES, layouts_page};

#[test]
fn the_page_of_layouts_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/layouts.md");
    let page = layouts_page();
    if std::env::var_os("HALFMAX_WRITE_LAYOUTS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == page,
        "docs/layouts.md is not current: HALFMAX_WRITE_LAYOUTS=1 cargo test --test layouts writes it"
    );
}

#[test]
fn names_of_layouts_and_roles_are_unique() {
    for (at, layout) in LAYOUTS.iter().enumerate() {
        assert!(LAYOUTS[..at].iter().all(|other| other.name != layout.name), "{}", layout.name);
        assert!(!layout.seen_in.is_empty() && !layout.needs.is_empty());
    }
    for spec in &ROLES {
        let plain = |name: &str| name.to_lowercase().replace([' ', '_', '-', '.'], "");
        for (at, name) in spec.names.iter().enumerate() {
            assert!(spec.names[..at].iter().all(|other| plain(other) != plain(name)), "{}: {name}", spec.key);
        }
    }
}
