//! Data, methods and terms.

use super::{close_page, facts, open_chapter};
use crate::context::{Context, named};
use crate::data::{InputFile, Term};
use crate::html::Html;
use crate::table;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    let notes = &context.report.notes;
    open_chapter(html, "notes", "Data and methods");
    for section in &notes.sections {
        html.raw("<h3>").text(named(&section.heading)).raw("</h3>").paragraphs(&section.paragraphs);
    }
    files(html, &notes.files);
    if !notes.settings.is_empty() {
        html.raw("<h3>Settings</h3>");
        facts(html, notes.settings.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())));
    }
    if !notes.configuration.trim().is_empty() {
        html.raw("<h3>Configuration</h3><pre tabindex=0 role=region aria-label=Configuration>");
        html.text(&notes.configuration).raw("</pre>");
    }
    close_page(html);
}

fn files(html: &mut Html, files: &[InputFile]) {
    if files.is_empty() {
        return;
    }
    html.raw("<h3>Files</h3>");
    let columns = [table::words("file"), table::words("content"), table::words("SHA-256")];
    table::open(html, None, "Input files", &columns);
    for file in files {
        html.raw("<tr><th scope=row>").text(named(&file.name));
        table::text(html, &file.content);
        html.raw("<td class=hash>").text(&file.sha256);
    }
    table::close(html);
}

pub(super) fn write_glossary(html: &mut Html, context: &Context<'_>) {
    open_chapter(html, "glossary", "Glossary");
    html.raw("<dl class=terms>");
    for Term { term, meaning } in &context.report.notes.glossary {
        html.raw("<div><dt>").text(term).raw("</dt><dd>").text(meaning).raw("</dd></div>");
    }
    html.raw("</dl>");
    close_page(html);
}
