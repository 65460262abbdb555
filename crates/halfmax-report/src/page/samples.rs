//! Scored cell lines: drugs that should work, drugs that should not, and why.

use super::mechanisms::strategies;
use super::{Detail, close_page, facts, open_chapter, open_detail};
use crate::context::{Context, named};
use crate::data::{Argument, Counterfactual, Estimate, Sample, SampleDrug};
use crate::html::Html;
use crate::number::{fixed, percent, signed, significant};
use crate::table;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    index(html, context);
    for (index, sample) in context.report.samples.iter().enumerate() {
        page(html, context, index, sample);
    }
}

fn index(html: &mut Html, context: &Context<'_>) {
    open_chapter(html, "samples", "Samples");
    let columns =
        [table::words("sample"), table::words("predicted to work best"), table::words("predicted to fail")];
    table::open(html, None, "Scored cell lines", &columns);
    for (sample, anchor) in context.report.samples.iter().zip(&context.samples) {
        html.raw("<tr><th scope=row><a").href(anchor).raw(">").text(named(&sample.name)).raw("</a></th><td>");
        first_drugs(html, context, &sample.works);
        html.raw("<td>");
        first_drugs(html, context, &sample.fails);
    }
    table::close(html);
    close_page(html);
}

fn first_drugs(html: &mut Html, context: &Context<'_>, drugs: &[SampleDrug]) {
    if drugs.is_empty() {
        html.number(None);
    }
    for (position, drug) in drugs.iter().take(3).enumerate() {
        html.raw(if position > 0 { ", " } else { "" });
        context.drug_link(html, drug.drug);
    }
}

fn page(html: &mut Html, context: &Context<'_>, index: usize, sample: &Sample) {
    open_detail(
        html,
        &Detail {
            chapter: "samples",
            chapter_title: "All samples",
            anchors: &context.samples,
            index,
            title: &sample.name,
            what: "Sample",
        },
    );
    facts(html, sample.facts.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())));
    html.paragraphs(&sample.notes);
    for (title, drugs) in
        [("Drugs predicted to work", &sample.works), ("Drugs predicted not to work", &sample.fails)]
    {
        if drugs.is_empty() {
            continue;
        }
        html.raw("<h3>").raw(title).raw("</h3>");
        for drug in drugs {
            card(html, context, drug);
        }
    }
    close_page(html);
}

fn card(html: &mut Html, context: &Context<'_>, drug: &SampleDrug) {
    html.raw("<article class=card><h4>");
    context.drug_link(html, drug.drug);
    html.raw("</h4><dl class=facts>");
    fact(html, &format!("predicted {}", context.response()), interval(&drug.predicted));
    if drug.ic50_um.is_some() {
        fact(html, "predicted IC50", significant(drug.ic50_um).map(|text| format!("{text}\u{202f}µM")));
    }
    if drug.percentile.is_some() {
        fact(html, "cell lines with a better response", percent(drug.percentile));
    }
    html.raw("</dl>");
    if !drug.arguments_for.is_empty() || !drug.arguments_against.is_empty() {
        html.raw("<div class=sides>");
        arguments(html, context, "<h5 class=S>▼ For it</h5>", &drug.arguments_for);
        arguments(html, context, "<h5 class=R>▲ Against it</h5>", &drug.arguments_against);
        html.raw("</div>");
    }
    counterfactuals(html, context, &drug.counterfactuals);
    dominant(html, context, drug);
    html.raw("</article>");
}

fn fact(html: &mut Html, name: &str, value: Option<String>) {
    html.raw("<div><dt>").text(name).raw("</dt><dd>").number(value).raw("</dd></div>");
}

/// "−1.20 (−2.00 to −0.40)".
fn interval(estimate: &Estimate) -> Option<String> {
    let value = fixed(Some(estimate.value), 2)?;
    let ends = estimate.interval.and_then(|(low, high)| fixed(Some(low), 2).zip(fixed(Some(high), 2)));
    Some(ends.map_or(value.clone(), |(low, high)| format!("{value} ({low} to {high})")))
}

fn arguments(html: &mut Html, context: &Context<'_>, heading: &'static str, arguments: &[Argument]) {
    html.raw("<div>").raw(heading);
    if arguments.is_empty() {
        html.raw("<p>None.</p>");
    }
    for argument in arguments {
        html.raw("<p class=arg>");
        context.mechanism_link(html, argument.mechanism);
        html.raw(" <b>").number(signed(Some(argument.contribution), 2)).raw("</b></p>");
        if argument.genes.is_empty() {
            continue;
        }
        html.raw("<ul>");
        for gene in &argument.genes {
            html.raw("<li><b>").text(&gene.gene).raw("</b> ").text(&gene.value).raw(" <span>(");
            html.number(signed(Some(gene.contribution), 2)).raw(")</span>");
        }
        html.raw("</ul>");
    }
    html.raw("</div>");
}

fn counterfactuals(html: &mut Html, context: &Context<'_>, counterfactuals: &[Counterfactual]) {
    if counterfactuals.is_empty() {
        return;
    }
    html.raw("<h5>What if</h5><ul>");
    for item in counterfactuals {
        html.raw("<li>If ")
            .text(&item.condition)
            .raw(", the predicted ")
            .text(context.response())
            .raw(" would be <b>");
        html.number(fixed(Some(item.predicted), 2)).raw("</b>.");
    }
    html.raw("</ul>");
}

fn dominant(html: &mut Html, context: &Context<'_>, drug: &SampleDrug) {
    if drug.dominant.is_none() && drug.strategies.is_empty() {
        return;
    }
    html.raw("<h5>Against the dominant mechanism");
    if let Some(mechanism) = drug.dominant {
        html.raw(": ");
        context.mechanism_link(html, mechanism);
    }
    html.raw("</h5>");
    strategies(html, &drug.strategies);
}
