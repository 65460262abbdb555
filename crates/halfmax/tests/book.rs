//! The documentation holds together: links lead somewhere, and every page is in the table of contents.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every page below a folder.
fn pages_in(folder: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => pages.extend(pages_in(&path)),
            false if path.extension().is_some_and(|ending| ending == "md") => pages.push(path),
            false => {}
        }
    }
    pages
}

fn pages() -> Vec<PathBuf> {
    let root = root();
    let mut pages = pages_in(&root.join("docs"));
    for folder in ["models", "datasets", "notebooks", "benches", "tests"] {
        pages.extend(pages_in(&root.join(folder)));
    }
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path);
        }
    }
    pages
}

/// The text outside of code blocks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && !line.starts_with("    ") {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// The targets of links and pictures: `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let parts = prose(text);
    parts.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// The anchors of a page, as GitHub and mdBook make them of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings =
        text.lines().filter_map(|line| line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')));
    let anchor = |heading: &str| {
        let kept = heading.trim().chars().filter(|sign| sign.is_alphanumeric() || "-_ ".contains(*sign));
        kept.map(|sign| if sign == ' ' { '-' } else { sign.to_ascii_lowercase() }).collect::<String>()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            if !target.exists() {
                wrong.push(format!("{}: {link}: there is no such file", page.display()));
            } else if !anchor.is_empty() && !anchors(&fs::read_to_string(&target).unwrap()).contains(anchor) {
                wrong.push(format!("{}: {link}: there is no such heading", page.display()));
            }
        }
    }
    assert!(count > 100, "only {count} links were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_of_the_book_is_in_its_table_of_contents() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<PathBuf> = links(&summary).into_iter().map(|link| docs.join(link)).collect();
    let mut missing: Vec<PathBuf> = pages_in(&docs);
    missing.retain(|page| !listed.contains(page) && page.file_name().unwrap() != "SUMMARY.md");
    assert!(missing.is_empty(), "not in SUMMARY.md: {missing:?}");
}

/// The indented blocks of a page.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(code) => {
                let block = blocks.last_mut().unwrap();
                block.push_str(code);
                block.push('\n');
            }
            None if line.is_empty() && !blocks.last().unwrap().is_empty() => {
                blocks.last_mut().unwrap().push('\n')
            }
            None => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| !block.trim().is_empty());
    blocks
}

/// Blocks that begin with a section of a configuration are read by the program; what they lack of a whole one is added.
#[test]
fn configurations_of_the_book_can_be_read() {
    let sections = ["data", "target", "split", "intervals", "pilot", "tune", "explain", "model"];
    let mut count = 0;
    for page in pages() {
        for block in blocks(&fs::read_to_string(&page).unwrap()) {
            let first = block.trim_start().lines().next().unwrap_or_default();
            let section = first.trim_start_matches('[').split([']', '.']).next().unwrap_or_default();
            if !first.starts_with('[') || !sections.contains(&section) {
                continue;
            }
            count += 1;
            let mut text = block.clone();
            if !block.contains("[data]") && !block.contains("[data.") && !block.contains("[[data.") {
                text += "\n[data]\nresponse = \"response.csv\"\n";
            }
            if !block.contains("[[model]]") {
                text += "\n[[model]]\nfamily = \"boost\"\n";
            }
            // A search is for the only model; other sections may name another.
            if !block.contains("[tune") && !block.contains("family = \"kernel\"") {
                text += "\n[[model]]\nfamily = \"kernel\"\n";
            }
            if let Err(error) = halfmax::Config::parse(&text, &[]) {
                panic!("{}: {error}\n{block}", page.display());
            }
        }
    }
    assert!(count > 5, "only {count} configurations were found");
}
