//! The stack machine that executes the data opcodes of a pickle.

use std::borrow::Cow;
use std::collections::HashMap;

use halfmax_core::{Error, Result};

use super::globals::Global;
use super::value::{Object, Value};

/// The set of names that a pickle may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// All known names.
    Data,
    /// The names in the header of a storage, and persistent ids, which stay tuples.
    StorageHeader,
}

/// The memory of an object besides its content, in bytes.
const OBJECT: usize = 64;
/// The memory of a list entry, in bytes.
const ENTRY: usize = 16;
/// The memory limit of a pickle, as a multiple of its size.
const TIMES: usize = 32;
/// The memory that every pickle may use, in bytes.
const LEAST: usize = 1 << 20;

pub(crate) struct Machine<'a> {
    input: &'a [u8],
    /// The place of the next byte.
    pub at: usize,
    names: Names,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    pub objects: Vec<Object<'a>>,
    left: usize,
}

impl<'a> Machine<'a> {
    pub fn new(input: &'a [u8], names: Names) -> Self {
        Self {
            input,
            at: 0,
            names,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            objects: Vec::new(),
            left: input.len().saturating_mul(TIMES).saturating_add(LEAST),
        }
    }

    /// An error at this place of the pickle.
    pub fn refuse(&self, what: &str) -> Error {
        Error::data(format!("the pickle cannot be read: at byte {}, {what}", self.at)).with_help(
            "only data are read: numbers, texts, lists, dictionaries, tensors and arrays of numbers",
        )
    }

