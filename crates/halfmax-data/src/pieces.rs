//! A long table that is written in pieces, so that an interrupted command can resume.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use halfmax_core::{Error, Result};

use crate::digest::{sha256_bytes, sha256_file};
use crate::output::{Obsolete, cannot_write, followed, named, write_atomically};
use crate::writers::{ScoreBlock, ScoreWriter};

/// The number of rows after which a piece is closed; a piece is also closed after a given time.
const ROWS: usize = 2_000_000;

/// Scores that are computed in units, in order. Complete pieces are kept in a folder beside the file,
/// `NAME.unfinished`, until the file is complete. A table that is finished within one piece never has that folder.
pub struct Pieces {
    out: PathBuf,
    target: String,
    /// `None` for standard output.
    folder: Option<PathBuf>,
    /// A description of the inputs. Pieces with another description are not resumed.
    made_of: String,
    /// The largest age of a piece or a draft.
    every: Duration,
    pieces: Vec<Piece>,
    /// The partial result of the next unit.
    draft: Option<Draft>,
    kept_at: Instant,
    /// The number of pieces that were damaged or followed a damaged piece.
    damaged: usize,
    current: Option<Current>,
}

struct Piece {
    path: PathBuf,
    units: [usize; 2],
    rows: usize,
}

/// The partial result of an incomplete unit.
struct Draft {
    path: PathBuf,
    bytes: Vec<u8>,
}

struct Current {
    writer: ScoreWriter,
    first: usize,
    units: usize,
    rows: usize,
}

impl Pieces {
    /// Prepares to write a file, and loads the pieces of an interrupted command. `made_of` describes everything that
    /// the scores depend on. Complete work is kept at intervals of `every`.
    ///
    /// # Errors
    /// If the ending is unknown, or the kept pieces belong to other inputs.
    pub fn open(out: &Path, target: &str, made_of: &str, every: Duration) -> Result<Self> {
        let folder = (out.as_os_str() != "-").then(|| folder_of(out));
        let mut pieces = Self {
            out: out.to_owned(),
            target: target.to_owned(),
            folder,
            made_of: made_of.to_owned(),
            every,
            pieces: Vec::new(),
            draft: None,
            kept_at: Instant::now(),
            damaged: 0,
            current: None,
        };
        if let Some(folder) = pieces.folder.as_ref().filter(|folder| folder.is_dir()) {
            (pieces.pieces, pieces.damaged) = found(folder, made_of)?;
            pieces.draft = draft_of(folder, pieces.done());
        }
        // Report a wrong ending or a write-protected place at once.
        pieces.begin()?;
        Ok(pieces)
    }

    /// The number of complete units.
    pub fn done(&self) -> usize {
        self.pieces.last().map_or(0, |piece| piece.units[1])
            + self.current.as_ref().map_or(0, |current| current.units)
    }

    /// The number of written rows.
    pub fn rows(&self) -> usize {
        let kept: usize = self.pieces.iter().map(|piece| piece.rows).sum();
        kept + self.current.as_ref().map_or(0, |current| current.rows)
    }

    /// The number of pieces of an interrupted command that were damaged (or followed a damaged piece) and are computed
    /// again.
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// The partial result of the next unit that [`Self::keep_draft`] kept.
    pub fn draft(&self) -> Option<&[u8]> {
        self.draft.as_ref().map(|draft| draft.bytes.as_slice())
    }

    /// Whether it is time to keep the partial result of the next unit.
    pub fn draft_is_due(&self) -> bool {
        self.folder.is_some() && self.kept_at.elapsed() >= self.every
    }

