//! Who is behind the proxies: does what the first line of a connection says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::{io, thread};

use crate::reset::reset_at_close;
use crate::through::PATIENCE;

/// Serves in the background for as long as the test's process lives.
pub(crate) fn serve(listener: TcpListener, name: &'static str) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A caller that goes away is the caller's business.
            thread::spawn(move || obey(stream, name));
        }
    });
    Ok(())
}

/// Says at once what is no TLS.
pub(crate) fn shout(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || -> io::Result<()> {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.write_all(b"who is there?\n")?;
                io::copy(&mut stream, &mut io::sink())?;
                Ok(())
            });
        }
    });
    Ok(())
}

fn obey(mut stream: TcpStream, name: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut order = Vec::new();
    reader.read_until(b'\n', &mut order)?;
    match order.trim_ascii() {
        // Says its name, and what it hears, until it hears no more.
        b"echo" => {
            stream.write_all(name.as_bytes())?;
            io::copy(&mut reader, &mut stream)?;
        }
        b"close" => stream.write_all(b"bye")?,
        // Has no more to say, but listens on.
        b"half" => {
            stream.write_all(b"half")?;
            stream.shutdown(Shutdown::Write)?;
            io::copy(&mut reader, &mut io::sink())?;
        }
        b"reset" => {
            stream.write_all(b"oops")?;
            // So that what was said is heard before the reset is.
            reader.read_exact(&mut [0])?;
            reset_at_close(&stream)?;
        }
        [0x16, ..] => {
            stream.write_all(b"hello to you")?;
            io::copy(&mut reader, &mut io::sink())?;
        }
        // Listens to the end.
        _ => drop(io::copy(&mut reader, &mut io::sink())?),
    }
    Ok(())
}
