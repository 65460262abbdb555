//! What a split holds out, and which entities a model may recognise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which responses stay together when a fit sets some aside for validation, so that validation asks the same question as the
/// evaluation.
#[derive(Clone, Copy, Debug)]
pub enum ValidationGroup<'a> {
    /// Single responses.
    Response,
    /// All responses of an entity of this side.
    Entity(usize),
    /// All responses of the entities of this side that have the same group number.
    Groups(usize, &'a [usize]),
    /// All responses to a combination: the same entities on every side except the first, in any order.
    Combination,
    /// All responses to combinations that contain an entity, on any side except the first. A combination of two drugs
    /// belongs to both drugs.
    Member,
}

/// The sides whose entities a model may recognise individually. An unseen entity has no mean and follows the majority branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeenAgain {
    /// The sides that the split does not hold out: drugs for unseen cell lines, cell lines for unseen drugs, both for
    /// unseen pairs and unseen combinations.
    Auto,
    /// No side.
    None,
    /// Cell lines.
    Cell,
    /// Drugs.
    Drug,
    /// Cell lines and drugs.
    Both,
}

impl SeenAgain {
    /// Whether the model may recognise the entities of a side, given what the evaluation holds out.
    ///
    /// ```
    /// use halfmax_core::{SeenAgain, ValidationGroup};
    /// assert!(!SeenAgain::Auto.includes(0, ValidationGroup::Entity(0)));
    /// assert!(SeenAgain::Auto.includes(1, ValidationGroup::Entity(0)));
    /// assert!(!SeenAgain::Drug.includes(0, ValidationGroup::Response));
    /// ```
    pub fn includes(self, side: usize, validation: ValidationGroup) -> bool {
        match self {
            Self::None => false,
            Self::Cell => side == 0,
            Self::Drug => side != 0,
            Self::Both => true,
            Self::Auto => match validation {
                // The training data hold each drug of an unseen combination with other drugs.
                ValidationGroup::Response | ValidationGroup::Combination => true,
                ValidationGroup::Member => side == 0,
                ValidationGroup::Entity(held) | ValidationGroup::Groups(held, _) => side != held,
            },
        }
    }
}
