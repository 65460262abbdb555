//! Options of curve fits: the flags, else the file of options, else the defaults.

use std::path::PathBuf;

use clap::Args;
use halfmax::dose::{CurveParams, Curves, DoseOptions, Effect, HillPrior, ModelChoice, Outliers};
use halfmax_core::{Error, Result};

use crate::values::{CurvesValue, ModelValue, OutliersValue};

/// Options of curve fits.
#[derive(Args)]
pub struct CurveArgs {
    /// A TOML file of these options, in a table named curves with the names of the flags (see docs/guide/dose-response.md). Flags
    /// override the file.
    #[arg(long, value_name = "FILE")]
    pub options: Option<PathBuf>,
    /// The curve to fit. "auto" chooses between four parameters, three parameters and a constant, "auto-fixed-top" between three
    /// parameters and a constant; "four-parameter" and "three-parameter" (the top at the control) always fit this curve. Default: auto.
    #[arg(long, value_name = "WHICH", value_enum)]
    model: Option<ModelValue>,
    /// Fix the plateau at low doses at the control; the same as --model auto-fixed-top.
    #[arg(long, conflicts_with = "model")]
    fixed_top: bool,
    /// The prior of Hill slopes: "learnt" from all curves of the file, as in a mixed model (a weak prior for fewer than twenty curves);
    /// "none" for plain least squares of each curve alone; or a median and the standard deviation of ln Hill: 1.2,0.5. Default: learnt.
    #[arg(long, value_name = "PRIOR", value_parser = hill_prior)]
    hill_prior: Option<HillPrior>,
    /// The lowest and the highest Hill slope. Default: 0.1,10.
    #[arg(long, value_name = "LOW,HIGH", value_parser = pair)]
    hill: Option<[f64; 2]>,
    /// The lowest and the highest viability of the plateau at low doses, as fractions. Default: 0,2.
    #[arg(long, value_name = "LOW,HIGH", value_parser = pair, allow_hyphen_values = true)]
    top: Option<[f64; 2]>,
    /// The lowest and the highest viability of the plateau at high doses, as fractions. Default: 0,2.
    #[arg(long, value_name = "LOW,HIGH", value_parser = pair, allow_hyphen_values = true)]
    bottom: Option<[f64; 2]>,
    /// The treatment of readings that the curve does not explain: "leave-out" finds them by robust regression, leaves them out and
    /// counts them; "keep" keeps them. Default: leave-out.
    #[arg(long, value_name = "WHAT", value_enum)]
    outliers: Option<OutliersValue>,
    /// The shapes of curves to try: "any" also fits a curve with two phases or with a rise at low doses if an F test prefers this
    /// curve; "log-logistic" only flags curves of these shapes. Default: any.
    #[arg(long, value_name = "WHICH", value_enum)]
    curves: Option<CurvesValue>,
    /// The confidence level of intervals, as a fraction. Default: 0.95.
    #[arg(long, value_name = "SHARE")]
    confidence: Option<f64>,
    /// The lowest p value at which a curve counts as constant. Default: 0.05.
    #[arg(long, value_name = "P")]
    significance: Option<f64>,
    /// Further inhibitions to report doses for, in percent of the control: 10,25,90 for IC10, IC25 and IC90.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    icx: Vec<f64>,
    /// Further effects to report doses for, in percent of the way from the top to the bottom of each curve: 10,90 for EC10 and EC90.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    ecx: Vec<f64>,
    /// Further growth-rate inhibitions to report doses for, in percent; 100 means as many cells as at the start. Needs the divisions of
    /// the control.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    grx: Vec<f64>,
}

