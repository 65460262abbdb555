//! Contributions of features to the predictions of linear models.

use halfmax_core::{
    Attribution, Attributor, EntityTable, Error, FeatureSpace, FittedModel, Query, Result, Tuples,
    check_partners,
};
use ndarray::{Array1, Array2, Axis};

use super::fitted::FittedClassical;
use super::linear::Linear;

/// Attributes predictions for some entities of the row side. The contribution of a feature is its weight times its difference
/// from the training mean. This is its Shapley value.
pub(crate) struct LinearAttributor<'a> {
    model: &'a FittedClassical,
    linear: &'a Linear,
    tables: &'a [&'a EntityTable],
    /// Numbers × entities.
    numbers: Array2<f32>,
    /// For each number, its feature.
    feature: Vec<usize>,
    /// Columns × entities, all columns of their table.
    predicted: Array2<f32>,
}

impl<'a> LinearAttributor<'a> {
    pub(crate) fn new(
        model: &'a FittedClassical,
        linear: &'a Linear,
        tables: &'a [&'a EntityTable],
        entities: &'a [u32],
    ) -> Result<Self> {
        let (encoder, row_side) = (model.encoder(), model.row_side());
        let numbers = encoder.encode(tables[row_side], entities)?.t().as_standard_layout().into_owned();
        let columns: Vec<u32> = (0..tables[1 - row_side].len() as u32).collect();
        let mut sides: [&[u32]; 2] = [entities, entities];
        sides[1 - row_side] = &columns;
        let predicted = model.predict(&Query { tables, tuples: Tuples::Grid(&sides) })?;
        let predicted =
            Array2::from_shape_vec((sides[0].len(), sides[1].len()), predicted).map_err(|error| {
                Error::failed("the number of predictions does not fit their block").with_source(error)
            })?;
        let predicted =
            if row_side == 0 { predicted.t().as_standard_layout().into_owned() } else { predicted };
        Ok(Self { model, linear, tables, numbers, feature: encoder.feature_of().collect(), predicted })
    }

    /// The weight of every number in the column of this entity. For a new entity: the mean over the columns.
    fn weights(&self, column: u32) -> Array1<f32> {
        let weights = self.linear.weights();
        let known = self.model.columns(self.tables[1 - self.model.row_side()], &[column]);
        match known[0] {
            Some(known) => weights.column(known as usize).to_owned(),
            None => weights.mean_axis(Axis(1)).unwrap_or_else(|| Array1::zeros(weights.nrows())),
        }
    }
}

impl Attributor for LinearAttributor<'_> {
    fn space(&self) -> &FeatureSpace {
        &self.model.encoder().space
    }

    fn method(&self) -> String {
        "exact Shapley values of a linear model".into()
    }

    fn contributions(&self, partners: &[u32]) -> Result<Attribution> {
        check_partners(self.tables, self.model.row_side(), partners)?;
        let partner = partners[0];
        let mut values = Array2::zeros((self.space().len(), self.numbers.ncols()));
        let weights = self.weights(partner);
        for ((feature, weight), numbers) in self.feature.iter().zip(&weights).zip(self.numbers.rows()) {
            values.row_mut(*feature).scaled_add(*weight, &numbers);
        }
        Ok(Attribution::new(values, &self.predicted.row(partner as usize).to_vec()))
    }
}
