//! Parameters of neural models, and their checks.

use halfmax_core::{Error, Result, SeenAgain, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::device::check_name;
use crate::model::Neural;

/// Parameters of a neural model, as in a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NeuralParams {
    /// The device for training: "cpu", "cuda:0", "wgpu", "libtorch" or "libtorch:cuda:0". "auto" uses the first graphics
    /// processor that this build supports, otherwise the processor.
    pub device: String,
    /// Number of members of the ensemble, 1 to 1000. They are the same network from different seeds, each with its own
    /// validation part. Their mean is the prediction.
    pub ensemble_size: usize,
    /// Widths of the hidden layers of the cell-line tower, first to last, each 1 to 65536. With `mechanisms`, the first width is the part
    /// of the first layer that sees all inputs; it may be 0.
    pub hidden: Vec<usize>,
    /// Widths of the hidden layers of the drug tower, first to last. If not set: no hidden layer if drugs are
    /// `seen_again`, otherwise one of width 64.
    pub drug_hidden: Option<Vec<usize>>,
    /// Rank of the interaction: how many numbers a tower computes for an entity, 1 to 65536.
    pub rank: usize,
    /// Widths of the hidden layers of the network that combines the two drugs of a combination, first to last. Only for
    /// screens of combinations.
    pub combination_hidden: Vec<usize>,
    /// Width of the hidden layer of a network on pairs, which is added to the low-rank interaction; 0 for no such network.
    pub pair_hidden: usize,
    /// The sides whose training entities also have a learned embedding, in addition to the tower's output for their features.
    pub seen_again: SeenAgain,
    /// A catalogue of mechanisms: "builtin" or the path of a TOML file. Part of the cell-line tower's first layer then
    /// consists of units that each see only the genes of one mechanism.
    pub mechanisms: Option<String>,
    /// Number of units of each mechanism, 1 to 1000.
    pub units_per_mechanism: usize,
    /// Layer normalisation after each hidden layer.
    pub layer_norm: bool,
    /// Share of a tower's inputs that is set to 0 at each step, from 0 to below 1.
    pub input_dropout: f64,
    /// Share of hidden units that is set to 0 at each step, from 0 to below 1.
    pub dropout: f64,
    /// The loss that training minimises.
    pub loss: Loss,
    /// The error beyond which the Huber loss is absolute instead of squared, in standard deviations of the responses; above 0.
    pub huber_delta: f64,
    /// Number of passes over the training cell lines, 1 to 1000000.
    pub epochs: usize,
    /// Number of cell lines in a step, each with all its drugs; at least 1.
    pub batch: usize,
    /// The learning rate after the warm-up, above 0 and at most 10.
    pub learning_rate: f64,
    /// Share of all steps in which the learning rate rises from 0; from 0 to below 1. Afterwards it falls along a cosine to 0.
    pub warmup: f64,
    /// Decoupled weight decay (AdamW) of all weights except biases, norms and offsets; 0 to 100.
    pub weight_decay: f64,
    /// Maximum norm of the gradient of each member, above 0. Longer gradients are scaled down.
    pub clip: f64,
    /// Share of what the split holds out (cell lines, drugs, tissues, responses) that each member sets aside for
    /// validation, from 0 to 0.5. With it, training keeps the weights of the best epoch and stops when `patience` runs
    /// out. The default is 0: the learning rate falls to 0 anyway, and a tenth less training data costs more than the
    /// best epoch gains.
    pub validation_fraction: f64,
    /// Training stops after this many epochs without a better validation loss. At least 1.
    pub patience: usize,
}

/// A loss on standardised responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The squared error.
    Squared,
    /// Squared for small errors, absolute for large ones (Huber 1964).
    Huber,
}

impl Default for NeuralParams {
    fn default() -> Self {
        Self {
            device: "auto".into(),
            ensemble_size: 5,
            hidden: vec![256],
            drug_hidden: None,
            rank: 64,
            combination_hidden: vec![256],
            pair_hidden: 0,
            seen_again: SeenAgain::Auto,
            mechanisms: None,
            units_per_mechanism: 2,
            layer_norm: true,
            input_dropout: 0.5,
            dropout: 0.5,
            loss: Loss::Squared,
            huber_delta: 1.0,
            epochs: 40,
            batch: 64,
            learning_rate: 2e-3,
            warmup: 0.1,
            weight_decay: 0.01,
            clip: 1.0,
            validation_fraction: 0.0,
            patience: 20,
        }
    }
}

/// A wider layer is likely to be a mistake.
const WIDEST: usize = 65_536;

impl NeuralParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range (the error names the first, its value and the allowed values), if this build cannot
    /// use the device, or if the catalogue cannot be read.
    ///
    /// ```
    /// use halfmax_neural::NeuralParams;
    /// let error = NeuralParams { batch: 0, ..NeuralParams::default() }.check().unwrap_err();
    /// assert_eq!(error.to_string(), "batch = 0: expected at least 1");
    /// ```
    pub fn check(self) -> Result<Neural> {
        check_name(&self.device)?;
        self.check_numbers()?;
        Neural::new(self)
    }

    /// Checks everything that does not depend on this build and machine.
    pub(crate) fn check_numbers(&self) -> Result<()> {
        let counts = [
            ("ensemble_size", self.ensemble_size, 1000),
            ("rank", self.rank, WIDEST),
            ("epochs", self.epochs, 1_000_000),
            ("batch", self.batch, usize::MAX),
            ("patience", self.patience, usize::MAX),
            ("units_per_mechanism", self.units_per_mechanism, 1000),
        ];
        for (name, value, most) in counts {
            let fits = (1..=most).contains(&value);
            let expected = if most == usize::MAX { "at least 1".to_owned() } else { format!("1 to {most}") };
            check::expect(name, value, fits, &expected)?;
        }
        let free = usize::from(self.mechanisms.is_some());
        let of_drugs = self.drug_hidden.as_deref().unwrap_or_default();
        let all = [
            ("hidden", self.hidden.as_slice(), free),
            ("drug_hidden", of_drugs, 0),
            ("combination_hidden", &self.combination_hidden, 0),
        ];
        for (name, widths, free) in all {
            let wrong = |(at, width): &(usize, &usize)| (**width == 0 && *at >= free) || **width > WIDEST;
            if let Some((at, width)) = widths.iter().enumerate().find(wrong) {
                let place = format!("{name}[{at}]");
                return Err(Error::parameter(&place, width, &format!("1 to {WIDEST}")));
            }
        }
        if self.mechanisms.is_some() && self.hidden.is_empty() {
            return Err(Error::parameter(
                "hidden",
                "[]",
                "at least one width, because the units of mechanisms are in the first layer",
            ));
        }
        check::within("pair_hidden", self.pair_hidden, 0..=WIDEST)?;
        check::below_one("input_dropout", self.input_dropout)?;
        check::below_one("dropout", self.dropout)?;
        check::below_one("warmup", self.warmup)?;
        check::positive("huber_delta", self.huber_delta)?;
        let steps = self.learning_rate > 0.0 && self.learning_rate <= 10.0;
        check::expect("learning_rate", self.learning_rate, steps, "a number above 0, at most 10")?;
        check::within("weight_decay", self.weight_decay, 0.0..=100.0)?;
        check::positive("clip", self.clip)?;
        check::within("validation_fraction", self.validation_fraction, 0.0..=0.5)
    }
}
