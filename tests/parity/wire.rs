//! HTTP/1 as bytes: what a client sends and reads, and an origin that remembers exactly what came and misbehaves on
//! demand. No library stands between, as its opinions would hide what is compared.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use std::{io, thread};

use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;

/// How long a side that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// What an origin says itself in `x-envoy-upstream-service-time`.
pub(crate) const ORIGINS_TIME: &str = "7777777";

/// A message: its first line, header fields with names in lower case, its body and trailers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) trailers: Vec<(String, String)>,
    /// The end came before the body's.
    pub(crate) is_cut: bool,
}

impl Message {
    /// The values of a field, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    fn has(&self, name: &str, word: &str) -> bool {
        self.values(name)
            .iter()
            .any(|value| value.to_ascii_lowercase().contains(word))
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        let code = self.line.split(' ').nth(1);
        code.and_then(|code| code.parse().ok()).unwrap_or(0)
    }
}

/// All that a client gets for its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Interim responses and final ones.
    pub(crate) responses: Vec<Message>,
    /// Whether the other side closed, or the client read all it wanted.
    pub(crate) closed: bool,
}

/// Sends `bytes` from `host`, then reads `wanted` final responses.
pub(crate) fn call(host: &Host, to: SocketAddr, bytes: &[u8], wanted: usize) -> io::Result<Heard> {
    let bytes = bytes.to_vec();
    host.run(move || {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // A refusal may come, and the connection go, before all is sent.
        let _ = stream.write_all(&bytes);
        let is_head = bytes.starts_with(b"HEAD ");
        let mut reader = BufReader::new(stream);
        let mut heard = Heard::default();
        let mut finals = 0;
        while finals < wanted {
            let Some(mut response) = head(&mut reader) else {
                heard.closed = true;
                return Ok(heard);
            };
            let status = response.status();
            let is_interim = (100..200).contains(&status) && status != 101;
            let is_bare = is_head || is_interim || [101, 204, 304].contains(&status);
            if !is_bare {
                body(&mut reader, &mut response, true);
            }
            heard.closed = response.is_cut || response.has("connection", "close");
            heard.responses.push(response);
            finals += usize::from(!is_interim);
        }
        if heard.closed {
            // Told to close is not closed yet. Envoy waits a while for the client to be done.
            let _ = reader.get_ref().shutdown(Shutdown::Write);
            heard.closed = matches!(reader.read(&mut [0]), Ok(0) | Err(_));
        }
        Ok(heard)
    })
}

/// An origin in `host` at `address`. Its answer depends on the last part of the path.
pub(crate) fn origin(listener: TcpListener) -> io::Result<Ledger<Message>> {
    let requests = Ledger::default();
    listener.set_nonblocking(false)?;
    let seen = requests.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let seen = seen.clone();
            // A caller that goes away is the caller's business.
            thread::spawn(move || serve(stream, &seen));
        }
    });
    Ok(requests)
}

