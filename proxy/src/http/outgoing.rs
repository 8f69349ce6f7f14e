//! A request on its way out: what the client sent, made regular, and its form for the protocol of the upstream.

use egret_config::decide::bad_request::BadRequestKind;
use egret_config::decide::normalize::NormalizedRequest;
use egret_config::header_names::{ORIGINAL_HOST, ORIGINAL_PATH};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use hyper::upgrade::OnUpgrade;

use crate::client::body::RequestBody;
use crate::client::body::hold::Go;
use crate::failure::{Cause, Failure};
use crate::http::informational::InformationalSender;
use crate::http::upgrade::Upgrade;
use crate::http::{headers, upgrade};

/// A request on its way out.
#[derive(Debug)]
pub struct Outgoing {
    /// Method, headers (without those of the hop), the client's version and extensions.
    pub parts: http::request::Parts,
    /// The one host.
    pub authority: HeaderValue,
    /// The regular path.
    pub path: PathAndQuery,
    /// The body.
    pub body: RequestBody,
    /// The upgrade it asks for.
    pub upgrade: Option<Upgrade>,
    /// The way to announce its answer.
    pub informational: Option<InformationalSender>,
}

impl Outgoing {
    /// A normalized request, with its body.
    pub fn new(request: NormalizedRequest, body: RequestBody) -> Self {
        let NormalizedRequest {
            mut parts,
            authority,
            path,
            upgrade,
        } = request;
        let upgrade = upgrade.and_then(|token| {
            let client = parts.extensions.remove::<OnUpgrade>()?;
            Some(Upgrade { client, token })
        });
        Self {
            parts,
            authority,
            path,
            body,
            upgrade,
            informational: None,
        }
    }

    /// The host without port.
    pub fn host(&self) -> &str {
        let authority = self.authority.to_str().unwrap_or_default();
        egret_config::host::split_authority(authority).0
    }

    /// Sends another path than the client's; with `keeps_original` the client's goes into a header.
    ///
    /// # Errors
    /// The rewritten path is not a valid path.
    pub fn rewrite_path(&mut self, path: String, keeps_original: bool) -> Result<(), Failure> {
        let path = PathAndQuery::try_from(path)
            .map_err(|error| Failure::new(Cause::Internal, format!("rewritten path: {error}")))?;
        if keeps_original && let Ok(original) = HeaderValue::from_str(self.path.as_str()) {
            self.parts.headers.insert(ORIGINAL_PATH, original);
        }
        self.path = path;
        Ok(())
    }

    /// Sends another authority than the client's; with `keeps_original` the client's goes into a header.
    pub fn rewrite_authority(&mut self, authority: &str, keeps_original: bool) {
        let Ok(authority) = HeaderValue::from_str(authority) else {
            return;
        };
        let original = std::mem::replace(&mut self.authority, authority.clone());
        if keeps_original {
            self.parts.headers.insert(ORIGINAL_HOST, original);
        }
        self.parts.headers.insert(header::HOST, authority);
    }

    /// The request as HTTP/1.1 has it, and the client's side of an upgrade.
    pub fn into_http1(self) -> (Request<RequestBody>, Option<OnUpgrade>) {
        let Self {
            mut parts,
            authority,
            path,
            mut body,
            upgrade,
            informational,
        } = self;
        if parts.version == Version::HTTP_2 {
            headers::join_cookies(&mut parts.headers);
        }
        parts.version = Version::HTTP_11;
        parts.uri = Uri::from(path);
        if !parts.headers.contains_key(header::HOST) {
            parts.headers.insert(header::HOST, authority);
        }
        frame(&mut parts, body.is_empty());
        let upgrade = upgrade.map(|Upgrade { client, token }| {
            upgrade::renew(&mut parts.headers, token);
            client
        });
        let go = held(&parts.headers, &mut body, informational.as_ref());
        let mut request = Request::from_parts(parts, body);
        if go.is_some() || informational.is_some() {
            listen(&mut request, go, informational);
        }
        (request, upgrade)
    }

    /// The request as HTTP/2 has it. Upgrades are HTTP/1's.
    ///
    /// # Errors
    /// The authority is none that HTTP/2 could carry.
    pub fn into_http2(self, scheme: Scheme) -> Result<Request<RequestBody>, Failure> {
        let Self {
            mut parts,
            authority,
            path,
            mut body,
            upgrade: _,
            informational,
        } = self;
        let authority = Authority::try_from(authority.as_bytes()).map_err(|error| {
            Failure::new(
                Cause::BadRequest(BadRequestKind::Host),
                format!("authority: {error}"),
            )
        })?;
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(scheme);
        uri.authority = Some(authority);
        uri.path_and_query = Some(path);
        parts.uri = Uri::from_parts(uri).map_err(|error| {
            Failure::new(
                Cause::BadRequest(BadRequestKind::Syntax),
                format!("target: {error}"),
            )
        })?;
        parts.version = Version::HTTP_2;
        parts.headers.remove(header::HOST);
        held(&parts.headers, &mut body, informational.as_ref());
        Ok(Request::from_parts(parts, body))
    }
}

