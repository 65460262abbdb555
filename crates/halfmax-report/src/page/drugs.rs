//! The accuracy of predictions per drug, and the drugs' pages.

use super::{close_page, drug, open_chapter};
use crate::chart::{dot_strip, performance_strip};
use crate::context::Context;
use crate::data::Drug;
use crate::html::Html;
use crate::number::{count, fixed};
use crate::table;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    open_chapter(html, "drugs", "Drugs");
    distribution(html, &context.report.drugs);
    table::search(html, "drug-table", "drug-search", "Search drugs, targets, pathways");
    let columns = [
        table::words("drug"),
        table::words("class"),
        table::words("targets"),
        table::words("pathway"),
        table::numbers("cell lines"),
        table::numbers("Pearson"),
        table::charts("Pearson (dot) and ceiling (line), −0.2 to 1"),
        table::numbers("ceiling"),
        table::numbers("R²"),
        table::numbers("RMSE"),
    ];
    table::open(html, Some("drug-table"), "Accuracy of predictions by drug", &columns);
    for index in 0..context.report.drugs.len() {
        row(html, context, index);
    }
    table::close(html);
    close_page(html);
    for index in 0..context.report.drugs.len() {
        drug::write(html, context, index);
    }
}

/// The drugs' correlations, a dot for each.
fn distribution(html: &mut Html, drugs: &[Drug]) {
    let performances = drugs.iter().filter_map(|drug| drug.performance.as_ref());
    let mut values: Vec<f64> = performances
        .filter_map(|performance| performance.pearson)
        .filter(|value| value.is_finite())
        .collect();
    if values.is_empty() {
        return;
    }
    values.sort_by(f64::total_cmp);
    let median = median(&values);
    let text = fixed(median, 2).unwrap_or_default();
    let title = format!("Pearson correlation of {} drugs, median {text}", count(values.len()));
    html.raw("<figure><figcaption>").text(&title).raw("</figcaption>");
    dot_strip(html, &values, median, &title);
    html.raw("</figure>");
}

fn median(sorted: &[f64]) -> Option<f64> {
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some((low + high) / 2.0)
}

fn row(html: &mut Html, context: &Context<'_>, index: usize) {
    let Some(drug) = context.drug(index) else { return };
    html.raw("<tr><th scope=row>");
    context.drug_link(html, index);
    html.raw("</th>");
    table::text(html, &drug.classes.join(", "));
    table::text(html, &drug.targets.join(", "));
    table::text(html, &drug.pathway);
    let performance = drug.performance.as_ref();
    let pearson = performance.and_then(|performance| performance.pearson);
    let ceiling = performance.and_then(|performance| performance.ceiling);
    table::number(html, performance.map(|performance| count(performance.n)));
    table::number(html, fixed(pearson, 2));
    html.raw("<td>");
    performance_strip(html, pearson, ceiling);
    table::number(html, fixed(ceiling, 2));
    table::number(html, fixed(performance.and_then(|performance| performance.r2), 2));
    table::number(html, fixed(performance.and_then(|performance| performance.rmse), 2));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_even_and_odd_numbers() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0]), Some(1.0));
        assert_eq!(median(&[1.0, 2.0]), Some(1.5));
        assert_eq!(median(&[1.0, 2.0, 7.0]), Some(2.0));
    }
}
