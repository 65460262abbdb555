//! Fits of response surfaces: parameters with intervals, and the quality of the fit.

use halfmax_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::surface::{Problem, Readings};
use super::surface_interval::{Function, OwnedFunction, Region};
use crate::distributions::{Quantiles, f_upper_tail};
use crate::estimate::Estimate;

/// A parameter of a fitted response surface.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurfaceParameter {
    /// The estimate with its 95 % interval by profile likelihood (for a parameter on the log scale, the standard error
    /// is that of the decimal logarithm). Its value is NaN if the parameter is unknown: the fit reached a limit, or the
    /// parameter is undefined.
    pub estimate: Estimate,
    /// Whether an end of the interval is open: the readings do not bound the parameter on that side.
    pub open: bool,
    /// Whether the fit reached a limit of the parameter's range. Its value is then unknown.
    pub at_limit: bool,
}

impl SurfaceParameter {
    const UNDEFINED: Self = Self { estimate: Estimate::NONE, open: false, at_limit: false };

    /// A parameter that was not fitted.
    pub(crate) fn fixed(value: f64) -> Self {
        Self { estimate: Estimate::exact(value), open: false, at_limit: false }
    }

    /// Opens both ends of the interval.
    pub(crate) fn open_both_ends(&mut self) {
        let [lower, upper] = [f64::NAN; 2];
        self.estimate = Estimate { lower, upper, ..self.estimate };
        self.open = true;
    }
}

/// The quality of a fitted surface.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurfaceQuality {
    /// The residual standard error of a reading, as a fraction of the control.
    pub residual_standard_error: f64,
    /// The fraction of the readings' variance that the surface explains.
    pub r_squared: f64,
    /// The p value of the F test of lack of fit: whether cell means deviate more from the surface than replicates from
    /// each other. NaN without replicates.
    pub lack_of_fit: f64,
    /// The number of readings minus the number of fitted parameters.
    pub freedom: usize,
}

/// The p value of lack of fit below which a surface gets a flag.
const LACK_OF_FIT: f64 = 0.001;

impl SurfaceQuality {
    /// The flags of a fit, separated by semicolons: its specific flags, `X_open` and `X_at_limit` for parameter X,
    /// `X_undefined`, `poor_fit` and `lack_of_fit`.
    pub(crate) fn flags(
        &self,
        parameters: &[(&'static str, &SurfaceParameter)],
        more: impl Iterator<Item = &'static str>,
    ) -> String {
        let mut flags: Vec<String> = more.map(str::to_owned).collect();
        for (name, parameter) in parameters {
            if parameter.at_limit {
                flags.push(format!("{name}_at_limit"));
            } else if parameter.open {
                flags.push(format!("{name}_open"));
            } else if !parameter.estimate.is_known() {
                flags.push(format!("{name}_undefined"));
            }
        }
        if self.r_squared < 0.5 || self.residual_standard_error > 0.25 {
            flags.push("poor_fit".to_owned());
        }
        if self.lack_of_fit < LACK_OF_FIT {
            flags.push("lack_of_fit".to_owned());
        }
        flags.join(";")
    }
}

/// The scale on which a function of the parameters is reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    /// A plateau; its range is the range of possible effects. One end of the interval may lie at an end of the range,
    /// but not both.
    Plateau,
    /// Unchanged. Ends beyond these bounds are open.
    Plain([f64; 2]),
    /// The function is a logarithm. Ends beyond these bounds are open.
    Logarithm([f64; 2]),
}

/// A requested function of the parameters.
pub(crate) struct Asked<'a, const N: usize> {
    pub function: OwnedFunction<'a, N>,
    pub scale: Scale,
    /// The parameter, if the function is a single parameter.
    pub parameter: Option<usize>,
}

impl<const N: usize> Asked<'_, N> {
    /// The function is a parameter itself.
    pub fn parameter(at: usize, scale: Scale) -> Self {
        let mut gradient = [0.0; N];
        gradient[at] = 1.0;
        Self { function: Box::new(move |theta| Some((theta[at], gradient))), scale, parameter: Some(at) }
    }
}

/// A fitted surface.
pub(crate) struct Fitted<const N: usize> {
    pub theta: [f64; N],
    /// The parameters, in the requested order.
    pub parameters: Vec<SurfaceParameter>,
    pub quality: SurfaceQuality,
}

/// The number of iterations after which a start is abandoned unless it is the best.
const FIRST_LOOK: usize = 12;
const MOST: usize = 200;
/// The number of restarts from a surface of lower cost found during the search for an end.
const AGAIN: usize = 3;

