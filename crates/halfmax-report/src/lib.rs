//! One self-contained HTML file with the accuracy of predicted responses, and their explanation.
//!
//! [`render`] turns a [`Report`] into the text of the file. The file needs no network and no other file, so it can be
//! sent by mail and opened anywhere. Its content security policy forbids loading anything. The pages of the report
//! (summary, samples, models, drugs, mechanisms, notes) are sections of that one file, selected by the hash of the
//! address. Without JavaScript, all sections are shown one below the other.
//!
//! ```
//! use halfmax_report::{Drug, Report, glossary, render};
//!
//! let mut report = Report { title: "Responses in GDSC2".into(), response: "ln IC50".into(), ..Report::default() };
//! report.drugs.push(Drug { name: "<Paclitaxel>".into(), ..Drug::default() });
//! report.notes.glossary = glossary();
//!
//! let html = render(&report);
//! assert!(html.starts_with("<!doctype html>"));
//! assert!(html.contains("Research use only"));
//! assert!(html.contains("&lt;Paclitaxel&gt;"));
//! ```

mod anchor;
mod chart;
mod context;
mod data;
mod glossary;
mod html;
mod mark;
mod number;
mod page;
mod pictures;
mod policy;
mod quality;
mod standalone;
mod table;

pub use data::*;
pub use glossary::glossary;
pub use pictures::*;
pub use quality::*;
pub use standalone::{curve_svg, matrix_svg, panels_svg, plate_svg};

/// The report as one HTML file. The same report always makes the same bytes.
///
/// Text is escaped everywhere. Numbers that are not finite, and references to drugs or mechanisms that do not exist,
/// are shown as missing.
///
/// ```
/// use halfmax_report::{Report, render};
///
/// assert_eq!(render(&Report::default()), render(&Report::default()));
/// ```
pub fn render(report: &Report) -> String {
    page::document(&context::Context::new(report)).finish()
}

/// The report on the quality of data as one HTML file, under the same rules as [`render`].
///
/// ```
/// use halfmax_report::{QualityChapter, QualityPart, QualityReport, render_quality};
///
/// let text = QualityPart::Text("Two names, one profile: <A549> and COPY.".into());
/// let chapter = QualityChapter { title: "Summary".into(), parts: vec![text] };
/// let report = QualityReport { title: "Quality of a screen".into(), subtitle: String::new(), chapters: vec![chapter] };
/// assert!(render_quality(&report).contains("&lt;A549&gt;"));
/// ```
pub fn render_quality(report: &QualityReport) -> String {
    page::quality_document(report).finish()
}
