//! The card of a curve: picture, numbers and flags.

use halfmax_data::{CurveKey, counted};
use halfmax_dose::{CurveFit, CurveFitter, CurvePicture, Flag, Position};
use halfmax_report::{
    Card, DoseCurvePoint, DoseMark, DosePicture, DoseReading, Gallery, GalleryOrder, Measure, Picture,
};

use super::OwnCurve;
use super::flags::words;
use crate::report::words::{decimals, digits, interval};

/// The number of points at which a curve is drawn.
pub const POINTS: usize = 33;

/// A curve with its picture.
pub struct Drawn {
    /// The cell line, drug and experiment.
    pub key: CurveKey,
    /// The fit and the picture.
    pub found: CurvePicture,
}

impl Drawn {
    /// Fits the curve and evaluates it.
    pub fn of(own: &OwnCurve, fitter: &CurveFitter) -> Self {
        Self { key: own.key.clone(), found: fitter.picture(&own.readings(), POINTS) }
    }

    fn card(&self) -> Card {
        let fit = &self.found.fit;
        let flags = Flag::ALL.into_iter().filter(|flag| fit.flags.contains(*flag)).map(words);
        Card {
            title: title(&self.key),
            subtitle: self.key.experiment.clone(),
            flags: flags.collect(),
            picture: Picture::Dose(picture(&self.key, &self.found)),
            measures: measures(fit),
        }
    }
}

/// The name of a curve.
pub fn title(key: &CurveKey) -> String {
    format!("{} · {}", key.cell_line, key.drug)
}

/// The cards of curves, and the orders in which readers can sort them.
pub fn gallery(drawn: &[Drawn]) -> Gallery {
    let number = |name: &str, of: &dyn Fn(&CurveFit) -> f64| {
        let mut cards: Vec<usize> = (0..drawn.len()).collect();
        let key = |at: &usize| {
            let value = of(&drawn[*at].found.fit);
            if value.is_nan() { f64::INFINITY } else { value }
        };
        cards.sort_by(|a, b| key(a).total_cmp(&key(b)));
        GalleryOrder { name: name.into(), cards }
    };
    let names = |name: &str, of: &dyn Fn(&CurveKey) -> [String; 3]| {
        let mut cards: Vec<usize> = (0..drawn.len()).collect();
        cards.sort_by_cached_key(|at| of(&drawn[*at].key).map(|text| text.to_lowercase()));
        GalleryOrder { name: name.into(), cards }
    };
    let within =
        |fit: &CurveFit| if fit.ic50_position == Position::Within { fit.ic50.value } else { f64::NAN };
    Gallery {
        noun: "curves".into(),
        order: "worst fit first".into(),
        orders: vec![
            names("by cell line, then drug", &|key| {
                [key.cell_line.clone(), key.drug.clone(), key.experiment.clone()]
            }),
            names("by drug, then cell line", &|key| {
                [key.drug.clone(), key.cell_line.clone(), key.experiment.clone()]
            }),
            number("lowest IC50 first", &within),
            number("lowest AUC first", &|fit| fit.auc.value),
            number("lowest R² first", &|fit| fit.r2),
            number("largest residual error first", &|fit| -fit.residual_standard_error),
        ],
        cards: drawn.iter().map(Drawn::card).collect(),
    }
}

/// The picture of a curve.
pub fn picture(key: &CurveKey, found: &CurvePicture) -> DosePicture {
    let fit = &found.fit;
    let [low, high] = fit.dose_range.map(digits);
    let curve = found.band.iter().map(|point| DoseCurvePoint {
        dose: point.dose_um,
        value: point.viability,
        lower: point.lower,
        upper: point.upper,
    });
    let reading = |one: &halfmax_dose::DrawnReading| DoseReading {
        dose: one.dose_um,
        value: one.viability,
        left_out: one.left_out,
    };
    let mark = (fit.ic50_position == Position::Within).then_some(DoseMark {
        level: 0.5,
        dose: fit.ic50.value,
        interval: [fit.ic50.lower, fit.ic50.upper],
    });
    // A constant has neither an EC50 nor plateaus.
    let is_curve = fit.ec50.is_known();
    DosePicture {
        description: format!(
            "{}: viability at {} from {low} to {high} µM",
            title(key),
            counted(fit.doses, "dose")
        ),
        x_name: "dose, µM".into(),
        y_name: "viability".into(),
        y_range: [0.0, 1.3],
        readings: found.readings.iter().map(reading).collect(),
        curve: curve.collect(),
        mark,
        plateaus: if is_curve { [fit.top.value, fit.bottom.value] } else { [f64::NAN; 2] },
    }
}

/// The fitted model, in words.
fn curve_in_words(name: &str) -> String {
    match name {
        "none" => "none fitted".into(),
        "three_parameter" => "3 parameters, the top fixed".into(),
        "four_parameter" => "4 parameters".into(),
        other => other.replace('_', " "),
    }
}

/// The IC50 in words, with its interval.
pub fn ic50(fit: &CurveFit) -> [String; 2] {
    let [low, high] = fit.dose_range.map(digits);
    let extrapolated = match fit.ic50.value.is_finite() {
        true => format!("extrapolated: {} µM", digits(fit.ic50.value)),
        false => String::new(),
    };
    match fit.ic50_position {
        Position::Within => {
            [format!("{} µM", digits(fit.ic50.value)), interval([fit.ic50.lower, fit.ic50.upper], digits)]
        }
        Position::Below => [format!("below {low} µM"), extrapolated],
        Position::Above => [format!("above {high} µM"), extrapolated],
        Position::Nowhere => ["none".into(), String::new()],
    }
}

fn measures(fit: &CurveFit) -> Vec<Measure> {
    let [value, ends] = ic50(fit);
    let mut measures = vec![Measure { name: "IC50".into(), value, interval: ends }];
    let mut add = |name: &str, estimate: halfmax_dose::Estimate| {
        if estimate.is_known() {
            let ends = interval([estimate.lower, estimate.upper], decimals);
            measures.push(Measure { name: name.into(), value: decimals(estimate.value), interval: ends });
        }
    };
    if fit.ec50.is_known() {
        add("Plateau", fit.bottom);
        add("Hill slope", fit.hill);
    }
    add("AUC", fit.auc);
    let mut plain = |name: &str, value: String, more: String| {
        measures.push(Measure { name: name.into(), value, interval: more });
    };
    if fit.r2.is_finite() {
        plain("R²", decimals(fit.r2), format!("residual error {}", digits(fit.residual_standard_error)));
    }
    let left = if fit.outliers > 0 { format!("{} left out", fit.outliers) } else { String::new() };
    plain("Readings", format!("{} at {}", fit.readings, counted(fit.doses, "dose")), left);
    plain("Curve", curve_in_words(fit.model.name()), String::new());
    measures
}
