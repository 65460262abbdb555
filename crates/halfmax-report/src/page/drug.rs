//! A drug's page.

use super::{Detail, close_page, facts, open_detail};
use crate::chart::{SpreadScale, response_strip, volcano_chart};
use crate::context::{Context, named};
use crate::data::{Confounder, Drug, DrugMechanism, DrugPerformance, Feature};
use crate::html::Html;
use crate::mark;
use crate::number::{count, fixed, percent, probability, signed};
use crate::table;

pub(super) fn write(html: &mut Html, context: &Context<'_>, index: usize) {
    let Some(drug) = context.drug(index) else { return };
    open_detail(
        html,
        &Detail {
            chapter: "drugs",
            chapter_title: "All drugs",
            anchors: &context.drugs,
            index,
            title: &drug.name,
            what: "Drug",
        },
    );
    known(html, drug);
    html.paragraphs(&drug.notes);
    findings(html, context, drug);
    features(html, &drug.features);
    mechanisms(html, context, &drug.mechanisms);
    confounders(html, &drug.confounders);
    close_page(html);
}

fn known(html: &mut Html, drug: &Drug) {
    let (classes, targets) = (drug.classes.join(", "), drug.targets.join(", "));
    let performance = drug.performance.as_ref().map(performance).unwrap_or_default();
    let fixed_facts = [("class", classes.as_str()), ("targets", &targets), ("pathway", &drug.pathway)];
    let others = drug.facts.iter().map(|fact| (fact.name.as_str(), fact.value.as_str()));
    let measured = performance.iter().map(|(name, value)| (*name, value.as_str()));
    facts(html, fixed_facts.into_iter().chain(others).chain(measured));
}

fn performance(performance: &DrugPerformance) -> Vec<(&'static str, String)> {
    let values = [
        ("cell lines", Some(count(performance.n))),
        ("Pearson", fixed(performance.pearson, 2)),
        ("ceiling", fixed(performance.ceiling, 2)),
        ("R²", fixed(performance.r2, 2)),
        ("RMSE", fixed(performance.rmse, 2)),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn findings(html: &mut Html, context: &Context<'_>, drug: &Drug) {
    if drug.findings.is_empty() && drug.sentences.is_empty() {
        return;
    }
    html.raw("<h3>What is known</h3>");
    if !drug.sentences.is_empty() {
        html.raw("<ol>");
        for sentence in &drug.sentences {
            html.raw("<li>").text(sentence);
        }
        html.raw("</ol>");
    }
    if !drug.volcano.points.is_empty() {
        html.raw("<figure>");
        volcano_chart(html, &drug.volcano, context.response());
        html.raw("</figure><p class=note>").text(&drug.volcano.note).raw("</p>");
    }
    for strip in &drug.strips {
        html.raw("<h4>").text(named(&strip.title)).raw("</h4><figure>");
        response_strip(html, strip);
        html.raw("</figure><p class=note>").text(&strip.note).raw("</p>");
    }
    if drug.findings.is_empty() {
        return;
    }
    let columns = [
        table::numbers("rank"),
        table::words("finding"),
        table::words("kind"),
        table::words("same signal"),
        table::words("supported by"),
        table::words("goes with"),
        table::numbers("effect"),
        table::numbers("carriers"),
        table::numbers("p"),
        table::numbers("q"),
        table::words("replicated"),
        table::words("mechanisms"),
    ];
    table::open(html, None, "Findings, the strongest evidence first", &columns);
    for (at, finding) in drug.findings.iter().enumerate() {
        html.raw("<tr><td>").whole(at + 1).raw("<th scope=row>").text(named(&finding.name));
        if finding.is_target {
            html.raw(" (target)");
        }
        html.raw("<td>").text(&finding.kind);
        table::text(html, &finding.members.join(", "));
        table::text(html, &finding.support);
        mark::direction(html, finding.direction);
        table::number(html, signed(finding.effect, 2));
        table::number(html, finding.carriers.map(count));
        table::number(html, probability(finding.p));
        table::number(html, probability(finding.q));
        table::text(html, &finding.replicated);
        html.raw("<td>");
        for (at, mechanism) in finding.mechanisms.iter().enumerate() {
            if at > 0 {
                html.raw(", ");
            }
            context.mechanism_link(html, *mechanism);
        }
    }
    table::close(html);
}

fn features(html: &mut Html, features: &[Feature]) {
    if features.is_empty() {
        return;
    }
    let parts = Parts {
        adjusted: features
            .iter()
            .any(|item| item.adjusted_mean_abs.is_some() || item.adjusted_rank.is_some()),
        expected: features.iter().any(|item| item.expected.is_some()),
        scale: SpreadScale::of(features),
    };
    html.raw("<h3>Features behind the predictions</h3>");
    table::open_head(html, None, parts.caption(), &parts.columns());
    if let Some(scale) = &parts.scale {
        scale.axis(html);
    }
    html.raw("<tbody>");
    for (index, feature) in features.iter().enumerate() {
        parts.row(html, index + 1, feature);
    }
    table::close(html);
}

/// The optional columns of a drug's features.
struct Parts {
    adjusted: bool,
    expected: bool,
    scale: Option<SpreadScale>,
}

impl Parts {
    fn caption(&self) -> &'static str {
        if self.scale.is_some() {
            "Features, the most important first. Boxes span the middle half of the cell lines, whiskers 90 %."
        } else {
            "Features, the most important first"
        }
    }

    fn columns(&self) -> Vec<table::Column<'static>> {
        let mut columns = vec![table::numbers("rank"), table::words("feature"), table::words("kind")];
        columns.push(table::numbers("mean |attribution|"));
        if self.adjusted {
            columns.extend([table::numbers("adjusted"), table::numbers("adjusted rank")]);
        }
        columns.push(table::words("higher values shift towards"));
        if self.expected {
            columns.push(table::words("catalogue"));
        }
        if self.scale.is_some() {
            columns.push(table::charts("attribution for low (above) and high values (below)"));
        }
        columns
    }

    fn row(&self, html: &mut Html, rank: usize, feature: &Feature) {
        html.raw("<tr><td>").whole(rank).raw("<th scope=row>").text(named(&feature.name));
        html.raw("<td>").text(&feature.kind);
        table::number(html, fixed(Some(feature.mean_abs), 3));
        if self.adjusted {
            table::number(html, fixed(feature.adjusted_mean_abs, 3));
            table::number(html, feature.adjusted_rank.map(count));
        }
        mark::direction(html, feature.direction);
        if self.expected {
            mark::agreement(html, mark::compare(feature.direction, feature.expected));
        }
        if let Some(scale) = &self.scale {
            html.raw("<td>");
            scale.draw(html, feature);
        }
    }
}

