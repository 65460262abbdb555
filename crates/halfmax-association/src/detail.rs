//! The strongest associations of a partner in detail: permutations, tissues, pairs of features.

use halfmax_core::Seed;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::conditional::column;
use crate::covariates::Covariates;
use crate::design::Design;
use crate::features::FeatureMatrix;
use crate::responses::ResponseMatrix;
use crate::scan::{design, t_statistic};
use crate::significance::{f_probability, t_probability};

/// Looks at single associations of a partner.
pub struct Detail<'a> {
    responses: &'a ResponseMatrix,
    features: &'a FeatureMatrix,
    covariates: &'a Covariates,
}

/// The association of a feature within one tissue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WithinTissue {
    /// The position of the tissue among the levels of the covariate.
    pub tissue: usize,
    /// The measured cell lines.
    pub cells: usize,
    /// The carriers among them; 0 for real numbers.
    pub carriers: usize,
    /// The coefficient.
    pub effect: f64,
    /// Its t statistic.
    pub t: f64,
    /// The two-sided probability of t.
    pub p: f64,
}

/// Whether the effect of a feature differs between tissues.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interaction {
    /// F of a slope for each tissue compared with one slope.
    pub f: f64,
    /// Its degrees of freedom.
    pub df: [u32; 2],
    /// The probability of a larger F.
    pub p: f64,
}

/// Two features of carriers, combined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairTest {
    /// The features.
    pub features: [usize; 2],
    /// The measured carriers of both.
    pub carriers_of_both: usize,
    /// The measured carriers of either.
    pub carriers_of_either: usize,
    /// The effect and the p value of carrying both, compared with all others.
    pub both: (f64, f64),
    /// The effect and the p value of carrying either, compared with carrying none.
    pub either: (f64, f64),
    /// The p value of carrying both given each of the two: whether the effects do not add up.
    pub interaction_p: f64,
}

impl<'a> Detail<'a> {
    /// Looks at associations in these data.
    pub const fn new(
        responses: &'a ResponseMatrix,
        features: &'a FeatureMatrix,
        covariates: &'a Covariates,
    ) -> Self {
        Self { responses, features, covariates }
    }

    /// The covariates for a feature: without the feature itself.
    fn covariates_for(&self, feature: usize) -> Covariates {
        self.covariates.without(self.features.covariate_name(feature))
    }

    /// The cell lines with values of all these features.
    fn cells(&self, features: &[usize]) -> Vec<usize> {
        let known = |cell: &usize| features.iter().all(|row| !self.features.values(*row)[*cell].is_nan());
        (0..self.features.cells()).filter(known).collect()
    }

    fn design(&self, features: &[usize], partner: usize) -> Design {
        let covariates = self.covariates_for(features[0]);
        design(self.responses, &covariates.terms(self.features.cells()), &self.cells(features), partner)
    }

    /// The probabilities of some features' associations with a partner by permutation: the residuals of the covariates' model are
    /// permuted within tissues (Freedman & Lane 1983, J. Bus. Econ. Stat. 1:292). A feature's count ends when 50 permutations were as
    /// strong (Besag & Clifford 1991, Biometrika 78:301). NaN for a feature that cannot be tested.
    pub fn permutation_p(
        &self,
        features: &[usize],
        partner: usize,
        permutations: usize,
        seed: Seed,
    ) -> Vec<f64> {
        let mut found = vec![f64::NAN; features.len()];
        for alike in self.with_one_design(features) {
            let own: Vec<usize> = alike.iter().map(|at| features[*at]).collect();
            let ps = self.permuted(&own, partner, permutations, seed.derive(partner as u64));
            alike.iter().zip(ps).for_each(|(at, p)| found[*at] = p);
        }
        found
    }

    /// The positions of features that are tested in the same cell lines with the same covariates.
    fn with_one_design(&self, features: &[usize]) -> Vec<Vec<usize>> {
        let mut keys: Vec<(Vec<usize>, Vec<String>)> = Vec::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (at, feature) in features.iter().enumerate() {
            let names = self.covariates_for(*feature).names().into_iter().map(str::to_owned).collect();
            let key = (self.cells(&[*feature]), names);
            match keys.iter().position(|other| *other == key) {
                Some(group) => groups[group].push(at),
                None => {
                    keys.push(key);
                    groups.push(vec![at]);
                }
            }
        }
        groups
    }

