//! What hostile clients do on one connection, each kind in its own way, for as long as the proxy lets them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use egret_tests::frames::{PREFACE, block, flag, frame, kind, settings, window_update};
use egret_tests::places::{ELSEWHERE, Located};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, sleep};

/// The pause between two steps of a slow client.
const SLOW: Duration = Duration::from_millis(500);

/// The pause between two steps of one that floods.
const FLOOD: Duration = Duration::from_millis(20);

/// Frames in one step of a flood.
const BURST: usize = 500;

/// Streams of a client of HTTP/2, all of them together more than may stall.
const STREAMS: u32 = 300;

/// SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, 6.5.2).
const INITIAL_WINDOW: u16 = 4;

/// A way of being hostile.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attack {
    /// A request's head, a byte at a time.
    SlowHead,
    /// A request's body, a byte at a time.
    SlowBody,
    /// A large response, of which a byte at a time is read.
    SlowReader,
    /// A body of small chunks with long extensions.
    ChunkExtensions,
    /// A ClientHello, a byte at a time.
    SlowHello,
    /// HTTP/2 requests that are reset at once.
    Resets,
    /// A header block that does not end.
    Continuations,
    /// SETTINGS frames whose acknowledgements are not read.
    Settings,
    /// PING frames whose answers are not read.
    Pings,
    /// DATA frames without data.
    EmptyData,
    /// Header blocks that are small on the wire and large in memory.
    HeaderBomb,
    /// Large responses in windows that grow by a byte.
    SmallWindows,
    /// Large responses on as many streams as there may be, none of which is read.
    ManyStreams,
}

impl Attack {
    /// Those of which many come.
    pub(super) const MANY: [Self; 12] = [
        Self::SlowHead,
        Self::SlowBody,
        Self::SlowReader,
        Self::ChunkExtensions,
        Self::SlowHello,
        Self::Resets,
        Self::Continuations,
        Self::Settings,
        Self::Pings,
        Self::EmptyData,
        Self::HeaderBomb,
        Self::SmallWindows,
    ];

    /// Opens a connection.
    pub(super) async fn connect(self) -> io::Result<TcpStream> {
        let port = if matches!(self, Self::SlowHello) {
            443
        } else {
            80
        };
        let socket = TcpSocket::new_v4()?;
        // The kernel's own buffer would read on for a slow reader.
        socket.set_recv_buffer_size(4096)?;
        socket.connect(SocketAddr::new(ELSEWHERE.v4(), port)).await
    }

    /// Is hostile on a connection until the proxy ends it.
    pub(super) async fn run(self, mut stream: TcpStream) -> io::Result<()> {
        let stream = &mut stream;
        match self {
            Self::SlowHead => {
                let head = b"GET /small HTTP/1.1\r\nhost: elsewhere.example\r\nx-slow: ";
                slowly(stream, head, b"a").await
            }
            Self::SlowBody => {
                let head = b"POST /small HTTP/1.1\r\nhost: elsewhere.example\r\ncontent-length: 1000000\r\n\r\n";
                slowly(stream, head, b"a").await
            }
            Self::SlowReader => read_slowly(stream).await,
            Self::ChunkExtensions => {
                let head = b"POST /small HTTP/1.1\r\nhost: elsewhere.example\r\ntransfer-encoding: chunked\r\n\r\n";
                let chunk = format!("1;{}\r\na\r\n", "x=y;".repeat(200));
                flood(stream, head, chunk.repeat(8).as_bytes()).await
            }
            Self::SlowHello => {
                let hello = [
                    0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
                ];
                slowly(stream, &hello, &[0]).await
            }
            Self::Resets => reset_each(stream).await,
            Self::Continuations => {
                let head = frame(kind::HEADERS, flag::END_STREAM, 1, &request("/small"));
                let more = frame(
                    kind::CONTINUATION,
                    0,
                    1,
                    &block(&[("x-more", &"m".repeat(1000))]),
                );
                flood(stream, &begin(&head), &more.repeat(20)).await
            }
            Self::Settings => flood(stream, &begin(&[]), &settings(&[]).repeat(BURST)).await,
            Self::Pings => {
                let ping = frame(kind::PING, 0, 0, &[0; 8]);
                flood(stream, &begin(&[]), &ping.repeat(BURST)).await
            }
            Self::EmptyData => {
                let head = frame(kind::HEADERS, flag::END_HEADERS, 1, &request("/small"));
                let data = frame(kind::DATA, 0, 1, &[]);
                flood(stream, &begin(&head), &data.repeat(BURST)).await
            }
            Self::HeaderBomb => bomb(stream).await,
            Self::SmallWindows => open_by_bytes(stream).await,
            Self::ManyStreams => open_streams(stream).await,
        }
    }
}

