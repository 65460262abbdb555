//! Downloads over HTTP that resume after an interruption.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use halfmax_core::{Error, Progress, Result};
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::checksum::Checksum;

/// The retries and timeouts of downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http {
    /// The number of retries after a broken connection or a busy server.
    pub retries: u32,
    /// The pause before the first retry; it doubles with each retry.
    pub pause: Duration,
    /// The time without data after which the connection counts as broken.
    pub stall: Duration,
}

impl Default for Http {
    fn default() -> Self {
        Self { retries: 4, pause: Duration::from_secs(1), stall: Duration::from_secs(60) }
    }
}

/// The reason why an attempt failed.
enum Cut {
    /// A temporary failure.
    Passing(Error),
    /// A permanent failure.
    Final(Error),
}

/// Downloads a file. A partial download is kept in `NAME.part` beside it and resumed. The file gets its name when it is
/// complete and its checksum is correct. Returns its SHA-256 and size.
///
/// # Errors
/// If the server cannot be reached, has no such file or sends another file, or the user stopped the download. Only a
/// wrong file removes the partial download.
pub fn download(
    url: &str,
    path: &Path,
    expected: &Checksum,
    http: &Http,
    progress: &dyn Progress,
) -> Result<(String, u64)> {
    let download = Download { url, part: Part::of(path), expected, http, progress };
    let resumed = download.part.length() > 0;
    download.run()?;
    let checked = match expected.check(&download.part.path) {
        Err(error) if resumed => {
            // The first part may belong to an earlier release.
            progress.warn(&format!("{error}: downloading it again"));
            download.part.remove();
            download.run()?;
            expected.check(&download.part.path)
        }
        checked => checked,
    };
    match checked {
        Ok(found) => {
            download.part.finish(path)?;
            Ok(found)
        }
        Err(error) => {
            download.part.remove();
            Err(Error::data(format!("{url}: {error}; it was removed"))
                .with_help("the publisher changed the file, or a proxy alters downloads; halfmax does not use such a file"))
        }
    }
}

struct Download<'a> {
    url: &'a str,
    part: Part,
    expected: &'a Checksum,
    http: &'a Http,
    progress: &'a dyn Progress,
}

impl Download<'_> {
    /// Tries until the file is complete.
    fn run(&self) -> Result<()> {
        let agent = agent(self.url, self.http)?;
        let mut pause = self.http.pause;
        for attempt in 0.. {
            let before = self.part.length();
            match self.attempt(&agent) {
                Ok(()) => return Ok(()),
                Err(Cut::Final(error)) => return Err(error),
                Err(Cut::Passing(error)) if attempt >= self.http.retries => return Err(error),
                Err(Cut::Passing(error)) => {
                    self.progress.warn(&format!("{error}; trying again"));
                    self.wait(pause)?;
                    pause *= if self.part.length() > before { 1 } else { 2 };
                }
            }
        }
        Ok(())
    }

    fn wait(&self, pause: Duration) -> Result<()> {
        let end = Instant::now() + pause;
        while Instant::now() < end {
            self.progress.check()?;
            std::thread::sleep(Duration::from_millis(20).min(pause));
        }
        Ok(())
    }

    fn error(&self, what: &str) -> Error {
        Error::failed(format!("{}: {what}", self.url))
    }

    /// One request, starting at the end of the part.
    fn attempt(&self, agent: &Agent) -> std::result::Result<(), Cut> {
        self.progress.check().map_err(Cut::Final)?;
        let there = self.start();
        if there > 0 && self.expected.bytes == Some(there) {
            // The part seems complete; the checksum decides.
            return Ok(());
        }
        let mut request = agent.get(self.url).header(header::ACCEPT_ENCODING, "identity");
        if there > 0 {
            request = request.header(header::RANGE, format!("bytes={there}-"));
            if let Some(validator) = self.part.validator() {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        let response = request.call().map_err(|error| {
            Cut::Passing(self.error(&format!("the server cannot be reached: {error}")).with_source(error))
        })?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, there) => self.receive(response, there),
            StatusCode::OK => self.receive(response, 0),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                self.part.remove();
                Err(Cut::Passing(self.error("the server now has another file than the partial download")))
            }
            // Expired signed addresses answer with 403, busy servers with the other codes.
            status if status.is_server_error() || [403, 408, 425, 429].contains(&status.as_u16()) => {
                Err(Cut::Passing(self.error(&format!("the server answered {status}"))))
            }
            status => Err(Cut::Final(self.error(&format!("the server answered {status}")))),
        }
    }

    /// The position to resume from. A part that cannot be verified is downloaded again.
    fn start(&self) -> u64 {
        let there = self.part.length();
        let too_long = self.expected.bytes.is_some_and(|bytes| there > bytes);
        let certain = self.part.validator().is_some() || self.expected.is_known();
        if there > 0 && (too_long || !certain) {
            self.part.remove();
            return 0;
        }
        there
    }

    /// Writes the received bytes after the first `from` bytes of the part.
    fn receive(&self, response: Response<Body>, from: u64) -> std::result::Result<(), Cut> {
        let length = number(&response, header::CONTENT_LENGTH.as_str());
        let total = self.expected.bytes.or(length.map(|length| length + from));
        if let (Some(expected), Some(length)) = (self.expected.bytes, length)
            && length + from != expected
        {
            self.part.remove();
            let offered = length + from;
            return Err(Cut::Final(
                Error::data(format!("{}: the server offers {offered} bytes, expected {expected}", self.url))
                    .with_help("the publisher changed the file; halfmax does not use it"),
            ));
        }
        self.part.keep_validator(&response).map_err(Cut::Final)?;
        let mut file = self.part.open(from).map_err(Cut::Final)?;
        let mut done = from;
        let blocks = blocks(response.into_body());
        let mut last = Instant::now();
        loop {
            self.progress.check().map_err(Cut::Final)?;
            match blocks.recv_timeout(Duration::from_millis(100).min(self.http.stall)) {
                Ok(Ok(block)) if block.is_empty() => break,
                Ok(Ok(block)) => {
                    file.write_all(&block).map_err(|error| Cut::Final(self.part.unwritable(error)))?;
                    done += block.len() as u64;
                    last = Instant::now();
                    self.progress.step(done as usize, total.unwrap_or(done) as usize);
                }
                Ok(Err(error)) => {
                    return Err(Cut::Passing(
                        self.error(&format!("the connection broke after {done} bytes: {error}")),
                    ));
                }
                Err(RecvTimeoutError::Timeout) if last.elapsed() < self.http.stall => {}
                Err(_) => return Err(Cut::Passing(self.error("the server stopped sending data"))),
            }
        }
        file.sync_all().map_err(|error| Cut::Final(self.part.unwritable(error)))?;
        match total {
            Some(total) if done < total => {
                Err(Cut::Passing(self.error(&format!("the connection closed after {done} of {total} bytes"))))
            }
            _ => Ok(()),
        }
    }
}

