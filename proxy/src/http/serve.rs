//! hyper's server on one client connection.

mod one;
mod two;

use std::rc::Rc;
use std::time::Duration;

use egret_config::decide::call::HttpVersion;
use http::Version;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tracing::debug;

use crate::failure::Bad;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::caller::Caller;
use crate::life::files::Held;
use crate::proxy::Proxy;

/// How long a client may say nothing between requests: Envoy's idle timeout of connections.
const IDLE_MAX: Duration = Duration::from_secs(60 * 60);

/// Serves a connection until either side ends it, or, once the process drains, to the end of the request under way.
pub async fn serve<S>(
    stream: S,
    version: HttpVersion,
    caller: Rc<Caller>,
    proxy: Rc<Proxy>,
    mut held: Held,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match version {
        HttpVersion::One => one::serve(stream, &caller, &proxy, &mut held).await,
        HttpVersion::Two => {
            // Boxed: it is far larger than what HTTP/1 needs.
            if let Err(error) = Box::pin(two::serve(stream, &caller, &proxy)).await {
                debug!(%error, "client connection ended");
                report_unreadable(&error, &caller, &proxy);
            }
        }
    }
}

/// A request that is not HTTP never becomes one of ours: hyper answers it. The log has it all the same.
fn report_unreadable(error: &hyper::Error, caller: &Caller, proxy: &Proxy) {
    let Some(cause) = unreadable(error) else {
        return;
    };
    let mut record = caller.record(proxy);
    record.protocol = Some(Version::HTTP_2);
    record.request_failed(&Failure::new(cause, error.to_string()));
    record.end();
}

/// What is wrong with a request that hyper could not read.
fn unreadable(error: &hyper::Error) -> Option<Cause> {
    if error.is_parse_too_large() {
        Some(Cause::TooLarge)
    } else if error.is_parse() {
        Some(Cause::BadRequest(Bad::Syntax))
    } else {
        None
    }
}
