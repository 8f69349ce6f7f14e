//! CORS: preflights that a route's policy answers, and the headers that answers to other origins' pages carry.

use bytes::Bytes;
use egret_config::model::route::Cors;
use egret_config::value::StringMatch;
use http::{HeaderMap, HeaderValue, Method, Response, header};

/// What a policy makes of one request.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing: the page is of no other origin, or of one that is not allowed.
    Pass,
    /// The request goes on; its answer is marked as for this origin.
    Mark(HeaderValue),
    /// It is a preflight and answered here.
    Answer(Response<Bytes>),
}

/// Looks at a request by a policy.
pub fn verdict(cors: &Cors, method: &Method, headers: &HeaderMap) -> Verdict {
    let origin = headers
        .get(header::ORIGIN)
        .filter(|origin| !origin.is_empty());
    let Some(origin) = origin else {
        return Verdict::Pass;
    };
    let allowed = cors
        .origins
        .iter()
        .any(|allowed| matches(allowed, origin.as_bytes()));
    let method_header = headers
        .get(header::ACCESS_CONTROL_REQUEST_METHOD)
        .filter(|method_header| !method_header.is_empty() && *method == Method::OPTIONS);
    match (method_header, allowed) {
        (Some(method_header), true) => {
            Verdict::Answer(preflight(cors, Some(origin), method_header, headers))
        }
        (Some(method_header), false) if cors.ignore_unmatched => {
            Verdict::Answer(preflight(cors, None, method_header, headers))
        }
        (None, true) => Verdict::Mark(origin.clone()),
        (_, false) => Verdict::Pass,
    }
}

/// Sets the headers that let a page of an allowed origin read the response.
pub fn allow_origin(cors: &Cors, origin: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if cors.credentials == Some(true) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    }
    put(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose);
}

const TRUE: HeaderValue = HeaderValue::from_static("true");

fn matches(allowed: &StringMatch, origin: &[u8]) -> bool {
    match std::str::from_utf8(origin) {
        Ok(origin) => allowed.matches(origin),
        Err(_) => false,
    }
}

fn preflight(
    cors: &Cors,
    origin: Option<&HeaderValue>,
    method: &HeaderValue,
    request: &HeaderMap,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    if cors.credentials == Some(true) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    }
    // A lone `*` repeats what is requested: browsers do not take the star itself with credentials.
    if &*cors.methods == "*" {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    } else {
        put(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &cors.methods);
    }
    match request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        Some(requested_headers) if &*cors.headers == "*" => {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                requested_headers.clone(),
            );
        }
        None if &*cors.headers == "*" => {}
        _ => put(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers),
    }
    put(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose);
    if let Some(age) = cors.max_age {
        headers.insert(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from(age.as_secs()),
        );
    }
    response
}

/// Puts a list in, unless it is empty. The names in it were checked when it was read.
fn put(headers: &mut HeaderMap, name: header::HeaderName, list: &str) {
    if let Ok(list) = HeaderValue::from_str(list)
        && !list.is_empty()
    {
        headers.insert(name, list);
    }
}

#[cfg(test)]
mod tests;
