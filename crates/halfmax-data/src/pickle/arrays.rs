//! Arrays of numbers: torch tensors and NumPy arrays.

use std::borrow::Cow;

use halfmax_core::{Error, Result};

use super::value::{Node, Object, Value};

/// The type of the numbers of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Float32,
    Float64,
    Int8,
    UInt8,
    Int16,
    Int32,
    Int64,
    Bool,
}

impl Number {
    /// The size of a number in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Int8 | Self::UInt8 | Self::Bool => 1,
            Self::Int16 => 2,
            Self::Float32 | Self::Int32 => 4,
            Self::Float64 | Self::Int64 => 8,
        }
    }

    /// From the name of torch's storage class.
    pub fn of_torch(name: &str) -> Option<Self> {
        Some(match name {
            "FloatStorage" => Self::Float32,
            "DoubleStorage" => Self::Float64,
            "CharStorage" => Self::Int8,
            "ByteStorage" => Self::UInt8,
            "ShortStorage" => Self::Int16,
            "IntStorage" => Self::Int32,
            "LongStorage" => Self::Int64,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }

    /// From NumPy's name of a type: `f4`, `i8`.
    pub fn of_numpy(name: &str) -> Option<Self> {
        Some(match name.trim_start_matches(['<', '|', '=']) {
            "f4" => Self::Float32,
            "f8" => Self::Float64,
            "i1" => Self::Int8,
            "u1" => Self::UInt8,
            "i2" => Self::Int16,
            "i4" => Self::Int32,
            "i8" => Self::Int64,
            "b1" => Self::Bool,
            _ => return None,
        })
    }
}

/// A type of numbers, and whether their bytes are little-endian. Big-endian numbers are refused on use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub number: Number,
    pub little_endian: bool,
}

/// The bytes of a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Storage<'a> {
    pub number: Number,
    pub bytes: Cow<'a, [u8]>,
}

/// An array: its length along each axis, and its numbers, the last axis fastest. An array of NumPy is empty until its
/// state is set.
#[derive(Clone, Debug)]
pub(crate) struct Array<'a> {
    pub number: Number,
    pub shape: Vec<usize>,
    pub bytes: Cow<'a, [u8]>,
}

impl Array<'_> {
    /// The number of elements of a shape; `None` on overflow.
    pub fn count(shape: &[usize]) -> Option<usize> {
        shape.iter().try_fold(1usize, |count, axis| count.checked_mul(*axis))
    }
}

/// One-dimensional numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Vector {
    /// Integers, and booleans as 0 and 1.
    Integers(Vec<i64>),
    /// Numbers of 32 bits.
    Float32(Vec<f32>),
    /// Numbers of 64 bits.
    Float64(Vec<f64>),
}

impl Vector {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Float32(values) => values.len(),
            Self::Float64(values) => values.len(),
        }
    }

    /// Whether the vector is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Node<'_, '_> {
    /// The numbers of a list, a tuple, or a one-dimensional array.
    ///
    /// # Errors
    /// If the value has another type, or holds anything except numbers.
    pub fn vector(self) -> Result<Vector> {
        if let Some(Object::Array(array)) = self.object() {
            return of_array(array);
        }
        let Some(items) = self.items() else {
            return Err(Error::data(format!("the pickle holds {}, expected numbers", self.kind())));
        };
        if items.len() == 0 {
            return Ok(Vector::Integers(Vec::new()));
        }
        let whole: Option<Vec<i64>> = self.items().into_iter().flatten().map(Node::integer).collect();
        if let Some(whole) = whole {
            return Ok(Vector::Integers(whole));
        }
        let number = |(at, item): (usize, Node<'_, '_>)| {
            item.number().ok_or_else(|| {
                Error::data(format!("the pickle holds {} as item {at} of a list of numbers", item.kind()))
            })
        };
        items.enumerate().map(number).collect::<Result<_>>().map(Vector::Float64)
    }
}

/// Numbers of a fixed size from little-endian bytes.
fn numbers<const SIZE: usize, T>(bytes: &[u8], number: fn([u8; SIZE]) -> T) -> Vec<T> {
    bytes.as_chunks::<SIZE>().0.iter().map(|chunk| number(*chunk)).collect()
}

fn of_array(array: &Array<'_>) -> Result<Vector> {
    let [length] = array.shape[..] else {
        let axes = array.shape.len();
        return Err(Error::data(format!("the pickle holds an array of {axes} dimensions, expected 1")));
    };
    let bytes = &array.bytes[..];
    let whole = |values: Vec<i64>| Vector::Integers(values);
    let vector = match array.number {
        Number::Float32 => Vector::Float32(numbers(bytes, f32::from_le_bytes)),
        Number::Float64 => Vector::Float64(numbers(bytes, f64::from_le_bytes)),
        Number::Int8 => whole(numbers(bytes, |one| i64::from(i8::from_le_bytes(one)))),
        Number::UInt8 | Number::Bool => whole(numbers(bytes, |[one]| i64::from(one))),
        Number::Int16 => whole(numbers(bytes, |one| i64::from(i16::from_le_bytes(one)))),
        Number::Int32 => whole(numbers(bytes, |one| i64::from(i32::from_le_bytes(one)))),
        Number::Int64 => whole(numbers(bytes, i64::from_le_bytes)),
    };
    if vector.len() == length {
        return Ok(vector);
    }
    Err(Error::data(format!("the pickle holds an array of {length} numbers, but bytes for {}", vector.len())))
}

/// The lengths along the axes: a tuple of whole numbers.
pub(crate) fn lengths(values: &[Value]) -> Option<Vec<usize>> {
    let length = |value: &Value| match value {
        Value::Int(length) => usize::try_from(*length).ok(),
        _ => None,
    };
    values.iter().map(length).collect()
}
