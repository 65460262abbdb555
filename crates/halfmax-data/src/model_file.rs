//! A fitted model on disk: a zip of `model.json`, `tensors.safetensors` and `SHA256SUMS`, the digests of the other two.
//! Reading a model file executes no code from it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, Write};
use std::path::Path;

use halfmax_core::{Error, Result, StoredModel, Tensor};
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::digest::sha256_bytes;
use crate::open::{unpack_limit, unpacks_beyond};
use crate::output::write_atomically;

/// The version of the format that this program writes, and the newest version that it reads. In files of format 1, the
/// digest covers only the arrays.
pub const MODEL_FORMAT: u32 = 2;

/// The family name of a file that holds the state of a fit.
const CHECKPOINT: &str = "checkpoint";
const DESCRIPTION: &str = "model.json";
const TENSORS: &str = "tensors.safetensors";
const DIGESTS: &str = "SHA256SUMS";
const LONGEST_DIGESTS: u64 = 1 << 12;
/// A description takes up to about thirty times its length in memory, so it may use only this fraction of the limit.
const DESCRIPTION_SHARE: u64 = 32;
const LONGEST_TENSOR_HEADER: u64 = 100_000_000;

/// The metadata of a model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelHeader {
    /// The version of the format.
    pub format_version: u32,
    /// The version of halfmax that wrote it.
    pub crate_version: String,
    /// The model family.
    pub family: String,
    /// Additional data from the writer: training data, metrics, drug features.
    pub meta: serde_json::Value,
    /// The arrays.
    pub tensors: Vec<TensorEntry>,
    /// The SHA-256 of the stored arrays, in hexadecimal.
    pub tensors_sha256: String,
    /// The size of the stored arrays in bytes.
    pub tensors_bytes: u64,
}

/// One array of a model file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorEntry {
    /// Its name.
    pub name: String,
    /// The type of its elements: f32, f64, i32, u32, u8.
    pub dtype: String,
    /// The number of elements.
    pub length: usize,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    header: ModelHeader,
    description: serde_json::Value,
}

/// A [`Document`] as it is read: unknown keys are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDocument {
    format_version: u32,
    crate_version: String,
    family: String,
    meta: serde_json::Value,
    tensors: Vec<TensorEntry>,
    tensors_sha256: String,
    tensors_bytes: u64,
    description: serde_json::Value,
}

impl From<StoredDocument> for Document {
    fn from(stored: StoredDocument) -> Self {
        let StoredDocument { format_version, crate_version, family, meta, tensors, .. } = stored;
        let StoredDocument { tensors_sha256, tensors_bytes, description, .. } = stored;
        let header = ModelHeader {
            format_version,
            crate_version,
            family,
            meta,
            tensors,
            tensors_sha256,
            tensors_bytes,
        };
        Self { header, description }
    }
}

#[derive(Deserialize)]
struct VersionOnly {
    format_version: u32,
    #[serde(default)]
    crate_version: String,
}

/// Writes a model file atomically. The same model always gives the same bytes.
///
/// # Errors
/// If the file cannot be written.
pub fn write_model(
    path: impl AsRef<Path>,
    family: &str,
    parts: &StoredModel,
    meta: serde_json::Value,
) -> Result<()> {
    write_as(path.as_ref(), family, parts, meta, CompressionMethod::Deflated)
}

fn write_as(
    path: &Path,
    family: &str,
    parts: &StoredModel,
    meta: serde_json::Value,
    method: CompressionMethod,
) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::failed(format!("{}: the model cannot be written: {error}", path.display()))
    };
    let tensors = stored(&parts.tensors).map_err(|error| failed(&error))?;
    let entry = |(name, tensor): (&String, &Tensor)| {
        let (dtype, length) = shape(tensor);
        TensorEntry { name: name.clone(), dtype: dtype.into(), length }
    };
    let header = ModelHeader {
        format_version: MODEL_FORMAT,
        crate_version: env!("CARGO_PKG_VERSION").into(),
        family: family.into(),
        meta,
        tensors: parts.tensors.iter().map(entry).collect(),
        tensors_sha256: sha256_bytes(&tensors),
        tensors_bytes: tensors.len() as u64,
    };
    let document = Document { header, description: parts.description.clone() };
    let document = serde_json::to_vec(&document).map_err(|error| failed(&error))?;
    let archive = zipped(&document, &tensors, method).map_err(|error| failed(&error))?;
    write_atomically(path, |out| out.write_all(&archive))
}

