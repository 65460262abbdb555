//! Members of archives, read into memory and never unpacked into a folder.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use halfmax_core::{Error, Result, listed};

/// The largest size of a member in bytes.
const LARGEST: u64 = 4 << 30;

/// The bytes of a member of a zip file (`.zip`, `.whl`) or of a tar file with gzip (`.tar.gz`).
///
/// # Errors
/// If the archive is damaged, has no such member, or the member is larger than 4 GiB.
pub fn member(archive: &Path, name: &str) -> Result<Vec<u8>> {
    let file = File::open(archive).map_err(|error| damaged(archive, error))?;
    match archive.to_string_lossy().ends_with(".tar.gz") {
        true => of_tar(archive, file, name),
        false => of_zip(archive, file, name),
    }
}

fn damaged(archive: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::data(format!("{}: the archive cannot be read", archive.display()))
        .with_help("remove it and fetch it again")
        .with_source(error)
}

fn missing(archive: &Path, name: &str, there: &[String]) -> Error {
    Error::data(format!("{}: the archive has no member {name:?}", archive.display()))
        .with_help(format!("it has {}; this is probably another release", listed(there, 12)))
}

/// Reads a member with `size` bytes according to the archive.
fn read(archive: &Path, name: &str, size: u64, from: impl Read) -> Result<Vec<u8>> {
    let refused = |what: &str| Error::data(format!("{}: member {name:?} {what}", archive.display()));
    if size > LARGEST {
        return Err(refused("is larger than 4 GiB"));
    }
    let mut bytes = Vec::new();
    from.take(size + 1).read_to_end(&mut bytes).map_err(|error| damaged(archive, error))?;
    match bytes.len() as u64 == size {
        true => Ok(bytes),
        false => Err(refused("has another size than the archive declares")),
    }
}

fn of_zip(archive: &Path, file: File, name: &str) -> Result<Vec<u8>> {
    let mut zip = zip::ZipArchive::new(file).map_err(|error| damaged(archive, error))?;
    let there: Vec<String> = zip.file_names().flatten().map(|name| name.into_owned()).collect();
    match zip.by_name(name) {
        Ok(found) => {
            let size = found.size();
            read(archive, name, size, found)
        }
        Err(zip::result::ZipError::FileNotFound) => Err(missing(archive, name, &there)),
        Err(error) => Err(damaged(archive, error)),
    }
}

fn of_tar(archive: &Path, file: File, name: &str) -> Result<Vec<u8>> {
    let mut tar = tar::Archive::new(GzDecoder::new(std::io::BufReader::new(file)));
    let mut there = Vec::new();
    for entry in tar.entries().map_err(|error| damaged(archive, error))? {
        let entry = entry.map_err(|error| damaged(archive, error))?;
        let path = entry.path().map_err(|error| damaged(archive, error))?.display().to_string();
        if path == name {
            let size = entry.size();
            return read(archive, name, size, entry);
        }
        there.push(path);
    }
    Err(missing(archive, name, &there))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn members_of_zip_and_tar_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let zip_path = folder.path().join("a.whl");
        let mut zip = zip::ZipWriter::new(File::create(&zip_path).unwrap());
        zip.start_file("in/side.txt", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(b"zipped").unwrap();
        zip.finish().unwrap();
        let tar_path = folder.path().join("a.tar.gz");
        let gzip =
            flate2::write::GzEncoder::new(File::create(&tar_path).unwrap(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        header.set_cksum();
        tar.append_data(&mut header, "in/side.txt", b"tarred".as_slice().take(5)).unwrap();
        tar.into_inner().unwrap().finish().unwrap();
        assert_eq!(member(&zip_path, "in/side.txt").unwrap(), b"zipped");
        assert_eq!(member(&tar_path, "in/side.txt").unwrap(), b"tarre");
        for path in [&zip_path, &tar_path] {
            let error = member(path, "other.txt").unwrap_err();
            assert!(error.to_string().contains("no member \"other.txt\""));
            assert!(error.help().unwrap().contains("in/side.txt"));
            let cut = std::fs::read(path).unwrap();
            std::fs::write(path, &cut[..cut.len() / 2]).unwrap();
            assert!(member(path, "in/side.txt").is_err());
        }
    }
}
