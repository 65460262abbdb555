//! Tests whether a curve has a second phase or a rise at low doses.
//!
//! Two wider curves are tried, which both include the log-logistic curve: [`crate::BrainCousens`] and
//! [`crate::TwoPhase`]. The extra sum of squares that they explain is tested by F (Bates & Watts 1988, section 3.10).
//! Most curves need no such fit: if a curve through the mean of every dose would not pass the test, no curve does. The
//! result must not depend on a single reading, so the test is repeated without each of the readings that support the
//! wider curve most.

use std::f64::consts::LN_10;

use crate::distributions::f_upper_tail;
use crate::flags::Flag;
use crate::hormesis::HormeticTheta;
use crate::kept::{Candidate, Kept};
use crate::learnt::Learnt;
use crate::least_squares::{Limits, Minimum, Pull, cholesky, cost, descend, descend_within, normal};
use crate::model::Curve;
use crate::params::CurveParams;
use crate::robust::Sorted;
use crate::two_phase::TwoPhaseTheta;

/// The p value below which a test accepts a wider curve. Together with the repeated tests below, 0 to 0.4 % of ordinary
/// curves pass, with errors of 5 or 15 %, outliers or batches (benches/coverage.rs, column "wider").
const FOUND: f64 = 0.01;
/// The smallest F for that p value, with 1, 2 and 3 more parameters: slightly below the quantile of χ² divided by their
/// number.
const LEAST_F: [f64; 4] = [0.0, 6.63, 4.6, 3.78];
/// The p value required without any single reading.
const STILL_FOUND: f64 = 0.1;
/// The number of readings with the most support for a wider curve that are left out, one at a time.
const LEFT_OUT: usize = 3;
/// A search without a better p value than this is abandoned.
const NEAR: f64 = 0.1;
/// A curve may exceed the range of the dose means by this much.
const BEYOND: f64 = 0.1;
/// The smallest ratio of the EC50 of two phases.
const APART: f64 = 3.0;
/// The smallest slope of a curve with a rise.
const LEAST_SLOPE: f64 = 1.2;
/// The largest rise at a dose equal to the scale.
const HIGHEST_RISE: f64 = 5.0;

/// An accepted wider curve.
#[derive(Clone, Copy)]
pub(crate) enum Wider {
    Hormetic(Candidate<5>),
    TwoPhase(Candidate<7>),
}

impl Candidate<7> {
    /// Whether the first phase is a rise at low doses.
    fn rises(&self) -> bool {
        let [top, bottom, _, _, plateau, _, _] = self.theta;
        plateau > top.max(bottom)
    }
}

impl Wider {
    /// The flag of the accepted curve: a rise at low doses, or a second phase.
    pub fn flag(&self) -> Flag {
        match self {
            Self::Hormetic(_) => Flag::Hormetic,
            Self::TwoPhase(curve) if curve.rises() => Flag::Hormetic,
            Self::TwoPhase(_) => Flag::Biphasic,
        }
    }
}

/// The inputs of the search for a wider curve.
pub(crate) struct Search<'a> {
    pub params: &'a CurveParams,
    pub learnt: &'a Learnt,
    pub sorted: &'a Sorted,
    pub kept: &'a Kept,
    /// The largest log-logistic curve that the doses allow.
    pub plain: &'a Candidate,
}

/// The log-logistic curve of the null hypothesis, fitted by least squares.
struct Null {
    limits: Limits,
    minimum: Minimum,
    squares: f64,
}