/// The received blocks, read by a separate thread, so that a silent server cannot block the caller. An empty block
/// marks the end.
fn blocks(body: Body) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(8);
    std::thread::spawn(move || {
        let mut reader = body.into_reader();
        loop {
            let mut block = vec![0; 1 << 16];
            let read = reader.read(&mut block).map(|length| {
                block.truncate(length);
                block
            });
            let last = read.as_ref().map_or(true, Vec::is_empty);
            if sender.send(read).is_err() || last {
                return;
            }
        }
    });
    receiver
}

/// A client with the proxies of the environment. `SSL_CERT_FILE` names certificates to trust instead of Mozilla's.
fn agent(url: &str, http: &Http) -> Result<Agent> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        let pem = std::fs::read(&path).map_err(|error| {
            Error::config(format!("SSL_CERT_FILE: {}: cannot be read", path.display())).with_source(error)
        })?;
        let certificates = parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        tls = tls.root_certs(RootCerts::Specific(Arc::new(certificates.collect())));
    }
    let config = Agent::config_builder()
        .tls_config(tls.build())
        .user_agent(concat!("halfmax/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .https_only(url.starts_with("https:"))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(http.stall))
        .build();
    Ok(config.into())
}

fn number(response: &Response<Body>, name: &str) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Whether a partial answer starts at the requested position.
fn starts_at(response: &Response<Body>, from: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()) == Some(from)
}

/// `NAME.part`, and `NAME.part.etag`, which identifies its release.
struct Part {
    path: PathBuf,
    etag: PathBuf,
}

impl Part {
    fn of(path: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            path.with_file_name(name)
        };
        Self { path: with(".part"), etag: with(".part.etag") }
    }

    fn length(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    fn validator(&self) -> Option<String> {
        std::fs::read_to_string(&self.etag).ok().filter(|text| !text.is_empty())
    }

    /// Keeps the strong ETag of an answer, else its date.
    fn keep_validator(&self, response: &Response<Body>) -> Result<()> {
        let text =
            |name: header::HeaderName| response.headers().get(name).and_then(|text| text.to_str().ok());
        let etag = text(header::ETAG).filter(|etag| !etag.starts_with("W/"));
        let validator = etag.or_else(|| text(header::LAST_MODIFIED)).unwrap_or_default();
        std::fs::write(&self.etag, validator).map_err(|error| self.unwritable(error))
    }

    /// Opens the part after its first `from` bytes.
    fn open(&self, from: u64) -> Result<File> {
        let open = || -> std::io::Result<File> {
            let mut options = OpenOptions::new();
            let file = options.create(true).append(true).open(&self.path)?;
            if from < file.metadata()?.len() {
                file.set_len(from)?;
            }
            Ok(file)
        };
        open().map_err(|error| self.unwritable(error))
    }

    fn unwritable(&self, error: std::io::Error) -> Error {
        Error::failed(format!("{}: cannot be written: {error}", self.path.display()))
            .with_help("free some space, or set another folder of datasets (`--data-dir`)")
            .with_source(error)
    }

    fn remove(&self) {
        // A missing file needs no removal, and a file that cannot be removed is overwritten.
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(&self.etag);
    }

    fn finish(&self, path: &Path) -> Result<()> {
        std::fs::rename(&self.path, path).map_err(|error| self.unwritable(error))?;
        let _ = std::fs::remove_file(&self.etag);
        Ok(())
    }
}
