//! Integrated gradients: how much each feature of an entity contributes to a prediction.

use burn::tensor::Tensor as Numbers;
use halfmax_core::{EntityTable, Error, Result};
use ndarray::Array2;

use crate::model::FittedNeural;
use crate::network::on_device;
use crate::train::numbers;

/// What the features of some entities contribute to predictions, by integrated gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Attributions {
    /// The features, as `kind/name`; last come flags of what is missing, as `kind/name is missing` after the first feature
    /// that a flag stands for.
    pub features: Vec<String>,
    /// Entities × features, in the unit of the target.
    pub values: Array2<f64>,
    /// For each entity the prediction less that for an entity whose features are the training means.
    pub differences: Vec<f64>,
    /// For each entity how far its attributions are from adding up to the difference, in the unit of the target.
    pub gaps: Vec<f64>,
}

/// Steps of the integral that are tried, until every gap is small enough.
const STEPS: [usize; 4] = [16, 64, 256, 1024];
/// A gap is small enough at this share of the difference, or of the scale of the responses where the difference is small.
const SMALL: f64 = 0.01;
const SMALL_OF_SCALE: f64 = 1e-3;

impl FittedNeural {
    /// Attributes predictions for some entities of one side (0: cell lines, 1: drugs), each with the same partner of the other
    /// side, to the features of these entities: ∫ ∂f/∂x (mean + t (x − mean)) dt · (x − mean), by the midpoint rule (Sundararajan, Taly &
    /// Yan 2017). The members of an ensemble are averaged. What an entity of the training has besides its features (its mean response, its
    /// embedding) is no part of it.
    ///
    /// # Errors
    /// If the model is one of combinations, whose predictions depend on three entities; a table lacks most of the features, an
    /// entity is not in its table, or the attributions do not add up to the difference within 1 % after the most steps.
    pub fn integrated_gradients(
        &self,
        side: usize,
        tables: &[&EntityTable; 2],
        entities: &[u32],
        partner: u32,
    ) -> Result<Attributions> {
        if self.sides_of_query() > 2 {
            return Err(Error::config(
                "attributions of a neural model of combinations: expected one of single drugs",
            )
            .help("attribute predictions of a model that was trained on single drugs"));
        }
        let listed = |side_of: usize| {
            if side_of == side.min(1) { entities.to_vec() } else { vec![partner; entities.len()] }
        };
        let lists = [listed(0), listed(1)];
        let sides: [&[u32]; 2] = [&lists[0], &lists[1]];
        halfmax_core::Query { tables, tuples: halfmax_core::Tuples::Listed(&sides) }.check(2)?;
        let side = side.min(1);
        let inputs = self.sides[side].of(tables[side], entities)?;
        let partner = self.code_of(1 - side, tables[1 - side], partner)?;
        let mut found = Array2::zeros(inputs.dim());
        let mut differences = Vec::new();
        let mut gaps = Vec::new();
        for (row, entity) in entities.iter().enumerate() {
            let own = inputs.row(row).to_vec();
            let identity = self.identity_of(side, tables[side], *entity);
            let ends = self.along(side, &own, &identity, &partner, &[0.0, 1.0], false)?.0;
            let difference = ends[1] - ends[0];
            let enough = (SMALL * difference.abs()).max(SMALL_OF_SCALE * self.scale());
            let (mut attributed, mut gap) = (Vec::new(), f64::INFINITY);
            for steps in STEPS {
                let at: Vec<f32> = (0..steps).map(|step| (step as f32 + 0.5) / steps as f32).collect();
                let slopes = self.along(side, &own, &identity, &partner, &at, true)?.1;
                attributed =
                    own.iter().zip(slopes).map(|(x, slope)| f64::from(*x) * slope).collect::<Vec<f64>>();
                gap = attributed.iter().sum::<f64>() - difference;
                if gap.abs() <= enough {
                    break;
                }
            }
            if gap.abs() > enough {
                return Err(Error::failed(format!(
                    "the attributions of {} {:?} add up to {:.4}, expected {difference:.4} within 1 %, after {} steps",
                    tables[side].sort(),
                    tables[side].ids()[*entity as usize],
                    difference + gap,
                    STEPS[STEPS.len() - 1]
                )));
            }
            found.row_mut(row).iter_mut().zip(attributed).for_each(|(place, value)| *place = value);
            differences.push(difference);
            gaps.push(gap);
        }
        Ok(Attributions {
            features: self.attributed_features(side),
            values: self.by_feature(side, &found),
            differences,
            gaps,
        })
    }

