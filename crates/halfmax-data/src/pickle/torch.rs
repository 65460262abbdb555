//! The bytes of a torch storage, in the format before torch 1.6.

use std::borrow::Cow;

use halfmax_core::{Error, Result};

use super::arrays::{Number, Storage};
use super::globals::Global;
use super::machine::{Machine, Names};
use super::value::{Object, Value};

/// The magic number at the beginning of a torch file.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// Reads a storage: five pickles (magic number, format version, facts of the machine, the storage, the list of keys), then the
/// number of values in 64 bits, then the values.
pub(crate) fn read_storage<'a>(file: Cow<'a, [u8]>) -> Result<Storage<'a>> {
    let damaged = || Error::data("a tensor of the pickle does not have torch's format for a single storage");
    let (number, from, to) = parse(&file)?.ok_or_else(damaged)?;
    let bytes = match file {
        Cow::Borrowed(bytes) => bytes.get(from..to).map(Cow::Borrowed),
        Cow::Owned(bytes) => bytes.get(from..to).map(|part| Cow::Owned(part.to_vec())),
    };
    Ok(Storage { number, bytes: bytes.ok_or_else(damaged)? })
}

/// The type of the values, and their position.
fn parse(file: &[u8]) -> Result<Option<(Number, usize, usize)>> {
    let mut machine = Machine::new(file, Names::StorageHeader);
    let magic = machine.run()?;
    if !matches!(machine.object(magic), Some(Object::Big(MAGIC))) {
        return Ok(None);
    }
    machine.run()?;
    let facts = machine.run()?;
    let storage = machine.run()?;
    let keys = machine.run()?;
    let (Some(Object::Dict(facts)), Some(Object::List(keys))) = (machine.object(facts), machine.object(keys))
    else {
        return Ok(None);
    };
    let little = facts.iter().any(|(name, value)| {
        matches!(machine.object(*name), Some(Object::Text(name)) if name == "little_endian")
            && *value == Value::Bool(true)
    });
    let (Some((number, count)), 1, true) = (described(&machine, storage), keys.len(), little) else {
        return Ok(None);
    };
    let start = machine.at;
    let Some(stored) = file.get(start..start + 8).and_then(|bytes| bytes.try_into().ok()) else {
        return Ok(None);
    };
    let from = start + 8;
    let size = count.checked_mul(number.size());
    let fits = u64::from_le_bytes(stored) == count as u64 && size == Some(file.len() - from);
    Ok(fits.then_some((number, from, file.len())))
}

/// The type and number of the values that a persistent id describes: `("storage", class, key, device, count, view)`.
fn described(machine: &Machine<'_>, storage: Value) -> Option<(Number, usize)> {
    let Some(Object::Tuple(parts)) = machine.object(storage) else { return None };
    let [kind, class, _, _, Value::Int(count), ..] = parts[..] else { return None };
    let (Some(Object::Text(kind)), Some(Object::Global(Global::StorageOf(number)))) =
        (machine.object(kind), machine.object(class))
    else {
        return None;
    };
    Some((*number, usize::try_from(count).ok().filter(|_| kind == "storage")?))
}
