//! What features contribute to the predictions of a stack: the weighted sum over its members.

use std::collections::HashMap;

use halfmax_core::{Attribution, Attributor, EntityTable, FeatureSpace, FittedModel, Query, Result, Tuples};
use ndarray::Array2;

use super::FittedStack;

/// Attributes predictions of a stack. A member that cannot say what features contribute is part of the base.
pub(super) struct StackAttributor<'a> {
    stack: &'a FittedStack,
    tables: &'a [&'a EntityTable],
    side: usize,
    entities: &'a [u32],
    space: FeatureSpace,
    members: Vec<Part<'a>>,
    /// Names of the members that cannot say.
    silent: Vec<&'a str>,
}

struct Part<'a> {
    name: &'a str,
    weight: f64,
    attributor: Box<dyn Attributor + 'a>,
    /// Where each of its features is in the stack's space.
    places: Vec<usize>,
}

impl<'a> StackAttributor<'a> {
    /// None if no member can say what features contribute.
    pub(super) fn new(
        stack: &'a FittedStack,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Option<Self>> {
        let mut space = FeatureSpace::default();
        let mut place_of = HashMap::new();
        let (mut members, mut silent) = (Vec::new(), Vec::new());
        for member in &stack.members {
            let Some(attributor) = member.model.attribute(tables, side, entities)? else {
                silent.push(member.name.as_str());
                continue;
            };
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
        let found = Self { stack, tables, side, entities, space, members, silent };
        Ok((!found.members.is_empty()).then_some(found))
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
        if self.silent.is_empty() { sum } else { format!("{sum}; without {}", self.silent.join(", ")) }
    }

    fn of(&self, partners: &[u32]) -> Result<Attribution> {
        let mut values = Array2::<f32>::zeros((self.space.len(), self.entities.len()));
        for part in &self.members {
            let own = part.attributor.of(partners)?.values;
            for (place, contributions) in part.places.iter().zip(own.rows()) {
                values.row_mut(*place).scaled_add(part.weight as f32, &contributions);
            }
        }
        let mut sides: Vec<&[u32]> = partners.iter().map(std::slice::from_ref).collect();
        sides.insert(self.side, self.entities);
        let predicted = self.stack.predict(&Query { tables: self.tables, tuples: Tuples::Grid(&sides) })?;
        Ok(Attribution::of(values, &predicted))
    }
}
