//! The flags of `egret-proxy wait`.

use std::sync::LazyLock;
use std::time::Duration;

use egret_config::port::well_known;
use http::Uri;

use crate::commands::wait::Options;

/// The path of the readiness page.
static READINESS: LazyLock<String> =
    LazyLock::new(|| format!("http://localhost:{}/healthz/ready", well_known::HEALTH));

/// The flags as they were typed. The long names of Istio's agent work too.
#[derive(clap::Args)]
pub(super) struct Wait {
    /// The page that answers 200 when the proxy is ready.
    #[arg(long, value_name = "URL", default_value = READINESS.as_str(), value_parser = url)]
    url: Uri,
    /// Time limit in seconds.
    #[arg(
        long,
        alias = "timeoutSeconds",
        value_name = "SECONDS",
        default_value_t = 60
    )]
    timeout_seconds: u32,
    /// Interval between requests in milliseconds.
    #[arg(long, alias = "periodMillis", value_name = "MILLISECONDS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    period_millis: u32,
    /// Time limit of one request in milliseconds.
    #[arg(
        long,
        alias = "requestTimeoutMillis",
        value_name = "MILLISECONDS",
        default_value_t = 500
    )]
    request_timeout_millis: u32,
}

impl Wait {
    pub(super) fn options(self) -> Options {
        let millis = |number: u32| Duration::from_millis(number.into());
        Options {
            url: self.url,
            timeout: Duration::from_secs(self.timeout_seconds.into()),
            period: millis(self.period_millis),
            request_timeout: millis(self.request_timeout_millis),
        }
    }
}

fn url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("{error}"))?;
    match (url.scheme_str(), url.host()) {
        (Some("http"), Some(_)) => Ok(url),
        _ => Err(format!("expected a URL such as {}", *READINESS)),
    }
}
