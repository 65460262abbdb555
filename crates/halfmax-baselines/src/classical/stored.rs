//! Reading the tensors of a stored model.

use halfmax_core::{Error, Parts, Result, Tensor};

pub(crate) fn malformed(what: impl std::fmt::Display) -> Error {
    Error::data(format!("the model is malformed: {what}"))
        .help("copy the file again, or train the model anew")
}

fn check<'a, T>(
    values: Option<&'a [T]>,
    name: &str,
    length: Option<usize>,
    fits: impl Fn(&T) -> bool,
) -> Result<&'a [T]> {
    let values = values.ok_or_else(|| malformed(format!("{name} is missing or of another type")))?;
    match length {
        Some(length) if length != values.len() => {
            Err(malformed(format!("{name} has {} numbers, expected {length}", values.len())))
        }
        _ if values.iter().all(fits) => Ok(values),
        _ => Err(malformed(format!("{name} holds a number that cannot be"))),
    }
}

/// Finite double-precision numbers.
pub(crate) fn floats<'a>(parts: &'a Parts, name: &str, length: usize) -> Result<&'a [f64]> {
    let values = match parts.tensors.get(name) {
        Some(Tensor::F64(values)) => Some(values.as_slice()),
        _ => None,
    };
    check(values, name, Some(length), |value| value.is_finite())
}

/// Finite single-precision numbers.
pub(crate) fn singles<'a>(parts: &'a Parts, name: &str, length: Option<usize>) -> Result<&'a [f32]> {
    let values = match parts.tensors.get(name) {
        Some(Tensor::F32(values)) => Some(values.as_slice()),
        _ => None,
    };
    check(values, name, length, |value| value.is_finite())
}

/// Bits, one byte each.
pub(crate) fn bits<'a>(parts: &'a Parts, name: &str, length: usize) -> Result<&'a [u8]> {
    let values = match parts.tensors.get(name) {
        Some(Tensor::U8(values)) => Some(values.as_slice()),
        _ => None,
    };
    check(values, name, Some(length), |value| *value <= 1)
}

/// Whole numbers.
pub(crate) fn whole<'a>(parts: &'a Parts, name: &str, length: Option<usize>) -> Result<&'a [u32]> {
    let values = match parts.tensors.get(name) {
        Some(Tensor::U32(values)) => Some(values.as_slice()),
        _ => None,
    };
    check(values, name, length, |_| true)
}
