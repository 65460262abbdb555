//! Downloads from a test server that breaks connections, lies and falls silent.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use halfmax_core::{ErrorKind, Progress, Silent};
use halfmax_data::sha256_bytes;
use halfmax_fetch::{Checksum, Http, download};

const HTTP: Http = Http { retries: 2, pause: Duration::from_millis(1), stall: Duration::from_millis(300) };

/// The answer of a connection, after its request was read.
type Answer = Box<dyn FnOnce(&mut TcpStream) + Send>;

/// Serves one answer per connection, in order. Returns the address and the requests.
fn serve(answers: Vec<Answer>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/table.csv", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            sender.send(String::from_utf8(request).unwrap().to_lowercase()).unwrap();
            answer(&mut stream);
        }
    });
    (url, requests)
}

fn answer(head: &str, body: &[u8]) -> Answer {
    let bytes = [format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes(), body].concat();
    // The client may be gone.
    Box::new(move |stream| drop(stream.write_all(&bytes)))
}

fn whole(body: &[u8]) -> Answer {
    answer(&format!("200 OK\r\nETag: \"one\"\r\nContent-Length: {}", body.len()), body)
}

/// Announces the whole file and sends the beginning.
fn cut(body: &[u8], after: usize) -> Answer {
    answer(&format!("200 OK\r\nETag: \"one\"\r\nContent-Length: {}", body.len()), &body[..after])
}

fn rest(body: &[u8], from: usize) -> Answer {
    let (last, total) = (body.len() - 1, body.len());
    let head = format!(
        "206 Partial Content\r\nETag: \"one\"\r\nContent-Range: bytes {from}-{last}/{total}\r\nContent-Length: {}",
        total - from
    );
    answer(&head, &body[from..])
}

fn table() -> Vec<u8> {
    (0..40_000u32).flat_map(|number| format!("{number},").into_bytes()).collect()
}

fn expected(body: &[u8]) -> Checksum {
    Checksum { sha256: Some(sha256_bytes(body)), bytes: Some(body.len() as u64), md5: None }
}

fn nothing_beside(path: &Path) -> bool {
    std::fs::read_dir(path.parent().unwrap()).unwrap().all(|entry| entry.unwrap().path() == path)
}

#[test]
fn a_file_arrives_whole() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    let (url, requests) = serve(vec![whole(&body)]);
    let (sha256, bytes) = download(&url, &path, &expected(&body), &HTTP, &Silent).unwrap();
    assert_eq!((sha256, bytes), (sha256_bytes(&body), body.len() as u64));
    assert_eq!(std::fs::read(&path).unwrap(), body);
    assert!(nothing_beside(&path));
    assert!(!requests.recv().unwrap().contains("range:"));
}

#[test]
fn a_file_whose_size_nobody_says_arrives() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    let (url, _requests) = serve(vec![answer("200 OK", &body)]);
    download(&url, &path, &Checksum::default(), &HTTP, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body);
}

#[test]
fn a_cut_download_goes_on_where_it_was() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    let (url, requests) = serve(vec![cut(&body, 1000)]);
    let known = Checksum::default();
    let error = download(&url, &path, &known, &Http { retries: 0, ..HTTP }, &Silent).unwrap_err();
    assert!(error.to_string().contains("broke after 1000 bytes"), "{error}");
    assert_eq!(std::fs::read(folder.path().join("table.csv.part")).unwrap(), &body[..1000]);
    assert!(!requests.recv().unwrap().contains("range:"));
    let (url, requests) = serve(vec![rest(&body, 1000)]);
    download(&url, &path, &known, &HTTP, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body);
    let request = requests.recv().unwrap();
    assert!(request.contains("range: bytes=1000-") && request.contains("if-range: \"one\""), "{request}");
    assert!(nothing_beside(&path));
}

#[test]
fn a_broken_connection_is_tried_again() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    let (url, _requests) =
        serve(vec![cut(&body, 70_000), answer("503 Service Unavailable", b""), rest(&body, 70_000)]);
    download(&url, &path, &expected(&body), &HTTP, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body);
}

#[test]
fn a_server_without_ranges_sends_it_anew() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    let (url, _requests) = serve(vec![cut(&body, 1000), whole(&body)]);
    download(&url, &path, &expected(&body), &HTTP, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body);
}

