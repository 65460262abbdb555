//! The first page: the main results as pictures, caveats, and a summary in words.

use super::leaderboard::row;
use super::{close_page, open_chapter};
use crate::chart::{IntervalChart, IntervalRow, performance_strip, share_bar};
use crate::context::{Context, named};
use crate::data::{Better, Drug, Leaderboard, MechanismDrug, MetricRank, ModelScores, Standing};
use crate::html::Html;
use crate::mark;
use crate::number::{count, fixed};
use crate::table;

/// The largest numbers of drawn models and of naive predictors among them.
const MODELS: usize = 6;
const YARDSTICKS: usize = 2;
/// The number of drugs shown at each end.
const DRUGS: usize = 5;
/// The number of shown pairs of drug and mechanism.
const PAIRS: usize = 8;
/// Pairs with this q value or a higher one do not stand out.
const STANDS_OUT: f64 = 0.05;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    let summary = &context.report.summary;
    open_chapter(html, "summary", "Summary");
    html.raw("<div class=lead>").paragraphs(&summary.paragraphs).raw("</div>");
    html.raw("<div class=first>");
    models(html, context);
    doubts(html, &summary.doubts);
    drugs(html, context);
    pairs(html, context);
    html.raw("</div>");
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

/// The best models with the best naive predictors and the ceiling, by the first chief metric with a ceiling, else the
/// first chief metric.
fn models(html: &mut Html, context: &Context<'_>) {
    let Some(board) = &context.report.leaderboard else { return };
    let chief = || board.metrics.iter().enumerate().filter(|(_, metric)| metric.rank == MetricRank::Chief);
    let with_ceiling = chief().find(|(_, metric)| metric.ceiling.is_some());
    let Some((index, metric)) = with_ceiling.or_else(|| chief().next()) else { return };
    let shown = shown_models(board);
    if shown.is_empty() {
        return;
    }
    let rows: Vec<IntervalRow<'_>> = shown.iter().map(|model| row(model, index)).collect();
    let better = match metric.better {
        Better::Higher => "higher is better",
        Better::Lower => "lower is better",
    };
    let title = format!("Accuracy of models: {} ({better})", named(&metric.name));
    let rest = board.models.len() - shown.len();
    html.raw("<section><h3>Accuracy of models</h3><figure><figcaption>")
        .text(&format!("{} ({better})", named(&metric.name)))
        .raw("</figcaption>");
    let reference = metric.ceiling.map(|ceiling| ("ceiling", ceiling));
    IntervalChart { title: &title, rows: &rows, reference, decimals: 3 }.draw(html);
    html.raw(
        "</figure><p class=note>Hollow dots are naive predictors without features; lines are 95 % intervals. ",
    );
    html.raw("<a href=#models>All metrics");
    if rest > 0 {
        html.raw(", and ").text(&count(rest)).raw(" more models");
    }
    html.raw("</a></p></section>");
}

/// The first models and the first naive predictors.
fn shown_models(board: &Leaderboard) -> Vec<&ModelScores> {
    let of = |standing: Standing| board.models.iter().filter(move |model| model.standing == standing);
    let yardsticks = of(Standing::Naive).take(YARDSTICKS).count();
    let models = of(Standing::Model).take(MODELS - yardsticks);
    models.chain(of(Standing::Naive).take(YARDSTICKS)).collect()
}

fn doubts(html: &mut Html, doubts: &[String]) {
    if doubts.is_empty() {
        return;
    }
    html.raw("<section><h3>Caveats</h3><ul class=doubts>");
    doubts.iter().for_each(|doubt| {
        html.raw("<li>").text(doubt);
    });
    html.raw("</ul></section>");
}

/// The drugs with the best and the worst predictions.
fn drugs(html: &mut Html, context: &Context<'_>) {
    let pearson = |drug: &Drug| drug.performance.as_ref()?.pearson.filter(|value| value.is_finite());
    let mut order: Vec<(f64, usize)> = context
        .report
        .drugs
        .iter()
        .enumerate()
        .filter_map(|(index, drug)| Some((pearson(drug)?, index)))
        .collect();
    if order.is_empty() {
        return;
    }
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    html.raw("<section><h3>Drugs with the best and the worst predictions</h3>");
    let columns = [table::words("drug"), table::charts("from −0.2 to 1"), table::numbers("Pearson")];
    let both = order.len() > 2 * DRUGS;
    let best = if both { DRUGS } else { order.len() };
    table::open(
        html,
        None,
        if both { "Best: Pearson (dot) and ceiling (line)" } else { "Pearson (dot) and ceiling (line)" },
        &columns,
    );
    order[..best].iter().for_each(|(_, index)| drug_row(html, context, *index));
    table::close(html);
    if both {
        table::open(html, None, "Worst: Pearson (dot) and ceiling (line)", &columns);
        order[order.len() - DRUGS..].iter().for_each(|(_, index)| drug_row(html, context, *index));
        table::close(html);
    }
    html.raw("<p class=note><a href=#drugs>").text(&count(order.len())).raw(" drugs</a></p></section>");
}

fn drug_row(html: &mut Html, context: &Context<'_>, index: usize) {
    let performance = context.drug(index).and_then(|drug| drug.performance.as_ref());
    let pearson = performance.and_then(|performance| performance.pearson);
    html.raw("<tr><th scope=row>");
    context.drug_link(html, index);
    html.raw("</th><td>");
    performance_strip(html, pearson, performance.and_then(|performance| performance.ceiling));
    table::number(html, fixed(pearson, 2));
}

/// The pairs of drug and mechanism that stand out most.
fn pairs(html: &mut Html, context: &Context<'_>) {
    let of_mechanism = |(index, drugs): (usize, &[MechanismDrug])| {
        let drugs = drugs.iter().filter(|drug| drug.q.is_some_and(|q| q < STANDS_OUT)).copied();
        drugs.map(|drug| (index, drug)).collect::<Vec<_>>()
    };
    let mechanisms = context.report.mechanisms.iter().map(|mechanism| mechanism.drugs.as_slice()).enumerate();
    let mut pairs: Vec<(usize, MechanismDrug)> = mechanisms.flat_map(of_mechanism).collect();
    let size = |drug: &MechanismDrug| drug.attribution.map_or(0.0, f64::abs);
    pairs.sort_by(|a, b| size(&b.1).total_cmp(&size(&a.1)).then(a.0.cmp(&b.0)).then(a.1.drug.cmp(&b.1.drug)));
    pairs.truncate(PAIRS);
    let Some(largest) = pairs.first().map(|pair| size(&pair.1)).filter(|largest| *largest > 0.0) else {
        return;
    };
    html.raw("<section><h3>Most important mechanisms</h3>");
    let columns = [
        table::words("drug"),
        table::words("mechanism"),
        table::words("pushes towards"),
        table::charts("size"),
    ];
    table::open(html, None, "Pairs of drug and mechanism with a false discovery rate below 5 %", &columns);
    for (mechanism, drug) in &pairs {
        html.raw("<tr><th scope=row>");
        context.drug_link(html, drug.drug);
        html.raw("</th><td>");
        context.mechanism_link(html, *mechanism);
        mark::direction(html, drug.direction);
        html.raw("<td>");
        share_bar(html, size(drug) / largest);
    }
    table::close(html);
    html.raw("<p class=note><a href=#mechanisms>All mechanisms</a>, <a href=#map>heat map</a></p></section>");
}

/// The contents of the report.
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
    html.raw("<p class=note>One page for each of");
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
