//! What is known about each drug, in order of evidence: associations in the data and contributions in a model.

use std::collections::HashMap;

use halfmax_association::{Selected, Test};
use halfmax_explain::Explanation;

use super::Associations;
use crate::explain::ranked;

/// A finding on a drug or combination: a feature, with the features that carry the same signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The kind of the feature.
    pub kind: String,
    /// The name of the feature.
    pub name: String,
    /// Its position among the tested features; `None` for a feature that was not tested.
    pub feature: Option<usize>,
    /// Features that carry the same signal, the most similar first.
    pub members: Vec<FindingMember>,
    /// What supports the finding.
    pub support: Support,
    /// 1 if a higher value (carrying the feature) goes with resistance, −1 with sensitivity, 0 if unclear.
    pub direction: f64,
    /// The effect in the data: of carriers compared with others, or per standard deviation; NaN if it was not tested.
    pub effect: f64,
    /// The carriers among the measured cell lines; `None` for real numbers.
    pub carriers: Option<u32>,
    /// The p value of the feature on its own; NaN if it was not tested.
    pub p: f64,
    /// The false discovery rate among the drug's tests; NaN if it was not tested.
    pub q: f64,
    /// The p value given the findings before, times the number of features of its kind and the number of kinds; NaN if only the model supports the finding.
    pub adjusted_p: f64,
    /// Whether the reference study shows the same; see [`Associations::replicated`].
    pub replicated: &'static str,
    /// The rank of its p value among the drug's features.
    pub association_rank: Option<u32>,
    /// The best rank of its contribution or that of a member, before or after adjustment; `None` if the model does not use them.
    pub contribution_rank: Option<u32>,
    /// Whether that contribution has the opposite direction: then the model does not support the finding.
    pub is_opposed: bool,
}

/// A feature that carries the signal of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingMember {
    /// The kind of the feature.
    pub kind: String,
    /// The name of the feature.
    pub name: String,
    /// Whether it falls where the finding's feature rises.
    pub is_opposite: bool,
}

/// What supports a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// An association in the data, and the model's predictions.
    Both,
    /// An association in the data.
    Data,
    /// The model's predictions.
    Model,
    /// Neither beyond chance: it only fills the list.
    Neither,
}

impl Support {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Data => "data",
            Self::Model => "model",
            Self::Neither => "",
        }
    }
}

/// The number of findings of a drug.
pub const FINDINGS: usize = 20;
/// A contribution counts as support if its rank is at most this.
const CONTRIBUTES: u32 = 20;
/// A feature that only the model supports joins a finding with which it has at least this correlation.
const SAME_SIGNAL: f64 = 0.7;
/// A feature of the model: its kind, its name and its ranks.
struct Contribution<'a> {
    kind: &'a str,
    name: &'a str,
    rank: u32,
    direction: f64,
    feature: Option<usize>,
}

impl Associations {
    /// The findings on each partner, with the strongest evidence first.
    ///
    /// First come the associations that remain significant given those before, by their p values. Then the features that the model
    /// relies on most and the associations that come next alternate. `explanation` and `names` are those of the model.
    pub fn findings(&self, explanation: Option<(&Explanation, &[String])>) -> Vec<Vec<Finding>> {
        let rows: HashMap<(&str, &str), usize> = self
            .features
            .features()
            .iter()
            .enumerate()
            .map(|(row, feature)| ((feature.kind.as_str(), feature.name.as_str()), row))
            .collect();
        let place: HashMap<&str, usize> = explanation
            .map(|(_, names)| names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect())
            .unwrap_or_default();
        (0..self.names.len())
            .map(|partner| {
                let at = place.get(self.names[partner].as_str());
                let contributions = at.and_then(|at| Some((explanation?.0, *at)));
                let contributions =
                    contributions.map(|(found, at)| self.contributions(found, at, &rows)).unwrap_or_default();
                self.of_partner(partner, &contributions)
            })
            .collect()
    }

