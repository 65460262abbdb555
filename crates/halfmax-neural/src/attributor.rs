//! Contributions of features to predictions: integrated gradients.

use burn::tensor::Tensor as Numbers;
use halfmax_core::{
    Attribution, Attributor, EntityTable, Error, FeatureSpace, FittedModel, Query, Result, Tuples,
    check_partners, gauss_legendre,
};
use ndarray::Array2;

use crate::model::FittedNeural;
use crate::network::on_device;
use crate::train::numbers;

/// Attributes predictions for some entities of one side to their features: ∫ ∂f/∂x (mean + t (x − mean)) dt · (x − mean),
/// where x are the inputs (Sundararajan, Taly & Yan 2017). The members of an ensemble are averaged. Effects of a training
/// entity that do not come from its features (its mean response, its embedding) are part of the base.
///
/// The sums of a tower's first layer are linear in the inputs. The slopes along the path are therefore computed for these
/// sums, which are fewer than the inputs, and multiplied with the first layer's weights once.
pub(crate) struct NeuralAttributor<'a> {
    model: &'a FittedNeural,
    tables: &'a [&'a EntityTable],
    side: usize,
    entities: &'a [u32],
    space: FeatureSpace,
    /// The feature of each number of the inputs. A flag of missing values belongs to the first feature that it covers.
    feature: Vec<usize>,
    /// Entities × inputs.
    inputs: Array2<f32>,
    /// For each member, the weights of the first layer: inputs × units.
    weights: Vec<Array2<f32>>,
    /// For each member, the sums of the first layer: entities × units.
    sums: Vec<Array2<f32>>,
}

/// The numbers of Gauss–Legendre nodes to try for an entity until its contributions add up, and how many paths go through the
/// network at a time. Neither depends on the other entities. Pair networks have kinks and need more nodes.
const TRIED: [(usize, usize); 3] = [(24, 32), (96, 8), (384, 2)];
/// Contributions must add up to the difference from the prediction at the training mean. The error may be this share of the
/// difference, or, for small differences, the second constant's share of the scale of the responses.
const SMALL: f64 = 0.01;
const SMALL_OF_SCALE: f64 = 1e-3;

impl<'a> NeuralAttributor<'a> {
    /// # Errors
    /// If the side has no features, or its table lacks most of them.
    pub(crate) fn new(
        model: &'a FittedNeural,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Self> {
        let Some(weights) = model.first_weights(side) else {
            return Err(Error::failed(format!("side {side} has no features to attribute predictions to")));
        };
        let of = &model.sides[side];
        let inputs = of.of(tables[side], entities)?;
        let mut feature: Vec<usize> = of.encoder.feature_of().collect();
        let first = |numbers: &Vec<u32>| feature[numbers.first().map_or(0, |at| *at as usize)];
        let flags: Vec<usize> = of.flagged.iter().map(first).collect();
        feature.extend(flags);
        // One entity after the other, so that its sums do not depend on other entities.
        let sums_of = |weights: &Array2<f32>| {
            let mut sums = Array2::zeros((entities.len(), weights.ncols()));
            for (mut sums, own) in sums.rows_mut().into_iter().zip(inputs.rows()) {
                sums.assign(&own.dot(weights));
            }
            sums
        };
        let sums = weights.iter().map(sums_of).collect();
        let space = of.encoder.space.clone();
        Ok(Self { model, tables, side, entities, space, feature, inputs, weights, sums })
    }

