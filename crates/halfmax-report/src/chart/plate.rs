//! The wells of a plate.

use crate::html::Html;
use crate::number::count;
use crate::pictures::{PlatePicture, Well, WellKind};

/// The shades of the style sheet.
const LEVELS: [&str; 8] = ["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"];
const LEFT: f64 = 26.0;
const TOP: f64 = 20.0;
/// The side of a well.
const WELL: f64 = 16.0;
/// Larger than any plate; the largest is 32 × 48.
const MOST: usize = 64;

/// The width and the height of the picture.
pub(crate) fn plate_size(picture: &PlatePicture) -> [usize; 2] {
    let [rows, columns] = [picture.rows, picture.columns].map(|count| count.min(MOST));
    [columns * WELL as usize + 32, rows * WELL as usize + 26]
}

/// The values at which shades begin and end: the 2 % and 98 % quantiles of the wells, so that a few extreme values do
/// not flatten the others.
pub(crate) fn plate_range(wells: &[Well]) -> Option<[f64; 2]> {
    let mut values: Vec<f64> =
        wells.iter().map(|well| well.value).filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)? as f64;
    let quantile = |share: f64| values.get((share * last).round() as usize).copied();
    Some([quantile(0.02)?, quantile(0.98)?])
}

fn level(value: f64, [low, high]: [f64; 2]) -> usize {
    let share = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
    ((share * LEVELS.len() as f64) as usize).min(LEVELS.len() - 1)
}

/// The content of an SVG of [`plate_size`]: a square for each well, darker for higher values, with a ring in untreated
/// wells, a bar in background wells and a cross in wells left out. A line separates the outermost wells.
pub(crate) fn plate_chart(html: &mut Html, picture: &PlatePicture) {
    let (rows, columns) = (picture.rows.min(MOST), picture.columns.min(MOST));
    let place = |well: &Well| (LEFT + WELL * well.column as f64, TOP + WELL * well.row as f64);
    let wells = || picture.wells.iter().filter(|well| well.row < rows && well.column < columns);
    labels(html, rows, columns);
    html.raw("<path class=empty d=\"M").at(LEFT).raw(" ").at(TOP).raw("h").at(WELL * columns as f64);
    html.raw("v").at(WELL * rows as f64).raw("h").at(-WELL * columns as f64).raw("z\"/>");
    let range = plate_range(&picture.wells).unwrap_or([0.0, 1.0]);
    for (at, class) in LEVELS.iter().enumerate() {
        let own = wells().filter(|well| well.value.is_finite() && level(well.value, range) == at);
        let mut path = Html::new();
        for (x, y) in own.map(place) {
            path.raw("M").at(x + 0.5).raw(" ").at(y + 0.5).raw("h15v15h-15z");
        }
        if !path.is_empty() {
            html.raw("<path class=").raw(class).raw(" d=\"").append(path).raw("\"/>");
        }
    }
    for (kind, class, mark) in [
        (WellKind::Untreated, "control", "m3.5 8a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0"),
        (WellKind::Background, "control", "m3.5 8h9"),
        (WellKind::LeftOut, "out", "m4 4l8 8m0-8l-8 8"),
    ] {
        let mut path = Html::new();
        for (x, y) in wells().filter(|well| well.kind == kind).map(place) {
            path.raw("M").at(x).raw(" ").at(y).raw(mark);
        }
        if !path.is_empty() {
            html.raw("<path class=\"halo\" d=\"").append_copy(&path).raw("\"/>");
            html.raw("<path class=").raw(class).raw(" d=\"").append(path).raw("\"/>");
        }
    }
    if rows > 2 && columns > 2 {
        for class in ["halo", "edge"] {
            html.raw("<rect class=").raw(class).raw(" x=").at(LEFT + WELL).raw(" y=").at(TOP + WELL);
            html.raw(" width=").at(WELL * (columns - 2) as f64).raw(" height=").at(WELL * (rows - 2) as f64);
            html.raw(" />");
        }
    }
}

/// Letters of rows and numbers of columns: all of them, or every second on large plates.
fn labels(html: &mut Html, rows: usize, columns: usize) {
    for column in (0..columns).step_by(if columns > 24 { 2 } else { 1 }) {
        html.raw("<text class=mid x=").at(LEFT + WELL * (column as f64 + 0.5)).raw(" y=14>");
        html.text(&count(column + 1)).raw("</text>");
    }
    for row in 0..rows {
        html.raw("<text class=end x=21 y=").at(TOP + WELL * row as f64 + 12.0).raw(">");
        html.text(&letters(row)).raw("</text>");
    }
}

/// A to Z, then AA to AZ, and so on.
fn letters(row: usize) -> String {
    let letter = |at: usize| char::from(b'A' + (at % 26) as u8);
    match row / 26 {
        0 => letter(row).to_string(),
        before => format!("{}{}", letter(before - 1), letter(row)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(picture: &PlatePicture) -> String {
        let mut html = Html::new();
        plate_chart(&mut html, picture);
        html.finish()
    }

    #[test]
    fn wells_are_shaded_and_controls_marked() {
        let well = |row, column, value, kind| Well { row, column, value, kind };
        let wells = vec![
            well(0, 0, 0.0, WellKind::Background),
            well(1, 1, 100.0, WellKind::Untreated),
            well(2, 2, 50.0, WellKind::Treated),
            well(3, 3, f64::NAN, WellKind::LeftOut),
            well(99, 0, 1.0, WellKind::Treated),
        ];
        let html = drawn(&PlatePicture { rows: 8, columns: 12, wells, ..PlatePicture::default() });
        assert!(html.contains("<path class=h1 d=\"M26.5 20.5h15v15h-15z\"/>"), "{html}");
        assert_eq!(
            html.matches("h15v15h-15z").count(),
            3,
            "a well without a value, and one off the plate, are not shaded"
        );
        assert_eq!(html.matches("a4.5").count(), 4, "a ring and its halo");
        assert!(html.contains(">H</text>") && html.contains(">12</text>"));
        assert!(html.contains("class=edge"));
    }

    #[test]
    fn extreme_plates_can_be_drawn() {
        assert_eq!(letters(0), "A");
        assert_eq!(letters(27), "AB");
        assert_eq!(
            plate_size(&PlatePicture { rows: 1_000_000, columns: 24, ..PlatePicture::default() }),
            [416, 1050]
        );
        assert!(drawn(&PlatePicture::default()).contains("class=empty"));
        assert_eq!(plate_range(&[]), None);
        assert_eq!(level(3.0, [3.0, 3.0]), 4);
    }
}
