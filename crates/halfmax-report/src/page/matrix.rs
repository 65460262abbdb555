//! A dose matrix: the response and the synergy of each model as shaded tables and as landscapes, and the curves of each
//! drug alone.

use crate::chart::{Shades, contour_chart, dose_chart, dose_label, open_dose_svg};
use crate::html::Html;
use crate::number::{count, signed};
use crate::pictures::{MatrixPicture, SurfacePicture};
use crate::table;

pub(super) fn draw(html: &mut Html, picture: &MatrixPicture) {
    html.raw("<div class=charts>");
    let title = "Inhibition, %";
    heat(html, picture, [title, title], Shades::Inhibition, &|cell| response(picture, cell));
    contours(html, picture, title, &picture.response, Shades::Inhibition);
    for alone in &picture.alone {
        html.raw("<figure>");
        open_dose_svg(html, alone);
        dose_chart(html, alone);
        html.raw("</svg></figure>");
    }
    html.raw("</div>");
    html.raw("<div class=surfaces>");
    for surface in &picture.surfaces {
        html.raw("<div>");
        draw_surface(html, picture, surface);
        html.raw("</div>");
    }
    html.raw("</div>");
}

/// The inhibition of a cell, with its number of readings.
pub(super) fn response(picture: &MatrixPicture, cell: usize) -> Option<(f64, Option<String>)> {
    let value = *picture.response.get(cell)?;
    let readings = picture.replicates.get(cell).map(|readings| format!("of {} readings", count(*readings)));
    Some((value, readings))
}

/// The score of a cell, and its interval.
pub(super) fn score(surface: &SurfacePicture, cell: usize) -> Option<(f64, Option<String>)> {
    let [lower, upper] = [0, 1].map(|end| surface.intervals[end].get(cell).copied());
    let interval = signed(lower, 0).zip(signed(upper, 0)).map(|(low, high)| format!("{low} to {high}"));
    Some((*surface.scores.get(cell)?, interval))
}

/// The name of a model and its summary, above its surface.
pub(super) fn heading(html: &mut Html, surface: &SurfacePicture) {
    html.raw("<h4>Synergy by ").text(&surface.name);
    if !surface.summary.trim().is_empty() {
        html.raw(" <small>").text(&surface.summary).raw("</small>");
    }
    html.raw("</h4>");
}

fn draw_surface(html: &mut Html, picture: &MatrixPicture, surface: &SurfacePicture) {
    heading(html, surface);
    if !surface.scores.iter().any(|score| score.is_finite()) {
        html.raw("<p class=note>No cell has a score.</p>");
        return;
    }
    let (picture, surface) = &picture.scored(surface);
    html.raw("<div class=charts>");
    let title = format!("Synergy by {}, percentage points", surface.name);
    heat(html, picture, [&title, &title], Shades::Synergy, &|cell| score(surface, cell));
    contours(html, picture, &title, &surface.scores, Shades::Synergy);
    html.raw("</div>");
}

/// The content of a cell: its value and a further text.
type CellOf<'a> = &'a dyn Fn(usize) -> Option<(f64, Option<String>)>;

/// The matrix as a table, the highest dose of the first drug on top, as in the landscape beside it. The script puts a
/// cell's doses into its title. `names` are the name of the table when it stands alone, and its caption.
pub(super) fn heat(
    html: &mut Html,
    picture: &MatrixPicture,
    names: [&str; 2],
    shades: Shades,
    cell: CellOf<'_>,
) {
    html.raw("<figure>");
    table::open_box(html, names[0]);
    html.raw("<table class=matrix><caption>").text(names[1]).raw("</caption><thead><tr><th scope=col>");
    for (drug, arrow) in [(0, " ↓<br>"), (1, " →")] {
        html.text(&picture.drugs[drug]).raw(", ").text(&picture.units[drug]).raw(arrow);
    }
    for dose in &picture.doses[1] {
        html.raw("<th scope=col>").text(&label(*dose));
    }
    html.raw("<tbody>");
    let columns = picture.doses[1].len();
    for (row, dose) in picture.doses[0].iter().enumerate().rev() {
        html.raw("<tr><th scope=row>").text(&label(*dose));
        for column in 0..columns {
            let found = cell(row * columns + column)
                .and_then(|(value, more)| Some((value, shades.text(value)?, more)));
            let Some((value, text, more)) = found else {
                html.raw("<td>");
                continue;
            };
            html.raw("<td");
            if let Some(class) = shades.class(value) {
                html.raw(" class=").raw(class);
            }
            if let Some(more) = more {
                html.attr("title", &more);
            }
            html.raw(">").text(&text);
        }
    }
    table::close(html);
    html.raw("</figure>");
}

