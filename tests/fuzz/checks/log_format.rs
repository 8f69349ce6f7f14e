//! The first line as a format of the access log, text or JSON, and the others as what a client sends: the format is read or
//! refused in words, and whatever the client sends, a call has one line, which is JSON where the format is.

use std::sync::Arc;

use egret_config::model::mesh::FormatSource;
use egret_proxy::report::access_log::line::Line;
use egret_proxy::report::facts::Facts;
use egret_proxy::report::now::Now;
use http::{HeaderName, HeaderValue, Request};
use serde_json::Value;

pub(crate) fn check(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let Ok(format) = std::str::from_utf8(lines.next().unwrap_or_default()) else {
        return;
    };
    let mut facts = Facts::begin();
    facts.set_request(&request(lines));
    let object = serde_json::from_str::<Value>(format).ok();
    let object = object.and_then(|value| value.as_object().cloned());
    let is_json = object.is_some();
    let source = match object {
        Some(object) => FormatSource::Json(Arc::new(object)),
        None => FormatSource::Text(format.into()),
    };
    for omit_empty in [false, true] {
        let line = match Line::of(&source, omit_empty, true) {
            Ok(line) => line,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        };
        let mut written = Vec::new();
        line.append(&mut written, &facts, Now::read());
        assert_eq!(written.last(), Some(&b'\n'), "a line has an end");
        // The form of a time may have newlines of its own.
        if !format.contains("TIME") {
            let newlines = written.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(newlines, 1, "{}", String::from_utf8_lossy(&written));
        }
        if is_json {
            let read = serde_json::from_slice::<Value>(&written);
            assert!(read.is_ok(), "{}", String::from_utf8_lossy(&written));
        }
    }
}

/// A request with the lines `name: value` that are headers; a line that is none is its target.
fn request<'b>(lines: impl Iterator<Item = &'b [u8]>) -> Request<()> {
    let mut request = Request::new(());
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = line[colon..].strip_prefix(b":").unwrap_or_default();
        let value = HeaderValue::from_bytes(value.trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.headers_mut().append(name, value);
        } else if let Ok(target) = line.try_into() {
            *request.uri_mut() = target;
        }
    }
    request
}