    /// Keeps the partial result of the next unit and replaces the earlier draft. Output to standard output has no
    /// draft.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_draft(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.close()?;
        let Some(folder) = self.begun_folder()? else { return Ok(()) };
        let path = folder.join(format!("{DRAFT}{:010}-{}", self.done(), short_digest(&bytes)));
        write_atomically(&path, |file| file.write_all(&bytes))?;
        self.forget_draft(&path);
        self.draft = Some(Draft { path, bytes });
        self.kept_at = Instant::now();
        Ok(())
    }

    /// Removes the draft unless its path is `other`.
    fn forget_draft(&mut self, other: &Path) {
        if let Some(draft) = self.draft.take().filter(|draft| draft.path != other) {
            // A draft that cannot be removed belongs to a complete unit and is ignored later.
            let _ = fs::remove_file(draft.path);
        }
    }

    fn begin(&mut self) -> Result<&mut Current> {
        let first = self.done();
        if self.current.is_none() {
            let writer = ScoreWriter::create(&self.out, &self.target)?;
            self.current = Some(Current { writer, first, units: 0, rows: 0 });
        }
        self.current.as_mut().ok_or_else(|| Error::failed("no piece was started"))
    }

    /// Writes the scores of the next unit.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write_unit(&mut self, block: &ScoreBlock) -> Result<()> {
        let current = self.begin()?;
        current.writer.write_block(block)?;
        current.rows += block.predicted.len();
        current.units += 1;
        let full = current.rows >= ROWS || self.kept_at.elapsed() >= self.every;
        if (full || self.draft.is_some()) && self.folder.is_some() { self.close() } else { Ok(()) }
    }

    /// The folder of pieces, created if it is missing.
    fn begun_folder(&self) -> Result<Option<&Path>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, error))?;
        let note = folder.join(MADE_OF);
        if !note.exists() {
            write_atomically(&note, |file| file.write_all(self.made_of.as_bytes()))?;
        }
        Ok(Some(folder))
    }

    /// Closes the current piece.
    fn close(&mut self) -> Result<()> {
        let Some(current) = self.current.take().filter(|current| current.units > 0) else { return Ok(()) };
        let Some(folder) = self.begun_folder()? else { return Ok(()) };
        let units = [current.first, current.first + current.units];
        let ending = self.out.extension().unwrap_or_default().to_string_lossy();
        let name = format!("{:010}-{:010}-{}", units[0], units[1], current.rows);
        // The name contains the digest, so a truncated or changed piece is not used.
        let unproved = folder.join(format!("{name}.{ending}"));
        current.writer.finish_as(&unproved)?;
        let path = folder.join(format!("{name}-{}.{ending}", digest_of(&unproved)?));
        fs::rename(&unproved, &path).map_err(|error| cannot_write(&path, error))?;
        self.pieces.push(Piece { path, units, rows: current.rows });
        self.kept_at = Instant::now();
        // Its unit is complete.
        self.forget_draft(Path::new(""));
        Ok(())
    }

    /// Keeps the complete pieces for the next time. Returns their folder, if there are any.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(mut self) -> Result<Option<PathBuf>> {
        self.close()?;
        Ok(self.folder.filter(|_| !self.pieces.is_empty() || self.draft.is_some()))
    }

    /// Joins the pieces and gives the file its name. Returns its number of rows.
    ///
    /// # Errors
    /// If a piece cannot be read or the file cannot be written.
    pub fn finish(mut self) -> Result<usize> {
        let rows = self.rows();
        if self.pieces.is_empty() {
            if let Some(current) = self.current.take() {
                current.writer.finish()?;
            }
            return Ok(rows);
        }
        self.close()?;
        let mut whole = ScoreWriter::create(&self.out, &self.target)?;
        for piece in &self.pieces {
            let written = whole.append(&piece.path)?;
            if written != piece.rows {
                return Err(Error::failed(format!(
                    "{}: has {written} rows, expected {}: the piece was changed meanwhile",
                    piece.path.display(),
                    piece.rows
                ))
                .with_help("start again: this piece is then computed again"));
            }
        }
        if let Some(whole) = whole.finish_unnamed()? {
            let pieces =
                Obsolete::note(&followed(&self.out), whole.path(), self.folder.into_iter().collect());
            if let Err(error) = named(whole, &self.out) {
                pieces.keep();
                return Err(error);
            }
            pieces.remove();
        }
        Ok(rows)
    }
}

const MADE_OF: &str = "made-of.txt";
const DRAFT: &str = "draft-";
/// The folder of a file's pieces.
fn folder_of(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    out.with_file_name(name)
}

/// The beginning of a file's SHA-256, in hexadecimal.
fn digest_of(path: &Path) -> Result<String> {
    let mut digest = sha256_file(path)?;
    digest.truncate(16);
    Ok(digest)
}

/// The beginning of the SHA-256 of some bytes, in hexadecimal.
fn short_digest(bytes: &[u8]) -> String {
    let mut digest = sha256_bytes(bytes);
    digest.truncate(16);
    digest
}

/// The draft of a unit, if it is intact. Other drafts are removed, because their units are complete.
fn draft_of(folder: &Path, unit: usize) -> Option<Draft> {
    let mut found = None;
    for path in fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((number, digest)) = name.strip_prefix(DRAFT).and_then(|rest| rest.split_once('-')) else {
            continue;
        };
        let bytes = fs::read(&path).unwrap_or_default();
        if number.parse() == Ok(unit) && short_digest(&bytes) == digest {
            found = Some(Draft { path, bytes });
        } else {
            let _ = fs::remove_file(path);
        }
    }
    found
}