/// Holds back a body that its client may not have to send, if the client would be told to send it by being asked for it.
fn held(
    headers: &HeaderMap,
    body: &mut RequestBody,
    informational: Option<&InformationalSender>,
) -> Option<Go> {
    let waits = !body.is_empty()
        && headers::expects_continue(headers)
        && !informational.is_some_and(InformationalSender::says_continue);
    let go = waits.then(Go::default)?;
    body.hold(go.clone());
    Some(go)
}

/// Says how long the body is, where hyper would say nothing.
fn frame(parts: &mut http::request::Parts, empty: bool) {
    if parts.headers.contains_key(header::CONTENT_LENGTH) {
        return;
    }
    match parts.method {
        // Hyper takes it that these have none.
        Method::GET | Method::HEAD if !empty => {
            let chunked = HeaderValue::from_static("chunked");
            parts.headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        Method::GET | Method::HEAD | Method::DELETE | Method::TRACE => {}
        // An origin may insist on being told (411), and HTTP/2 does not tell. Envoy does.
        _ if empty => {
            let none = HeaderValue::from_static("0");
            parts.headers.insert(header::CONTENT_LENGTH, none);
        }
        _ => {}
    }
}

/// What becomes of the upstream's informational responses. 100 is the word that a client waits for before it sends the
/// body (`Expect: 100-continue`): nothing of the body is asked of the client before, so that a final answer spares it
/// the sending. The others are passed on.
pub fn listen(
    request: &mut Request<RequestBody>,
    go: Option<Go>,
    informational: Option<InformationalSender>,
) {
    hyper::ext::on_informational(request, move |response| {
        hear(
            response.status(),
            response.headers(),
            go.as_ref(),
            informational.as_ref(),
        );
    });
}

/// What becomes of one of them.
pub fn hear(
    status: StatusCode,
    headers: &HeaderMap,
    go: Option<&Go>,
    informational: Option<&InformationalSender>,
) {
    if status == StatusCode::CONTINUE
        && let Some(go) = go
    {
        go.give();
    }
    if let Some(informational) = informational {
        informational.send(status, headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing() -> Outgoing {
        let request = Request::builder()
            .uri("http://a.test/x")
            .header("host", "a.test:80");
        let (parts, ()) = request.body(()).expect("request").into_parts();
        Outgoing {
            authority: HeaderValue::from_static("a.test:80"),
            path: PathAndQuery::from_static("/x?y"),
            parts,
            body: RequestBody::empty(),
            upgrade: None,
            informational: None,
        }
    }

    #[test]
    fn http1_has_the_origin_form() {
        let (request, _) = outgoing().into_http1();
        assert_eq!(request.uri(), "/x?y");
        assert_eq!(request.headers()["host"], "a.test:80");
        assert_eq!(request.version(), Version::HTTP_11);
    }

    #[test]
    fn origins_of_http1_are_told_that_there_is_no_body_where_there_may_be_one() {
        for (method, expected) in [
            (Method::GET, None),
            (Method::HEAD, None),
            (Method::DELETE, None),
            (Method::PUT, Some("0")),
            (Method::OPTIONS, Some("0")),
        ] {
            let mut outgoing = outgoing();
            outgoing.parts.method = method.clone();
            let (request, _) = outgoing.into_http1();
            let length = request.headers().get("content-length");
            let length = length.map(|value| value.to_str().expect("text"));
            assert_eq!(length, expected, "{method}");
        }
    }

    #[test]
    fn http2_has_the_authority_in_its_target() {
        let request = outgoing().into_http2(Scheme::HTTPS).expect("request");
        assert_eq!(request.uri(), "https://a.test:80/x?y");
        assert!(request.headers().is_empty());
    }

    #[test]
    fn the_upstream_learns_what_was_rewritten() {
        let mut outgoing = outgoing();
        outgoing.rewrite_path("/z".to_owned(), true).expect("path");
        outgoing.rewrite_authority("b.test", true);
        assert_eq!(outgoing.host(), "b.test");
        let (request, _) = outgoing.into_http1();
        assert_eq!(request.uri(), "/z");
        let header = |name: &str| request.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("host"), "b.test");
        assert_eq!(header("x-envoy-original-host"), "a.test:80");
        assert_eq!(header("x-envoy-original-path"), "/x?y");
    }
}