fn label(dose: f64) -> String {
    if dose > 0.0 { dose_label(dose) } else { "0".into() }
}

fn contours(html: &mut Html, picture: &MatrixPicture, title: &str, values: &[f64], shades: Shades) {
    html.raw("<figure><svg class=square viewBox=\"0 0 350 334\" role=img><title>").text(title);
    html.raw(" as a landscape over log doses; the table beside it lists the values</title>");
    contour_chart(html, picture, values, shades);
    html.raw("</svg></figure>");
}

/// The meaning of the shades.
pub(super) fn legend(html: &mut Html) {
    html.raw("<p class=legend><span>Inhibition, %: ");
    let names = ["below 10", "10", "25", "40", "50", "60", "75", "90 or more"];
    for (value, name) in [0.0, 10.0, 25.0, 40.0, 50.0, 60.0, 75.0, 90.0].into_iter().zip(names) {
        shade(html, Shades::Inhibition, value, name);
    }
    html.raw("</span> <span>Synergy, percentage points: ");
    let names = ["−30 or less", "−20", "−10", "−5", "about 0", "+5", "+10", "+20", "+30 or more"];
    for (value, name) in [-30.0, -20.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0, 30.0].into_iter().zip(names) {
        shade(html, Shades::Synergy, value, name);
    }
    html.raw("</span></p>");
}

fn shade(html: &mut Html, shades: Shades, value: f64, name: &'static str) {
    html.raw("<b").attr("class", &format!("shade {}", shades.class(value).unwrap_or_default()));
    html.raw(">").raw(name).raw("</b>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_values_shades_and_intervals() {
        let picture = MatrixPicture {
            drugs: ["A".into(), "B".into()],
            doses: [vec![0.0, 1.0], vec![0.0, 2.0]],
            response: vec![0.0, 20.0, f64::NAN, 95.0],
            replicates: vec![1, 2, 0, 3],
            surfaces: vec![SurfacePicture {
                name: "HSA".into(),
                summary: "mean +12".into(),
                scores: vec![f64::NAN, f64::NAN, f64::NAN, 12.0],
                intervals: [
                    vec![f64::NAN, f64::NAN, f64::NAN, 3.0],
                    vec![f64::NAN, f64::NAN, f64::NAN, 20.0],
                ],
            }],
            ..MatrixPicture::default()
        };
        let mut html = Html::new();
        draw(&mut html, &picture);
        let html = html.finish();
        // The highest dose of the first drug comes first.
        let first = html.split("<tbody>").nth(1).unwrap();
        assert!(
            first.starts_with("<tr><th scope=row>1<td><td class=h8 title=\"of 3 readings\">95"),
            "{first}"
        );
        assert!(html.contains("<td class=c-r2 title=\"+3 to +20\">+12"), "{html}");
        assert_eq!(html.matches("<table").count(), 2);
    }

    #[test]
    fn a_model_without_scores_says_so() {
        let surface =
            SurfacePicture { name: "ZIP".into(), scores: vec![f64::NAN], ..SurfacePicture::default() };
        let mut html = Html::new();
        draw_surface(&mut html, &MatrixPicture::default(), &surface);
        assert!(html.finish().contains("No cell has a score"));
    }
}
