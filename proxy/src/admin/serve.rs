//! Serves pages over HTTP/1 on the control thread, to few clients at a time: whoever hammers on it waits.

use std::convert::Infallible;
use std::net;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::header::ALLOW;
use http::header::CACHE_CONTROL;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time;
use tracing::debug;
use tracing::warn;

use crate::admin::Admin;
use crate::admin::page::Page;
use crate::admin::pages;

/// Clients at a time.
const CLIENTS_MAX: usize = 64;

/// A client that has not finished its request's head by now is sent away.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// However long its requests, no client keeps its place longer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(300);

/// Bytes of a request's head.
const HEAD_MAX: usize = 16 * 1024;

/// Wait after an accept that failed.
const BACKOFF: Duration = Duration::from_millis(100);

/// Which pages are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// All of them; for the address that only the pod itself reaches.
    Admin,
    /// `/healthz/ready` alone, for the kubelet.
    Health,
}

/// Serves for as long as it is polled.
///
/// # Errors
/// When the socket cannot be waited on.
pub async fn serve(socket: net::TcpListener, pages: Pages, admin: Admin) -> std::io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        match listener.accept().await {
            Ok((client, _)) => {
                let admin = admin.clone();
                tokio::spawn(async move {
                    if time::timeout(CLIENT_TIMEOUT, converse(client, pages, admin))
                        .await
                        .is_err()
                    {
                        debug!(?pages, "a client stayed too long");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, ?pages, "cannot accept a client of the pages");
                time::sleep(BACKOFF).await;
            }
        }
    }
}

async fn converse(client: TcpStream, pages: Pages, admin: Admin) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let response = answer(pages, &admin, request.method(), request.uri());
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(client), answer)
        .await;
    if let Err(error) = served {
        debug!(%error, ?pages, "a client of the pages left");
    }
}

fn answer(pages: Pages, admin: &Admin, method: &Method, uri: &http::Uri) -> Response<Full<Bytes>> {
    let page = match pages {
        Pages::Admin => pages::admin(admin, method, uri.path(), uri.query()),
        Pages::Health => pages::health(admin, method, uri.path()),
    };
    let Page {
        status,
        content_type,
        body,
        allow,
    } = page;
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, max-age=0"),
    );
    if let Some(allow) = allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}

#[cfg(test)]
mod tests;