/// Writes the state of a fit atomically, in the format of a model file but without compression, which takes time.
///
/// # Errors
/// If the file cannot be written.
pub fn write_checkpoint(path: impl AsRef<Path>, state: &StoredModel) -> Result<()> {
    write_as(path.as_ref(), CHECKPOINT, state, serde_json::Value::Null, CompressionMethod::Stored)
}

fn zipped(document: &[u8], tensors: &[u8], method: CompressionMethod) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::with_capacity(tensors.len() / 2)));
    let options = SimpleFileOptions::default().compression_method(method).large_file(tensors.len() > 1 << 31);
    let digests = digests(document, &sha256_bytes(tensors));
    for (name, bytes) in [(DESCRIPTION, document), (TENSORS, tensors), (DIGESTS, digests.as_bytes())] {
        zip.start_file(name, options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The digests of the description and of the arrays, as `sha256sum` writes and checks them.
fn digests(document: &[u8], tensors_sha256: &str) -> String {
    format!("{}  {DESCRIPTION}\n{tensors_sha256}  {TENSORS}\n", sha256_bytes(document))
}

fn shape(tensor: &Tensor) -> (&'static str, usize) {
    match tensor {
        Tensor::F32(values) => ("f32", values.len()),
        Tensor::F64(values) => ("f64", values.len()),
        Tensor::I32(values) => ("i32", values.len()),
        Tensor::U32(values) => ("u32", values.len()),
        Tensor::U8(values) => ("u8", values.len()),
    }
}

fn little_endian(tensor: &Tensor) -> (Dtype, Vec<u8>) {
    match tensor {
        Tensor::F32(values) => (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Tensor::F64(values) => (Dtype::F64, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Tensor::I32(values) => (Dtype::I32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Tensor::U32(values) => (Dtype::U32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Tensor::U8(values) => (Dtype::U8, values.clone()),
    }
}

fn stored(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let bytes: Vec<(Dtype, Vec<u8>)> = tensors.values().map(little_endian).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, tensor), (dtype, bytes))| {
        TensorView::new(*dtype, vec![shape(tensor).1], bytes).map(|view| (name.as_str(), view))
    });
    safetensors::serialize(views.collect::<Result<Vec<_>, _>>()?, None)
}

/// Reads a model file and checks every length and name, and the SHA-256 of its description and its arrays.
///
/// # Errors
/// If the file is missing, not a model file, truncated, altered, larger than the limit after unpacking, or of a newer
/// format than this program reads.
pub fn read_model(path: impl AsRef<Path>) -> Result<(ModelHeader, StoredModel)> {
    let path = path.as_ref();
    let place = path.display();
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::data(format!("{place}: no such file"))
            .with_help("check the path; training writes RUN/model.halfmax (`halfmax train`)"),
        _ => Error::data(format!("{place}: cannot be read: {error}")).with_source(error),
    })?;
    read_opened(BufReader::new(file)).map_err(|error| error.with_context(&place))
}

/// Reads a model file from its bytes, as [`read_model`] does; `label` names it in messages.
///
/// # Errors
/// As [`read_model`].
pub fn read_model_bytes(label: &str, bytes: &[u8]) -> Result<(ModelHeader, StoredModel)> {
    read_opened(Cursor::new(bytes)).map_err(|error| error.with_context(label))
}

fn read_opened(file: impl Read + Seek) -> Result<(ModelHeader, StoredModel)> {
    let mut archive = open_archive(file)?;
    let limit = unpack_limit();
    let document = entry(&mut archive, DESCRIPTION, limit / DESCRIPTION_SHARE)?;
    let Document { header, description } = parse(&document)?;
    let known = match header.format_version {
        1 => [DESCRIPTION, TENSORS].as_slice(),
        _ => [DESCRIPTION, TENSORS, DIGESTS].as_slice(),
    };
    refuse_other_files(&archive, known)?;
    if known.contains(&DIGESTS) {
        let stored = entry(&mut archive, DIGESTS, LONGEST_DIGESTS)?;
        if stored != digests(&document, &header.tensors_sha256).as_bytes() {
            return Err(altered(format!("the SHA-256 of {DESCRIPTION} differs from the one in {DIGESTS}")));
        }
    }
    let tensors = read_tensors(&mut archive, &header, limit)?;
    Ok((header, StoredModel { description, tensors }))
}

/// Refuses an archive with other files than those of a model.
fn refuse_other_files(archive: &ZipArchive<impl Read + Seek>, known: &[&str]) -> Result<()> {
    for name in archive.file_names() {
        let name = name.map_err(|error| altered("the name of a file in it is damaged").with_source(error))?;
        if !known.contains(&name.as_ref()) {
            return Err(altered(format!("it holds an unexpected file {name:?}")));
        }
    }
    if archive.len() > known.len() {
        return Err(altered(format!("it holds {} files, expected {}", archive.len(), known.len())));
    }
    Ok(())
}

fn altered(what: impl std::fmt::Display) -> Error {
    Error::data(format!("the model file was altered or damaged: {what}"))
        .with_help("copy it again, or train the model again")
}

fn open_archive<F: Read + Seek>(mut file: F) -> Result<ZipArchive<F>> {
    let mut start = [0; 4];
    let begins_as_zip = file.read_exact(&mut start).is_ok() && &start == b"PK\x03\x04";
    if !begins_as_zip {
        return Err(Error::data("not a model file").with_help("use a file that training wrote (*.halfmax)"));
    }
    file.rewind().map_err(|error| Error::data(format!("cannot be read: {error}")).with_source(error))?;
    ZipArchive::new(file).map_err(|error| {
        Error::data("the model file is truncated or damaged: its table of contents is missing")
            .with_help("copy it again, or train the model again")
            .with_source(error)
    })
}

/// One file of the archive, at most `most` bytes.
fn entry(archive: &mut ZipArchive<impl Read + Seek>, name: &str, most: u64) -> Result<Vec<u8>> {
    let file = archive.by_name(name).map_err(|error| match error {
        zip::result::ZipError::FileNotFound => Error::data(format!("not a model file: it lacks {name}"))
            .with_help("use a file that training wrote (*.halfmax)"),
        other => altered(format!("{name} cannot be read")).with_source(other),
    })?;
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| altered(format!("{name} cannot be unpacked")).with_source(error))?;
    if bytes.len() as u64 > most {
        return Err(unpacks_beyond(name, most));
    }
    Ok(bytes)
}

