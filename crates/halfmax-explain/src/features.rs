//! Contributions of features only.

use std::collections::HashSet;

use halfmax_core::{Attribution, Attributor, EntityTable, FeatureSpace, FittedModel, Progress, Result};
use ndarray::Axis;

/// The contributions of the features of entities. Other knowledge of the model about an entity (its mean response in
/// training, its identity) is part of the base.
struct OfFeatures<'a> {
    whole: Box<dyn Attributor + 'a>,
    space: FeatureSpace,
    /// The positions of the features among all features.
    rows: Vec<usize>,
}

/// The attributor of a model for its features; `None` for a family that cannot attribute its predictions.
pub(crate) fn attributor<'a>(
    model: &'a dyn FittedModel,
    tables: &'a [&'a EntityTable],
    entities: &'a [u32],
) -> Result<Option<Box<dyn Attributor + 'a>>> {
    let Some(attributable) = model.as_attributable(0) else { return Ok(None) };
    let whole = attributable.attribute(tables, 0, entities)?;
    let all = model.space(0);
    let known: HashSet<(&str, &str)> =
        all.features.iter().map(|feature| (feature.kind.as_str(), feature.name.as_str())).collect();
    let is_known = |at: &usize| {
        let feature = &whole.space().features[*at];
        known.contains(&(feature.kind.as_str(), feature.name.as_str()))
    };
    let rows: Vec<usize> = (0..whole.space().len()).filter(is_known).collect();
    if rows.len() == whole.space().len() {
        return Ok(Some(whole));
    }
    let features = rows.iter().map(|row| whole.space().features[*row].clone()).collect();
    Ok(Some(Box::new(OfFeatures { whole, space: FeatureSpace { features }, rows })))
}

impl OfFeatures<'_> {
    fn selected(&self, found: &Attribution) -> Attribution {
        let values = found.values.select(Axis(0), &self.rows);
        let mut base = found.base.clone();
        for (at, row) in found.values.rows().into_iter().enumerate() {
            if self.rows.binary_search(&at).is_err() {
                base.iter_mut().zip(row).for_each(|(base, value)| *base += f64::from(*value));
            }
        }
        Attribution { values, base }
    }
}

impl Attributor for OfFeatures<'_> {
    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn method(&self) -> String {
        self.whole.method()
    }

    fn contributions(&self, partners: &[u32]) -> Result<Attribution> {
        Ok(self.selected(&self.whole.contributions(partners)?))
    }

    fn mean_contributions(&self, partners: &[Vec<u32>], progress: &dyn Progress) -> Result<Attribution> {
        Ok(self.selected(&self.whole.mean_contributions(partners, progress)?))
    }
}