    /// The features of a model by the better of their ranks before and after adjustment.
    fn contributions<'a>(
        &self,
        found: &'a Explanation,
        partner: usize,
        rows: &HashMap<(&str, &str), usize>,
    ) -> Vec<Contribution<'a>> {
        let importance = &found.partners[partner].importance;
        let mut all: Vec<Contribution> = ranked(importance)
            .into_iter()
            .map(|(at, rank, adjusted)| {
                let feature = &found.space.features[at];
                let effect = match adjusted <= rank {
                    true => importance[at].adjusted_effect,
                    false => importance[at].effect,
                };
                Contribution {
                    kind: &feature.kind,
                    name: &feature.name,
                    rank: rank.min(adjusted),
                    direction: sign(self.upwards * effect),
                    feature: rows.get(&(feature.kind.as_str(), feature.name.as_str())).copied(),
                }
            })
            .collect();
        all.sort_by_key(|own| own.rank);
        all
    }

    fn of_partner(&self, partner: usize, contributions: &[Contribution]) -> Vec<Finding> {
        let order = self.strongest(partner, usize::MAX, |_| true);
        let mut rank_of = vec![None; self.features.len()];
        order.iter().zip(1..).for_each(|(row, rank)| rank_of[*row] = Some(rank));
        let contributed: HashMap<usize, &Contribution> =
            contributions.iter().filter_map(|own| Some((own.feature?, own))).collect();
        let selected = &self.selected[partner];
        let (significant, rest): (Vec<&Selected>, Vec<&Selected>) =
            selected.iter().partition(|own| own.is_significant);
        let mut found: Vec<Finding> = Vec::new();
        let mut taken = vec![false; self.features.len()];
        for own in significant.into_iter().take(FINDINGS) {
            found.push(self.finding(partner, own, &rank_of, &contributed));
            taken[own.lead] = true;
            own.members.iter().for_each(|member| taken[member.feature] = true);
        }
        let mut rest = rest.into_iter();
        let mut model = contributions.iter();
        let mut ended = [false; 2];
        for of_model in [true, false].into_iter().cycle() {
            if found.len() >= FINDINGS || ended == [true; 2] {
                break;
            }
            let next = if of_model {
                self.next_of_model(partner, &mut model, &mut found, &mut taken, &rank_of)
            } else {
                rest.find(|own| !taken[own.lead]).map(|own| {
                    taken[own.lead] = true;
                    self.finding(partner, own, &rank_of, &contributed)
                })
            };
            ended[usize::from(of_model)] |= next.is_none();
            found.extend(next);
        }
        found
    }

    /// The next feature of the model that carries another signal than the findings so far. Features with the same signal join them.
    fn next_of_model<'a>(
        &self,
        partner: usize,
        model: &mut impl Iterator<Item = &'a Contribution<'a>>,
        found: &mut [Finding],
        taken: &mut [bool],
        rank_of: &[Option<u32>],
    ) -> Option<Finding> {
        for own in model {
            if own.rank > CONTRIBUTES * 2 {
                return None;
            }
            let Some(row) = own.feature else {
                if found.iter().any(|one| one.kind == own.kind) && own.kind == own.name {
                    // A category whose level is a finding.
                    continue;
                }
                return Some(untested(own));
            };
            if std::mem::replace(&mut taken[row], true) {
                continue;
            }
            let alike = found.iter_mut().find_map(|one| {
                let r = self.features.correlation(one.feature?, row);
                (r.abs() >= SAME_SIGNAL).then_some((one, r))
            });
            match alike {
                Some((one, r)) => {
                    one.contribution_rank = one.contribution_rank.into_iter().chain([own.rank]).min();
                    one.members.push(self.member(row, r < 0.0));
                }
                None => {
                    let mut next = self.tested(partner, row, rank_of);
                    next.support = if own.rank <= CONTRIBUTES { Support::Model } else { Support::Neither };
                    next.contribution_rank = Some(own.rank);
                    next.is_opposed = own.direction * next.direction < 0.0;
                    if next.q.is_nan() || next.q > self.params.level {
                        next.direction = own.direction;
                        next.is_opposed = false;
                    } else if !next.is_opposed && own.rank <= CONTRIBUTES {
                        next.support = Support::Both;
                    } else {
                        next.support = Support::Data;
                    }
                    return Some(next);
                }
            }
        }
        None
    }

    fn finding(
        &self,
        partner: usize,
        own: &Selected,
        rank_of: &[Option<u32>],
        contributed: &HashMap<usize, &Contribution>,
    ) -> Finding {
        let mut finding = self.tested(partner, own.lead, rank_of);
        let members = own.members.iter().map(|member| (member.feature, member.correlation.signum()));
        let best = std::iter::once((own.lead, 1.0))
            .chain(members)
            .filter_map(|(row, sign)| Some((contributed.get(&row)?, sign)))
            .min_by_key(|(own, _)| own.rank);
        finding.contribution_rank = best.map(|(own, _)| own.rank);
        finding.is_opposed = best.is_some_and(|(own, sign)| own.direction * sign * finding.direction < 0.0);
        finding.adjusted_p = own.adjusted_p;
        let ranks = finding.contribution_rank.is_some_and(|rank| rank <= CONTRIBUTES);
        let contributes = ranks && !finding.is_opposed;
        finding.support = match (own.is_significant, contributes) {
            (true, true) => Support::Both,
            (true, false) => Support::Data,
            (false, true) => Support::Model,
            (false, false) => Support::Neither,
        };
        finding.members =
            own.members.iter().map(|member| self.member(member.feature, member.correlation < 0.0)).collect();
        finding
    }

    /// A tested feature as a finding without members.
    fn tested(&self, partner: usize, row: usize, rank_of: &[Option<u32>]) -> Finding {
        let feature = &self.features.features()[row];
        let test: &Test = self.tests.get(row, partner);
        Finding {
            kind: feature.kind.clone(),
            name: feature.name.clone(),
            feature: Some(row),
            members: Vec::new(),
            support: Support::Neither,
            direction: sign(self.upwards * test.effect),
            effect: test.effect,
            carriers: feature.form.has_carriers().then_some(test.carriers),
            p: test.p,
            q: self.rates.of_partner(row, partner),
            adjusted_p: f64::NAN,
            replicated: self.replicated(row, partner),
            association_rank: rank_of[row],
            contribution_rank: None,
            is_opposed: false,
        }
    }

    fn member(&self, row: usize, is_opposite: bool) -> FindingMember {
        let feature = &self.features.features()[row];
        FindingMember { kind: feature.kind.clone(), name: feature.name.clone(), is_opposite }
    }
}

/// A feature of the model that was not tested.
fn untested(own: &Contribution) -> Finding {
    Finding {
        kind: own.kind.to_owned(),
        name: own.name.to_owned(),
        feature: None,
        members: Vec::new(),
        support: if own.rank <= CONTRIBUTES { Support::Model } else { Support::Neither },
        direction: own.direction,
        effect: f64::NAN,
        carriers: None,
        p: f64::NAN,
        q: f64::NAN,
        adjusted_p: f64::NAN,
        replicated: "",
        association_rank: None,
        contribution_rank: Some(own.rank),
        is_opposed: false,
    }
}

fn sign(value: f64) -> f64 {
    if value.is_nan() || value == 0.0 { 0.0 } else { value.signum() }
}
