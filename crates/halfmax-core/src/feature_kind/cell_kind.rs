//! The name of a kind in configurations, as a type.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::category::Category;
use super::copy_number::CopyNumber;
use super::events::Events;
use super::expression::Expression;
use super::mutation::Mutation;
use super::{FEATURE_KINDS, FeatureKind};

/// The kind of features in a file of cell lines: an entry of [`FEATURE_KINDS`], with its properties.
///
/// ```
/// use halfmax_core::{CellKind, Sense};
/// assert_eq!(CellKind::named("copy_number"), Some(CellKind::COPY_NUMBER));
/// assert_eq!(CellKind::COPY_NUMBER.gene_sense(), Some(Sense::More));
/// assert_eq!(CellKind::COPY_NUMBER.to_string(), "copy_number");
/// ```
#[derive(Clone, Copy)]
pub struct CellKind(&'static dyn FeatureKind);

impl CellKind {
    /// Gene expression, real numbers.
    pub const EXPRESSION: Self = Self(&Expression);
    /// Mutations of genes, 0 or 1.
    pub const MUTATION: Self = Self(&Mutation);
    /// Copy numbers of genes, real numbers (or −1, 0, 1).
    pub const COPY_NUMBER: Self = Self(&CopyNumber);
    /// GDSC's matrix of genomic events, 0 or 1, with the tissue and other factors.
    pub const EVENTS: Self = Self(&Events);
    /// Text columns, each a category.
    pub const CATEGORY: Self = Self(&Category);

    /// The kind with this name in configurations.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.name() == name)
    }

    /// Every kind, in the order of [`FEATURE_KINDS`].
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        FEATURE_KINDS.iter().copied().map(Self)
    }
}

impl Deref for CellKind {
    type Target = dyn FeatureKind;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl PartialEq for CellKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for CellKind {}

impl Hash for CellKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for CellKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for CellKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl JsonSchema for CellKind {
    fn schema_name() -> Cow<'static, str> {
        "CellKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |kind: &&dyn FeatureKind| json!({ "type": "string", "const": kind.name(), "description": kind.summary() });
        json_schema!({
            "description": "The kind of features in a file of cell lines.",
            "oneOf": FEATURE_KINDS.iter().map(one).collect::<Vec<_>>(),
        })
    }
}

impl Serialize for CellKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for CellKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| {
            let known: Vec<String> = Self::all().map(|kind| format!("`{kind}`")).collect();
            // Worded like serde's error for an enum, so that the nearest name can be suggested.
            serde::de::Error::custom(format!(
                "unknown variant `{name}`, expected one of {}",
                known.join(", ")
            ))
        })
    }
}
