//! The names that a pickle may use, and the data that are built when it "calls" a name.

use std::borrow::Cow;

use halfmax_core::Result;

use super::arrays::{Array, Element, Number, Storage, lengths};
use super::machine::Machine;
use super::torch::read_storage;
use super::value::{Object, Value};

/// A known name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    /// `torch._utils._rebuild_tensor_v2`: a tensor of a storage.
    Tensor,
    /// `torch.storage._load_from_bytes`: a storage from the bytes of a file.
    LoadStorage,
    /// A storage class, which gives the type of the numbers.
    StorageOf(Number),
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `numpy.ndarray`, only as an argument of `_reconstruct`.
    Ndarray,
    /// `numpy.core.multiarray._reconstruct`: an empty array, whose state follows.
    Reconstruct,
    /// `numpy.core.multiarray.scalar`: one number.
    Scalar,
    /// `numpy.dtype`.
    Dtype,
    /// `_codecs.encode`: the bytes of protocol 2.
    Encode,
}

impl Global {
    /// The name of a module, if it may be used.
    pub fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("torch._utils", "_rebuild_tensor_v2") => Self::Tensor,
            ("torch.storage", "_load_from_bytes") => Self::LoadStorage,
            ("torch", storage) => Self::StorageOf(Number::of_torch(storage)?),
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("numpy", "ndarray") => Self::Ndarray,
            ("numpy", "dtype") => Self::Dtype,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Self::Reconstruct,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Self::Scalar,
            ("_codecs", "encode") => Self::Encode,
            _ => return None,
        })
    }

    /// Whether the header of a storage may use this name; only storages are expected there.
    pub fn in_header(self) -> bool {
        matches!(self, Self::StorageOf(_) | Self::OrderedDict)
    }
}

impl<'a> Machine<'a> {
    /// Builds the result of a call of a known name.
    pub(crate) fn reduce(&mut self, global: Global, arguments: &[Value]) -> Result<Value> {
        let made = match (global, arguments) {
            (Global::OrderedDict, []) => Some(Object::Dict(Vec::new())),
            (Global::Tensor, [storage, offset, shape, strides, ..]) => {
                self.tensor(*storage, *offset, *shape, *strides).map(Object::Array)
            }
            (Global::LoadStorage, [bytes]) => match self.object(*bytes) {
                Some(Object::Bytes(bytes)) => Some(Object::Storage(read_storage(bytes.clone())?)),
                _ => None,
            },
            (Global::Encode, [text, encoding]) => match (self.object(*text), self.object(*encoding)) {
                (Some(Object::Text(text)), Some(Object::Text(encoding))) if encoding == "latin1" => {
                    latin1(text).map(|bytes| Object::Bytes(Cow::Owned(bytes)))
                }
                _ => None,
            },
            (Global::Dtype, [name, ..]) => match self.object(*name) {
                Some(Object::Text(name)) => Number::of_numpy(name)
                    .map(|number| Object::Element(Element { number, little_endian: true })),
                _ => None,
            },
            (Global::Reconstruct, [class, _, _]) => match self.object(*class) {
                Some(Object::Global(Global::Ndarray)) => Some(Object::Array(Array {
                    number: Number::UInt8,
                    shape: vec![0],
                    bytes: Cow::Borrowed(&[]),
                })),
                _ => None,
            },
            (Global::Scalar, [element, bytes]) => return self.scalar(*element, *bytes),
            _ => None,
        };
        let made =
            made.ok_or_else(|| self.refuse(&format!("{global:?} has arguments of an unexpected kind")))?;
        self.spend(owned(&made))?;
        self.place(made)
    }

