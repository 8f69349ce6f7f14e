//! The requests that are sent through both proxies.

mod regular;
mod hygiene;
mod answers;
mod sidecar;
mod http2;
mod actions;
mod proxied;

pub(crate) use actions::of_routes;
pub(crate) use http2::{Call, over_http2};
pub(crate) use proxied::of_proxied;
pub(crate) use sidecar::of_sidecar;

/// One exchange: the bytes a client sends, and how many final responses it reads.
pub(crate) struct Exchange {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) responses: usize,
    /// A request on another connection that is under way meanwhile, and what it needs to come to its end.
    pub(crate) beside: Option<(&'static str, &'static str)>,
}

/// A target of requests that break off. When the origin notices is a matter of luck, so what it sees of them is not
/// compared.
pub(crate) const BROKEN: &str = "/o/broken";

/// What a gateway is asked.
pub(crate) fn of_gateway() -> Vec<Exchange> {
    let mut all = regular::plain();
    all.extend(regular::targets());
    all.extend(regular::routes());
    all.extend(regular::headers());
    all.extend(regular::bodies());
    all.extend(hygiene::hygiene());
    all.extend(regular::origins());
    all.extend(answers::all());
    all
}

fn raw(name: &'static str, bytes: impl Into<Vec<u8>>) -> Exchange {
    Exchange {
        name,
        bytes: bytes.into(),
        responses: 1,
        beside: None,
    }
}

/// A request to the host that has routes; `rest` is further lines, each with its end, and after an empty one the body.
fn ask(name: &'static str, method: &str, target: &str, rest: &str) -> Exchange {
    let host = "host: app.example\r\n";
    let rest = if rest.contains("\r\n\r\n") {
        rest.to_owned()
    } else {
        format!("{rest}\r\n")
    };
    raw(name, format!("{method} {target} HTTP/1.1\r\n{host}{rest}"))
}

fn get(name: &'static str, target: &str) -> Exchange {
    ask(name, "GET", target, "")
}
