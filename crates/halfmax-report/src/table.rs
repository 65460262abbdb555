//! Tables: a caption, heads with their scope, and a scrolling box.

use crate::anchor::Anchor;
use crate::html::Html;

/// A column's head.
#[derive(Clone, Copy)]
pub(crate) struct Column<'a> {
    title: &'a str,
    content: Content,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Words,
    Numbers,
    Charts,
}

/// A column of words.
pub(crate) fn words(title: &str) -> Column<'_> {
    Column { title, content: Content::Words }
}

/// A column of numbers, right-aligned.
pub(crate) fn numbers(title: &str) -> Column<'_> {
    Column { title, content: Content::Numbers }
}

/// A column of charts, which cannot sort rows.
pub(crate) fn charts(title: &str) -> Column<'_> {
    Column { title, content: Content::Charts }
}

/// Opens the box, the table and its body. The script lets readers sort by each column.
pub(crate) fn open(html: &mut Html, id: Option<&'static str>, caption: &str, columns: &[Column<'_>]) {
    open_head(html, id, caption, columns);
    html.raw("<tbody>");
}

/// As [`open`], but leaves the last column's head open.
pub(crate) fn open_head(html: &mut Html, id: Option<&'static str>, caption: &str, columns: &[Column<'_>]) {
    heads(html, id.map(Anchor::fixed).as_ref(), caption, columns);
}

/// As [`open`], for a table with an id from data.
pub(crate) fn open_anchored(html: &mut Html, id: &Anchor, caption: &str, columns: &[Column<'_>]) {
    heads(html, Some(id), caption, columns);
    html.raw("<tbody>");
}

fn heads(html: &mut Html, id: Option<&Anchor>, caption: &str, columns: &[Column<'_>]) {
    open_box(html, caption);
    html.raw("<table");
    html.attr("class", &classes(columns));
    if let Some(id) = id {
        html.id(id);
    }
    html.raw("><caption>").text(caption).raw("</caption><thead><tr>");
    for column in columns {
        html.raw(match column.content {
            Content::Words => "<th scope=col>",
            Content::Numbers => "<th scope=col class=n>",
            Content::Charts => "<th scope=col class=u>",
        });
        html.text(column.title);
    }
}

/// The classes of the numeric columns, so that cells need no class: `n2` for the second.
fn classes(columns: &[Column<'_>]) -> String {
    let mut classes = String::from("sort");
    for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.content == Content::Numbers) {
        classes.push_str(&format!(" n{}", index + 1));
    }
    classes
}

/// Opens a scrolling box.
pub(crate) fn open_box(html: &mut Html, label: &str) {
    html.raw("<div class=box tabindex=0 role=region").attr("aria-label", label).raw(">");
}

/// Closes the elements of [`open`].
pub(crate) fn close(html: &mut Html) {
    html.raw("</table></div>");
}

/// A cell with a number.
pub(crate) fn number(html: &mut Html, formatted: Option<String>) {
    html.raw("<td>").number(formatted);
}

/// A cell with text, or the mark of a missing value.
pub(crate) fn text(html: &mut Html, text: &str) {
    html.raw("<td>");
    if text.trim().is_empty() {
        html.number(None)
    } else {
        html.text(text)
    };
}

/// A search field for a table's rows, and the status with the number of matches. Hidden without script.
pub(crate) fn search(html: &mut Html, table: &'static str, field: &'static str, label: &'static str) {
    html.raw("<p class=search hidden data-table=")
        .raw(table)
        .raw("><label for=")
        .raw(field)
        .raw(">")
        .raw(label);
    html.raw("</label> <input type=search autocomplete=off id=")
        .raw(field)
        .raw("> <span role=status></span></p>");
}