#[test]
fn another_range_than_the_one_asked_for_is_not_appended() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    let (url, _requests) = serve(vec![cut(&body, 1000), rest(&body, 500), whole(&body)]);
    download(&url, &path, &expected(&body), &HTTP, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body);
}

#[test]
fn the_beginning_of_another_file_is_given_up() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    std::fs::write(folder.path().join("table.csv.part"), [b'x'; 1000]).unwrap();
    let (url, _requests) = serve(vec![rest(&body, 1000), whole(&body)]);
    download(&url, &path, &expected(&body), &HTTP, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body);
}

#[test]
fn a_part_that_nothing_vouches_for_is_not_gone_on_with() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    std::fs::write(folder.path().join("table.csv.part"), [b'x'; 1000]).unwrap();
    let (url, requests) = serve(vec![whole(&body)]);
    download(&url, &path, &Checksum::default(), &HTTP, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body);
    assert!(!requests.recv().unwrap().contains("range:"));
}

#[test]
fn another_file_is_refused_and_removed() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    let mut other = body.clone();
    other[5000] ^= 1;
    let (url, _requests) = serve(vec![whole(&other)]);
    let error = download(&url, &path, &expected(&body), &HTTP, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("SHA-256") && error.to_string().contains("it was removed"), "{error}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    let md5 = Checksum { md5: Some("0".repeat(32)), ..Checksum::default() };
    let (url, _requests) = serve(vec![whole(&body)]);
    assert!(download(&url, &path, &md5, &HTTP, &Silent).unwrap_err().to_string().contains("MD5"));
}

#[test]
fn a_file_of_another_size_is_not_downloaded() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    let (url, _requests) = serve(vec![whole(&body[..500])]);
    let error = download(&url, &path, &expected(&body), &HTTP, &Silent).unwrap_err();
    assert!(error.to_string().contains("offers 500 bytes"), "{error}");
}

#[test]
fn what_is_not_there_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _requests) = serve(vec![answer("404 Not Found\r\nContent-Length: 0", b"")]);
    let path = folder.path().join("table.csv");
    let error = download(&url, &path, &Checksum::default(), &HTTP, &Silent).unwrap_err();
    assert!(error.to_string().contains("404") && error.to_string().contains(&url), "{error}");
    assert_eq!(error.kind(), ErrorKind::Failed);
}

#[test]
fn a_redirect_is_followed() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let (target, _requests) = serve(vec![whole(&body)]);
    let (url, _other) =
        serve(vec![answer(&format!("302 Found\r\nContent-Length: 0\r\nLocation: {target}"), b"")]);
    let path = folder.path().join("table.csv");
    download(&url, &path, &expected(&body), &HTTP, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body);
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let silent = |body: Vec<u8>| -> Answer {
        Box::new(move |stream| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body[..100]).unwrap();
            std::thread::sleep(Duration::from_secs(2));
        })
    };
    let (url, _requests) = serve(vec![silent(body.clone())]);
    let path = folder.path().join("table.csv");
    let begun = std::time::Instant::now();
    let error = download(&url, &path, &expected(&body), &Http { retries: 0, ..HTTP }, &Silent).unwrap_err();
    assert!(error.to_string().contains("stopped sending data"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn nobody_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let error = download(&url, &folder.path().join("t"), &Checksum::default(), &HTTP, &Silent).unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

/// Stops after a number of steps.
struct Stopping {
    steps: AtomicUsize,
    stopped: AtomicBool,
}

impl Progress for Stopping {
    fn step(&self, done: usize, total: usize) {
        assert!(done <= total);
        if self.steps.fetch_add(1, Ordering::Relaxed) == 0 {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

#[test]
fn an_interrupted_download_is_kept() {
    let (folder, body) = (tempfile::tempdir().unwrap(), table());
    let path = folder.path().join("table.csv");
    let (url, _requests) = serve(vec![cut(&body, 3000)]);
    let stopping = Stopping { steps: AtomicUsize::new(0), stopped: AtomicBool::new(false) };
    let error = download(&url, &path, &expected(&body), &HTTP, &stopping).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let part = std::fs::read(folder.path().join("table.csv.part")).unwrap();
    assert!(!part.is_empty() && body.starts_with(&part));
    let (url, requests) = serve(vec![rest(&body, part.len())]);
    download(&url, &path, &expected(&body), &HTTP, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body);
    assert!(requests.recv().unwrap().contains("if-range: \"one\""));
}
