//! `egret-proxy wait`: returns once a proxy is ready, as `pilot-agent wait` does.

use std::time::Duration;

use http::header::HOST;
use http::{Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tokio::{runtime, task};

/// The options of `wait`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// An `http` URL that answers 200 when the proxy is ready.
    pub url: Uri,
    /// The time limit.
    pub timeout: Duration,
    /// The interval between requests.
    pub period: Duration,
    /// The time limit of one request.
    pub request_timeout: Duration,
}

/// Waits.
///
/// # Errors
/// That the time is over, with the last answer.
pub fn run(options: &Options) -> Result<(), String> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot make an epoll instance: {error}"))?;
    runtime.block_on(until_ready(options))
}

async fn until_ready(options: &Options) -> Result<(), String> {
    let deadline = Instant::now() + options.timeout;
    let mut period = interval(options.period.max(Duration::from_millis(1)));
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = "no answer".to_owned();
    while timeout_at(deadline, period.tick()).await.is_ok() {
        let limit = options.request_timeout.min(deadline - Instant::now());
        match timeout(limit, status(&options.url)).await {
            Ok(Ok(StatusCode::OK)) => return Ok(()),
            Ok(Ok(status)) => last = format!("it answers {status}"),
            Ok(Err(error)) => last = error,
            Err(_) => last = format!("no answer within {limit:?}"),
        }
    }
    Err(format!(
        "not ready after {:?}: {}: {last}",
        options.timeout, options.url
    ))
}

/// The status of a URL's response.
async fn status(url: &Uri) -> Result<StatusCode, String> {
    let host = url.host().unwrap_or("localhost");
    let port = url.port_u16().unwrap_or(80);
    let message_of = |error: &dyn std::error::Error| error.to_string();
    let address = (host.trim_matches(['[', ']']), port);
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| message_of(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| message_of(&error))?;
    let driver = task::spawn(connection);
    let request = Request::get(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, url.authority().map_or(host, |whole| whole.as_str()))
        .body(Empty::<Bytes>::new())
        .map_err(|error| message_of(&error))?;
    let response = sender.send_request(request).await;
    driver.abort();
    Ok(response.map_err(|error| message_of(&error))?.status())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn options(port: u16) -> Options {
        Options {
            url: format!("http://127.0.0.1:{port}/healthz/ready")
                .parse()
                .expect("url"),
            timeout: Duration::from_secs(10),
            period: Duration::from_millis(1),
            request_timeout: Duration::from_secs(5),
        }
    }

    #[tokio::test]
    async fn the_first_200_ends_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let port = listener.local_addr().expect("address").port();
        let server = tokio::spawn(async move {
            for status in ["503 Service Unavailable", "200 OK"] {
                let (mut client, _) = listener.accept().await.expect("client");
                let mut head = [0; 512];
                let count = client.read(&mut head).await.expect("head");
                assert!(head[..count].starts_with(b"GET /healthz/ready HTTP/1.1\r\n"));
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                client.write_all(answer.as_bytes()).await.expect("answer");
            }
        });
        assert_eq!(until_ready(&options(port)).await, Ok(()));
        server.await.expect("both questions came");
    }

    #[tokio::test]
    async fn the_time_is_over_with_the_last_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let port = listener.local_addr().expect("address").port();
        drop(listener);
        let options = Options {
            timeout: Duration::from_millis(20),
            ..options(port)
        };
        let error = until_ready(&options).await.expect_err("no server");
        assert!(
            error.starts_with("not ready after 20ms: http://127.0.0.1:"),
            "{error}"
        );
        assert!(error.contains("refused"), "{error}");
    }
}
