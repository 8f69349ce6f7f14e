//! An origin of HTTP/2 that breaks off as the last part of the path says.

use std::net::TcpListener;
use std::{io, thread};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream, server};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::breaks::Cues;
use crate::reset::reset_at_close;

/// Serves in the background for as long as the test's process lives.
pub(super) fn serve(listener: TcpListener, cues: &Cues) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let cues = cues.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                let cues = cues.clone();
                // A caller that goes away is the caller's business.
                tokio::spawn(async move { connection(stream, cues).await });
            }
            #[expect(unreachable_code, reason = "says what fails")]
            io::Result::Ok(())
        })
    });
    Ok(())
}

/// How a connection ends at the wish of one of its requests, and the stream, which must not end before.
struct Over(End, SendResponse<Bytes>, Option<SendStream<Bytes>>);

enum End {
    Close,
    Reset,
    Goaway,
}

async fn connection(stream: TcpStream, cues: Cues) -> anyhow::Result<()> {
    let socket = std::os::fd::AsFd::as_fd(&stream).try_clone_to_owned()?;
    let mut connection = server::handshake(stream).await?;
    let (over, mut overs) = mpsc::unbounded_channel();
    let mut kept = Vec::new();
    loop {
        tokio::select! {
            next = connection.accept() => {
                let Some(next) = next else { return Ok(()) };
                let (request, respond) = next?;
                tokio::spawn(answer(request, respond, cues.clone(), over.clone()));
            }
            Some(Over(end, respond, body)) = overs.recv() => {
                kept.push((respond, body));
                match end {
                    End::Close => break,
                    End::Reset => {
                        reset_at_close(&socket)?;
                        break;
                    }
                    End::Goaway => connection.abrupt_shutdown(Reason::INTERNAL_ERROR),
                }
            }
        }
    }
    drop(connection);
    drop(kept);
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    cues: Cues,
    over: mpsc::UnboundedSender<Over>,
) -> anyhow::Result<()> {
    let before = cues.heard.len();
    cues.seen.push(());
    let path = request.uri().path();
    let what = path.rsplit('/').next().unwrap_or_default();
    let (begin, end) = what.split_once('-').unwrap_or((what, ""));
    let (begin, end) = match end {
        "before" => ("", begin),
        _ if what == "refused" => ("", what),
        _ => (begin, end),
    };
    let mut body = None;
    if begin == "part" {
        let head = Response::builder().header("content-length", 8).body(())?;
        let mut half = respond.send_response(head, false)?;
        half.send_data(Bytes::from_static(b"half"), false)?;
        body = Some(half);
        tokio::task::spawn_blocking(move || cues.await_heard(before)).await?;
    }
    let reason = match end {
        "rst" => Reason::INTERNAL_ERROR,
        "cancel" => Reason::CANCEL,
        "noerror" => Reason::NO_ERROR,
        "refused" => Reason::REFUSED_STREAM,
        "close" | "reset" | "goaway" => {
            let end = match end {
                "close" => End::Close,
                "reset" => End::Reset,
                _ => End::Goaway,
            };
            let _ = over.send(Over(end, respond, body));
            return Ok(());
        }
        "short" | "long" => {
            let rest: &[u8] = if end == "short" { b"x" } else { b"much longer" };
            if let Some(body) = &mut body {
                body.send_data(Bytes::from_static(rest), true)?;
            }
            return Ok(());
        }
        // Listens until the caller gives up.
        _ => {
            let mut body = request.into_body();
            while let Some(data) = body.data().await {
                body.flow_control().release_capacity(data?.len())?;
            }
            std::future::pending::<()>().await;
            return Ok(());
        }
    };
    match body {
        Some(mut body) => body.send_reset(reason),
        None => respond.send_reset(reason),
    }
    Ok(())
}
