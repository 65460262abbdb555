//! The gist.

use super::{close_page, open_chapter};
use crate::context::Context;
use crate::html::Html;
use crate::number::count;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    let summary = &context.report.summary;
    open_chapter(html, "summary", "Summary");
    html.raw("<div class=lead>").paragraphs(&summary.paragraphs).raw("</div>");
    if !summary.findings.is_empty() {
        html.raw("<ul class=findings>");
        for finding in &summary.findings {
            html.raw("<li>");
            if !finding.figure.trim().is_empty() {
                html.raw("<b class=figure>").text(&finding.figure).raw("</b> ");
            }
            html.raw("<span>").text(&finding.text).raw("</span>");
        }
        html.raw("</ul>");
    }
    contents(html, context);
    close_page(html);
}

/// What the report holds.
fn contents(html: &mut Html, context: &Context<'_>) {
    let report = context.report;
    let parts = [
        ("#samples", report.samples.len(), "samples"),
        ("#drugs", report.drugs.len(), "drugs"),
        ("#mechanisms", report.mechanisms.len(), "mechanisms"),
    ];
    if parts.iter().all(|(_, number, _)| *number == 0) {
        return;
    }
    html.raw("<p class=note>A page each for");
    for (position, (hash, number, what)) in parts.into_iter().filter(|(_, number, _)| *number > 0).enumerate()
    {
        html.raw(if position > 0 { ", " } else { " " })
            .raw("<a href=")
            .raw(hash)
            .raw(">")
            .text(&count(number))
            .raw(" ")
            .raw(what)
            .raw("</a>");
    }
    html.raw(".</p>");
}
