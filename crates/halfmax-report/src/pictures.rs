//! Pictures of dose–response curves, dose matrices and plates, described by the caller, and galleries of pictures.

/// Cards with pictures that readers can search and sort.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gallery {
    /// The kind of the cards, in the plural: "curves".
    pub noun: String,
    /// The given order of the cards: "worst fit first".
    pub order: String,
    /// Other orders.
    pub orders: Vec<GalleryOrder>,
    /// The cards.
    pub cards: Vec<Card>,
}

/// An order of the cards of a gallery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GalleryOrder {
    /// Its name: "lowest IC50 first".
    pub name: String,
    /// The positions of the cards, in this order. Cards that are not listed come last.
    pub cards: Vec<usize>,
}

/// A picture with its facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// The title: "A375 · Paclitaxel".
    pub title: String,
    /// A line below it; may be empty.
    pub subtitle: String,
    /// Flags, in a few words each: "poor fit". Readers can search for them.
    pub flags: Vec<String>,
    /// The picture.
    pub picture: Picture,
    /// Numbers.
    pub measures: Vec<Measure>,
}

/// A number in words, with its interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// "IC50".
    pub name: String,
    /// "0.31 µM".
    pub value: String,
    /// "0.28 to 0.35"; may be empty.
    pub interval: String,
}

/// The picture of a card.
#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    /// Readings over the dose, and a curve.
    Dose(DosePicture),
    /// A matrix of doses of two drugs.
    Matrix(MatrixPicture),
    /// Matrices of doses of two drugs side by side, by the doses of further drugs.
    Panels(PanelPicture),
    /// The wells of a plate.
    Plate(PlatePicture),
}

/// Readings over the dose on a logarithmic axis, and the curve through them. Values that are not finite and doses of 0
/// or below are not drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DosePicture {
    /// A description for readers who cannot see the picture.
    pub description: String,
    /// The name of the horizontal axis: "dose, µM".
    pub x_name: String,
    /// The name of the vertical axis: "viability".
    pub y_name: String,
    /// The ends of the vertical axis, so that pictures are comparable. Readings beyond are drawn as triangles at the
    /// ends.
    pub y_range: [f64; 2],
    /// The readings.
    pub readings: Vec<DoseReading>,
    /// Points of the curve.
    pub curve: Vec<DoseCurvePoint>,
    /// The dose at which the curve is at a level of interest.
    pub mark: Option<DoseMark>,
    /// The plateaus at low and at high doses; NaN without a plateau.
    pub plateaus: [f64; 2],
}

/// A reading.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DoseReading {
    /// The dose.
    pub dose: f64,
    /// The reading.
    pub value: f64,
    /// Whether it was left out as an outlier.
    pub left_out: bool,
}

/// A point of a curve with its interval, with NaN for unknown ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DoseCurvePoint {
    /// The dose.
    pub dose: f64,
    /// The value of the curve.
    pub value: f64,
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

/// A marked dose of a curve, such as the IC50.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DoseMark {
    /// The value of the curve at this dose.
    pub level: f64,
    /// The dose.
    pub dose: f64,
    /// The ends of its interval; NaN for an open end.
    pub interval: [f64; 2],
}

/// A matrix of doses of two drugs. Lists over cells hold dose `i` of the first drug with dose `j` of the second at `i ×
/// (doses of the second) + j`; NaN if missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixPicture {
    /// The two drugs.
    pub drugs: [String; 2],
    /// Their doses, ascending; 0 means without the drug.
    pub doses: [Vec<f64>; 2],
    /// The units of their doses: "µM".
    pub units: [String; 2],
    /// The inhibitions, in percent.
    pub response: Vec<f64>,
    /// The number of readings per cell; empty if every cell has one reading.
    pub replicates: Vec<usize>,
    /// The synergy by each model.
    pub surfaces: Vec<SurfacePicture>,
    /// The curves of each drug alone.
    pub alone: Vec<DosePicture>,
}