    /// Predictions for entities on the way from the training means to `own`, at these shares of it; and the mean slope there
    /// of each input. In the unit of the target, without what entities have besides their features.
    fn along(
        &self,
        side: usize,
        own: &[f32],
        identity: &[f32],
        partner: &Numbers<3>,
        shares: &[f32],
        slopes: bool,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (members, width, count) = (self.members(), own.len(), shares.len());
        let device = self.device();
        let path: Vec<f32> = shares.iter().flat_map(|share| own.iter().map(move |x| x * share)).collect();
        let mut x = on_device(path, [1, count, width], device);
        if slopes {
            x = x.autodiff().require_grad();
        }
        let context = |tensor: Numbers<3>| if slopes { tensor.autodiff() } else { tensor };
        let weights: Vec<Numbers<3>> = self.weights().iter().map(|weight| context(weight.clone())).collect();
        let rank = self.network.rank;
        let identity = context(on_device(identity.to_vec(), [members, 1, rank + 1], device));
        let code = match self.network.tower(side, &weights, x.clone(), None) {
            Some(tower) => tower + identity,
            // Without features nothing depends on the path.
            None => return Ok((vec![0.0; count], vec![0.0; width])),
        };
        let partner = context(partner.clone());
        let [cells, drugs] = if side == 0 { [code, partner] } else { [partner, code] };
        // Members × path × 1, or members × 1 × path.
        let predicted = self.network.pairs(&weights, cells, drugs);
        let mut slope = vec![0.0; width];
        if slopes {
            let gradients = predicted.clone().sum().backward();
            if let Some(gradient) = x.grad(&gradients) {
                let factor = self.scale() / (members * count) as f64;
                slope =
                    numbers(gradient.sum_dim(1))?.into_iter().map(|sum| f64::from(sum) * factor).collect();
            }
        }
        let said = numbers(if slopes { predicted.inner() } else { predicted })?;
        let mean = |at: usize| (0..members).map(|member| f64::from(said[member * count + at])).sum::<f64>();
        let predictions = (0..count).map(|at| mean(at) * self.scale() / members as f64).collect();
        Ok((predictions, slope))
    }

    fn attributed_features(&self, side: usize) -> Vec<String> {
        let inputs = &self.sides[side];
        let features = &inputs.encoder.space.features;
        let of_number: Vec<usize> = inputs.encoder.feature_of().collect();
        let name = |at: usize| format!("{}/{}", features[at].kind, features[at].name);
        let flags = inputs.flagged.iter().map(|numbers| {
            format!("{} is missing", name(of_number[numbers.first().map_or(0, |at| *at as usize)]))
        });
        (0..features.len()).map(name).chain(flags).collect()
    }

    /// Sums the numbers of each feature.
    fn by_feature(&self, side: usize, found: &Array2<f64>) -> Array2<f64> {
        let inputs = &self.sides[side];
        let features = inputs.encoder.space.len();
        let mut place: Vec<usize> = inputs.encoder.feature_of().collect();
        place.extend((0..inputs.flagged.len()).map(|flag| features + flag));
        let mut sums = Array2::zeros((found.nrows(), features + inputs.flagged.len()));
        for (number, feature) in place.into_iter().enumerate() {
            let mut sum = sums.column_mut(feature);
            sum += &found.column(number);
        }
        sums
    }
}