impl CurveArgs {
    /// The parameters of the fit.
    ///
    /// # Errors
    /// If the file of options is invalid, or the flags name an effect twice.
    pub fn params(&self) -> Result<CurveParams> {
        let mut params = self.options.as_ref().map(DoseOptions::read).transpose()?.unwrap_or_default().curves;
        let fixed_top = self.fixed_top.then_some(ModelChoice::AutoFixedTop);
        params.model = self.model.map(ModelChoice::from).or(fixed_top).unwrap_or(params.model);
        params.outliers = self.outliers.map_or(params.outliers, Outliers::from);
        params.curves = self.curves.map_or(params.curves, Curves::from);
        let set = |own: &mut [f64; 2], said: Option<[f64; 2]>| *own = said.unwrap_or(*own);
        set(&mut params.hill, self.hill);
        set(&mut params.top, self.top);
        set(&mut params.bottom, self.bottom);
        params.hill_prior = self.hill_prior.unwrap_or(params.hill_prior);
        params.confidence = self.confidence.unwrap_or(params.confidence);
        params.significance = self.significance.unwrap_or(params.significance);
        let said = self.effects()?;
        if !said.is_empty() {
            params.effects = said;
        }
        Ok(params)
    }

    /// The effects that the flags name.
    fn effects(&self) -> Result<Vec<Effect>> {
        let mut effects = Vec::new();
        for (flag, percents, effect) in [
            ("--icx", &self.icx, Effect::Inhibitory as fn(f64) -> Effect),
            ("--ecx", &self.ecx, Effect::Effective),
            ("--grx", &self.grx, Effect::GrowthRate),
        ] {
            for percent in percents {
                let effect = effect(*percent);
                if *percent == 50.0 || effects.contains(&effect) {
                    return Err(Error::parameter(
                        flag,
                        percent,
                        "each percentage once, without 50, which is always written",
                    ));
                }
                effects.push(effect);
            }
        }
        Ok(effects)
    }
}

/// Parses the value of `--hill-prior`.
fn hill_prior(text: &str) -> std::result::Result<HillPrior, String> {
    match text {
        "learnt" => Ok(HillPrior::Learnt),
        "none" => Ok(HillPrior::None),
        _ => pair(text).map(|[median, spread]| HillPrior::Given { median, spread }).map_err(|_| {
            "expected learnt, none, or a median and the standard deviation of ln Hill: 1.2,0.5".into()
        }),
    }
}

/// Parses two numbers that a comma separates.
fn pair(text: &str) -> std::result::Result<[f64; 2], String> {
    let numbers =
        text.split_once(',').and_then(|(a, b)| Some([a.trim().parse().ok()?, b.trim().parse().ok()?]));
    numbers.ok_or_else(|| "expected two numbers separated by a comma: 0.1,10".into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        curves: CurveArgs,
    }

    fn params(arguments: &[&str]) -> Result<CurveParams> {
        Command::try_parse_from([&["fit-curves"], arguments].concat()).unwrap().curves.params()
    }

    #[test]
    fn flags_come_before_the_file_and_the_file_before_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dose.toml");
        let text = "[curves]\nhill = [0.2, 6]\nmodel = \"four-parameter\"\noutliers = \"keep\"\nconfidence = 0.9\n\
                    effects = [{ inhibitory = 90 }]\nhill_prior = { given = { median = 1.1, spread = 0.4 } }\n";
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let found = params(&["--options", path, "--confidence", "0.8", "--bottom=-0.1,1"]).unwrap();
        assert_eq!((found.hill, found.bottom, found.top), ([0.2, 6.0], [-0.1, 1.0], [0.0, 2.0]));
        assert_eq!((found.model, found.outliers), (ModelChoice::FourParameter, Outliers::Kept));
        assert_eq!((found.confidence, found.effects), (0.8, vec![Effect::Inhibitory(90.0)]));
        assert_eq!(found.hill_prior, HillPrior::Given { median: 1.1, spread: 0.4 });
        assert_eq!(params(&[]).unwrap(), CurveParams::default());
        assert_eq!(params(&["--fixed-top"]).unwrap().model, ModelChoice::AutoFixedTop);
    }
}