fn parse(document: &[u8]) -> Result<Document> {
    let not_json = |error: serde_json::Error| altered(format!("{DESCRIPTION} is invalid: {error}"));
    let version: VersionOnly = serde_json::from_slice(document).map_err(not_json)?;
    if version.format_version > MODEL_FORMAT {
        return Err(Error::data(format!(
            "the model file has format {}, this program reads formats up to {MODEL_FORMAT}",
            version.format_version
        ))
        .with_help(format!("use halfmax {} or later", version.crate_version)));
    }
    if version.format_version == 0 {
        return Err(altered("its format is 0, expected 1 or higher"));
    }
    serde_json::from_slice::<StoredDocument>(document).map(Document::from).map_err(not_json)
}

fn element_size(dtype: &str) -> Option<u64> {
    match dtype {
        "f64" => Some(8),
        "f32" | "i32" | "u32" => Some(4),
        "u8" => Some(1),
        _ => None,
    }
}

fn read_tensors(
    archive: &mut ZipArchive<impl Read + Seek>,
    header: &ModelHeader,
    limit: u64,
) -> Result<BTreeMap<String, Tensor>> {
    let mut listed: u64 = 0;
    for tensor in &header.tensors {
        let size = element_size(&tensor.dtype)
            .and_then(|size| size.checked_mul(tensor.length as u64))
            .and_then(|size| listed.checked_add(size))
            .ok_or_else(|| altered(format!("array {:?} has an impossible type or length", tensor.name)))?;
        listed = size;
    }
    if header.tensors_bytes < listed || header.tensors_bytes - listed > LONGEST_TENSOR_HEADER {
        return Err(altered(format!(
            "{TENSORS} should be {} bytes for {listed} of arrays",
            header.tensors_bytes
        )));
    }
    if header.tensors_bytes > limit {
        return Err(unpacks_beyond(TENSORS, limit));
    }
    let bytes = entry(archive, TENSORS, header.tensors_bytes)?;
    if bytes.len() as u64 != header.tensors_bytes {
        return Err(altered(format!(
            "{TENSORS} is {} bytes, expected {}",
            bytes.len(),
            header.tensors_bytes
        )));
    }
    if sha256_bytes(&bytes) != header.tensors_sha256 {
        return Err(altered(format!("the SHA-256 of {TENSORS} differs from the one in {DESCRIPTION}")));
    }
    let all = safetensors::SafeTensors::deserialize(&bytes)
        .map_err(|error| altered(format!("{TENSORS} is invalid")).with_source(error))?;
    if all.len() != header.tensors.len() {
        return Err(altered(format!("it holds {} arrays, expected {}", all.len(), header.tensors.len())));
    }
    let read = |entry: &TensorEntry| {
        let tensor = tensor(&all, entry)?;
        // The state of a fit may hold an infinite number: the loss before the first epoch. NaN is allowed, because it
        // marks missing features.
        if header.family != CHECKPOINT && has_infinite(&tensor) {
            let what = format!("array {:?} holds an infinite number", entry.name);
            return Err(altered(what));
        }
        Ok((entry.name.clone(), tensor))
    };
    header.tensors.iter().map(read).collect()
}

