//! A report in chapters: text, tables, charts and galleries of pictures.

use super::gallery::{draw_gallery, draw_tally};
use super::{banner, close_page, facts, foot, head, remark};
use crate::anchor::{Anchor, Anchors};
use crate::chart::{BoxScale, histogram_chart, raster_chart};
use crate::context::named;
use crate::data::{Finding, Spread};
use crate::html::Html;
use crate::number::{count, fixed, percent};
use crate::quality::{
    HistogramPicture, QualityChapter, QualityPart, QualityReport, QualityTable, RasterPicture, TableColumn,
    TableValue,
};
use crate::table;

/// The fewest rows for a search field.
const SEARCHED: usize = 12;

/// The whole file.
pub(crate) fn quality_document(report: &QualityReport) -> Html {
    let title = if report.title.trim().is_empty() { "Quality of data" } else { &report.title };
    let mut anchors = Anchors::default();
    let chapters: Vec<(Anchor, &QualityChapter)> = report
        .chapters
        .iter()
        .filter(|chapter| !chapter.parts.is_empty())
        .map(|chapter| (anchors.claim("q", &chapter.title), chapter))
        .collect();
    let links: Vec<(Anchor, &str)> =
        chapters.iter().map(|(anchor, chapter)| (anchor.clone(), named(&chapter.title))).collect();
    let mut html = Html::new();
    head(&mut html, title);
    banner(&mut html, title, &report.subtitle, &links);
    html.raw("<main id=main tabindex=-1>");
    for (anchor, chapter) in &chapters {
        write(&mut html, anchor, chapter, &mut anchors);
    }
    foot(&mut html);
    html
}

fn write(html: &mut Html, anchor: &Anchor, chapter: &QualityChapter, anchors: &mut Anchors) {
    html.raw("<section class=page").attr("data-in", anchor.as_str()).id(anchor);
    html.raw("><p class=use>Research use only</p><h2 tabindex=-1>").text(named(&chapter.title)).raw("</h2>");
    for part in &chapter.parts {
        match part {
            QualityPart::Heading(text) => {
                html.raw("<h3>").text(named(text)).raw("</h3>");
            }
            QualityPart::Text(text) => {
                html.raw("<p>").text(text).raw("</p>");
            }
            QualityPart::Note(text) => remark(html, text),
            QualityPart::Findings(items) => findings(html, items),
            QualityPart::Facts(items) => {
                facts(html, items.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())));
            }
            QualityPart::List(items) => list(html, items),
            QualityPart::Table(table) => draw_table(html, table, anchors),
            QualityPart::Histogram(histogram) => draw_histogram(html, histogram),
            QualityPart::Raster(raster) => draw_raster(html, raster),
            QualityPart::Tally(tallies) => draw_tally(html, tallies),
            QualityPart::Gallery(gallery) => draw_gallery(html, gallery, anchors),
        }
    }
    close_page(html);
}

fn findings(html: &mut Html, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    html.raw("<ul class=findings>");
    for finding in findings {
        html.raw("<li>");
        if !finding.figure.trim().is_empty() {
            html.raw("<b class=figure>").text(&finding.figure).raw("</b> ");
        }
        html.raw("<span>").text(&finding.text).raw("</span>");
    }
    html.raw("</ul>");
}

fn list(html: &mut Html, items: &[String]) {
    if items.is_empty() {
        return;
    }
    html.raw("<ul>");
    for item in items {
        html.raw("<li>").text(item);
    }
    html.raw("</ul>");
}

fn draw_histogram(html: &mut Html, histogram: &HistogramPicture) {
    html.raw("<figure><figcaption>").text(&histogram.title).raw("</figcaption>");
    histogram_chart(html, histogram);
    html.raw("</figure>");
}

fn draw_raster(html: &mut Html, raster: &RasterPicture) {
    html.raw("<figure><figcaption>").text(&raster.title).raw("</figcaption>");
    raster_chart(html, raster);
    remark(html, &raster.legend);
    html.raw("</figure>");
}

fn draw_table(html: &mut Html, table: &QualityTable, anchors: &mut Anchors) {
    if table.rows.is_empty() {
        return;
    }
    let id = anchors.claim("t", &table.caption);
    if table.rows.len() >= SEARCHED {
        search(html, &id, &anchors.claim("f", &table.caption), &table.noun);
    }
    let columns: Vec<table::Column<'_>> = table
        .columns
        .iter()
        .map(|column| match column {
            TableColumn::Words(title) => table::words(title),
            TableColumn::Numbers(title) => table::numbers(title),
            TableColumn::Spreads(title) => table::charts(title),
        })
        .collect();
    let scales: Vec<Option<BoxScale>> = (0..columns.len()).map(|column| scale_of(table, column)).collect();
    let rows = &table.rows;
    table::open_anchored(html, &id, &table.caption, &columns);
    for row in rows {
        html.raw("<tr>");
        for (at, value) in row.iter().take(columns.len()).enumerate() {
            cell(html, at, value, scales[at].as_ref());
        }
    }
    if scales.iter().any(Option::is_some) {
        axes(html, &scales);
    }
    table::close(html);
}

/// A search field for rows. Hidden without script.
fn search(html: &mut Html, table: &Anchor, field: &Anchor, noun: &str) {
    html.raw("<p class=search hidden").attr("data-table", table.as_str()).attr("data-noun", noun);
    html.raw("><label").attr("for", field.as_str()).raw(">Search ").text(named(noun));
    html.raw("</label> <input type=search autocomplete=off").id(field).raw("> <span role=status></span></p>");
}

fn scale_of(table: &QualityTable, column: usize) -> Option<BoxScale> {
    let spreads = table.rows.iter().filter_map(|row| match row.get(column) {
        Some(TableValue::Spread(spread)) => Some(spread),
        _ => None,
    });
    let spreads: Vec<&Spread> = spreads.collect();
    BoxScale::of(spreads.into_iter())
}

/// The axes of the columns of spreads, below the rows.
fn axes(html: &mut Html, scales: &[Option<BoxScale>]) {
    html.raw("</tbody><tfoot><tr>");
    for scale in scales {
        html.raw("<td>");
        if let Some(scale) = scale {
            scale.axis(html);
        }
    }
}

fn cell(html: &mut Html, column: usize, value: &TableValue, scale: Option<&BoxScale>) {
    html.raw(if column == 0 { "<th scope=row>" } else { "<td>" });
    match value {
        TableValue::Words(text) if text.trim().is_empty() && column == 0 => html.text(named("")),
        TableValue::Words(text) => html.text(text),
        TableValue::Count(value) => html.text(&count(*value)),
        TableValue::Number(value) => html.number(fixed(Some(*value), 2)),
        TableValue::Share(share) => html.number(percent(Some(*share))),
        TableValue::Spread(spread) => {
            if let Some(scale) = scale {
                scale.draw(html, spread);
            }
            html
        }
        TableValue::Missing => html.number(None),
    };
}
