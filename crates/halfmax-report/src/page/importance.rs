//! The importance of groups of features for the predictions.

use super::{close_page, open_chapter, remark};
use crate::chart::{IntervalChart, IntervalRow, Look};
use crate::context::{Context, named};
use crate::data::Importance;
use crate::html::Html;
use crate::number::fixed;
use crate::table;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    open_chapter(html, "importance", "Importance of groups");
    for importance in &context.report.importances {
        part(html, importance);
    }
    close_page(html);
}

fn part(html: &mut Html, importance: &Importance) {
    let title = named(&importance.title);
    html.raw("<h3>").text(title).raw("</h3><div class=charts><figure>");
    if !importance.measure.trim().is_empty() {
        html.raw("<figcaption>").text(&importance.measure).raw("</figcaption>");
    }
    let rows: Vec<IntervalRow<'_>> = importance
        .groups
        .iter()
        .map(|group| IntervalRow { label: named(&group.name), estimate: Some(group.value), look: Look::Bar })
        .collect();
    IntervalChart { title, rows: &rows, reference: None, decimals: 3 }.draw(html);
    html.raw("</figure><div>");
    values(html, importance, title);
    remark(html, &importance.note);
    html.raw("</div></div>");
}

fn values(html: &mut Html, importance: &Importance, title: &str) {
    let columns =
        [table::words("group"), table::numbers("importance"), table::numbers("from"), table::numbers("to")];
    table::open(html, None, title, &columns);
    for group in &importance.groups {
        html.raw("<tr><th scope=row>").text(named(&group.name)).raw("</th>");
        let interval = group.value.interval;
        table::number(html, fixed(Some(group.value.value), 3));
        table::number(html, fixed(interval.map(|(low, _)| low), 3));
        table::number(html, fixed(interval.map(|(_, high)| high), 3));
    }
    table::close(html);
}
