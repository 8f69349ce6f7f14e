//! An origin of HTTP/1 that breaks off as the last part of the path says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{io, thread};

use crate::breaks::Cues;
use crate::reset::reset_at_close;
use crate::through::PATIENCE;

/// Serves in the background for as long as the test's process lives.
pub(super) fn serve(listener: TcpListener, cues: &Cues) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    let cues = cues.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let cues = cues.clone();
            // A caller that goes away is the caller's business.
            thread::spawn(move || answer(stream, &cues));
        }
    });
    Ok(())
}

/// Answers one request, and ends the connection.
fn answer(mut stream: TcpStream, cues: &Cues) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(());
    }
    let mut line = String::from("-");
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let before = cues.heard.len();
    cues.seen.push(());
    let target = first.split(' ').nth(1).unwrap_or_default();
    let what = target.rsplit('/').next().unwrap_or_default();
    let (begin, end) = what.split_once('-').unwrap_or((what, ""));
    let head: &[u8] = match begin {
        "part" => b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf",
        "chunk" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "open" => b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf",
        _ => b"",
    };
    stream.write_all(head)?;
    if !head.is_empty() {
        cues.await_heard(before);
    }
    match end {
        "reset" => reset_at_close(&stream)?,
        "before" if begin == "reset" => reset_at_close(&stream)?,
        "garbage" => stream.write_all(b"no number\r\n")?,
        "before" if begin == "garbage" => stream.write_all(b"no HTTP\r\n\r\n")?,
        "close" | "before" => {}
        // Listens until the caller gives up.
        _ => drop(reader.read_to_end(&mut Vec::new())),
    }
    Ok(())
}
