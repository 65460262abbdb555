//! The coverage of prediction intervals.

use super::{close_page, open_chapter, remark};
use crate::chart::coverage_chart;
use crate::context::{Context, named};
use crate::data::Calibration;
use crate::html::Html;
use crate::number::{fixed, percent};
use crate::table;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    open_chapter(html, "calibration", "Calibration");
    html.raw("<p>How many observations lie within their predicted intervals. On the dashed line, the ");
    html.raw("intervals have the nominal coverage; below the line, they are too narrow.</p>");
    for calibration in &context.report.calibrations {
        part(html, calibration, context.response());
    }
    close_page(html);
}

fn part(html: &mut Html, calibration: &Calibration, response: &str) {
    let name = named(&calibration.model);
    html.raw("<h3>").text(name).raw("</h3><div class=charts><figure>");
    coverage_chart(html, &calibration.points, &format!("Nominal and actual coverage, {name}"));
    html.raw("</figure><div>");
    let width = format!("mean width ({response})");
    let columns = [table::numbers("nominal"), table::numbers("held"), table::numbers(&width)];
    table::open(html, None, &format!("Coverage, {name}"), &columns);
    for point in &calibration.points {
        html.raw("<tr>");
        table::number(html, percent(Some(point.nominal)));
        table::number(html, percent(Some(point.held)));
        table::number(html, fixed(point.width, 2));
    }
    table::close(html);
    remark(html, &calibration.note);
    html.raw("</div></div>");
}