fn has_infinite(tensor: &Tensor) -> bool {
    match tensor {
        Tensor::F32(values) => values.iter().any(|value| value.is_infinite()),
        Tensor::F64(values) => values.iter().any(|value| value.is_infinite()),
        Tensor::I32(_) | Tensor::U32(_) | Tensor::U8(_) => false,
    }
}

fn tensor(all: &safetensors::SafeTensors, entry: &TensorEntry) -> Result<Tensor> {
    let name = &entry.name;
    let view =
        all.tensor(name).map_err(|error| altered(format!("array {name:?} is missing")).with_source(error))?;
    let data = view.data();
    let tensor = match view.dtype() {
        Dtype::F32 => Tensor::F32(elements(data, f32::from_le_bytes)),
        Dtype::F64 => Tensor::F64(elements(data, f64::from_le_bytes)),
        Dtype::I32 => Tensor::I32(elements(data, i32::from_le_bytes)),
        Dtype::U32 => Tensor::U32(elements(data, u32::from_le_bytes)),
        Dtype::U8 => Tensor::U8(data.to_vec()),
        other => return Err(altered(format!("array {name:?} has elements of type {other:?}"))),
    };
    let (dtype, length) = shape(&tensor);
    if dtype != entry.dtype || length != entry.length {
        return Err(altered(format!(
            "array {name:?} has {length} elements of {dtype}, expected {} of {}",
            entry.length, entry.dtype
        )));
    }
    Ok(tensor)
}

fn elements<T, const N: usize>(data: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|chunk| from(*chunk)).collect()
}