impl Search<'_> {
    /// The wider curve that explains the readings better, and its p value. The p value is NaN if no curve could pass
    /// the test.
    pub fn run(&self) -> (Option<Wider>, f64) {
        let limits = Limits { pull: Pull::of_batches(self.plain.limits.pull.batches), ..self.plain.limits };
        let upper = self.plain.squares;
        let [hormetic, two_phase] = [self.hormetic_limits().free(), self.two_phase_limits().free()];
        let rises = self.could_pass(hormetic, upper) && self.may_rise();
        if !rises && !self.could_pass(two_phase, upper) {
            return (None, f64::NAN);
        }
        let minimum = descend(&self.kept.levels, &limits, &self.plain.theta);
        let null = Null { limits, minimum, squares: self.kept.within + minimum.cost };
        let hormetic = (rises && self.could_pass(hormetic, null.squares)).then(|| self.hormetic(&null));
        let two_phase = self.could_pass(two_phase, null.squares).then(|| self.two_phase(&null));
        let p = |p: Option<f64>| p.unwrap_or(f64::NAN);
        let least = p(hormetic.as_ref().map(|found| found.1)).min(p(two_phase.as_ref().map(|found| found.1)));
        let hormetic = hormetic.filter(|(found, p)| *p < FOUND && self.stands(&null, found));
        // Phases at the smallest allowed distance are not two phases.
        let apart = |found: &Candidate<7>| !found.limits.holds(5, found.theta[5]);
        let two_phase =
            two_phase.filter(|(found, p)| *p < FOUND && apart(found) && self.stands(&null, found));
        match (hormetic, two_phase) {
            (Some((one, p)), Some((two, _)))
                if two.rises() || self.kept.aicc(&one) <= self.kept.aicc(&two) =>
            {
                (Some(Wider::Hormetic(one)), p)
            }
            (_, Some((two, p))) => (Some(Wider::TwoPhase(two)), p),
            (Some((one, p)), None) => (Some(Wider::Hormetic(one)), p),
            (None, None) => (None, least),
        }
    }

    /// Whether a curve with `free` parameters through the mean of every dose would pass the test.
    fn could_pass(&self, free: usize, squares: f64) -> bool {
        let kept = self.kept;
        let more = free.saturating_sub(self.plain.limits.free());
        let (variance, _) = self.learnt.moderated(kept.within, kept.freedom(free));
        // For any degrees of freedom, the critical F is at least that of infinitely many.
        let enough = squares - kept.within > more as f64 * LEAST_F[more.min(3)] * variance;
        kept.doses.len() > free && enough && self.p_value(kept, squares, kept.within, free) < FOUND
    }

    /// Whether the first step from the log-logistic curve leads to a rise and gets half way to passing the test.
    fn may_rise(&self) -> bool {
        let [top, bottom, ln_scale, ln_hill] = self.plain.theta;
        let limits = self.hormetic_limits();
        let start = [top, bottom, ln_scale, ln_hill.clamp(2.0_f64.ln(), 6.0_f64.ln()), 0.0];
        let here = normal(&self.kept.levels, &Pull::of_batches(limits.pull.batches), &start);
        let free: [bool; 5] = std::array::from_fn(|at| limits.is_free(at));
        let Some(factor) = cholesky(&here.matrix, &free) else { return true };
        let step = factor.solve(&here.gradient);
        let gain: f64 = (0..5).map(|at| step[at] * here.gradient[at]).sum();
        let reached = (self.kept.within + here.cost - gain).max(self.kept.within);
        let (variance, _) = self.learnt.moderated(reached, self.kept.freedom(limits.free()));
        step[4] > 0.0 && self.plain.squares - reached > LEAST_F[1] / 2.0 * variance
    }

    /// The p value of a wider curve with `free` parameters, from its sum of squares and that of the log-logistic curve.
    fn p_value(&self, kept: &Kept, squares: f64, wider: f64, free: usize) -> f64 {
        let (variance, freedom) = self.learnt.moderated(wider, kept.freedom(free));
        let more = free.saturating_sub(self.plain.limits.free()) as f64;
        let f = (squares - wider) / more / variance.max(1e-12);
        if freedom >= 1.0 && more > 0.0 { f_upper_tail(f, more, freedom) } else { 1.0 }
    }

    /// Whether the curve stays near the readings between the doses: a bump or a dip without a dose does not count.
    fn is_shown<const N: usize>(&self, theta: &[f64; N]) -> bool
    where
        [f64; N]: Curve<N>,
    {
        const GRID: usize = 60;
        let means = self.kept.doses.iter().map(|level| level.mean);
        let [least, most] = means
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], mean| [low.min(mean), high.max(mean)]);
        let ready = theta.ready();
        let [low, high] = self.ends();
        let value = |at: usize| <[f64; N]>::value(&ready, low + (high - low) * at as f64 / GRID as f64);
        (0..=GRID).map(value).all(|value| value > least - BEYOND && value < most + BEYOND)
    }

    /// Whether the wider curve stays better without any single one of its most supportive readings.
    fn stands<const N: usize>(&self, null: &Null, found: &Candidate<N>) -> bool
    where
        [f64; N]: Curve<N>,
    {
        if !self.is_shown(&found.theta) {
            return false;
        }
        let (plain, wider) = (null.minimum.theta.ready(), found.theta.ready());
        let readings = self.sorted.place.iter().zip(&self.sorted.values);
        let gain = |(place, value): (&u32, &f64)| {
            let ln_dose = self.sorted.ln_doses[*place as usize];
            let squared = |curve: f64| (value - curve).powi(2);
            squared(crate::shape::Theta::value(&plain, ln_dose)) - squared(<[f64; N]>::value(&wider, ln_dose))
        };
        let gains: Vec<f64> = readings.map(gain).collect();
        let mut order: Vec<usize> = (0..gains.len()).collect();
        order.sort_unstable_by(|a, b| gains[*b].total_cmp(&gains[*a]));
        order.iter().take(LEFT_OUT).all(|left_out| {
            let others: Vec<bool> = (0..gains.len()).map(|at| at != *left_out).collect();
            let rest = self.sorted.without(&others);
            let mut kept = Kept::new(&rest);
            if self.kept.set_aside.is_some() {
                kept = kept.means(null.limits.pull.batches);
            } else if null.limits.pull.batches > 0.0 {
                kept = kept.by_batch(&rest, null.limits.pull.batches, &null.minimum.theta);
            }
            let squares = kept.within + descend::<4>(&kept.levels, &null.limits, &null.minimum.theta).cost;
            let wider = descend(&kept.levels, &found.limits, &found.theta);
            let wider = kept.candidate(found.limits, &wider, self.learnt);
            self.p_value(&kept, squares, wider.squares, found.limits.free()) < STILL_FOUND
        })
    }

    fn ends(&self) -> [f64; 2] {
        let ends = [self.sorted.ln_doses.first(), self.sorted.ln_doses.last()];
        ends.map(|ln_dose| ln_dose.copied().unwrap_or(0.0))
    }

    /// The range of a plateau between top and bottom.
    fn plateaus(&self) -> [f64; 2] {
        let [top, bottom] = [self.params.top, self.params.bottom];
        [top[0].min(bottom[0]), top[1].max(bottom[1])]
    }

    fn hormetic_limits(&self) -> Limits<5> {
        let [low, high] = self.ends();
        let [top, bottom, _, _] = self.plain.limits.ranges;
        let hill = [LEAST_SLOPE.ln(), self.params.hill[1].max(2.0 * LEAST_SLOPE).ln()];
        let beyond = self.params.decades_beyond * LN_10;
        let mut limits = Limits::new([top, bottom, [low - LN_10, high + beyond], hill, [0.0, HIGHEST_RISE]]);
        let plain = &self.plain.limits.pull;
        (limits.pull.at[0], limits.pull.weight[0]) = (plain.at[0], plain.weight[0]);
        limits.pull.batches = plain.batches;
        limits
    }

    fn two_phase_limits(&self) -> Limits<7> {
        let [low, high] = self.ends();
        let [top, bottom, _, hill] = self.plain.limits.ranges;
        let first = [low - LN_10 / 2.0, high];
        let gap = [APART.ln(), (high - low).max(APART.ln()) + LN_10];
        let mut limits = Limits::new([top, bottom, first, hill, self.plateaus(), gap, hill]);
        let plain = &self.plain.limits.pull;
        for (at, of) in [(0, 0), (3, 3), (6, 3)] {
            (limits.pull.at[at], limits.pull.weight[at]) = (plain.at[of], plain.weight[of]);
        }
        limits.pull.batches = plain.batches;
        limits
    }

    fn hormetic(&self, null: &Null) -> (Candidate<5>, f64) {
        const FIRST_LOOK: usize = 6;
        let limits = self.hormetic_limits();
        let [top, bottom, ln_scale, ln_hill] = null.minimum.theta;
        let start = [top, bottom, ln_scale, ln_hill.max(2.0_f64.ln()), 0.2];
        let first = descend_within(&self.kept.levels, &limits, &start, FIRST_LOOK);
        let first = self.judged(null, limits, &first);
        if first.1 > NEAR {
            return first;
        }
        let [low, high] = self.ends();
        let mut starts: Vec<HormeticTheta> = vec![start];
        for at in 0..=6 {
            for hill in [1.8_f64, 3.5] {
                starts.push([0.0, 0.0, low + (high - low) * f64::from(at) / 6.0, hill.ln(), 0.0]);
            }
        }
        self.best(null, limits, starts, [true, true, false, false, true])
    }

    fn two_phase(&self, null: &Null) -> (Candidate<7>, f64) {
        const STEPS: i32 = 7;
        let limits = self.two_phase_limits();
        let [low, high] = self.ends();
        let place = |at: i32| low + (high - low) * f64::from(at) / f64::from(STEPS - 1);
        let mut starts: Vec<TwoPhaseTheta> = Vec::new();
        for first in 0..STEPS {
            for second in first + 1..=STEPS {
                for hills in [[1.2_f64, 1.5], [2.0, 4.0]] {
                    let [one, two] = hills.map(f64::ln);
                    starts.push([0.0, 0.0, place(first), one, 0.0, place(second) - place(first), two]);
                }
            }
        }
        self.best(null, limits, starts, [true, true, false, false, true, false, false])
    }

    /// The best curve from several starts, with the `linear` parameters solved for, and its p value.
    fn best<const N: usize>(
        &self,
        null: &Null,
        limits: Limits<N>,
        starts: Vec<[f64; N]>,
        linear: [bool; N],
    ) -> (Candidate<N>, f64)
    where
        [f64; N]: Curve<N>,
    {
        /// The number of starts. The others are tried only if the best start comes near to passing.
        const DESCENTS: usize = 4;
        let levels = &self.kept.levels;
        let free: [bool; N] = std::array::from_fn(|at| linear[at] && limits.is_free(at));
        let solved = |start: [f64; N]| {
            let mut theta: [f64; N] = std::array::from_fn(|at| limits.clamp(at, start[at]));
            let mut here = normal(levels, &limits.pull, &theta);
            (0..N).for_each(|at| here.matrix[at][at] += 1e-9 * (1.0 + here.matrix[at][at]));
            if let Some(factor) = cholesky(&here.matrix, &free) {
                let step = factor.solve(&here.gradient);
                theta = std::array::from_fn(|at| limits.clamp(at, theta[at] + step[at]));
            }
            (cost(levels, &limits.pull, &theta), theta)
        };
        let mut starts: Vec<(f64, [f64; N])> = starts.into_iter().map(solved).collect();
        starts.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let start = starts.first().map_or_else(|| limits.ranges.map(|range| range[0]), |(_, start)| *start);
        let mut best = descend(levels, &limits, &start);
        if self.judged(null, limits, &best).1 < NEAR {
            let others = starts.iter().skip(1).take(DESCENTS - 1);
            let found = others.map(|(_, start)| descend(levels, &limits, start));
            best = found.fold(best, |best, other| if other.cost < best.cost { other } else { best });
        }
        let (found, p) = self.judged(null, limits, &best);
        if p >= FOUND {
            return (found, p);
        }
        // The prior weights assumed the residual variance of the log-logistic curve.
        let mut limits = limits;
        let less = (found.variance.0 / self.plain.variance.0).clamp(1e-6, 1.0);
        limits.pull.weight.iter_mut().for_each(|weight| *weight *= less);
        let best = descend(levels, &limits, &found.theta);
        self.judged(null, limits, &best)
    }

    /// A minimum as a candidate, and its p value.
    fn judged<const N: usize>(
        &self,
        null: &Null,
        limits: Limits<N>,
        minimum: &Minimum<N>,
    ) -> (Candidate<N>, f64) {
        let candidate = self.kept.candidate(limits, minimum, self.learnt);
        (candidate, self.p_value(self.kept, null.squares, candidate.squares, limits.free()))
    }
}