    fn permuted(&self, features: &[usize], partner: usize, permutations: usize, seed: Seed) -> Vec<f64> {
        const ENOUGH: usize = 50;
        let design = self.design(&features[..1], partner);
        if design.df() < 1 || design.is_explained() {
            return vec![f64::NAN; features.len()];
        }
        let df = design.df() as f64;
        // With weights, so that products need none.
        let columns: Vec<Vec<f64>> = features
            .iter()
            .map(|feature| {
                let own = column(self.features, *feature, &design);
                let root = design.norm(&own).sqrt();
                own.iter().zip(&design.weights).map(|(x, weight)| x * weight / root).collect()
            })
            .collect();
        let statistic = |x: &[f64], y: &[f64], square: f64| {
            let product: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
            t_statistic(product, 1.0, square, df).abs()
        };
        let observed: Vec<f64> =
            columns.iter().map(|x| statistic(x, &design.residuals, design.square)).collect();
        let groups = self.exchangeable(&design);
        let mut order = groups.clone();
        let mut random = ChaCha8Rng::seed_from_u64(seed.value());
        let roots: Vec<f64> = design.weights.iter().map(|weight| weight.sqrt()).collect();
        let scaled: Vec<f64> = design.residuals.iter().zip(&roots).map(|(y, root)| y * root).collect();
        let mut permuted = vec![0.0; scaled.len()];
        let mut found = vec![None; features.len()];
        let mut reached = vec![0usize; features.len()];
        for done in 1..=permutations {
            for (group, order) in groups.iter().zip(&mut order) {
                order.shuffle(&mut random);
                group.iter().zip(&*order).for_each(|(to, from)| permuted[*to] = scaled[*from]);
            }
            permuted.iter_mut().zip(&roots).for_each(|(value, root)| *value /= root);
            design.project(&mut permuted);
            let square = design.norm(&permuted);
            for at in (0..features.len()).filter(|at| found[*at].is_none()).collect::<Vec<_>>() {
                if observed[at].is_nan() {
                    found[at] = Some(f64::NAN);
                } else if statistic(&columns[at], &permuted, square) >= observed[at] * (1.0 - 1e-12) {
                    reached[at] += 1;
                    found[at] = (reached[at] == ENOUGH).then(|| ENOUGH as f64 / done as f64);
                }
            }
            if found.iter().all(Option::is_some) {
                break;
            }
        }
        let of = |(found, reached): (Option<f64>, usize)| {
            found.unwrap_or((reached + 1) as f64 / (permutations + 1) as f64)
        };
        found.into_iter().zip(reached).map(of).collect()
    }

    /// The rows that may be exchanged with one another: those of one tissue, or all if tissue is not a covariate.
    fn exchangeable(&self, design: &Design) -> Vec<Vec<usize>> {
        let Some(tissues) = self.covariates.tissues() else { return vec![(0..design.len()).collect()] };
        let last = tissues.iter().copied().max().unwrap_or(0);
        let mut groups = vec![Vec::new(); last + 1];
        design.rows.iter().enumerate().for_each(|(at, row)| groups[tissues[*row]].push(at));
        groups.retain(|group| !group.is_empty());
        groups
    }

    /// The association of a feature within each tissue that can tell, with the covariates other than tissue.
    pub fn within_tissues(&self, feature: usize, partner: usize, min_carriers: usize) -> Vec<WithinTissue> {
        let Some(tissues) = self.covariates.tissues() else { return Vec::new() };
        let rest = self.covariates_for(feature).without(crate::features::TISSUE);
        let terms = rest.terms(self.features.cells());
        let has_carriers = self.features.features()[feature].form.has_carriers();
        let values = self.features.values(feature);
        let mut of_tissue: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
        for cell in self.cells(&[feature]) {
            of_tissue.entry(tissues[cell]).or_default().push(cell);
        }
        of_tissue
            .into_iter()
            .filter_map(|(tissue, cells)| {
                let design = design(self.responses, &terms, &cells, partner);
                let carriers = design.rows.iter().filter(|row| values[**row] > 0.5).count();
                if has_carriers && carriers.min(design.len() - carriers) < min_carriers {
                    return None;
                }
                let (effect, t, p) = tested(&design, &column(self.features, feature, &design))?;
                let carriers = if has_carriers { carriers } else { 0 };
                Some(WithinTissue { tissue, cells: design.len(), carriers, effect, t, p })
            })
            .collect()
    }