    /// A contiguous tensor.
    fn tensor(&self, storage: Value, offset: Value, shape: Value, strides: Value) -> Option<Array<'a>> {
        let Some(Object::Storage(storage)) = self.object(storage) else { return None };
        let (Some(Object::Tuple(shape)), Some(Object::Tuple(strides))) =
            (self.object(shape), self.object(strides))
        else {
            return None;
        };
        let (shape, strides) = (lengths(shape)?, lengths(strides)?);
        let [offset] = lengths(&[offset])?[..] else { return None };
        let mut expected = 1usize;
        for (length, stride) in shape.iter().zip(&strides).rev() {
            if *length > 1 && *stride != expected {
                return None;
            }
            expected = expected.checked_mul(*length)?;
        }
        let size = storage.number.size();
        let from = offset.checked_mul(size)?;
        let to = from.checked_add(Array::count(&shape)?.checked_mul(size)?)?;
        if shape.len() != strides.len() || to > storage.bytes.len() {
            return None;
        }
        Some(Array { number: storage.number, shape, bytes: part(&storage.bytes, from, to)? })
    }

    fn scalar(&self, element: Value, bytes: Value) -> Result<Value> {
        let (Some(Object::Element(element)), Some(Object::Bytes(bytes))) =
            (self.object(element), self.object(bytes))
        else {
            return Err(self.refuse("a NumPy number has no type or no bytes"));
        };
        let value = match (element.number, &bytes[..]) {
            _ if !element.little_endian => None,
            (Number::Float32, bytes) => {
                bytes.try_into().ok().map(|b| Value::Float(f64::from(f32::from_le_bytes(b))))
            }
            (Number::Float64, bytes) => bytes.try_into().ok().map(|b| Value::Float(f64::from_le_bytes(b))),
            (Number::Int64, bytes) => bytes.try_into().ok().map(|b| Value::Int(i64::from_le_bytes(b))),
            (Number::Int32, bytes) => {
                bytes.try_into().ok().map(|b| Value::Int(i64::from(i32::from_le_bytes(b))))
            }
            (Number::Bool, [byte]) => Some(Value::Bool(*byte != 0)),
            _ => None,
        };
        value.ok_or_else(|| self.refuse("a NumPy number has an unsupported type"))
    }

    /// Sets the state of a NumPy array or type.
    pub(crate) fn build(&mut self, of: Value, state: Value) -> Result<()> {
        let Some(Object::Tuple(state)) = self.object(state) else {
            return Err(self.refuse("the state of an object is not a tuple"));
        };
        let made = match (self.object(of), &state[..]) {
            (Some(Object::Element(element)), [_, order, ..]) => match self.object(*order) {
                Some(Object::Text(order)) => {
                    Some(Object::Element(Element { little_endian: order != ">", ..*element }))
                }
                _ => None,
            },
            (Some(Object::Array(_)), [_, shape, element, Value::Bool(false), bytes]) => {
                self.numpy_array(*shape, *element, *bytes).map(Object::Array)
            }
            _ => None,
        };
        let Some(made) = made else {
            return Err(self.refuse("the state of an object has an unsupported kind"));
        };
        self.spend(owned(&made))?;
        if let Value::At(place) = of
            && let Some(object) = self.objects.get_mut(place as usize)
        {
            *object = made;
        }
        Ok(())
    }

    fn numpy_array(&self, shape: Value, element: Value, bytes: Value) -> Option<Array<'a>> {
        let (Some(Object::Tuple(shape)), Some(Object::Element(element)), Some(Object::Bytes(bytes))) =
            (self.object(shape), self.object(element), self.object(bytes))
        else {
            return None;
        };
        let shape = lengths(shape)?;
        let size = Array::count(&shape)?.checked_mul(element.number.size())?;
        (element.little_endian && size == bytes.len()).then_some(())?;
        Some(Array { number: element.number, shape, bytes: bytes.clone() })
    }
}

/// The number of bytes that an object owns outside the pickle.
fn owned(object: &Object<'_>) -> usize {
    match object {
        Object::Bytes(Cow::Owned(bytes))
        | Object::Storage(Storage { bytes: Cow::Owned(bytes), .. })
        | Object::Array(Array { bytes: Cow::Owned(bytes), .. }) => bytes.len(),
        _ => 0,
    }
}

/// A part of some bytes. A part of owned bytes is copied.
fn part<'a>(bytes: &Cow<'a, [u8]>, from: usize, to: usize) -> Option<Cow<'a, [u8]>> {
    match bytes {
        Cow::Borrowed(bytes) => bytes.get(from..to).map(Cow::Borrowed),
        Cow::Owned(bytes) => bytes.get(from..to).map(|part| Cow::Owned(part.to_vec())),
    }
}

/// The bytes of a text whose characters are all below 256.
fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|one| u8::try_from(u32::from(one)).ok()).collect()
}