fn mechanisms(html: &mut Html, context: &Context<'_>, mechanisms: &[DrugMechanism]) {
    if mechanisms.is_empty() {
        return;
    }
    html.raw("<h3>Mechanisms</h3>");
    let columns = [
        table::words("mechanism"),
        table::words("pushes towards"),
        table::numbers("attribution"),
        table::numbers("adjusted"),
        table::numbers("p"),
        table::numbers("q competitive"),
        table::numbers("q self-contained"),
        table::words("catalogue"),
        table::words("genes"),
    ];
    table::open(html, None, "Resistance mechanisms behind the predictions", &columns);
    for mechanism in mechanisms {
        html.raw("<tr><th scope=row>");
        context.mechanism_link(html, mechanism.mechanism);
        mark::direction(html, mechanism.direction);
        table::number(html, signed(mechanism.attribution, 3));
        table::number(html, signed(mechanism.adjusted, 3));
        table::number(html, probability(mechanism.p));
        table::number(html, probability(mechanism.q_competitive));
        table::number(html, probability(mechanism.q_self_contained));
        mark::agreement(html, mechanism.agreement);
        table::text(html, &mechanism.genes.join(", "));
    }
    table::close(html);
}

fn confounders(html: &mut Html, confounders: &[Confounder]) {
    if confounders.is_empty() {
        return;
    }
    html.raw("<h3>Confounders</h3>");
    let columns = [table::words("confounder"), table::numbers("before adjusting"), table::numbers("after")];
    table::open(html, None, "Explained fraction of the predictions’ variance", &columns);
    for confounder in confounders {
        html.raw("<tr><th scope=row>").text(named(&confounder.name));
        table::number(html, percent(confounder.before));
        table::number(html, percent(confounder.after));
    }
    table::close(html);
}