    /// Whether the effect of a feature differs between tissues; `None` if fewer than two tissues can tell.
    pub fn interaction(&self, feature: usize, partner: usize) -> Option<Interaction> {
        let tissues = self.covariates.tissues()?;
        let mut design = self.design(&[feature], partner);
        let values = self.features.values(feature);
        let x: Vec<f64> = design.rows.iter().map(|row| f64::from(values[*row])).collect();
        if !design.extend(x.clone()) {
            return None;
        }
        let common = design.clone();
        let last = tissues.iter().copied().max()?;
        for tissue in 0..=last {
            let own = x.iter().zip(&common.rows);
            design.extend(own.map(|(x, row)| if tissues[*row] == tissue { *x } else { 0.0 }).collect());
        }
        let free = design.basis.len() - common.basis.len();
        let df = design.df() + 1;
        if free == 0 || df < 1 {
            return None;
        }
        let part = |from: usize, to: usize| -> f64 {
            design.basis[from..to].iter().map(|b| design.product(b, &design.residuals).powi(2)).sum()
        };
        let first = common.basis.len() - 1;
        let slope = part(first, first + 1);
        let gained = part(first + 1, design.basis.len());
        let rest = (design.square - slope - gained).max(0.0);
        let f = (gained / free as f64) / (rest / df as f64);
        Some(Interaction { f, df: [free as u32, df as u32], p: f_probability(f, free as f64, df as f64) })
    }

    /// The logic of two features of carriers: both, either, and whether their effects add up. `None` if they cannot be told apart.
    pub fn pair(&self, features: [usize; 2], partner: usize, min_carriers: usize) -> Option<PairTest> {
        let design = self.design(&features, partner);
        let set = |feature: usize| -> Vec<bool> {
            let values = self.features.values(feature);
            design.rows.iter().map(|row| values[*row] > 0.5).collect()
        };
        let (a, b) = (set(features[0]), set(features[1]));
        let indicator = |of: &dyn Fn(bool, bool) -> bool| -> Vec<f64> {
            a.iter().zip(&b).map(|(a, b)| f64::from(u8::from(of(*a, *b)))).collect()
        };
        let (both, either) = (indicator(&|a, b| a && b), indicator(&|a, b| a || b));
        let count = |of: &[f64]| of.iter().sum::<f64>() as usize;
        let (of_both, of_either) = (count(&both), count(&either));
        if of_both < min_carriers || design.len() - of_either < min_carriers {
            return None;
        }
        let test = |of: &[f64]| {
            let mut own = of.to_vec();
            design.project(&mut own);
            tested(&design, &own).map(|(effect, _, p)| (effect, p))
        };
        let mut given = design.clone();
        let added = [indicator(&|a, _| a), indicator(&|_, b| b)].map(|own| given.extend(own));
        let mut residuals = given.residuals.clone();
        given.project(&mut residuals);
        given.square = given.norm(&residuals);
        given.residuals = residuals;
        let mut own = both.clone();
        given.project(&mut own);
        let (_, _, interaction_p) = tested(&given, &own).filter(|_| added == [true, true])?;
        Some(PairTest {
            features,
            carriers_of_both: of_both,
            carriers_of_either: of_either,
            both: test(&both)?,
            either: test(&either)?,
            interaction_p,
        })
    }
}

/// The effect, t and p of a column without the covariates' part; `None` if it cannot be tested.
fn tested(design: &Design, x: &[f64]) -> Option<(f64, f64, f64)> {
    let square = design.norm(x);
    let raw = x.len() as f64;
    if design.df() < 1 || square <= raw * 1e-12 || design.is_explained() {
        return None;
    }
    let product = design.product(x, &design.residuals);
    let df = design.df() as f64;
    let t = t_statistic(product, square, design.square, df);
    Some((product / square, t, t_probability(t, df)))
}
