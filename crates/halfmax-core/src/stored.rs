//! A fitted model as data, for files.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// A fitted model as data: a description and named arrays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredModel {
    /// Everything except large arrays, as JSON: parameters, feature names.
    pub description: serde_json::Value,
    /// The arrays, by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl StoredModel {
    /// Makes a stored model from its description and its named arrays.
    ///
    /// # Errors
    /// If the description cannot be written as JSON.
    ///
    /// ```
    /// use halfmax_core::{StoredModel, Tensor};
    /// let stored = StoredModel::new(&("mean", 2), [("effects", Tensor::F64(vec![0.5]))])?;
    /// assert_eq!(stored.described::<(String, usize)>()?, ("mean".to_owned(), 2));
    /// assert_eq!(stored.f64s("effects", 1)?, [0.5]);
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn new<N: Into<String>>(
        description: &impl Serialize,
        tensors: impl IntoIterator<Item = (N, Tensor)>,
    ) -> Result<Self> {
        let description = serde_json::to_value(description).map_err(|error| {
            Error::failed("the model's description cannot be written as JSON").with_source(error)
        })?;
        Ok(Self {
            description,
            tensors: tensors.into_iter().map(|(name, tensor)| (name.into(), tensor)).collect(),
        })
    }

    /// The description, read as the type that it was written from.
    ///
    /// # Errors
    /// If the description is malformed.
    pub fn described<D: DeserializeOwned>(&self) -> Result<D> {
        D::deserialize(&self.description)
            .map_err(|error| malformed("its description cannot be read").with_source(error))
    }

    /// The finite double-precision numbers with this name.
    ///
    /// # Errors
    /// If there is no such tensor, if its type or length differs, or if a number is not finite.
    pub fn f64s(&self, name: &str, length: usize) -> Result<&[f64]> {
        let values = match self.tensors.get(name) {
            Some(Tensor::F64(values)) => Some(values.as_slice()),
            _ => None,
        };
        checked(values, name, length, |value| value.is_finite())
    }

    /// The finite single-precision numbers with this name.
    ///
    /// # Errors
    /// As [`StoredModel::f64s`].
    pub fn f32s(&self, name: &str, length: usize) -> Result<&[f32]> {
        let values = match self.tensors.get(name) {
            Some(Tensor::F32(values)) => Some(values.as_slice()),
            _ => None,
        };
        checked(values, name, length, |value| value.is_finite())
    }

    /// The whole numbers with this name.
    ///
    /// # Errors
    /// As [`StoredModel::f64s`].
    pub fn u32s(&self, name: &str, length: usize) -> Result<&[u32]> {
        let values = match self.tensors.get(name) {
            Some(Tensor::U32(values)) => Some(values.as_slice()),
            _ => None,
        };
        checked(values, name, length, |_| true)
    }

    /// The bytes with this name.
    ///
    /// # Errors
    /// As [`StoredModel::f64s`].
    pub fn u8s(&self, name: &str, length: usize) -> Result<&[u8]> {
        let values = match self.tensors.get(name) {
            Some(Tensor::U8(values)) => Some(values.as_slice()),
            _ => None,
        };
        checked(values, name, length, |_| true)
    }
}

impl StoredModel {
    /// Refuses arrays and keys that a model of this family does not have. `known` is the loaded model, stored again.
    ///
    /// # Errors
    /// If there is an unknown array or key. The error names it.
    ///
    /// ```
    /// use halfmax_core::StoredModel;
    /// let stored = |description| StoredModel { description, ..StoredModel::default() };
    /// let file = stored(serde_json::json!({"sides": [{"ids": [], "weigths": 1}]}));
    /// let known = stored(serde_json::json!({"sides": [{"ids": [], "weights": 1}]}));
    /// let error = file.refuse_unknown(&known).unwrap_err();
    /// assert!(error.to_string().contains("\"sides[0].weigths\""));
    /// ```
    pub fn refuse_unknown(&self, known: &StoredModel) -> Result<()> {
        let unknown = |what: String| {
            Err(malformed(format!("its family has no {what}"))
                .with_help("copy the file again, or use the version of halfmax that wrote it"))
        };
        if let Some(name) = self.tensors.keys().find(|name| !known.tensors.contains_key(*name)) {
            return unknown(format!("array {name:?}"));
        }
        match unknown_key(&self.description, &known.description) {
            Some(key) => unknown(format!("key {key:?}")),
            None => Ok(()),
        }
    }
}

/// The first key in a JSON value that is missing from another value of the same kind, as a path: `sides[0].ids`.
pub fn unknown_key(value: &serde_json::Value, known: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match (value, known) {
        (Value::Object(own), Value::Object(known)) => own.iter().find_map(|(key, value)| {
            let Some(known) = known.get(key) else { return Some(key.clone()) };
            let inner = unknown_key(value, known)?;
            let dot = if inner.starts_with('[') { "" } else { "." };
            Some(format!("{key}{dot}{inner}"))
        }),
        (Value::Array(own), Value::Array(known)) => {
            own.iter().zip(known).enumerate().find_map(|(at, (value, known))| {
                let inner = unknown_key(value, known)?;
                let dot = if inner.starts_with('[') { "" } else { "." };
                Some(format!("[{at}]{dot}{inner}"))
            })
        }
        _ => None,
    }
}

fn checked<'a, T>(
    values: Option<&'a [T]>,
    name: &str,
    length: usize,
    fits: impl Fn(&T) -> bool,
) -> Result<&'a [T]> {
    let what = match values {
        None => format!("{name} is missing or has another type"),
        Some(values) if values.len() != length => {
            format!("{name} has {} numbers, expected {length}", values.len())
        }
        Some(values) if values.iter().all(fits) => return Ok(values),
        Some(_) => format!("{name} holds a number that is not finite"),
    };
    Err(malformed(what))
}

/// The error of a malformed stored model. `what` says what is wrong with it.
///
/// ```
/// assert_eq!(halfmax_core::malformed("tree 3 has no leaf").to_string(), "the model is malformed: tree 3 has no leaf");
/// ```
pub fn malformed(what: impl Display) -> Error {
    Error::data(format!("the model is malformed: {what}"))
        .with_help("copy the file again, or train the model again")
}

/// An array of a model file.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Tensor {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    U8(Vec<u8>),
}
