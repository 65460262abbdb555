//! Mechanisms: a list, and a page for each.

use super::{Detail, close_page, open_chapter, open_detail};
use crate::context::{Context, full_name, named, short_name};
use crate::data::{GeneSet, Mechanism, MechanismDrug, Reference, Strategy};
use crate::html::Html;
use crate::mark;
use crate::number::{probability, signed};
use crate::table;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    index(html, context);
    for (index, mechanism) in context.report.mechanisms.iter().enumerate() {
        page(html, context, index, mechanism);
    }
}

fn index(html: &mut Html, context: &Context<'_>) {
    open_chapter(html, "mechanisms", "Mechanisms");
    let columns = [table::words("mechanism"), table::words("most important for")];
    table::open(html, None, "Resistance mechanisms", &columns);
    for (index, mechanism) in context.report.mechanisms.iter().enumerate() {
        html.raw("<tr><th scope=row>");
        context.mechanism_link(html, index);
        html.raw("<td>");
        if mechanism.drugs.is_empty() {
            html.number(None);
        }
        for (position, drug) in mechanism.drugs.iter().take(3).enumerate() {
            html.raw(if position > 0 { ", " } else { "" });
            context.drug_link(html, drug.drug);
        }
    }
    table::close(html);
    close_page(html);
}

fn page(html: &mut Html, context: &Context<'_>, index: usize, mechanism: &Mechanism) {
    open_detail(
        html,
        &Detail {
            chapter: "mechanisms",
            chapter_title: "All mechanisms",
            anchors: &context.mechanisms,
            index,
            title: full_name(mechanism),
            what: "Mechanism",
        },
    );
    if full_name(mechanism) != short_name(mechanism) {
        html.raw("<p class=note>Short name: ").text(short_name(mechanism)).raw("</p>");
    }
    html.paragraphs(&mechanism.summary);
    genes(html, &mechanism.genes);
    drugs(html, context, &mechanism.drugs);
    if !mechanism.strategies.is_empty() {
        html.raw("<h3>Counter-strategies</h3>");
        strategies(html, &mechanism.strategies);
    }
    references(html, &mechanism.references);
    close_page(html);
}

fn genes(html: &mut Html, sets: &[GeneSet]) {
    if sets.is_empty() {
        return;
    }
    html.raw("<h3>Genes</h3><dl class=facts>");
    for set in sets {
        html.raw("<div><dt>")
            .text(named(&set.change))
            .raw("</dt><dd>")
            .text(&set.genes.join(", "))
            .raw("</dd></div>");
    }
    html.raw("</dl>");
}

fn drugs(html: &mut Html, context: &Context<'_>, drugs: &[MechanismDrug]) {
    if drugs.is_empty() {
        return;
    }
    html.raw("<h3>Drugs for which it is most important</h3>");
    let columns = [
        table::words("drug"),
        table::words("pushes towards"),
        table::numbers("attribution"),
        table::numbers("q"),
    ];
    table::open(html, None, "Drugs for which the mechanism is most important", &columns);
    for drug in drugs {
        html.raw("<tr><th scope=row>");
        context.drug_link(html, drug.drug);
        mark::direction(html, drug.direction);
        table::number(html, signed(drug.attribution, 3));
        table::number(html, probability(drug.q));
    }
    table::close(html);
}

/// Counter-strategies with their references.
pub(super) fn strategies(html: &mut Html, strategies: &[Strategy]) {
    if strategies.is_empty() {
        html.raw("<p>The catalogue lists no counter-strategies.</p>");
        return;
    }
    html.raw("<ul>");
    for strategy in strategies {
        html.raw("<li>").text(&strategy.text).raw(" ");
        reference(html, &strategy.reference);
    }
    html.raw("</ul>");
}

fn references(html: &mut Html, references: &[Reference]) {
    if references.is_empty() {
        return;
    }
    html.raw("<h3>Sources</h3><ul>");
    for item in references {
        html.raw("<li>");
        reference(html, item);
    }
    html.raw("</ul>");
}

/// A reference, as a link only if it has a web address.
fn reference(html: &mut Html, reference: &Reference) {
    let text = if reference.text.trim().is_empty() { &reference.url } else { &reference.text };
    if text.trim().is_empty() {
        return;
    }
    if reference.url.starts_with("https://") || reference.url.starts_with("http://") {
        html.raw("<a class=ref rel=\"noreferrer noopener\"")
            .attr("href", &reference.url)
            .raw(">")
            .text(text)
            .raw("</a>");
    } else {
        html.raw("<cite>").text(text).raw("</cite>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, url: &str) -> String {
        let mut html = Html::new();
        reference(&mut html, &Reference { text: text.into(), url: url.into() });
        html.finish()
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        assert!(
            shown("a", "https://example.org/?a=1&b=2").contains("href=\"https://example.org/?a=1&amp;b=2\"")
        );
        assert_eq!(shown("a", "javascript:alert(1)"), "<cite>a</cite>");
        assert_eq!(shown("", "data:text/html,x"), "<cite>data:text/html,x</cite>");
        assert_eq!(shown("", ""), "");
    }
}
