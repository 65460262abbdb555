//! Contributions of features to the predictions of a stack: the weighted sum over its members.

use std::collections::HashMap;

use halfmax_core::{Attribution, Attributor, EntityTable, FeatureSpace, Progress, Query, Result, Tuples};
use ndarray::Array2;

use super::{FittedStack, Member};

/// Attributes predictions of a stack. A member that cannot attribute its predictions is part of the base.
pub(super) struct StackAttributor<'a> {
    stack: &'a FittedStack,
    tables: &'a [&'a EntityTable],
    side: usize,
    entities: &'a [u32],
    space: FeatureSpace,
    members: Vec<Part<'a>>,
    /// The members that cannot attribute their predictions.
    silent: Vec<&'a Member>,
}

struct Part<'a> {
    name: &'a str,
    weight: f64,
    attributor: Box<dyn Attributor + 'a>,
    /// The positions of the member's features in the stack's space.
    places: Vec<usize>,
}

impl<'a> StackAttributor<'a> {
    pub(super) fn new(
        stack: &'a FittedStack,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Self> {
        let mut space = FeatureSpace::default();
        let mut place_of = HashMap::new();
        let (mut members, mut silent) = (Vec::new(), Vec::new());
        for member in &stack.members {
            let Some(attributable) = member.model.as_attributable(side) else {
                silent.push(member);
                continue;
            };
            let attributor = attributable.attribute(tables, side, entities)?;
            let mut places = Vec::new();
            for feature in &attributor.space().features {
                let key = (feature.kind.clone(), feature.name.clone());
                places.push(*place_of.entry(key).or_insert_with(|| {
                    space.features.push(feature.clone());
                    space.len() - 1
                }));
            }
            members.push(Part { name: &member.name, weight: member.weight, attributor, places });
        }
        Ok(Self { stack, tables, side, entities, space, members, silent })
    }
}

impl Attributor for StackAttributor<'_> {
    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn method(&self) -> String {
        let of =
            |part: &Part| format!("{} ({}, weight {:.2})", part.name, part.attributor.method(), part.weight);
        let parts: Vec<String> = self.members.iter().map(of).collect();
        let sum = format!("weighted sum over {}", parts.join(", "));
        let silent: Vec<&str> = self.silent.iter().map(|member| member.name.as_str()).collect();
        if silent.is_empty() { sum } else { format!("{sum}; without {}", silent.join(", ")) }
    }

    fn contributions(&self, partners: &[u32]) -> Result<Attribution> {
        let own =
            self.members.iter().map(|part| part.attributor.contributions(partners)).collect::<Result<_>>()?;
        self.sum(own, std::slice::from_ref(&partners.to_vec()))
    }

    fn mean_contributions(&self, partners: &[Vec<u32>], progress: &dyn Progress) -> Result<Attribution> {
        let own = self
            .members
            .iter()
            .map(|part| part.attributor.mean_contributions(partners, progress))
            .collect::<Result<_>>()?;
        self.sum(own, partners)
    }
}

impl StackAttributor<'_> {
    /// The weighted sum of the members' contributions, for the mean over some lists of partners.
    fn sum(&self, own: Vec<Attribution>, partners: &[Vec<u32>]) -> Result<Attribution> {
        let mean = self.stack.mean;
        let mut values = Array2::<f32>::zeros((self.space.len(), self.entities.len()));
        let mut base = vec![mean; self.entities.len()];
        for (part, own) in self.members.iter().zip(own) {
            for (place, contributions) in part.places.iter().zip(own.values.rows()) {
                values.row_mut(*place).scaled_add(part.weight as f32, &contributions);
            }
            base.iter_mut().zip(own.base).for_each(|(base, own)| *base += part.weight * (own - mean));
        }
        for member in &self.silent {
            for partner in partners {
                let mut sides: Vec<&[u32]> = partner.iter().map(std::slice::from_ref).collect();
                sides.insert(self.side, self.entities);
                let query = Query { tables: self.tables, tuples: Tuples::Grid(&sides) };
                let weight = member.weight / partners.len() as f64;
                let predicted = member.model.predict(&query)?;
                base.iter_mut()
                    .zip(predicted)
                    .for_each(|(base, own)| *base += weight * (f64::from(own) - mean));
            }
        }
        Ok(Attribution { values, base })
    }
}
