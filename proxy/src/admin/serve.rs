//! Serves pages over HTTP/1 on a thread of their own. Clients are bounded in number and in time; large pages are rendered
//! on threads beside it and sent in pieces, so that neither they nor who reads them slowly keep others waiting.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::{task, time};
use tracing::{debug, error, warn};

use crate::admin::asked::Asked;
use crate::admin::body::PageBody;
use crate::admin::clients::{Client, Clients};
use crate::admin::paced::Paced;
use crate::admin::page::{Page, Verb};
use crate::admin::state::Admin;
use crate::admin::{agent, application, host, pages, stats};
use crate::report::metrics::limits::Limit;

/// A client that has not finished its request's head by now is sent away.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// However long its requests, no client keeps its place longer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(300);

/// How often clients are looked at that may take too long.
const LOOK: Duration = Duration::from_secs(1);

/// Large pages that are rendered or read at a time.
const LARGE_MAX: usize = 4;

/// How long a request for a large page waits for one of these places.
const LARGE_WAIT: Duration = Duration::from_secs(10);

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
    /// `/stats/prometheus` alone, for Prometheus.
    Stats,
    /// What Istio's agent serves.
    Agent,
}

/// What the clients of one port have in common.
#[derive(Debug)]
struct Server {
    pages: Pages,
    admin: Admin,
    clients: Rc<Clients>,
    large: Arc<Semaphore>,
}

/// Serves for as long as it is polled, `clients_max` clients at a time. To be called inside a `LocalSet`.
pub async fn serve(listener: TcpListener, pages: Pages, admin: Admin, clients_max: usize) {
    let server = Rc::new(Server {
        pages,
        admin,
        clients: Clients::new(clients_max),
        large: Arc::new(Semaphore::new(LARGE_MAX)),
    });
    loop {
        match listener.accept().await {
            Ok((client, peer)) => {
                let is_local = peer.ip().to_canonical().is_loopback();
                drop(task::spawn_local(converse(
                    client,
                    is_local,
                    Rc::clone(&server),
                )));
            }
            Err(error) => {
                warn!(%error, ?pages, "cannot accept a client of the pages");
                server.clients.dismiss_one();
                time::sleep(BACKOFF).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, is_local: bool, server: Rc<Server>) {
    let place = server.clients.admit();
    let client = Rc::clone(&place.client);
    let then = Rc::new(Cell::new(None));
    let service = service_fn(|request: Request<Incoming>| {
        let (server, client, then) = (Rc::clone(&server), Rc::clone(&client), Rc::clone(&then));
        async move {
            client.set_answering(true);
            let (page, place) = page(&server, is_local, request).await;
            // What the client does with it is its own time.
            client.set_answering(true);
            then.set(page.then);
            Ok::<_, Infallible>(response(page, place, client))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .serve_connection(
            TokioIo::new(Paced::new(stream, Rc::clone(&client))),
            service,
        );
    let pages = server.pages;
    tokio::select! {
        biased;
        served = serving => {
            if let Err(error) = served {
                debug!(%error, ?pages, "a client of the pages left");
            }
        }
        () = client.leave() => debug!(?pages, "a client left for another one"),
        () = overdue(&client) => debug!(?pages, "a client took too long"),
    }
    drop(place);
    if let Some(command) = then.take() {
        // Only now, so that the client has its answer. A process that does not listen is about to end.
        let _ = server.admin.commands.send(command);
    }
}

/// Returns once a client takes longer than it may.
async fn overdue(client: &Client) {
    let end = time::sleep(CLIENT_TIMEOUT);
    let slow = async {
        while !client.is_slow() {
            time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = end => {}
        () = slow => {}
    }
}

async fn page(
    server: &Server,
    is_local: bool,
    request: Request<Incoming>,
) -> (Page, Option<OwnedSemaphorePermit>) {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let admin = &server.admin;
    match server.pages {
        Pages::Health => (pages::health(admin, &method, uri.path()), None),
        Pages::Agent if agent::is_metrics(uri.path()) => {
            agent_metrics(server, &method, request.headers()).await
        }
        Pages::Agent => (agent::page(admin, &method, uri.path(), is_local), None),
        Pages::Stats => {
            large(server, move |admin| {
                pages::stats(admin, &method, uri.path())
            })
            .await
        }
        Pages::Admin if !host::may_read(&uri, request.headers()) => (Page::foreign(), None),
        Pages::Admin if pages::is_large(uri.path()) => {
            let (parts, _) = request.into_parts();
            large(server, move |admin| {
                let asked = Asked::of(uri.query(), &parts.headers);
                pages::admin(admin, &method, uri.path(), asked)
            })
            .await
        }
        Pages::Admin => {
            let asked = Asked::of(uri.query(), request.headers());
            (pages::admin(admin, &method, uri.path(), asked), None)
        }
    }
}

/// The metrics of the proxy and of the application together.
async fn agent_metrics(
    server: &Server,
    method: &Method,
    headers: &HeaderMap,
) -> (Page, Option<OwnedSemaphorePermit>) {
    if !Verb::Get.allows(method) {
        return (Page::not_allowed(Verb::Get), None);
    }
    let theirs = application::scrape(&server.admin.application, headers).await;
    large(server, move |admin| stats::merged(admin, &theirs)).await
}

/// A page that takes long to render, or to read.
async fn large(
    server: &Server,
    render: impl FnOnce(&Admin) -> Page + Send + 'static,
) -> (Page, Option<OwnedSemaphorePermit>) {
    let places = Arc::clone(&server.large);
    let Ok(Ok(place)) = time::timeout(LARGE_WAIT, places.acquire_owned()).await else {
        server.admin.metrics.limits.count(Limit::Pages);
        return (Page::busy(), None);
    };
    let admin = server.admin.clone();
    // The place goes along: who leaves meanwhile does not make room for one more rendering.
    let rendering = task::spawn_blocking(move || (render(&admin), place));
    match rendering.await {
        Ok((page, place)) => (page, Some(place)),
        Err(error) => {
            error!(%error, "a page cannot be rendered");
            let words = "the page cannot be rendered; the log has the reason\n";
            (Page::text(StatusCode::INTERNAL_SERVER_ERROR, words), None)
        }
    }
}

fn response(
    page: Page,
    place: Option<OwnedSemaphorePermit>,
    client: Rc<Client>,
) -> Response<PageBody> {
    let mut response = Response::new(PageBody::new(page.body, place, client));
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, max-age=0"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = page.security_policy.as_deref();
    if let Some(policy) = policy.and_then(|policy| HeaderValue::from_str(policy).ok()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if let Some(allow) = page.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if page.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if page.then.is_some() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests;
