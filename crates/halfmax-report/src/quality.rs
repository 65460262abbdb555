//! What a report in chapters consists of, on the quality of data or on fitted curves: text, tables and charts, filled in by the caller.

use crate::data::{Fact, Finding, Spread};
use crate::pictures::Gallery;

/// Everything that one HTML file on the quality of data shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityReport {
    /// The heading.
    pub title: String,
    /// A line below it; may be empty.
    pub subtitle: String,
    /// The chapters, each a page. Those without parts are left out.
    pub chapters: Vec<QualityChapter>,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityChapter {
    /// Its heading, and its name in the navigation.
    pub title: String,
    /// What it shows, in order.
    pub parts: Vec<QualityPart>,
}

/// A part of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum QualityPart {
    /// A heading of the second rank.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A paragraph of small print.
    Note(String),
    /// Figures set large, with what they say.
    Findings(Vec<Finding>),
    /// Names and values.
    Facts(Vec<Fact>),
    /// A list of sentences.
    List(Vec<String>),
    /// A table; one without rows is left out.
    Table(QualityTable),
    /// Counts by value.
    Histogram(HistogramPicture),
    /// Shares on a grid.
    Raster(RasterPicture),
    /// How often something is said of the cards of a gallery.
    Tally(Vec<Tally>),
    /// Pictures of curves, dose matrices or plates.
    Gallery(Gallery),
}

/// Something that is said of cards of a gallery, and of how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The flag, as cards have it: "poor fit".
    pub flag: String,
    /// What it means.
    pub meaning: String,
    /// How many there are in the file, shown or not.
    pub count: usize,
}

/// A table that readers can sort and search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityTable {
    /// What it shows.
    pub caption: String,
    /// What its rows are, in the plural: "cell lines". A table of more than a dozen rows can be searched.
    pub noun: String,
    /// The columns; the first names the row.
    pub columns: Vec<TableColumn>,
    /// The rows, one value for each column.
    pub rows: Vec<Vec<TableValue>>,
}

/// A column's heading, and what the column holds.
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
    /// Words; there may be none.
    Words(String),
    /// A count.
    Count(usize),
    /// A number, shown with two decimals.
    Number(f64),
    /// A share, 0 to 1, shown in per cent.
    Share(f64),
    /// A spread, drawn.
    Spread(Spread),
    /// Nothing.
    Missing,
}

/// Counts of values in bins of equal width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramPicture {
    /// What it shows.
    pub title: String,
    /// The lower end of the first bin.
    pub low: f64,
    /// The upper end of the last bin.
    pub high: f64,
    /// The counts.
    pub counts: Vec<usize>,
}

/// Shares on a grid, 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RasterPicture {
    /// What it shows.
    pub title: String,
    /// What the rows, the columns and the shades are.
    pub legend: String,
    /// Rows of the grid.
    pub rows: usize,
    /// Columns of the grid.
    pub columns: usize,
    /// `rows × columns` shares, row after row.
    pub shares: Vec<f32>,
}
