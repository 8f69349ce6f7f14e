//! The application's own metrics, asked for when somebody scrapes the pages of Istio's agent.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use egret_config::header_names::SCRAPE_TIMEOUT;
use futures_util::future::join_all;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::{task, time};
use tracing::{info, warn};

/// How long an application may take where the scraper does not say it; Prometheus' default.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// How long it may take, whatever the scraper says.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// The share of the scraper's time that an application has, so that the rest arrives in any case.
const TIMEOUT_SHARE: f64 = 0.9;

/// Bytes of an application's metrics.
const BYTES_MAX: usize = 64 << 20;

/// The last line of OpenMetrics.
const EOF: &str = "# EOF";

/// How the families begin that every process may have: those of the application count more.
const PROCESS: &str = "process_";

/// Where an application has metrics: at `http://localhost`.
#[derive(Debug)]
pub struct ApplicationMetrics {
    port: u16,
    path: PathAndQuery,
    /// The last answer was none, which is told once.
    is_failing: AtomicBool,
}

/// What an application answered.
#[derive(Debug)]
pub(super) struct Scraped {
    text: String,
    is_open_metrics: bool,
}

impl ApplicationMetrics {
    /// Metrics on this port, at a path that may have a query.
    pub fn new(port: u16, path: PathAndQuery) -> Self {
        Self {
            port,
            path,
            is_failing: AtomicBool::new(false),
        }
    }

    /// The URL.
    pub fn url(&self) -> String {
        format!("http://localhost:{}{}", self.port, self.path)
    }

    async fn scrape(&self, headers: &HeaderMap) -> Option<Scraped> {
        let limit = limit(headers);
        let asked = time::timeout(limit, self.ask(headers)).await;
        let scraped = asked.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")));
        let was_failing = self.is_failing.swap(scraped.is_err(), Ordering::Relaxed);
        match &scraped {
            Err(error) if !was_failing => {
                warn!(url = %self.url(), error, "the application's metrics are missing from a scrape");
            }
            Ok(_) if was_failing => {
                info!(url = %self.url(), "the application's metrics are there again");
            }
            _ => {}
        }
        scraped.ok()
    }

    async fn ask(&self, headers: &HeaderMap) -> Result<Scraped, String> {
        let words = |error: hyper::Error| error.to_string();
        let addresses = [
            SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, self.port)),
        ];
        let stream = TcpStream::connect(&addresses[..]).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(words)?;
        let connection = Aborted(task::spawn_local(connection).abort_handle());
        let response = sender.send_request(self.request(headers)).await;
        let response = response.map_err(words)?;
        if response.status() != StatusCode::OK {
            return Err(format!("status {}", response.status()));
        }
        let kind = response.headers().get(CONTENT_TYPE);
        let is_open_metrics = kind.is_some_and(|kind| {
            let kind = kind.as_bytes();
            kind.starts_with(b"application/openmetrics-text")
        });
        let body = Limited::new(response.into_body(), BYTES_MAX)
            .collect()
            .await;
        drop(connection);
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(Scraped {
            text: String::from_utf8_lossy(&body).into_owned(),
            is_open_metrics,
        })
    }

    fn request(&self, headers: &HeaderMap) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.path.clone().into();
        let sent = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(&format!("localhost:{}", self.port)) {
            sent.insert(HOST, host);
        }
        for name in [ACCEPT, USER_AGENT, SCRAPE_TIMEOUT] {
            if let Some(value) = headers.get(&name) {
                sent.insert(name, value.clone());
            }
        }
        request
    }
}

/// Ends a task that nobody waits for any more.
struct Aborted(task::AbortHandle);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The metrics of all places that answer. A place that fails costs its own part. `headers` are the scraper's.
pub(super) async fn scrape(places: &[ApplicationMetrics], headers: &HeaderMap) -> Vec<Scraped> {
    let all = join_all(places.iter().map(|place| place.scrape(headers))).await;
    all.into_iter().flatten().collect()
}

/// The families that describe a process and that the application has.
pub(super) fn process_families(theirs: &[Scraped]) -> BTreeSet<String> {
    let lines = theirs.iter().flat_map(|one| one.text.lines());
    let names = lines.filter_map(|line| {
        let name = line.strip_prefix("# TYPE ").unwrap_or(line);
        let name = name.split(['{', ' ']).next()?;
        name.starts_with(PROCESS).then(|| name.to_owned())
    });
    names.collect()
}

/// Ours, then theirs. Says whether it is all OpenMetrics, whose end is marked: once, at the end of all.
pub(super) fn merge(mut ours: String, theirs: &[Scraped]) -> (String, bool) {
    let is_open_metrics = !theirs.is_empty() && theirs.iter().all(|one| one.is_open_metrics);
    for one in theirs {
        for line in one.text.lines().filter(|line| line.trim_end() != EOF) {
            ours.push_str(line);
            ours.push('\n');
        }
    }
    if is_open_metrics {
        ours.push_str(EOF);
        ours.push('\n');
    }
    (ours, is_open_metrics)
}

/// How long the application may take.
fn limit(headers: &HeaderMap) -> Duration {
    let said = headers.get(&SCRAPE_TIMEOUT);
    let said = said.and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
    let said = said.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    said.filter(|limit| !limit.is_zero())
        .unwrap_or(TIMEOUT_DEFAULT)
        .min(TIMEOUT_MAX)
        .mul_f64(TIMEOUT_SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scraped(text: &str, is_open_metrics: bool) -> Scraped {
        Scraped {
            text: text.to_owned(),
            is_open_metrics,
        }
    }

    #[test]
    fn texts_are_joined_whole_lines_and_one_mark() {
        for (theirs, expected, open) in [
            (vec![], "ours 1\n", false),
            (vec![scraped("a 1", false)], "ours 1\na 1\n", false),
            (
                vec![scraped("a 1\n# EOF\n", true)],
                "ours 1\na 1\n# EOF\n",
                true,
            ),
            (
                vec![scraped("a 1\n# EOF\n", true), scraped("b 2\n# EOF", true)],
                "ours 1\na 1\nb 2\n# EOF\n",
                true,
            ),
            (
                vec![scraped("a 1\n# EOF\n", true), scraped("b 2\n", false)],
                "ours 1\na 1\nb 2\n",
                false,
            ),
        ] {
            let (text, is_open_metrics) = merge("ours 1\n".to_owned(), &theirs);
            assert_eq!((text.as_str(), is_open_metrics), (expected, open));
        }
    }

    #[test]
    fn families_of_the_applications_process_are_found() {
        let text = "# HELP process_open_fds x\n# TYPE process_open_fds gauge\nprocess_open_fds 1\n\
                    process_cpu_seconds_total{a=\"b\"} 2\nrequests 3\n";
        let found = process_families(&[scraped(text, false)]);
        let found: Vec<_> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["process_cpu_seconds_total", "process_open_fds"]);
    }

    #[test]
    fn the_application_has_less_time_than_the_scraper() {
        for (said, expected) in [
            (Some("1"), 0.9),
            (Some("0.5"), 0.45),
            (Some("3600"), 54.0),
            (Some("0"), 9.0),
            (Some("-1"), 9.0),
            (Some("soon"), 9.0),
            (None, 9.0),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                headers.insert(SCRAPE_TIMEOUT, HeaderValue::from_static(said));
            }
            assert_eq!(limit(&headers).as_secs_f64(), expected, "{said:?}");
        }
    }
}