    /// The mean slopes of the first layer's sums along the paths of some entities (at most `paths`, by position). For
    /// each member entities × units, in the unit of the target. Also, for each entity, the difference between its
    /// prediction and that at the start of the path.
    fn slopes(
        &self,
        chosen: &[usize],
        partner: &Numbers<3>,
        (nodes, paths): (&[(f64, f64)], usize),
    ) -> Result<(Vec<Array2<f32>>, Vec<f64>)> {
        let (model, side) = (self.model, self.side);
        let (members, units) = (self.weights.len(), self.weights[0].ncols());
        let (rows, codes) = (paths * nodes.len(), model.network.rank + 1);
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
            return Ok((slopes, vec![0.0; chosen.len()]));
        };
        let (code, partner) = (tower + identity, partner.clone().autodiff());
        let [cells, drugs] = if side == 0 { [code, partner] } else { [partner, code] };
        let predicted = model.network.pairs(&weights, cells, drugs);
        let gradients = predicted.clone().sum().backward();
        let predicted = numbers(predicted.inner())?;
        let scale = model.scale() / members as f64;
        let from_start = |place: usize| {
            let of = |member: usize| {
                let own = &predicted[member * rows + place * nodes.len()..][..nodes.len()];
                f64::from(own[nodes.len() - 1]) - f64::from(own[nodes.len() - 2])
            };
            (0..members).map(of).sum::<f64>() * scale
        };
        let differences = (0..chosen.len()).map(from_start).collect();
        let Some(gradient) = path.grad(&gradients) else { return Ok((slopes, differences)) };
        let gradient = numbers(gradient)?;
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
        Ok((slopes, differences))
    }

    /// Computes the contributions for some entities with this many nodes, and puts them in their place. Returns the
    /// entities whose contributions do not add up, with the sum and the expected sum.
    fn fill(
        &self,
        chosen: &[usize],
        partner: &Numbers<3>,
        (count, paths): (usize, usize),
        values: &mut Array2<f32>,
    ) -> Result<Vec<(usize, [f64; 2])>> {
        let mut nodes = gauss_legendre(count);
        // The ends of the path, for the check.
        nodes.extend([(0.0, 0.0), (1.0, 0.0)]);
        let mut missed = Vec::new();
        for chosen in chosen.chunks(paths) {
            let (slopes, differences) = self.slopes(chosen, partner, (&nodes, paths))?;
            for (place, (at, difference)) in chosen.iter().zip(differences).enumerate() {
                let mut own = values.column_mut(*at);
                own.fill(0.0);
                for (weights, slopes) in self.weights.iter().zip(&slopes) {
                    let of_inputs = weights.dot(&slopes.row(place));
                    let parts = self.feature.iter().zip(&of_inputs).zip(self.inputs.row(*at));
                    parts.for_each(|((feature, slope), input)| own[*feature] += slope * input);
                }
                let sum = own.iter().map(|value| f64::from(*value)).sum::<f64>();
                let enough = (SMALL * difference.abs()).max(SMALL_OF_SCALE * self.model.scale());
                if (sum - difference).abs() > enough {
                    missed.push((*at, [sum, difference]));
                }
            }
        }
        Ok(missed)
    }
}

impl Attributor for NeuralAttributor<'_> {
    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn method(&self) -> String {
        "integrated gradients from the mean of the training".into()
    }

    fn contributions(&self, partners: &[u32]) -> Result<Attribution> {
        let (model, side) = (self.model, self.side);
        check_partners(self.tables, side, partners)?;
        let mut sides = [self.entities, self.entities];
        sides[1 - side] = partners;
        let predicted = model.predict(&Query { tables: self.tables, tuples: Tuples::Grid(&sides) })?;
        let code = model.code_of(1 - side, self.tables[1 - side], partners[0])?;
        let mut values = Array2::<f32>::zeros((self.space.len(), self.entities.len()));
        let mut left: Vec<usize> = (0..self.entities.len()).collect();
        let mut missed = Vec::new();
        for tried in TRIED {
            missed = self.fill(&left, &code, tried, &mut values)?;
            left = missed.iter().map(|(at, _)| *at).collect();
        }
        if let Some((at, [sum, difference])) = missed.first() {
            let table = self.tables[side];
            return Err(Error::failed(format!(
                "the contributions to the prediction for {} {:?} add up to {sum:.4}, expected {difference:.4} within 1 %",
                table.entity_kind(),
                table.ids()[self.entities[*at] as usize]
            ))
            .with_help("train without a pair network: set pair_hidden = 0"));
        }
        Ok(Attribution::new(values, &predicted))
    }
}
