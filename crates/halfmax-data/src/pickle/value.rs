//! The values of a pickle.

use std::borrow::Cow;

use super::arrays::{Array, Element, Storage};
use super::globals::Global;

/// A small value, or the place of an object. References are places, so values are not nested and a deep pickle needs no
/// deep stack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    At(u32),
}

/// The object at a place.
#[derive(Clone, Debug)]
pub(crate) enum Object<'a> {
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// A number that needs more than 64 bits.
    Big(i128),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Set(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Global(Global),
    Element(Element),
    Storage(Storage<'a>),
    Array(Array<'a>),
}

/// The content of a pickle.
#[derive(Clone, Debug)]
pub struct Pickle<'a> {
    pub(crate) root: Value,
    pub(crate) objects: Vec<Object<'a>>,
}

impl<'a> Pickle<'a> {
    /// The pickled value.
    pub fn root(&self) -> Node<'_, 'a> {
        Node { pickle: self, value: self.root }
    }
}

/// A value of a pickle.
#[derive(Clone, Copy, Debug)]
pub struct Node<'p, 'a> {
    pub(crate) pickle: &'p Pickle<'a>,
    pub(crate) value: Value,
}

impl<'p, 'a> Node<'p, 'a> {
    pub(crate) fn object(self) -> Option<&'p Object<'a>> {
        match self.value {
            Value::At(place) => self.pickle.objects.get(place as usize),
            _ => None,
        }
    }

    fn at(self, value: Value) -> Self {
        Self { value, ..self }
    }

    /// The kind of the value, in words.
    pub fn kind(self) -> &'static str {
        match (self.value, self.object()) {
            (Value::None, _) => "None",
            (Value::Bool(_), _) => "a truth value",
            (Value::Int(_), _) | (_, Some(Object::Big(_))) => "a whole number",
            (Value::Float(_), _) => "a number",
            (_, Some(Object::Text(_))) => "a text",
            (_, Some(Object::Bytes(_))) => "bytes",
            (_, Some(Object::Tuple(_))) => "a tuple",
            (_, Some(Object::List(_))) => "a list",
            (_, Some(Object::Set(_))) => "a set",
            (_, Some(Object::Dict(_))) => "a dictionary",
            (_, Some(Object::Array(_))) => "an array",
            (_, Some(Object::Storage(_))) => "the storage of a tensor",
            (_, Some(Object::Global(_) | Object::Element(_))) => "a type",
            (Value::At(_), None) => "nothing",
        }
    }

    /// The text, if the value is a text.
    pub fn text(self) -> Option<&'p str> {
        match self.object() {
            Some(Object::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The integer, if the value is an integer of at most 64 bits.
    pub fn integer(self) -> Option<i64> {
        match self.value {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The number, if the value is a number.
    pub fn number(self) -> Option<f64> {
        match self.value {
            Value::Int(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// The items of a list or a tuple.
    pub fn items(self) -> Option<impl ExactSizeIterator<Item = Node<'p, 'a>>> {
        match self.object() {
            Some(Object::List(items) | Object::Tuple(items)) => {
                Some(items.iter().map(move |item| self.at(*item)))
            }
            _ => None,
        }
    }

    /// Keys and values of a dictionary, in the order in which they were set. A key that was set twice occurs twice.
    pub fn entries(self) -> Option<impl ExactSizeIterator<Item = (Node<'p, 'a>, Node<'p, 'a>)>> {
        match self.object() {
            Some(Object::Dict(entries)) => {
                Some(entries.iter().map(move |(key, value)| (self.at(*key), self.at(*value))))
            }
            _ => None,
        }
    }
}
