//! What a client does with a connection, step by step.

use std::io;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use egret_tests::netns::Host;

use crate::compare::Facts;
use crate::reset::reset_at_close;
use crate::through::PATIENCE;

/// One connection.
pub(crate) struct Dialogue {
    pub(crate) name: &'static str,
    /// Where to; through a gateway, only the port counts.
    pub(crate) to: SocketAddr,
    pub(crate) steps: &'static [Step],
    /// Lines that the access log gets.
    pub(crate) rows: usize,
}

/// What the client does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Sends bytes.
    Say(&'static [u8]),
    /// Sends the beginning of a TLS handshake with this name.
    Greet(Option<&'static str>),
    /// Makes another connection to the same place, which lasts as long as this one: sends bytes, and reads as many as
    /// these.
    Beside(&'static [u8], &'static [u8]),
    /// Reads as many bytes as these, which they should be.
    Hear(&'static [u8]),
    /// Says that it has no more to say.
    End,
    /// Reads to the end.
    Rest,
    /// Resets the connection.
    Reset,
}

/// Goes through the steps, then closes.
pub(crate) fn hold(client: &Host, to: SocketAddr, steps: &'static [Step]) -> Facts {
    let mut facts = Facts::new();
    let (heard, end) = client.run(move || {
        let mut heard = Vec::new();
        let end = go(to, steps, &mut heard);
        (heard, end)
    });
    let heard = String::from_utf8_lossy(&heard).into_owned();
    facts.insert("heard".to_owned(), heard);
    let end = match end {
        Ok(()) => "as it wanted".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    };
    facts.insert("ends".to_owned(), end);
    facts
}

fn go(to: SocketAddr, steps: &[Step], heard: &mut Vec<u8>) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut beside = Vec::new();
    for step in steps {
        match step {
            // Who refuses may do so before all is sent.
            Step::Say(bytes) => drop(stream.write_all(bytes)),
            Step::Greet(name) => drop(stream.write_all(&hello(*name))),
            Step::Beside(said, back) => {
                let mut other = TcpStream::connect_timeout(&to, PATIENCE)?;
                other.set_read_timeout(Some(PATIENCE))?;
                other.write_all(said)?;
                other.read_exact(&mut vec![0; back.len()])?;
                beside.push(other);
            }
            Step::Hear(bytes) => {
                let mut room = vec![0; bytes.len()];
                stream.read_exact(&mut room)?;
                heard.extend(room);
            }
            Step::End => drop(stream.shutdown(Shutdown::Write)),
            Step::Rest => drop(stream.read_to_end(heard)?),
            Step::Reset => reset_at_close(&stream)?,
        }
    }
    Ok(())
}

/// The first message of a TLS client (RFC 8446, 4.1.2), as short as it can be.
fn hello(name: Option<&str>) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(name) = name {
        let entry = [&[0][..], &counted(name.as_bytes())].concat();
        extensions.extend([0, 0]);
        extensions.extend(counted(&counted(&entry)));
    }
    // One group and one kind of signature.
    extensions.extend([0, 10, 0, 4, 0, 2, 0, 0x1d]);
    extensions.extend([0, 13, 0, 4, 0, 2, 4, 1]);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    // No session, one suite, no compression.
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    body.extend(counted(&extensions));
    let message = [&[1, 0][..], &counted(&body)].concat();
    [&[0x16, 3, 1][..], &counted(&message)].concat()
}

/// Bytes after their number, in two bytes.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes()[..], bytes].concat()
}