/// Fits from the starts, best first, and returns the requested functions.
///
/// # Errors
/// If there are too few cells for the parameters.
pub(crate) fn fit<const N: usize>(
    problem: &Problem<'_, N>,
    starts: &[[f64; N]],
    readings: &Readings,
    asked: &[Asked<'_, N>],
    confidence: f64,
) -> Result<Fitted<N>> {
    let free = problem.free();
    if readings.cells.len() <= free || readings.count <= free {
        return Err(Error::data(format!(
            "{} pairs of doses with readings, but a surface of {free} parameters needs more than {free}",
            readings.cells.len()
        ))
        .with_help("measure more doses of each drug together"));
    }
    let mut best = first_minimum(problem, starts);
    let mut parameters = Vec::new();
    for round in 0..=AGAIN {
        let region = region(problem, best, readings, free, confidence);
        let (answers, better) = answers(&region, asked);
        parameters = answers;
        match better {
            Some(theta) if round < AGAIN => best = problem.descend(&theta, MOST),
            _ => break,
        }
    }
    let quality = quality(readings, best.1, free);
    Ok(Fitted { theta: best.0, parameters, quality })
}

fn first_minimum<const N: usize>(problem: &Problem<'_, N>, starts: &[[f64; N]]) -> ([f64; N], f64) {
    let mut looked: Vec<([f64; N], f64)> =
        starts.iter().map(|start| problem.descend(start, FIRST_LOOK)).collect();
    looked.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut best = ([0.0; N], f64::INFINITY);
    // The best start and, if nearly as good, the second start are completed.
    for (theta, cost) in looked.iter().take(2) {
        if *cost < 1.3 * best.1 {
            let found = problem.descend(theta, MOST);
            if found.1 < best.1 {
                best = found;
            }
        }
    }
    best
}

fn region<'a, const N: usize>(
    problem: &'a Problem<'a, N>,
    (minimum, least): ([f64; N], f64),
    readings: &Readings,
    free: usize,
    confidence: f64,
) -> Region<'a, N> {
    let freedom = readings.count - free;
    let variance = (least + readings.within) / freedom as f64;
    Region { problem, minimum, least, variance, quantile: Quantiles::one(confidence, freedom as f64) }
}

/// The requested functions, and a surface of lower cost if one was found.
fn answers<const N: usize>(
    region: &Region<'_, N>,
    asked: &[Asked<'_, N>],
) -> (Vec<SurfaceParameter>, Option<[f64; N]>) {
    let mut better = None;
    let mut answer = |asked: &Asked<'_, N>| {
        let function: Function<'_, N> = asked.function.as_ref();
        let bounds = match asked.scale {
            Scale::Plateau => [f64::NEG_INFINITY, f64::INFINITY],
            Scale::Plain(bounds) | Scale::Logarithm(bounds) => bounds,
        };
        let Some((mut found, lower)) = region.interval(function, bounds) else {
            return SurfaceParameter::UNDEFINED;
        };
        better = better.or(lower);
        let limit = |end: f64| asked.parameter.is_some_and(|at| region.problem.is_at_limit(at, end));
        if asked.scale == Scale::Plateau && found.ends.iter().all(|end| end.is_some_and(limit)) {
            found.ends = [None; 2];
        }
        let at_limit = asked.scale != Scale::Plateau
            && asked.parameter.is_some_and(|at| region.problem.is_at_limit(at, region.minimum[at]));
        let mut estimate = match asked.scale {
            Scale::Logarithm(_) => found.logarithmic(),
            _ => found.plain(),
        };
        if at_limit {
            estimate = Estimate { value: f64::NAN, standard_error: f64::NAN, ..estimate };
        }
        SurfaceParameter { estimate, open: found.ends.iter().any(Option::is_none), at_limit }
    };
    let answers = asked.iter().map(&mut answer).collect();
    (answers, better)
}

fn quality(readings: &Readings, cost: f64, free: usize) -> SurfaceQuality {
    let freedom = readings.count - free;
    let residual = cost + readings.within;
    let cells = readings.cells.len();
    let replicates = (readings.count - cells) as f64;
    let between = (cells - free) as f64;
    let lack_of_fit = if replicates < 1.0 {
        f64::NAN
    } else {
        f_upper_tail((cost / between) / (readings.within / replicates), between, replicates)
    };
    SurfaceQuality {
        residual_standard_error: (residual / freedom as f64).sqrt(),
        r_squared: 1.0 - residual / readings.total_squares(),
        lack_of_fit,
        freedom,
    }
}
