//! Readings over the dose, the curve through them, and its band.

use super::{Scale, clipped, naming};
use crate::html::Html;
use crate::number::{fixed, significant};
use crate::pictures::{DoseCurvePoint, DoseMark, DosePicture};

const LEFT: f64 = 46.0;
const RIGHT: f64 = 312.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 160.0;
/// The margin left and right of the outermost doses.
const ROOM: f64 = 8.0;
/// The largest number of ticks that do not touch each other.
const MOST_TICKS: usize = 7;

/// The picture as the content of an SVG of 320 × 204.
pub(crate) fn dose_chart(html: &mut Html, picture: &DosePicture) {
    let Some(axes) = Axes::of(picture) else {
        html.raw("<text class=mid x=180 y=90>no readings to draw</text>");
        return;
    };
    axes.draw(html, picture);
    band(html, &axes, &picture.curve);
    plateaus(html, &axes, picture.plateaus);
    trace(html, &axes, &picture.curve);
    if let Some(mark) = &picture.mark {
        draw_mark(html, &axes, mark);
    }
    readings(html, &axes, picture);
}

/// Converts doses and readings to positions.
struct Axes {
    ln_doses: [f64; 2],
    y: Scale,
}

impl Axes {
    fn of(picture: &DosePicture) -> Option<Self> {
        let doses =
            picture.readings.iter().map(|reading| reading.dose).chain(picture.curve.iter().map(|p| p.dose));
        let logs = doses.filter(|dose| *dose > 0.0 && dose.is_finite()).map(f64::ln);
        let [low, high] =
            logs.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], ln| [low.min(ln), high.max(ln)]);
        let ln_doses = if high - low > 1e-6 { [low, high] } else { [low - 1.0, high + 1.0] };
        let [bottom, top] = picture.y_range;
        ln_doses[0].is_finite().then(|| Self { ln_doses, y: Scale::exact(bottom, top, 3) })
    }

    fn left(&self, dose: f64) -> f64 {
        let [low, high] = self.ln_doses;
        let share = (dose.ln() - low) / (high - low);
        (LEFT + ROOM + (RIGHT - LEFT - 2.0 * ROOM) * share).clamp(LEFT, RIGHT)
    }

    fn top(&self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * self.y.share(value)
    }

    /// Round doses, not too many.
    fn ticks(&self) -> Vec<f64> {
        let [low, high] = self.ln_doses.map(|ln| ln / std::f64::consts::LN_10);
        let inside = |log: f64| log >= low - 1e-9 && log <= high + 1e-9;
        let (first, last) = (low.floor() as i64, high.ceil() as i64);
        let decades: Vec<f64> = (first..=last).map(|at| at as f64).filter(|log| inside(*log)).collect();
        let every = decades.len().div_ceil(MOST_TICKS).max(1);
        if decades.len() >= 2 {
            return decades.into_iter().step_by(every).map(|log| 10f64.powf(log)).collect();
        }
        let parts = [1.0_f64, 2.0, 5.0].map(f64::log10);
        let all = (first..=last).flat_map(|at| parts.map(|part| at as f64 + part));
        all.filter(|log| inside(*log)).map(|log| 10f64.powf(log)).collect()
    }

    fn draw(&self, html: &mut Html, picture: &DosePicture) {
        let (doses, values) = (self.ticks(), self.y.ticks());
        html.raw("<path class=grid d=\"");
        for dose in &doses {
            html.raw("M").at(self.left(*dose)).raw(" ").at(TOP).raw("V").at(BOTTOM);
        }
        for value in &values {
            html.raw("M").at(LEFT).raw(" ").at(self.top(*value)).raw("H").at(RIGHT);
        }
        html.raw("\"/>");
        for dose in &doses {
            html.raw("<text class=mid x=").at(self.left(*dose)).raw(" y=176>").text(&dose_label(*dose));
            html.raw("</text>");
        }
        for value in &values {
            html.raw("<text class=end x=40 y=").at(self.top(*value) + 4.0).raw(">");
            html.text(&self.y.label(*value)).raw("</text>");
        }
        html.raw("<text class=mid x=179 y=196>").text(&clipped(&picture.x_name, 30)).raw("</text>");
        html.raw("<text class=mid transform=\"translate(12 84) rotate(-90)\">");
        html.text(&clipped(&picture.y_name, 24)).raw("</text>");
    }
}

/// The label of a dose on an axis, with as many digits as needed.
pub(crate) fn dose_label(dose: f64) -> String {
    // Small doses are easier to read without a power of ten.
    let text = match (1e-5..1e-3).contains(&dose) {
        true => fixed(Some(dose), (2.0 - dose.log10().floor()) as usize),
        false => significant(Some(dose)),
    };
    let text = text.unwrap_or_else(|| "–".into());
    match text.contains('.') && !text.contains('×') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.replace("1.00\u{202f}×\u{202f}", ""),
    }
}

