//! Drugs × mechanisms, as a table with links from rows to drugs and from column heads to mechanisms.

use super::{close_page, open_chapter, remark};
use crate::context::{Context, named};
use crate::data::{Agreement, HeatCell, HeatGroup, HeatMap};
use crate::html::Html;
use crate::number::signed;
use crate::table;

/// The quantile of the absolute values from which a cell has the full colour.
const FULL_AT: f64 = 0.97;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    let Some(map) = &context.report.heat_map else { return };
    open_chapter(html, "map", "Drugs and mechanisms");
    legend(html);
    remark(html, &map.note);
    table::search(html, "heat-table", "heat-search", "Search drugs");
    grid(html, context, map);
    close_page(html);
}

fn legend(html: &mut Html) {
    html.raw("<p>Choose a row to open the drug, a column’s head to open the mechanism.</p><p class=legend>");
    html.raw("<span><b class=c-s4>−</b><b class=c-s3>−</b><b class=c-s2>−</b><b class=c-s1>−</b> ▼ towards sensitivity</span> ");
    html.raw("<span><b class=c-r1>+</b><b class=c-r2>+</b><b class=c-r3>+</b><b class=c-r4>+</b> ▲ towards resistance</span> ");
    html.raw("<span><b>*</b> q below 0.05</span> <span><b>≠</b> against the catalogue</span></p>");
}

fn grid(html: &mut Html, context: &Context<'_>, map: &HeatMap) {
    let measure = if map.measure.trim().is_empty() { "Drugs and mechanisms" } else { &map.measure };
    table::open_box(html, measure);
    html.raw("<table class=heat id=heat-table><caption>")
        .text(measure)
        .raw("</caption><thead><tr><th scope=col>drug");
    for mechanism in &map.mechanisms {
        html.raw("<th scope=col><div>");
        context.mechanism_link(html, *mechanism);
        html.raw("</div>");
    }
    html.raw("</thead>");
    let full = full_colour(map);
    for group in &map.groups {
        rows(html, context, map, group, full);
    }
    table::close(html);
}

fn rows(html: &mut Html, context: &Context<'_>, map: &HeatMap, group: &HeatGroup, full: f64) {
    html.raw("<tbody>");
    if !group.name.trim().is_empty() {
        html.raw("<tr class=group><th scope=rowgroup><div>").text(named(&group.name)).raw("</div><td");
        html.attr("colspan", &map.mechanisms.len().max(1).to_string()).raw(">");
    }
    for row in &group.rows {
        html.raw("<tr><th scope=row>");
        context.drug_link(html, row.drug);
        for index in 0..map.mechanisms.len() {
            cell(html, row.cells.get(index).copied().flatten(), full);
        }
    }
}

fn cell(html: &mut Html, cell: Option<HeatCell>, full: f64) {
    let Some((cell, value)) = cell.and_then(|cell| Some((cell, signed(Some(cell.value), 2)?))) else {
        html.raw("<td>–");
        return;
    };
    html.raw("<td").raw(shade(cell.value, full)).raw(">").text(&value);
    if cell.q.is_some_and(|q| q < 0.05) {
        html.raw("*");
    }
    if cell.agreement == Agreement::Differs {
        html.raw("≠");
    }
}

/// A cell's class: four steps on either side of 0.
fn shade(value: f64, full: f64) -> &'static str {
    let share = value / full;
    let step = ((share.abs() * 4.0).ceil() as usize).min(4);
    match (step, share > 0.0) {
        _ if share.abs() < 0.05 => "",
        (0 | 1, true) => " class=c-r1",
        (2, true) => " class=c-r2",
        (3, true) => " class=c-r3",
        (_, true) => " class=c-r4",
        (0 | 1, false) => " class=c-s1",
        (2, false) => " class=c-s2",
        (3, false) => " class=c-s3",
        (_, false) => " class=c-s4",
    }
}

fn full_colour(map: &HeatMap) -> f64 {
    let cells = map.groups.iter().flat_map(|group| &group.rows).flat_map(|row| &row.cells).flatten();
    let mut sizes: Vec<f64> =
        cells.map(|cell| cell.value.abs()).filter(|size| size.is_finite() && *size > 0.0).collect();
    sizes.sort_by(f64::total_cmp);
    let position = (sizes.len().saturating_sub(1) as f64 * FULL_AT) as usize;
    sizes.get(position).copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_have_a_side_and_a_step() {
        assert_eq!(shade(0.0, 1.0), "");
        assert_eq!(shade(0.1, 1.0), " class=c-r1");
        assert_eq!(shade(0.5, 1.0), " class=c-r2");
        assert_eq!(shade(9.0, 1.0), " class=c-r4");
        assert_eq!(shade(-0.7, 1.0), " class=c-s3");
    }

    #[test]
    fn a_map_without_values_has_a_scale() {
        assert_eq!(full_colour(&HeatMap::default()), 1.0);
    }
}