/// The intact consecutive pieces in a folder, from the first unit on, and the number of other pieces, which are
/// removed.
fn found(folder: &Path, made_of: &str) -> Result<(Vec<Piece>, usize)> {
    let place = folder.display();
    let refused = |what: &str| {
        Error::config(format!("{place}: {what}"))
            .with_help("remove the folder to start again, or choose another output (`--out`)")
    };
    let unreadable = |error: std::io::Error| refused(&format!("cannot be read: {error}"));
    let mut pieces: Vec<(Piece, Option<String>)> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let parts: Vec<&str> = name.split('-').collect();
        let numbers: Option<Vec<usize>> = parts.iter().take(3).map(|part| part.parse().ok()).collect();
        if let Some([first, last, rows]) = numbers.as_deref() {
            let digest = parts.get(3).map(|digest| (*digest).to_owned());
            pieces.push((Piece { path, units: [*first, *last], rows: *rows }, digest));
        }
    }
    // If the command was killed before it wrote its description, it left nothing usable.
    match fs::read_to_string(folder.join(MADE_OF)) {
        Ok(known) if known == made_of => {}
        Err(_) if pieces.is_empty() => return Ok((Vec::new(), 0)),
        _ => return Err(refused("holds part of the output of another command or other inputs")),
    }
    pieces.sort_by_key(|(piece, _)| piece.units);
    let all = pieces.len();
    let mut proved: Vec<Piece> = Vec::new();
    for (piece, digest) in pieces {
        let next = proved.last().map_or(0, |last| last.units[1]);
        let is_whole = piece.units[0] == next && digest.is_some() && digest_of(&piece.path).ok() == digest;
        // Pieces after a damaged piece are no longer consecutive.
        if is_whole {
            proved.push(piece);
        } else {
            fs::remove_file(&piece.path).map_err(unreadable)?;
        }
    }
    let damaged = all - proved.len();
    Ok((proved, damaged))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: ScoreBlock = ScoreBlock {
        cell_lines: &["A", "B"],
        drugs: &["x, \"new\nline\"", "x"],
        drugs_b: None,
        predicted: &[0.1, 0.2],
        ic50_um: None,
        single_ic50_um: None,
        percentile: &[None, Some(50.0)],
        interval: None,
        in_domain: None,
        feature_share: 1.0,
    };

    const RARELY: Duration = Duration::from_secs(1000);

    #[test]
    fn drafts_are_of_the_next_unit_and_believed_only_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("scores.csv");
        let open = || Pieces::open(&out, "y", "this", RARELY).unwrap();
        let mut pieces = open();
        assert!(pieces.draft().is_none() && !pieces.draft_is_due());
        pieces.write_unit(&BLOCK).unwrap();
        pieces.keep_draft(b"first".to_vec()).unwrap();
        pieces.keep_draft(b"second".to_vec()).unwrap();
        drop(pieces);
        let mut pieces = open();
        assert_eq!((pieces.done(), pieces.draft()), (1, Some(b"second".as_slice())));
        // The unit is complete, so its draft is useless.
        pieces.write_unit(&BLOCK).unwrap();
        assert!(pieces.draft().is_none());
        pieces.keep_draft(b"third".to_vec()).unwrap();
        let path = pieces.draft.as_ref().unwrap().path.clone();
        drop(pieces);
        fs::write(path, "thirD").unwrap();
        let pieces = open();
        assert_eq!((pieces.done(), pieces.draft()), (2, None));
        assert_eq!(pieces.finish().unwrap(), 4);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Two pieces of one unit each, as two interrupted commands leave them.
    fn interrupted(out: &Path) -> Vec<PathBuf> {
        let mut folder = PathBuf::new();
        for done in 0..2 {
            let mut pieces = Pieces::open(out, "y", "this", RARELY).unwrap();
            assert_eq!((pieces.done(), pieces.damaged()), (done, 0));
            pieces.write_unit(&BLOCK).unwrap();
            folder = pieces.keep().unwrap().unwrap();
        }
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> = entries.filter(|path| !path.ends_with(MADE_OF)).collect();
        paths.sort();
        paths
    }

    #[test]
    fn pieces_are_believed_only_as_they_were_written() {
        for ending in ["csv", "parquet", "ndjson"] {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join(format!("scores.{ending}"));
            for (harmed, done) in [(0, 0), (1, 1)] {
                let paths = interrupted(&out);
                let bytes = fs::read(&paths[harmed]).unwrap();
                for harm in [&bytes[..bytes.len() - 1], &[], &vec![0; bytes.len()]] {
                    fs::write(&paths[harmed], harm).unwrap();
                    let pieces = Pieces::open(&out, "y", "this", RARELY).unwrap();
                    assert_eq!((pieces.done(), pieces.damaged()), (done, 2 - done), "{ending}");
                    drop(pieces);
                    interrupted_again(&out, 2 - done);
                    assert_eq!(fs::read(&paths[harmed]).unwrap(), bytes, "{ending}");
                }
                let written = Pieces::open(&out, "y", "this", RARELY).unwrap().finish().unwrap();
                assert_eq!((written, out.is_file()), (4, true));
                fs::remove_file(&out).unwrap();
            }
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    fn interrupted_again(out: &Path, units: usize) {
        for _ in 0..units {
            let mut pieces = Pieces::open(out, "y", "this", RARELY).unwrap();
            pieces.write_unit(&BLOCK).unwrap();
            pieces.keep().unwrap();
        }
    }

    #[test]
    fn a_folder_that_holds_nothing_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("scores.csv");
        fs::create_dir(folder.path().join("scores.csv.unfinished")).unwrap();
        assert_eq!(Pieces::open(&out, "y", "this", RARELY).unwrap().done(), 0);
        interrupted_again(&out, 1);
        let error = Pieces::open(&out, "y", "other", RARELY).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("holds part of the output of another command"), "{error}");
    }
}
