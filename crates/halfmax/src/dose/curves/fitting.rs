//! Fits curves and passes them on in batches, so that any number of curves needs bounded memory.

use halfmax_core::{Progress, Result};
use halfmax_data::{CurveKey, ReadingBatches, Readings};
use halfmax_dose::{CurveFit, CurveFitter, CurveReadings, HillPrior, Learnt};

use super::columns::{CurveBlock, GrowthColumns};
use super::{CurvesRequest, CurvesSummary};
use crate::dose::comparisons::Comparisons;
use crate::dose::table::TableOutput;
use crate::report::{CurvePage, SvgFolder, write_curve_svgs};

/// The number of curves in a batch.
const AT_A_TIME: usize = 1 << 14;

/// A fitted curve with its key.
#[derive(Clone, Debug)]
pub struct FittedCurve {
    /// The cell line, drug and experiment.
    pub key: CurveKey,
    /// The time in hours, if each time has a curve.
    pub time_h: Option<f64>,
    /// The fit.
    pub fit: CurveFit,
}

/// The destinations of fitted curves.
pub(super) struct CurveDestination {
    pub table: TableOutput,
    /// The fits to keep in memory.
    pub fits: Option<Vec<FittedCurve>>,
    pub comparisons: Option<Comparisons>,
    pub page: Option<CurvePage>,
    pub folder: Option<SvgFolder>,
}

/// Readings with the fitter for their curves.
pub(super) struct CurveFitting<'a> {
    request: &'a CurvesRequest,
    readings: &'a ReadingBatches,
    growth: GrowthColumns,
    /// The fitter, which has learnt from the curves.
    pub fitter: CurveFitter,
}

impl<'a> CurveFitting<'a> {
    /// Trains a fitter on some of the curves.
    ///
    /// # Errors
    /// If the readings cannot be read again.
    pub fn new(
        request: &'a CurvesRequest,
        readings: &'a ReadingBatches,
        fitter: CurveFitter,
    ) -> Result<Self> {
        let growth = match (request.divisions, readings.facts().has_divisions) {
            (None, false) => GrowthColumns::LeftOut,
            _ => GrowthColumns::Written,
        };
        let sample = CurveFitter::learns_from(readings.facts().curves);
        let mut kept: Vec<Readings> = Vec::new();
        readings.each(AT_A_TIME, |start, batch| {
            let own = start..start + batch.curves.len();
            let wanted: Vec<usize> =
                sample.iter().filter(|at| own.contains(at)).map(|at| at - start).collect();
            kept.push(batch.only(&wanted));
            Ok(())
        })?;
        let curves: Vec<CurveReadings> = kept.iter().flat_map(|batch| request.curves(batch)).collect();
        Ok(Self { request, readings, growth, fitter: fitter.learning_from(&curves) })
    }

    /// The learnt values in use. If the user sets a prior for slopes, the learnt slopes are not used.
    pub fn learnt_and_used(&self) -> Learnt {
        let learnt = self.fitter.learnt();
        let by_slopes = self.fitter.params().hill_prior == HillPrior::Learnt;
        Learnt { ln_hill: learnt.ln_hill.filter(|_| by_slopes), ..learnt }
    }

    /// Fits all curves and passes them to their destinations.
    ///
    /// # Errors
    /// If readings cannot be read, an output cannot be written, or the user stopped it.
    pub fn run(&self, to: &mut CurveDestination, progress: &dyn Progress) -> Result<CurvesSummary> {
        let facts = self.readings.facts();
        let mut summary = CurvesSummary::new(facts, self.fitter.learnt());
        self.readings.each(AT_A_TIME, |first, batch| {
            let curves: Vec<CurveReadings> = self.request.curves(batch).collect();
            let fits = self.fitter.fit_all(&curves, progress)?;
            summary.add(&fits);
            self.give(to, batch, &curves, fits)?;
            progress.step(first + batch.curves.len(), facts.curves);
            Ok(())
        })?;
        Ok(summary)
    }

    fn give(
        &self,
        to: &mut CurveDestination,
        batch: &Readings,
        curves: &[CurveReadings],
        fits: Vec<CurveFit>,
    ) -> Result<()> {
        let keys = &batch.curves;
        let block = CurveBlock {
            keys,
            hours: batch.time_h.as_deref(),
            by_experiment: self.request.by_experiment,
            growth: self.growth,
            fits: &fits,
        };
        to.table.add(block.table())?;
        if let Some(comparisons) = &mut to.comparisons {
            comparisons.keep(keys, &fits);
        }
        if let Some(page) = &mut to.page {
            page.add(keys, curves, &fits);
        }
        if let Some(folder) = &mut to.folder {
            write_curve_svgs(folder, keys, curves, &self.fitter)?;
        }
        if let Some(kept) = &mut to.fits {
            let hours = |at: usize| batch.time_h.as_ref().map(|hours| hours[at]);
            let fitted = keys.iter().zip(fits).enumerate();
            kept.extend(fitted.map(|(at, (key, fit))| FittedCurve {
                key: key.clone(),
                time_h: hours(at),
                fit,
            }));
        }
        Ok(())
    }
}

impl CurvesRequest {
    /// The readings of the curves of a batch.
    fn curves<'b>(&self, batch: &'b Readings) -> impl Iterator<Item = CurveReadings<'b>> + use<'b> {
        let divisions = self.divisions;
        (0..batch.curves.len()).map(move |at| {
            let rows = batch.starts[at]..batch.starts[at + 1];
            CurveReadings {
                dose_um: &batch.dose_um[rows.clone()],
                viability: &batch.viability[rows.clone()],
                batch: batch.batch.as_ref().map(|batch| &batch[rows]),
                divisions: divisions.or_else(|| batch.divisions.as_ref().map(|list| list[at])),
            }
        })
    }
}