impl MatrixPicture {
    /// The doses and the scores of a surface, without doses that have no score: a score needs both drugs.
    pub(crate) fn scored(&self, surface: &SurfacePicture) -> (Self, SurfacePicture) {
        let columns = self.doses[1].len();
        let has = |row: usize, column: usize| {
            surface.scores.get(row * columns + column).is_some_and(|s| s.is_finite())
        };
        let rows: Vec<usize> =
            (0..self.doses[0].len()).filter(|row| (0..columns).any(|column| has(*row, column))).collect();
        let kept: Vec<usize> =
            (0..columns).filter(|column| rows.iter().any(|row| has(*row, *column))).collect();
        let of = |list: &Vec<f64>| {
            let cells = rows.iter().flat_map(|row| kept.iter().map(move |column| row * columns + column));
            cells.map(|cell| list.get(cell).copied().unwrap_or(f64::NAN)).collect::<Vec<f64>>()
        };
        let picture = Self {
            drugs: self.drugs.clone(),
            units: self.units.clone(),
            doses: [
                rows.iter().map(|row| self.doses[0][*row]).collect(),
                kept.iter().map(|column| self.doses[1][*column]).collect(),
            ],
            ..Self::default()
        };
        let scores = SurfacePicture {
            name: surface.name.clone(),
            summary: surface.summary.clone(),
            scores: of(&surface.scores),
            intervals: [of(&surface.intervals[0]), of(&surface.intervals[1])],
        };
        (picture, scores)
    }
}

/// The synergy by a model, in percentage points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SurfacePicture {
    /// The model: "ZIP".
    pub name: String,
    /// The summary, in a sentence: "mean 3.2 (1.1 to 5.0)"; may be empty.
    pub summary: String,
    /// The scores.
    pub scores: Vec<f64>,
    /// The ends of their intervals.
    pub intervals: [Vec<f64>; 2],
}

/// Doses of three and more drugs: matrices of the first two side by side, one for each combination of doses of the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PanelPicture {
    /// The matrices, in the order of display.
    pub panels: Vec<Panel>,
    /// A note on the shown combinations of doses; may be empty.
    pub note: String,
    /// The curves of each drug alone.
    pub alone: Vec<DosePicture>,
}

/// A matrix at fixed doses of further drugs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// The doses of the other drugs: "Drug-C 0.3 µM".
    pub name: String,
    /// The matrix. All panels have the same surfaces in the same order. The summaries cover all panels together, and
    /// curves of drugs alone are left out.
    pub matrix: MatrixPicture,
}

impl PanelPicture {
    /// The surfaces by position: each from the first panel that has it, and whether any panel has a score.
    pub(crate) fn surfaces(&self) -> Vec<(&SurfacePicture, bool)> {
        let most = self.panels.iter().map(|panel| panel.matrix.surfaces.len()).max().unwrap_or(0);
        let of = |at: usize| {
            let own = || self.panels.iter().filter_map(move |panel| panel.matrix.surfaces.get(at));
            let scored = own().any(|surface| surface.scores.iter().any(|score| score.is_finite()));
            own().next().map(|surface| (surface, scored))
        };
        (0..most).filter_map(of).collect()
    }

    /// The panels with a score of a surface, each with its surface.
    pub(crate) fn scored(&self, at: usize) -> impl Iterator<Item = (&Panel, &SurfacePicture)> {
        let own = self.panels.iter().filter_map(move |panel| Some((panel, panel.matrix.surfaces.get(at)?)));
        own.filter(|(_, surface)| surface.scores.iter().any(|score| score.is_finite()))
    }
}

/// The wells of a plate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlatePicture {
    /// The number of rows of the plate; rows have letters, starting with A.
    pub rows: usize,
    /// The number of columns of the plate; columns have numbers, starting with 1.
    pub columns: usize,
    /// The quantity of the shades: "signal", "viability".
    pub measure: String,
    /// The wells; wells that are not listed are empty.
    pub wells: Vec<Well>,
    /// A description for readers who cannot see the picture.
    pub description: String,
}

/// A well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Well {
    /// Its row, 0 for A.
    pub row: usize,
    /// Its column, 0 for 1.
    pub column: usize,
    /// Its value.
    pub value: f64,
    /// Its content.
    pub kind: WellKind,
}

/// The content of a well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WellKind {
    /// A drug.
    #[default]
    Treated,
    /// Cells without a drug: full signal.
    Untreated,
    /// A control that kills, or no cells: no signal.
    Background,
    /// A well that was left out.
    LeftOut,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doses_without_a_score_are_left_out() {
        const NONE: f64 = f64::NAN;
        let picture =
            MatrixPicture { doses: [vec![0.0, 1.0, 2.0], vec![0.0, 3.0]], ..MatrixPicture::default() };
        let surface =
            SurfacePicture { scores: vec![NONE, NONE, NONE, 5.0, NONE, 7.0], ..SurfacePicture::default() };
        let (picture, surface) = picture.scored(&surface);
        assert_eq!(picture.doses, [vec![1.0, 2.0], vec![3.0]]);
        assert_eq!(surface.scores, [5.0, 7.0]);
        assert!(surface.intervals[0].iter().all(|end| end.is_nan()));
    }
}