fn points(html: &mut Html, places: impl Iterator<Item = (f64, f64)>, first: &'static str) {
    for (at, (x, y)) in places.enumerate() {
        html.raw(if at == 0 { first } else { "L" }).at(x).raw(" ").at(y);
    }
}

/// The band, wherever both of its ends are known.
fn band(html: &mut Html, axes: &Axes, curve: &[DoseCurvePoint]) {
    let known = |point: &DoseCurvePoint| point.lower.is_finite() && point.upper.is_finite();
    let mut path = Html::new();
    for run in curve.chunk_by(|a, b| known(a) == known(b)).filter(|run| run.len() > 1 && known(&run[0])) {
        points(&mut path, run.iter().map(|p| (axes.left(p.dose), axes.top(p.upper))), "M");
        points(&mut path, run.iter().rev().map(|p| (axes.left(p.dose), axes.top(p.lower))), "L");
        path.raw("z");
    }
    if !path.is_empty() {
        html.raw("<path class=band d=\"").append(path).raw("\"/>");
    }
}

fn trace(html: &mut Html, axes: &Axes, curve: &[DoseCurvePoint]) {
    let known: Vec<&DoseCurvePoint> =
        curve.iter().filter(|point| point.value.is_finite() && point.dose > 0.0).collect();
    if known.len() > 1 {
        html.raw("<path class=trace d=\"");
        points(html, known.iter().map(|point| (axes.left(point.dose), axes.top(point.value))), "M");
        html.raw("\"/>");
    }
}

/// Short dotted lines for the plateaus, each at its side, if they lie on the axis.
fn plateaus(html: &mut Html, axes: &Axes, plateaus: [f64; 2]) {
    for (plateau, from, to) in [(plateaus[0], LEFT, LEFT + 70.0), (plateaus[1], RIGHT - 70.0, RIGHT)] {
        if plateau.is_finite() && axes.y.holds(plateau) {
            let y = axes.top(plateau);
            html.raw("<path class=plateau d=\"M").at(from).raw(" ").at(y).raw("H").at(to).raw("\"/>");
        }
    }
}

/// A diamond at the dose, a bar for its interval, an arrow at an open end, a dashed line to the axis.
fn draw_mark(html: &mut Html, axes: &Axes, mark: &DoseMark) {
    if !(mark.dose > 0.0 && mark.dose.is_finite() && mark.level.is_finite()) {
        return;
    }
    let (x, y) = (axes.left(mark.dose), axes.top(mark.level));
    html.raw("<path class=drop d=\"M").at(x).raw(" ").at(y).raw("V").at(BOTTOM).raw("\"/>");
    html.raw("<path class=mark d=\"M");
    let [low, high] = mark.interval;
    let ends =
        [if low > 0.0 { axes.left(low) } else { LEFT }, if high > 0.0 { axes.left(high) } else { RIGHT }];
    html.at(ends[0]).raw(" ").at(y).raw("H").at(ends[1]);
    for (end, ln, bound, step) in
        [(ends[0], low.ln(), axes.ln_doses[0], 5.0), (ends[1], -high.ln(), -axes.ln_doses[1], -5.0)]
    {
        // Beyond the picture, or open.
        if ln.is_nan() || ln < bound - 0.3 {
            html.raw("M").at(end + step).raw(" ").at(y - 4.0).raw("L").at(end).raw(" ").at(y);
            html.raw("L").at(end + step).raw(" ").at(y + 4.0);
        } else {
            html.raw("M").at(end).raw(" ").at(y - 4.0).raw("v8");
        }
    }
    html.raw("\"/><path class=point d=\"M").at(x).raw(" ").at(y - 5.0).raw("l5 5l-5 5l-5-5z\"/>");
}

