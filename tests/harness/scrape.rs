//! Asks a program's admin port for a page, from inside its host.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::Context;

use crate::DEADLINE;
use crate::netns::Host;

/// An answered page.
#[derive(Clone, Debug)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// GETs `path` from `address` in `host`.
///
/// # Errors
/// When nobody listens, or the answer is not HTTP.
pub fn get(host: &Host, address: SocketAddr, path: &str) -> anyhow::Result<Page> {
    request(host, address, "GET", path)
}

/// POSTs nothing to `path` at `address` in `host`.
///
/// # Errors
/// As [`get`].
pub fn post(host: &Host, address: SocketAddr, path: &str) -> anyhow::Result<Page> {
    request(host, address, "POST", path)
}

fn request(host: &Host, address: SocketAddr, method: &str, path: &str) -> anyhow::Result<Page> {
    // HTTP/1.0, so that the body ends with the connection and is never chunked.
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
    let answer = host.run(move || -> anyhow::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("not an HTTP answer: {answer:?}"))?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .with_context(|| format!("no status in {head:?}"))?;
    Ok(Page {
        status,
        body: body.to_owned(),
    })
}
