use halfmax_core::{Error, Result, SeenAgain, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::device::check_name;
use crate::model::Neural;

/// Parameters of a neural model, as in a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NeuralParams {
    /// Where it is trained: "cpu", "cuda:0", "wgpu", "libtorch", "libtorch:cuda:0"; "auto" takes the first graphics
    /// processor that this build can use, else the processor.
    pub device: String,
    /// Members of the ensemble: the same network from other seeds, each with a validation part of its own. Their mean is
    /// predicted. At least 1.
    pub ensemble_size: usize,
    /// Widths of the hidden layers of the cell-line tower, first to last. With `mechanisms` the first one is the free part
    /// of the first layer, and may be 0.
    pub hidden: Vec<usize>,
    /// The same of the drug tower. If it is not given: none where drugs are known one by one, 64 where they are told apart by
    /// their features only.
    pub drug_hidden: Option<Vec<usize>>,
    /// The rank of the interaction: numbers that a tower makes of an entity. At least 1.
    pub rank: usize,
    /// Widths of the hidden layers of the network that makes one of the two drugs of a combination, first to last; only used
    /// on screens of combinations.
    pub combination_hidden: Vec<usize>,
    /// Width of the hidden layer of a network on pairs, which is added to the low-rank interaction; 0 for none.
    pub pair_hidden: usize,
    /// Which sides have a learned embedding for each training entity besides what the tower makes of its features.
    pub seen_again: SeenAgain,
    /// A catalogue of mechanisms, "builtin" or the path of a TOML file: part of the cell-line tower's first layer is then
    /// made of units that each see the genes of one mechanism only.
    pub mechanisms: Option<String>,
    /// How many units each mechanism has.
    pub units_per_mechanism: usize,
    /// Layer normalisation after each hidden layer.
    pub layer_norm: bool,
    /// The share of a tower's inputs that is set to 0 at each step, 0 to below 1.
    pub input_dropout: f64,
    /// The share of hidden units that is set to 0 at each step, 0 to below 1.
    pub dropout: f64,
    /// What is minimised.
    pub loss: Loss,
    /// Where the Huber loss turns from squared to absolute, in standard deviations of the responses; above 0.
    pub huber_delta: f64,
    /// Passes over the training cell lines. At least 1.
    pub epochs: usize,
    /// Cell lines in a step, with all their drugs. At least 1.
    pub batch: usize,
    /// The learning rate after the warm-up; above 0.
    pub learning_rate: f64,
    /// The share of all steps in which the learning rate rises from 0, after which it falls along a cosine to 0.
    pub warmup: f64,
    /// Decoupled weight decay (AdamW) of all weights but biases, norms and offsets; at least 0.
    pub weight_decay: f64,
    /// The gradient of each member is shortened to this norm; above 0.
    pub clip: f64,
    /// The share of what the split holds out (cell lines, drugs, tissues, responses) that each member sets aside for
    /// validation, up to 0.5: the weights of the best epoch are kept, and training stops where patience is lost. By default 0:
    /// the learning rate falls to 0 by itself, and a tenth less to learn from costs more than the best epoch gains.
    pub validation_fraction: f64,
    /// Epochs without a better validation loss after which training stops. At least 1.
    pub patience: usize,
}

/// A loss of standardised responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The squared error.
    Squared,
    /// The squared error of small ones, the absolute of large ones (Huber 1964).
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

/// A layer of more units is a mistake rather than a wish.
const WIDEST: usize = 65_536;

impl NeuralParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// The first parameter that cannot work, with its value and what is allowed; a device that this build cannot use; a
    /// catalogue that cannot be read.
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

    /// Checks what does not depend on this build and machine.
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
                "at least one width, since units of mechanisms are in the first layer",
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
