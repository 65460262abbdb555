//! Observed against predicted.

use super::{close_page, open_chapter, remark};
use crate::chart::{density_chart, density_legend};
use crate::context::{Context, named};
use crate::data::Density;
use crate::html::Html;
use crate::number::{count, fixed};

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    open_chapter(html, "observed", "Observed and predicted");
    html.raw("<p>The stronger a cell’s colour, the more pairs of a cell line and a drug lie in it. On the dashed line, ");
    html.raw("prediction and observation are equal.</p><div class=charts>");
    for density in &context.report.densities {
        figure(html, density, context.response());
    }
    html.raw("</div>");
    close_page(html);
}

fn figure(html: &mut Html, density: &Density, response: &str) {
    let name = named(&density.model);
    html.raw("<figure><figcaption>").text(name).raw("</figcaption>");
    density_chart(html, density, &format!("Observed and predicted {response}, {name}"), response);
    density_legend(html, density);
    let pairs: usize = density.counts.iter().map(|count| *count as usize).sum();
    html.raw("<p class=note>").text(&count(pairs)).raw(" pairs");
    if let Some(pearson) = fixed(density.pearson, 3) {
        html.raw(", Pearson correlation ").text(&pearson);
    }
    html.raw(".</p>");
    remark(html, &density.note);
    html.raw("</figure>");
}
