//! The document and its pages. Each page is a section of the one file; the script shows the section in the address.

mod calibration;
mod density;
mod drug;
mod drugs;
mod gallery;
mod heat;
mod importance;
mod leaderboard;
mod matrix;
mod mechanisms;
mod notes;
mod panels;
mod quality;
mod samples;
mod summary;

use crate::anchor::Anchor;
use crate::context::{Context, named};
use crate::data::Report;
use crate::html::Html;
use crate::policy::policy;

pub(crate) use quality::quality_document;

const STYLE: &str = include_str!("../report.css");
const SCRIPT: &str = include_str!("../report.js");

/// A page in the navigation.
struct Chapter {
    id: &'static str,
    title: &'static str,
    /// Whether the report has content for this page.
    present: fn(&Report) -> bool,
    /// Writes the page and its subpages.
    write: fn(&mut Html, &Context<'_>),
}

const CHAPTERS: [Chapter; 11] = [
    Chapter { id: "summary", title: "Summary", present: |_| true, write: summary::write },
    Chapter {
        id: "samples",
        title: "Samples",
        present: |report| !report.samples.is_empty(),
        write: samples::write,
    },
    Chapter {
        id: "models",
        title: "Models",
        present: |report| report.leaderboard.as_ref().is_some_and(|board| !board.models.is_empty()),
        write: leaderboard::write,
    },
    Chapter {
        id: "observed",
        title: "Observed and predicted",
        present: |report| !report.densities.is_empty(),
        write: density::write,
    },
    Chapter { id: "drugs", title: "Drugs", present: |report| !report.drugs.is_empty(), write: drugs::write },
    Chapter {
        id: "map",
        title: "Heat map",
        present: |report| report.heat_map.as_ref().is_some_and(|map| !map.groups.is_empty()),
        write: heat::write,
    },
    Chapter {
        id: "mechanisms",
        title: "Mechanisms",
        present: |report| !report.mechanisms.is_empty(),
        write: mechanisms::write,
    },
    Chapter {
        id: "calibration",
        title: "Calibration",
        present: |report| !report.calibrations.is_empty(),
        write: calibration::write,
    },
    Chapter {
        id: "importance",
        title: "Importance",
        present: |report| !report.importances.is_empty(),
        write: importance::write,
    },
    Chapter {
        id: "notes",
        title: "Data and methods",
        present: |report| {
            let notes = &report.notes;
            let sparse = notes.sections.is_empty() && notes.files.is_empty() && notes.settings.is_empty();
            !sparse || !notes.configuration.trim().is_empty()
        },
        write: notes::write,
    },
    Chapter {
        id: "glossary",
        title: "Glossary",
        present: |report| !report.notes.glossary.is_empty(),
        write: notes::write_glossary,
    },
];

/// The whole file.
pub(crate) fn document(context: &Context<'_>) -> Html {
    let report = context.report;
    let chapters: Vec<&Chapter> = CHAPTERS.iter().filter(|chapter| (chapter.present)(report)).collect();
    let mut html = Html::new();
    head(&mut html, title(report));
    let links: Vec<(Anchor, &str)> =
        chapters.iter().map(|chapter| (Anchor::fixed(chapter.id), chapter.title)).collect();
    banner(&mut html, title(report), &report.subtitle, &links);
    html.raw("<main id=main tabindex=-1>");
    for chapter in chapters {
        (chapter.write)(&mut html, context);
    }
    foot(&mut html);
    html
}

/// Closes the elements of [`head`], [`banner`] and the pages.
fn foot(html: &mut Html) {
    html.raw("</main><footer><p>Made by halfmax. Research use only: not for diagnosis, and not for the choice of a ");
    html.raw("treatment.</p></footer></body></html>\n");
}

fn title(report: &Report) -> &str {
    if report.title.trim().is_empty() { "Drug response report" } else { &report.title }
}

fn head(html: &mut Html, title: &str) {
    html.raw(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n<meta http-equiv=Content-Security-Policy",
    );
    html.attr("content", &policy(STYLE, SCRIPT)).raw(">\n");
    html.raw("<meta name=viewport content=\"width=device-width,initial-scale=1\">\n");
    html.raw("<meta name=referrer content=no-referrer><meta name=color-scheme content=\"light dark\">\n");
    html.raw("<link rel=icon href=\"data:,\">\n<title>").text(title).raw("</title>\n<style>").raw(STYLE);
    html.raw("</style>\n<script>").raw(SCRIPT).raw("</script>\n</head>\n");
}

/// The banner above all pages.
fn banner(html: &mut Html, title: &str, subtitle: &str, chapters: &[(Anchor, &str)]) {
    html.raw("<body><a class=skip href=#main>Skip to the content</a><header><div class=top><div><h1>");
    html.text(title).raw("</h1>");
    if !subtitle.trim().is_empty() {
        html.raw("<p class=sub>").text(subtitle).raw("</p>");
    }
    html.raw("</div><div class=aside><p class=use>Research use only</p><p class=print hidden>");
    html.raw("<button type=button data-print=page>Print this page</button> ");
    html.raw(
        "<button type=button data-print=all>Print all</button></p></div></div><nav aria-label=Report><ul>",
    );
    for (anchor, title) in chapters {
        html.raw("<li><a").href(anchor).raw(">").text(title).raw("</a>");
    }
    html.raw("</ul></nav></header>");
}

/// Opens a chapter's page.
fn open_chapter(html: &mut Html, id: &'static str, title: &'static str) {
    html.raw("<section class=page data-in=")
        .raw(id)
        .raw(" id=")
        .raw(id)
        .raw("><p class=use>Research use only</p>");
    html.raw("<h2 tabindex=-1>").raw(title).raw("</h2>");
}

/// A page below a chapter.
struct Detail<'a> {
    chapter: &'static str,
    chapter_title: &'static str,
    anchors: &'a [Anchor],
    index: usize,
    title: &'a str,
    what: &'static str,
}

/// Opens the page, with links back and to its neighbours.
fn open_detail(html: &mut Html, detail: &Detail<'_>) {
    html.raw("<section class=page data-in=").raw(detail.chapter);
    let anchor = detail.anchors.get(detail.index);
    if let Some(anchor) = anchor {
        html.id(anchor);
    }
    html.raw("><p class=use>Research use only</p><p class=path><a href=#").raw(detail.chapter).raw(">");
    html.raw(detail.chapter_title).raw("</a>");
    let before = detail.index.checked_sub(1).and_then(|index| detail.anchors.get(index));
    for (neighbour, text) in [(before, "← previous"), (detail.anchors.get(detail.index + 1), "next →")] {
        if let Some(neighbour) = neighbour {
            html.raw(" <a").href(neighbour).raw(">").raw(text).raw("</a>");
        }
    }
    html.raw("</p><h2 tabindex=-1><small>")
        .raw(detail.what)
        .raw("</small> ")
        .text(named(detail.title))
        .raw("</h2>");
}

fn close_page(html: &mut Html) {
    html.raw("</section>\n");
}

/// A paragraph of small print, if there is a text.
fn remark(html: &mut Html, text: &str) {
    if !text.trim().is_empty() {
        html.raw("<p class=note>").text(text).raw("</p>");
    }
}

/// Names and values, if there are any.
fn facts<'a>(html: &mut Html, facts: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let mut list = Html::new();
    for (name, value) in facts.into_iter().filter(|(_, value)| !value.trim().is_empty()) {
        list.raw("<div><dt>").text(name).raw("</dt><dd>").text(value).raw("</dd></div>");
    }
    if !list.is_empty() {
        html.raw("<dl class=facts>").append(list).raw("</dl>");
    }
}
