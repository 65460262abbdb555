//! The context of every page: the report, and the anchors of its drugs, mechanisms and samples.

use crate::anchor::{Anchor, Anchors};
use crate::data::{Drug, Mechanism, Report};
use crate::html::Html;

/// A report and the anchors of its pages.
pub(crate) struct Context<'a> {
    pub(crate) report: &'a Report,
    pub(crate) drugs: Vec<Anchor>,
    pub(crate) mechanisms: Vec<Anchor>,
    pub(crate) samples: Vec<Anchor>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        let mut anchors = Anchors::default();
        let drugs = report.drugs.iter().map(|drug| anchors.claim("d", &drug.name)).collect();
        let mechanisms = report.mechanisms.iter().map(|item| anchors.claim("m", short_name(item))).collect();
        let samples = report.samples.iter().map(|sample| anchors.claim("s", &sample.name)).collect();
        Self { report, drugs, mechanisms, samples }
    }

    /// The predicted quantity, in words.
    pub(crate) fn response(&self) -> &'a str {
        if self.report.response.trim().is_empty() { "response" } else { &self.report.response }
    }

    pub(crate) fn drug(&self, index: usize) -> Option<&'a Drug> {
        self.report.drugs.get(index)
    }

    pub(crate) fn mechanism(&self, index: usize) -> Option<&'a Mechanism> {
        self.report.mechanisms.get(index)
    }

    /// A link to a drug's page, or the mark of a missing value.
    pub(crate) fn drug_link(&self, html: &mut Html, index: usize) {
        link(html, self.drugs.get(index), self.drug(index).map(|drug| drug.name.as_str()));
    }

    /// A link to a mechanism's page under its full name.
    pub(crate) fn mechanism_link(&self, html: &mut Html, index: usize) {
        link(html, self.mechanisms.get(index), self.mechanism(index).map(full_name));
    }
}

fn link(html: &mut Html, anchor: Option<&Anchor>, name: Option<&str>) {
    match anchor.zip(name) {
        Some((anchor, name)) => {
            html.raw("<a").href(anchor).raw(">").text(named(name)).raw("</a>");
        }
        None => {
            html.number(None);
        }
    }
}

/// A mechanism's id, else its name.
pub(crate) fn short_name(mechanism: &Mechanism) -> &str {
    if mechanism.id.trim().is_empty() { &mechanism.name } else { &mechanism.id }
}

/// A mechanism's name, else its id.
pub(crate) fn full_name(mechanism: &Mechanism) -> &str {
    if mechanism.name.trim().is_empty() { &mechanism.id } else { &mechanism.name }
}

/// A name, or a word for its absence, so that a link or a heading always has text.
pub(crate) fn named(name: &str) -> &str {
    if name.trim().is_empty() { "unnamed" } else { name }
}
