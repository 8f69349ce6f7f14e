use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{Request, Response};
use http_body::Frame;
use thiserror::Error;
use tokio::io::DuplexStream;
use tokio::task::LocalSet;

use super::*;

#[derive(Debug, Error)]
enum Trouble {
    #[error("broken")]
    Local,
    #[error("passed on")]
    Remote(#[source] h2::Error),
}

/// A body of pieces, which counts the pieces that were read.
#[derive(Debug, Default)]
struct Pieces {
    pieces: VecDeque<Result<Frame<Bytes>, Trouble>>,
    given: Rc<Cell<usize>>,
    /// The body has no end: it stays pending after its last piece.
    open: bool,
    /// Whether it yields before each piece.
    slow: bool,
    waited: bool,
}

impl Pieces {
    fn of(pieces: impl IntoIterator<Item = Result<Frame<Bytes>, Trouble>>) -> Self {
        Self {
            pieces: pieces.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Trouble;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Trouble>>> {
        self.waited = self.slow && !self.waited;
        if self.waited {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.pieces.pop_front() {
            None if self.open => Poll::Pending,
            piece => {
                self.given.set(self.given.get() + 1);
                Poll::Ready(piece)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && !self.open
    }
}

fn data(bytes: &'static [u8]) -> Result<Frame<Bytes>, Trouble> {
    Ok(Frame::data(Bytes::from_static(bytes)))
}

fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, async { test().await });
}

/// Answers the one request of a connection with a body, and returns what its client received. The client's stream
/// window is `window` bytes.
async fn answered(window: u32, body: Pieces) -> (RecvStream, JoinHandle<Sent>) {
    let (client, server) = tokio::io::duplex(1 << 20);
    let sending = spawn_local(async move {
        let mut connection = h2::server::handshake(server).await.expect("handshake");
        let accepted = connection.accept().await.expect("a request");
        let (_, mut respond) = accepted.expect("a request");
        spawn_local(async move { while connection.accept().await.is_some() {} });
        let stream = respond.send_response(Response::new(()), false);
        BodySender::new(body, stream.expect("sent")).await
    });
    let mut sender = connect(client, window).await;
    let request = Request::get("http://a.test/").body(()).expect("request");
    let (response, _) = sender.send_request(request, true).expect("sent");
    let response = response.await.expect("a response");
    (response.into_body(), sending)
}

type Sent = Result<(), Stopped<Trouble>>;

async fn connect(client: DuplexStream, window: u32) -> SendRequest<Bytes> {
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        .handshake(client)
        .await
        .expect("handshake");
    spawn_local(connection);
    sender.ready().await.expect("ready")
}

#[test]
fn the_last_piece_ends_the_stream() {
    run(|| async {
        let (mut body, sending) =
            answered(1000, Pieces::of([data(b"a"), data(b""), data(b"bc")])).await;
        assert_eq!(body.data().await.expect("data").expect("data"), "a");
        let last = body.data().await.expect("data").expect("data");
        assert_eq!(last, "bc");
        assert!(body.is_end_stream(), "no empty piece after it");
        sending.await.expect("no panic").expect("sent");
    });
}

#[test]
fn trailers_come_last_without_what_is_http1s() {
    run(|| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().expect("value"));
        trailers.insert("connection", "close".parse().expect("value"));
        let body = Pieces::of([data(b"a"), Ok(Frame::trailers(trailers))]);
        let (mut body, sending) = answered(1000, body).await;
        assert_eq!(body.data().await.expect("data").expect("data"), "a");
        assert!(body.data().await.is_none());
        let trailers = body.trailers().await.expect("no reset").expect("trailers");
        assert_eq!(trailers.len(), 1);
        assert_eq!(trailers["grpc-status"], "0");
        sending.await.expect("no panic").expect("sent");
    });
}

#[test]
fn pieces_are_read_as_the_window_allows() {
    run(|| async {
        let pieces: Vec<_> = (0..100).map(|_| data(&[b'x'; 100])).collect();
        let body = Pieces::of(pieces);
        let given = Rc::clone(&body.given);
        let (mut body, sending) = answered(250, body).await;
        let first = body.data().await.expect("data").expect("data");
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let read = given.get();
        assert!((3..=4).contains(&read), "{read} pieces for 250 bytes");
        let mut all = first.len();
        let _ = body.flow_control().release_capacity(all);
        while let Some(bytes) = body.data().await {
            let bytes = bytes.expect("data");
            all += bytes.len();
            let _ = body.flow_control().release_capacity(bytes.len());
        }
        assert_eq!((all, given.get()), (100 * 100, 100));
        sending.await.expect("no panic").expect("sent");
    });
}

#[test]
fn a_body_that_breaks_off_resets_the_stream() {
    run(|| async {
        for (error, reason) in [
            (Trouble::Local, Reason::INTERNAL_ERROR),
            (
                Trouble::Remote(Reason::ENHANCE_YOUR_CALM.into()),
                Reason::ENHANCE_YOUR_CALM,
            ),
            // A client would treat the body as complete.
            (
                Trouble::Remote(Reason::NO_ERROR.into()),
                Reason::INTERNAL_ERROR,
            ),
        ] {
            let body = Pieces {
                slow: true,
                ..Pieces::of([data(b"a"), Err(error)])
            };
            let (mut body, sending) = answered(1000, body).await;
            let mut end = body.data().await.expect("data");
            if end.is_ok() {
                end = body.data().await.expect("a reset");
            }
            assert_eq!(end.expect_err("a reset").reason(), Some(reason));
            let stopped = sending.await.expect("no panic");
            assert!(matches!(stopped, Err(Stopped::Body(_))), "{stopped:?}");
        }
    });
}

#[test]
fn a_reset_by_the_peer_ends_the_body() {
    run(|| async {
        for pieces in [
            vec![data(b"a")],
            vec![data(&[b'x'; 600]), data(&[b'x'; 600])],
        ] {
            let body = Pieces {
                open: true,
                ..Pieces::of(pieces)
            };
            let (body, sending) = answered(500, body).await;
            drop(body);
            let stopped = sending.await.expect("no panic");
            assert!(matches!(stopped, Err(Stopped::Peer(_))), "{stopped:?}");
        }
    });
}

/// Sends a request with an incomplete body to a server with a stream window of ten bytes. Returns the stream that the
/// server reads.
async fn uploading(body: Pieces) -> (Upload, ResponseFuture, RecvStream) {
    let (client, server) = tokio::io::duplex(1 << 16);
    let accepting = spawn_local(async move {
        let mut connection = h2::server::Builder::new()
            .initial_window_size(10)
            .handshake::<_, Bytes>(server)
            .await
            .expect("handshake");
        let (request, respond) = connection.accept().await.expect("a request").expect("one");
        spawn_local(async move {
            while connection.accept().await.is_some() {}
            drop(respond);
        });
        request.into_body()
    });
    let mut sender = connect(client, 1000).await;
    let request = Request::post("http://a.test/").body(()).expect("request");
    let (response, stream) = sender.send_request(request, false).expect("sent");
    let upload = Upload::begin(BodySender::new(body, stream));
    (upload, response, accepting.await.expect("no panic"))
}

#[test]
fn an_upload_reports_why_it_broke_off() {
    run(|| async {
        let broken = Err(Trouble::Local);
        let (upload, _response, mut body) =
            uploading(Pieces::of([data(&[b'x'; 30]), broken])).await;
        let reset = loop {
            match body.data().await.expect("a reset at last") {
                Ok(bytes) => {
                    let _ = body.flow_control().release_capacity(bytes.len());
                }
                Err(reset) => break reset,
            }
        };
        assert_eq!(reset.reason(), Some(Reason::INTERNAL_ERROR));
        let why = upload.failed().expect("it broke off");
        assert_eq!(why.to_string(), "broken");
    });
}

#[test]
fn a_dropped_upload_is_reset() {
    run(|| async {
        let body = Pieces {
            open: true,
            ..Pieces::of([data(b"a")])
        };
        let (upload, response, mut body) = uploading(body).await;
        assert_eq!(body.data().await.expect("data").expect("data"), "a");
        drop((upload, response));
        let reset = body.data().await.expect("a reset").expect_err("a reset");
        assert_eq!(reset.reason(), Some(Reason::CANCEL));
    });
}

#[test]
fn an_upload_goes_on_alone() {
    run(|| async {
        let (upload, _response, mut body) =
            uploading(Pieces::of([data(b"a"), data(&[b'x'; 30])])).await;
        upload.go_on();
        let mut all = 0;
        while let Some(bytes) = body.data().await {
            let bytes = bytes.expect("data");
            all += bytes.len();
            let _ = body.flow_control().release_capacity(bytes.len());
        }
        assert_eq!(all, 31);
    });
}
