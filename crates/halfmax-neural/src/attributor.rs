//! Attributions of a whole screen: as [`FittedNeural::integrated_gradients`], many at a time.

use burn::tensor::Tensor as Numbers;
use halfmax_core::{
    Attribution, Attributor, EntityTable, Error, FeatureSpace, FittedModel, Query, Result, Tuples,
    gauss_legendre,
};
use ndarray::Array2;

use crate::model::FittedNeural;
use crate::network::on_device;
use crate::train::numbers;

/// Attributes predictions for some entities of one side to their features, by integrated gradients.
///
/// The sums of a tower's first layer are linear in the inputs, so that the slopes along the path are found for these sums, few
/// beside the inputs, and multiplied with the first layer's weights once.
pub(crate) struct NeuralAttributor<'a> {
    model: &'a FittedNeural,
    tables: &'a [&'a EntityTable],
    side: usize,
    entities: &'a [u32],
    space: FeatureSpace,
    /// The features that numbers of the inputs belong to; for flags of missing values those of the first that they stand for.
    feature: Vec<usize>,
    /// Entities × inputs.
    inputs: Array2<f32>,
    /// For each member the weights of the first layer: inputs × units.
    weights: Vec<Array2<f32>>,
    /// For each member the sums of the first layer: entities × units.
    sums: Vec<Array2<f32>>,
}

/// Nodes of the rule of Gauss and Legendre: always as many, so that what comes out does not depend on which other entities
/// are asked for.
const NODES: usize = 24;
/// Entities whose paths go through the network at a time: always as many, for the same reason.
const PATHS: usize = 32;

impl<'a> NeuralAttributor<'a> {
    /// None for a side without features.
    pub(crate) fn new(
        model: &'a FittedNeural,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Option<Self>> {
        let Some(weights) = model.first_weights(side) else { return Ok(None) };
        let of = &model.sides[side];
        let inputs = of.of(tables[side], entities)?;
        let mut feature: Vec<usize> = of.encoder.feature_of().collect();
        let first = |numbers: &Vec<u32>| feature[numbers.first().map_or(0, |at| *at as usize)];
        let flags: Vec<usize> = of.flagged.iter().map(first).collect();
        feature.extend(flags);
        // One entity after the other, so that its sums do not depend on the others.
        let sums_of = |weights: &Array2<f32>| {
            let mut sums = Array2::zeros((entities.len(), weights.ncols()));
            for (mut sums, own) in sums.rows_mut().into_iter().zip(inputs.rows()) {
                sums.assign(&own.dot(weights));
            }
            sums
        };
        let sums = weights.iter().map(sums_of).collect();
        let space = of.encoder.space.clone();
        Ok(Some(Self { model, tables, side, entities, space, feature, inputs, weights, sums }))
    }

    /// The mean slopes, along the paths of some entities (at most [`PATHS`], by place), of their first layer's sums: for each
    /// member entities × units, in the unit of the target.
    fn slopes(
        &self,
        chosen: &[usize],
        partner: &Numbers<3>,
        nodes: &[(f64, f64)],
    ) -> Result<Vec<Array2<f32>>> {
        let (model, side) = (self.model, self.side);
        let (members, units) = (self.weights.len(), self.weights[0].ncols());
        let (rows, codes) = (PATHS * nodes.len(), model.network.rank + 1);
        let mut path = vec![0.0f32; members * rows * units];
        let mut identity = vec![0.0f32; members * rows * codes];
        for (place, at) in chosen.iter().enumerate() {
            let own = model.identity_of(side, self.tables[side], self.entities[*at]);
            for member in 0..members {
                for (node, (t, _)) in nodes.iter().enumerate() {
                    let row = member * rows + place * nodes.len() + node;
                    let sums = self.sums[member].row(*at);
                    let path = &mut path[row * units..][..units];
                    path.iter_mut().zip(sums).for_each(|(place, sum)| *place = *t as f32 * sum);
                    identity[row * codes..][..codes].copy_from_slice(&own[member * codes..][..codes]);
                }
            }
        }
        let device = model.device();
        let path = on_device(path, [members, rows, units], device).autodiff().require_grad();
        let weights: Vec<Numbers<3>> =
            model.weights().iter().map(|weight| weight.clone().autodiff()).collect();
        let identity = on_device(identity, [members, rows, codes], device).autodiff();
        let mut slopes = vec![Array2::zeros((chosen.len(), units)); members];
        let Some(tower) = model.network.tower_of_sums(side, &weights, path.clone()) else {
            return Ok(slopes);
        };
        let (code, partner) = (tower + identity, partner.clone().autodiff());
        let [cells, drugs] = if side == 0 { [code, partner] } else { [partner, code] };
        let gradients = model.network.pairs(&weights, cells, drugs).sum().backward();
        let Some(gradient) = path.grad(&gradients) else { return Ok(slopes) };
        let gradient = numbers(gradient)?;
        let scale = model.scale() / members as f64;
        for (member, slopes) in slopes.iter_mut().enumerate() {
            for (place, mut slope) in slopes.rows_mut().into_iter().enumerate() {
                for (node, (_, weight)) in nodes.iter().enumerate() {
                    let row = member * rows + place * nodes.len() + node;
                    let factor = (weight * scale) as f32;
                    let own = &gradient[row * units..][..units];
                    slope.iter_mut().zip(own).for_each(|(slope, value)| *slope += factor * value);
                }
            }
        }
        Ok(slopes)
    }
}

impl Attributor for NeuralAttributor<'_> {
    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn method(&self) -> String {
        "integrated gradients from the mean of the training".into()
    }

    fn of(&self, partners: &[u32]) -> Result<Attribution> {
        let &[partner] = partners else {
            return Err(Error::data(format!("attributions with {} partners: expected 1", partners.len())));
        };
        let (model, side) = (self.model, self.side);
        let partner = [partner];
        let mut sides = [self.entities, self.entities];
        sides[1 - side] = &partner;
        let predicted = model.predict(&Query { tables: self.tables, tuples: Tuples::Grid(&sides) })?;
        let code = model.code_of(1 - side, self.tables[1 - side], partner[0])?;
        let nodes = gauss_legendre(NODES);
        let mut values = Array2::<f32>::zeros((self.space.len(), self.entities.len()));
        let all: Vec<usize> = (0..self.entities.len()).collect();
        for chosen in all.chunks(PATHS) {
            let slopes = self.slopes(chosen, &code, &nodes)?;
            for (weights, slopes) in self.weights.iter().zip(&slopes) {
                for (place, slope) in chosen.iter().zip(slopes.rows()) {
                    let of_inputs = weights.dot(&slope);
                    let parts = self.feature.iter().zip(&of_inputs).zip(self.inputs.row(*place));
                    parts.for_each(|((feature, slope), input)| values[[*feature, *place]] += slope * input);
                }
            }
        }
        Ok(Attribution::of(values, &predicted))
    }
}