fn serve(stream: TcpStream, seen: &Ledger<Message>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(mut request) = head(&mut reader) {
        let early = request.line.contains("/early ");
        if early {
            seen.push(request.clone());
            writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        }
        // Told of before its body has come.
        let slow = request.line.contains("/slow ");
        if slow {
            seen.push(request.clone());
        }
        if request.has("expect", "100-continue") {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        body(&mut reader, &mut request, false);
        if early {
            return Ok(());
        }
        if !slow {
            seen.push(request.clone());
        }
        let target = request.line.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let answer = match path.rsplit('/').next().unwrap_or_default() {
            "silent" => {
                // Until the caller gives up.
                let _ = reader.read(&mut [0]);
                return Ok(());
            }
            "drip" => {
                writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")?;
                let _ = reader.read(&mut [0]);
                return Ok(());
            }
            "reset" => return Ok(()),
            "upgrade" => {
                writer.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n")?;
                return Ok(());
            }
            what => answer(what),
        };
        writer.write_all(answer.as_bytes())?;
        if answer.contains("connection: close") || answer.starts_with("HTTP/1.0") {
            return Ok(());
        }
    }
    Ok(())
}

fn answer(what: &str) -> String {
    match what {
        "chunked" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n".into(),
        "trailers" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n".into(),
        "close" => "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end".into(),
        "http10" => "HTTP/1.0 200 OK\r\nx-old: yes\r\n\r\nold".into(),
        "hints" => "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".into(),
        "garbage" => "SSH-2.0-OpenSSH_9.2 connection: close\r\n\r\n".into(),
        "twolengths" => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok".into(),
        "differ" => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok".into(),
        "both" => "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
        "coded" => "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
        "chunkedtwice" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
        "identity" => "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 5\r\n\r\nhello".into(),
        "204long" => "HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\nbody".into(),
        "204chunked" => "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        "204empty" => "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n".into(),
        "fold" => "HTTP/1.1 200 OK\r\nx-fold: one\r\n two\r\ncontent-length: 2\r\n\r\nok".into(),
        "partial" => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nx-note: connection: close\r\n\r\nfour".into(),
        "cookies" => "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 2\r\n\r\nok".into(),
        "server" => format!("HTTP/1.1 200 OK\r\nserver: mine\r\nx-powered-by: me\r\nvia: 1.1 x\r\nx-envoy-upstream-service-time: {ORIGINS_TIME}\r\nx-one: 1\r\nx-one: 2\r\ncontent-length: 2\r\n\r\nok"),
        "hop" => "HTTP/1.1 200 OK\r\nconnection: x-hop, keep-alive\r\nkeep-alive: timeout=5\r\nx-hop: 1\r\nproxy-authenticate: Basic\r\ncontent-length: 2\r\n\r\nok".into(),
        "dated" => "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 2\r\n\r\nok".into(),
        "big" => format!("HTTP/1.1 200 OK\r\nx-big: {}\r\ncontent-length: 2\r\n\r\nok", "b".repeat(30_000)),
        "huge" => {
            let line = format!("x-big: {}\r\n", "b".repeat(7_000));
            let head = line.repeat(10);
            format!("HTTP/1.1 200 OK\r\n{head}content-length: 2\r\n\r\nok")
        }
        "lengths" => "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok".into(),
        "noreason" => "HTTP/1.1 299 \r\ncontent-length: 2\r\n\r\nok".into(),
        "upper" => "HTTP/1.1 200 Fine\r\nX-CaSe: Kept\r\nContent-Length: 2\r\n\r\nok".into(),
        "204" => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        "304" => "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n".into(),
        "500" => "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nno".into(),
        "503" => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno".into(),
        "redirected" => "HTTP/1.1 302 Found\r\nlocation: http://elsewhere.example/\r\ncontent-length: 0\r\n\r\n".into(),
        "limited" => "HTTP/1.1 429 Too Many Requests\r\nx-envoy-ratelimited: true\r\ncontent-length: 0\r\n\r\n".into(),
        "limited503" => "HTTP/1.1 503 Service Unavailable\r\nx-envoy-ratelimited: true\r\ncontent-length: 0\r\n\r\n".into(),
        "cors" => "HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\naccess-control-expose-headers: x-own\r\ncontent-length: 2\r\n\r\nok".into(),
        _ if what.starts_with("grpc") => format!("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: {}\r\ncontent-length: 0\r\n\r\n", &what[4..]),
        _ if what.len() == 3 && what.parse::<u16>().is_ok() => format!("HTTP/1.1 {what} Any\r\ncontent-length: 2\r\n\r\nno"),
        _ => "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nhello\n".into(),
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes).ok()?;
    if bytes.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn fields(reader: &mut impl BufRead) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    while let Some(text) = line(reader).filter(|text| !text.is_empty()) {
        match (text.starts_with([' ', '\t']), text.split_once(':')) {
            (true, _) => {
                if let Some((_, value)) = fields.last_mut() {
                    value.push_str(&format!("\\fold{text}"));
                }
            }
            (false, Some((name, value))) => {
                fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            (false, None) => fields.push((text, "without a colon".to_owned())),
        }
    }
    fields
}

fn head(reader: &mut impl BufRead) -> Option<Message> {
    let line = line(reader)?;
    Some(Message {
        line,
        headers: fields(reader),
        ..Message::default()
    })
}

/// Reads the body of a message; one without a length goes to the end in responses and is none in requests.
fn body(reader: &mut impl BufRead, message: &mut Message, is_response: bool) {
    let mut bytes = Vec::new();
    if message.has("transfer-encoding", "chunked") {
        loop {
            let size = line(reader).and_then(|text| {
                let digits = text.split(';').next().unwrap_or_default().trim().to_owned();
                usize::from_str_radix(&digits, 16).ok()
            });
            match size {
                None => {
                    message.is_cut = true;
                    break;
                }
                Some(0) => {
                    message.trailers = fields(reader);
                    break;
                }
                Some(size) => {
                    let mut chunk = vec![0; size];
                    if reader.read_exact(&mut chunk).is_err() {
                        message.is_cut = true;
                        break;
                    }
                    bytes.extend(chunk);
                    line(reader);
                }
            }
        }
    } else if let Some(length) = message.values("content-length").first() {
        let length: u64 = length.parse().unwrap_or(0);
        let read = reader.take(length).read_to_end(&mut bytes);
        message.is_cut = read.is_err() || (bytes.len() as u64) < length;
    } else if is_response {
        message.is_cut = reader.read_to_end(&mut bytes).is_err();
    }
    message.body = String::from_utf8_lossy(&bytes).into_owned();
}
