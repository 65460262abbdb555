//! The content of a report in chapters, on the quality of data or on fitted curves: text, tables and charts, filled in
//! by the caller.

use crate::data::{Fact, Finding, Spread};
use crate::pictures::Gallery;

/// The whole content of one HTML file on the quality of data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityReport {
    /// The heading.
    pub title: String,
    /// A line below it; may be empty.
    pub subtitle: String,
    /// The chapters, one page each. Chapters without parts are left out.
    pub chapters: Vec<QualityChapter>,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityChapter {
    /// Its heading, and its name in the navigation.
    pub title: String,
    /// Its parts, in order.
    pub parts: Vec<QualityPart>,
}

/// A part of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum QualityPart {
    /// A second-level heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A paragraph of small print.
    Note(String),
    /// Figures in large type, with explanations.
    Findings(Vec<Finding>),
    /// Names and values.
    Facts(Vec<Fact>),
    /// A list of sentences.
    List(Vec<String>),
    /// A table; left out if it has no rows.
    Table(QualityTable),
    /// Counts by value.
    Histogram(HistogramPicture),
    /// Fractions on a grid.
    Raster(RasterPicture),
    /// The number of cards with each flag of a gallery.
    Tally(Vec<Tally>),
    /// Pictures of curves, dose matrices or plates.
    Gallery(Gallery),
}

/// A flag of a gallery's cards, with its number of cards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The flag, as on the cards: "poor fit".
    pub flag: String,
    /// What it means.
    pub meaning: String,
    /// The number of cards in the file with this flag, shown or not.
    pub count: usize,
}

/// A table that readers can sort and search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityTable {
    /// The caption.
    pub caption: String,
    /// The kind of the rows, in the plural: "cell lines". A table of more than a dozen rows can be searched.
    pub noun: String,
    /// The columns; the first names the row.
    pub columns: Vec<TableColumn>,
    /// The rows, one value for each column.
    pub rows: Vec<Vec<TableValue>>,
}

/// A column's heading and content type.
#[derive(Clone, Debug, PartialEq)]
pub enum TableColumn {
    /// Words.
    Words(String),
    /// Numbers.
    Numbers(String),
    /// Spreads, drawn as boxes on one scale.
    Spreads(String),
}

/// A value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum TableValue {
    /// Words; may be empty.
    Words(String),
    /// A count.
    Count(usize),
    /// A number, shown with two decimals.
    Number(f64),
    /// A fraction, 0 to 1, shown in percent.
    Share(f64),
    /// A spread, drawn.
    Spread(Spread),
    /// A missing value.
    Missing,
}

/// Counts of values in bins of equal width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramPicture {
    /// The title.
    pub title: String,
    /// The lower end of the first bin.
    pub low: f64,
    /// The upper end of the last bin.
    pub high: f64,
    /// The counts.
    pub counts: Vec<usize>,
}

/// Fractions on a grid, 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RasterPicture {
    /// The title.
    pub title: String,
    /// The meaning of the rows, the columns and the shades.
    pub legend: String,
    /// Rows of the grid.
    pub rows: usize,
    /// Columns of the grid.
    pub columns: usize,
    /// `rows × columns` fractions, row by row.
    pub shares: Vec<f32>,
}