    /// Counts memory before it is allocated.
    pub fn spend(&mut self, bytes: usize) -> Result<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.refuse("it needs more memory than its size allows")),
        }
    }

    pub fn object(&self, value: Value) -> Option<&Object<'a>> {
        match value {
            Value::At(place) => self.objects.get(place as usize),
            _ => None,
        }
    }

    /// Keeps an object.
    pub fn place(&mut self, object: Object<'a>) -> Result<Value> {
        self.spend(OBJECT)?;
        let place = u32::try_from(self.objects.len()).map_err(|_| self.refuse("it has too many objects"))?;
        self.objects.push(object);
        Ok(Value::At(place))
    }

    fn push(&mut self, value: Value) -> Result<()> {
        self.spend(ENTRY)?;
        self.stack.push(value);
        Ok(())
    }

    fn push_object(&mut self, object: Object<'a>) -> Result<()> {
        let value = self.place(object)?;
        self.push(value)
    }

    /// The value on top, above the last mark.
    fn pop(&mut self) -> Result<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > floor {
            true => self.stack.pop().ok_or_else(|| self.refuse("a value is missing")),
            false => Err(self.refuse("a value is missing")),
        }
    }

    /// The values above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.marks.pop().ok_or_else(|| self.refuse("a mark is missing"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn top(&self) -> Result<Value> {
        self.stack.last().copied().ok_or_else(|| self.refuse("a value is missing"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let taken = self.at.checked_add(count).and_then(|end| self.input.get(self.at..end));
        let taken = taken.ok_or_else(|| {
            let there = self.input.len() - self.at;
            self.refuse(&format!("{count} bytes are announced, but {there} are left"))
        })?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| self.refuse("it is truncated"))
    }

    fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A length, written in 1, 4 or 8 bytes.
    fn length(&mut self, size: LengthOf) -> Result<usize> {
        let length = match size {
            LengthOf::One => u64::from(self.byte()?),
            LengthOf::Four => u64::from(u32::from_le_bytes(self.array()?)),
            LengthOf::Eight => u64::from_le_bytes(self.array()?),
        };
        usize::try_from(length).map_err(|_| self.refuse("a length is too large"))
    }

    fn text(&mut self, size: LengthOf) -> Result<()> {
        let length = self.length(size)?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| self.refuse("a text is not UTF-8"))?;
        self.push_object(Object::Text(Cow::Borrowed(text)))
    }

    fn bytes(&mut self, size: LengthOf) -> Result<()> {
        let length = self.length(size)?;
        let bytes = self.take(length)?;
        self.push_object(Object::Bytes(Cow::Borrowed(bytes)))
    }

    /// A line of text, as names are written.
    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.input[self.at..];
        let end =
            rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| self.refuse("it is truncated"))?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| self.refuse("a name is not UTF-8"))
    }

    /// An integer of any size, little-endian.
    fn long(&mut self, size: LengthOf) -> Result<()> {
        let length = self.length(size)?;
        let bytes = self.take(length)?;
        if length > 16 {
            return Err(self.refuse("an integer has more than 128 bits"));
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut all = if negative { [0xff; 16] } else { [0; 16] };
        all[..length].copy_from_slice(bytes);
        let number = i128::from_le_bytes(all);
        match i64::try_from(number) {
            Ok(number) => self.push(Value::Int(number)),
            Err(_) => self.push_object(Object::Big(number)),
        }
    }

    fn remember(&mut self, place: u32) -> Result<()> {
        self.spend(2 * ENTRY)?;
        let value = self.top()?;
        self.memo.insert(place, value);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<()> {
        match self.memo.get(&place) {
            Some(value) => self.push(*value),
            None => Err(self.refuse("it refers to a value that was not memoized")),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        let known = Global::named(module, name);
        let known = known.filter(|known| self.names == Names::Data || known.in_header());
        match known {
            Some(known) => self.push_object(Object::Global(known)),
            None => {
                let named: String = format!("{module}.{name}").escape_debug().take(100).collect();
                Err(self.refuse(&format!("it names {named}, which is not a permitted name")))
            }
        }
    }

    fn stack_global(&mut self) -> Result<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        let (Some(Object::Text(module)), Some(Object::Text(name))) =
            (self.object(module).cloned(), self.object(name).cloned())
        else {
            return Err(self.refuse("a name is not text"));
        };
        self.global(&module, &name)
    }

    fn call(&mut self) -> Result<()> {
        let (arguments, global) = (self.pop()?, self.pop()?);
        let (Some(Object::Tuple(arguments)), Some(Object::Global(global))) =
            (self.object(arguments), self.object(global))
        else {
            return Err(self.refuse("it calls a value that is not a name"));
        };
        let (arguments, global) = (arguments.clone(), *global);
        let made = self.reduce(global, &arguments)?;
        self.push(made)
    }

    fn tuple(&mut self, count: usize) -> Result<()> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        self.spend(ENTRY * count)?;
        self.push_object(Object::Tuple(items))
    }

    /// Adds to the list or set on top.
    fn append(&mut self, items: &[Value]) -> Result<()> {
        self.spend(2 * ENTRY * items.len())?;
        let list = self.top()?;
        let Value::At(place) = list else { return Err(self.refuse("items are added, but there is no list")) };
        match self.objects.get_mut(place as usize) {
            Some(Object::List(own) | Object::Set(own)) => own.extend_from_slice(items),
            _ => return Err(self.refuse("items are added, but there is no list")),
        }
        Ok(())
    }

    /// Sets entries of the dictionary on top.
    fn set(&mut self, items: &[Value]) -> Result<()> {
        self.spend(2 * ENTRY * items.len())?;
        let (pairs, rest) = items.as_chunks::<2>();
        let Value::At(place) = self.top()? else {
            return Err(self.refuse("entries are set, but there is no dictionary"));
        };
        match self.objects.get_mut(place as usize) {
            Some(Object::Dict(own)) if rest.is_empty() => {
                own.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => Err(self.refuse("entries are set, but there is no dictionary")),
        }
    }

    /// Reads one pickle, from its first byte to its stop.
    pub fn run(&mut self) -> Result<Value> {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            let opcode = self.byte()?;
            if opcode == b'.' {
                let value = self.pop()?;
                return match self.stack.is_empty() && self.marks.is_empty() {
                    true => Ok(value),
                    false => Err(self.refuse("it ends with unused values")),
                };
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x80 => self.protocol(),
            0x95 => {
                let length = self.length(LengthOf::Eight)?;
                match length <= self.input.len() - self.at {
                    true => Ok(()),
                    false => Err(self.refuse("a frame is longer than the remaining bytes")),
                }
            }
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(i64::from(number)))
            }
            b'K' => {
                let number = self.byte()?;
                self.push(Value::Int(i64::from(number)))
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(i64::from(number)))
            }
            0x8a => self.long(LengthOf::One),
            0x8b => self.long(LengthOf::Four),
            b'G' => {
                let number = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(number))
            }
            0x8c => self.text(LengthOf::One),
            b'X' => self.text(LengthOf::Four),
            0x8d => self.text(LengthOf::Eight),
            b'C' | b'U' => self.bytes(LengthOf::One),
            b'B' | b'T' => self.bytes(LengthOf::Four),
            0x8e => self.bytes(LengthOf::Eight),
            _ => self.step_over_stack(opcode),
        }
    }

    /// The opcodes that work on the stack.
    fn step_over_stack(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            b'(' => {
                self.spend(ENTRY)?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(|_| ()),
            b'1' => self.pop_mark().map(|_| ()),
            b'2' => self.top().and_then(|value| self.push(value)),
            b')' => self.push_object(Object::Tuple(Vec::new())),
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84)),
            b't' => {
                let items = self.pop_mark()?;
                self.push_object(Object::Tuple(items))
            }
            b']' => self.push_object(Object::List(Vec::new())),
            b'l' => {
                let items = self.pop_mark()?;
                self.push_object(Object::List(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(&items)
            }
            0x8f => self.push_object(Object::Set(Vec::new())),
            0x91 => {
                let items = self.pop_mark()?;
                self.push_object(Object::Set(items))
            }
            b'}' => self.push_object(Object::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_mark()?;
                self.push_object(Object::Dict(Vec::new()))?;
                self.set(&items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set(&items)
            }
            _ => self.step_over_names(opcode),
        }
    }

    /// The opcodes that memoize values, and those that name and call.
    fn step_over_names(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x94 => {
                let place = self.memo.len() as u32;
                self.remember(place)
            }
            b'q' => {
                let place = self.byte()?;
                self.remember(u32::from(place))
            }
            b'r' => {
                let place = u32::from_le_bytes(self.array()?);
                self.remember(place)
            }
            b'h' => {
                let place = self.byte()?;
                self.recall(u32::from(place))
            }
            b'j' => {
                let place = u32::from_le_bytes(self.array()?);
                self.recall(place)
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)
            }
            0x93 => self.stack_global(),
            b'R' => self.call(),
            b'b' => {
                let state = self.pop()?;
                let of = self.top()?;
                self.build(of, state)
            }
            // The id of a storage is the tuple that describes it.
            b'Q' if self.names == Names::StorageHeader => self.top().map(|_| ()),
            b'i' | b'o' | 0x81 | 0x92 => {
                Err(self.refuse("it makes an object of a class, which is not supported"))
            }
            other => Err(self.refuse(&format!("it has the opcode {other:#04x}, which is not supported"))),
        }
    }

    fn protocol(&mut self) -> Result<()> {
        match self.byte()? {
            2..=5 => Ok(()),
            other => Err(self.refuse(&format!("it has protocol {other}, expected 2 to 5"))),
        }
    }
}

/// The number of bytes of a written length.
#[derive(Clone, Copy, Debug)]
enum LengthOf {
    One,
    Four,
    Eight,
}