/// Dots for the readings, crosses for outliers, triangles for readings beyond the axis. Readings at the same position
/// are drawn once.
fn readings(html: &mut Html, axes: &Axes, picture: &DosePicture) {
    let mut dots: Vec<(i64, i64)> = Vec::new();
    let (mut crosses, mut beyond) = (Html::new(), Html::new());
    for reading in &picture.readings {
        if !(reading.dose > 0.0 && reading.dose.is_finite() && reading.value.is_finite()) {
            continue;
        }
        let (x, y) = (axes.left(reading.dose), axes.top(reading.value));
        if reading.left_out {
            crosses.raw("M").at(x - 3.5).raw(" ").at(y - 3.5).raw("l7 7m0-7l-7 7");
        } else if !axes.y.holds(reading.value) {
            let upwards = y < f64::midpoint(TOP, BOTTOM);
            beyond.raw("M").at(x - 4.0).raw(" ").at(y);
            beyond.raw(if upwards { "l8 0l-4-7z" } else { "l8 0l-4 7z" });
        } else {
            dots.push(((x * 2.0).round() as i64, (y * 2.0).round() as i64));
        }
    }
    dots.sort_unstable();
    dots.dedup();
    if !dots.is_empty() {
        html.raw("<path class=reading d=\"");
        for (x, y) in dots {
            html.raw("M").at(x as f64 / 2.0).raw(" ").at(y as f64 / 2.0).raw("h0");
        }
        html.raw("\"/>");
    }
    for (class, path) in [("out", crosses), ("beyond", beyond)] {
        if !path.is_empty() {
            html.raw("<path class=").raw(class).raw(" d=\"").append(path).raw("\"/>");
        }
    }
}

/// The picture on a page.
pub(crate) fn open_dose_svg(html: &mut Html, picture: &DosePicture) {
    html.raw("<svg class=dose viewBox=\"0 0 320 204\" role=img>");
    naming(html, &picture.description, "");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::DoseReading;

    fn picture() -> DosePicture {
        let reading = |dose: f64, value: f64| DoseReading { dose, value, left_out: false };
        DosePicture {
            y_range: [0.0, 1.25],
            readings: vec![reading(0.01, 1.0), reading(1.0, 0.5), reading(100.0, 3.0)],
            ..DosePicture::default()
        }
    }

    fn drawn(picture: &DosePicture) -> String {
        let mut html = Html::new();
        dose_chart(&mut html, picture);
        html.finish()
    }

    #[test]
    fn readings_are_dots_crosses_and_triangles() {
        let mut picture = picture();
        picture.readings.push(DoseReading { dose: 1.0, value: 0.1, left_out: true });
        picture.readings.push(DoseReading { dose: 0.0, value: 0.1, left_out: false });
        let html = drawn(&picture);
        let dots = html.split("class=reading d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(dots.matches("h0").count(), 2, "{dots}");
        assert_eq!(html.matches("l7 7m0-7l-7 7").count(), 1);
        assert!(html.contains("class=beyond d=\"M300 8l8 0l-4-7z\""), "{html}");
        assert!(
            dots.starts_with("M54 38.4h0M179 99.2h0") || dots.starts_with("M54 38.5h0M179 99h0"),
            "{dots}"
        );
    }

    #[test]
    fn bands_break_where_they_are_not_known() {
        let point = |dose: f64, lower: f64| DoseCurvePoint { dose, value: 0.5, lower, upper: 0.6 };
        let curve = vec![
            point(0.01, 0.4),
            point(0.1, 0.4),
            point(1.0, f64::NAN),
            point(10.0, 0.4),
            point(100.0, 0.4),
        ];
        let html = drawn(&DosePicture { curve, ..picture() });
        let band = html.split("class=band d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(band.matches('z').count(), 2, "{band}");
        assert!(html.contains("class=trace"));
    }

    #[test]
    fn open_ends_are_arrows() {
        let mark = |interval| Some(DoseMark { level: 0.5, dose: 1.0, interval });
        let html = drawn(&DosePicture { mark: mark([0.5, 2.0]), ..picture() });
        assert_eq!(html.matches("v8").count(), 2);
        let html = drawn(&DosePicture { mark: mark([0.5, f64::NAN]), ..picture() });
        assert_eq!(html.matches("v8").count(), 1);
    }

    #[test]
    fn doses_have_few_digits() {
        let text = [0.01, 0.25, 1.0, 10.0, 333.0, 1.95e-4, 1e-6, 2.5e-7].map(dose_label);
        assert_eq!(text, ["0.01", "0.25", "1", "10", "333", "0.000195", "10⁻⁶", "2.50\u{202f}×\u{202f}10⁻⁷"]);
        assert!(drawn(&DosePicture::default()).contains("no reading"));
    }

    #[test]
    fn a_narrow_range_has_ticks() {
        let axes =
            |low: f64, high: f64| Axes { ln_doses: [low.ln(), high.ln()], y: Scale::exact(0.0, 1.0, 3) };
        let labels = |low, high| axes(low, high).ticks().into_iter().map(dose_label).collect::<Vec<_>>();
        assert_eq!(labels(1.5, 8.0), ["2", "5"]);
        assert_eq!(labels(0.01, 10.0), ["0.01", "0.1", "1", "10"]);
        assert_eq!(labels(1e-9, 1e3).len(), 7);
    }
}