/// Sends `head`, then `step` again and again with long pauses.
async fn slowly(stream: &mut TcpStream, head: &[u8], step: &[u8]) -> io::Result<()> {
    stream.write_all(head).await?;
    let mut pace = interval(SLOW);
    loop {
        tokio::select! {
            _ = pace.tick() => stream.write_all(step).await?,
            ended = stream.read_u8() => { ended?; }
        }
    }
}

/// Sends `head`, then `burst` again and again. Nothing is read.
async fn flood(stream: &mut TcpStream, head: &[u8], burst: &[u8]) -> io::Result<()> {
    stream.write_all(head).await?;
    loop {
        stream.write_all(burst).await?;
        sleep(FLOOD).await;
    }
}

async fn read_slowly(stream: &mut TcpStream) -> io::Result<()> {
    stream
        .write_all(b"GET /large HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n")
        .await?;
    loop {
        stream.read_u8().await?;
        sleep(SLOW).await;
    }
}

async fn reset_each(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&begin(&[])).await?;
    let request = request("/small");
    let mut id = 1;
    loop {
        let mut burst = Vec::new();
        for _ in 0..50 {
            burst.extend(frame(kind::HEADERS, flag::WHOLE, id, &request));
            burst.extend(frame(kind::RST_STREAM, 0, id, &8_u32.to_be_bytes()));
            id += 2;
        }
        stream.write_all(&burst).await?;
        sleep(FLOOD).await;
    }
}

async fn bomb(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&begin(&[])).await?;
    let mut id = 1;
    loop {
        // A field of almost the whole table (RFC 7541, 6.2.1), then references to it.
        let mut fields = vec![0x40, 1, b'x', 127, 0xa1, 0x1e];
        fields.resize(fields.len() + 127 + 0x21 + (0x1e << 7), b'y');
        fields.splice(0..0, request("/small"));
        fields.extend([0xbe; 8000]);
        stream
            .write_all(&frame(kind::HEADERS, flag::WHOLE, id, &fields))
            .await?;
        id += 2;
        sleep(FLOOD).await;
    }
}

async fn open_by_bytes(stream: &mut TcpStream) -> io::Result<()> {
    let streams = [1, 3, 5, 7];
    let first = [PREFACE, &settings(&[(INITIAL_WINDOW, 1)])].concat();
    stream.write_all(&first).await?;
    for id in streams {
        let head = frame(kind::HEADERS, flag::WHOLE, id, &request("/large"));
        stream.write_all(&head).await?;
    }
    let updates: Vec<u8> = streams
        .iter()
        .flat_map(|id| window_update(*id, 1))
        .collect();
    let mut bytes = vec![0; 4096];
    loop {
        stream.write_all(&updates.repeat(20)).await?;
        if stream.read(&mut bytes).await? == 0 {
            return Ok(());
        }
        sleep(FLOOD).await;
    }
}

async fn open_streams(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&begin(&[])).await?;
    let request = request("/large");
    for number in 0..STREAMS {
        let head = frame(kind::HEADERS, flag::WHOLE, 2 * number + 1, &request);
        stream.write_all(&head).await?;
        // The origin is a program of the test, and not to be measured.
        if number % 16 == 0 {
            sleep(FLOOD).await;
        }
    }
    // What is left unread of the responses waits in the proxy.
    let mut bytes = vec![0; 4096];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// What a client of HTTP/2 sends first, and what comes after it.
fn begin(then: &[u8]) -> Vec<u8> {
    [PREFACE, &settings(&[]), then].concat()
}

/// The header block of a request.
pub(super) fn request(path: &str) -> Vec<u8> {
    block(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "elsewhere.example"),
        (":path", path),
    ])
}
