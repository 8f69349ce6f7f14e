//! What each HTTP request passes through allocates nothing where nothing is to be changed or told.

use std::sync::Arc;

use allocation_counter::measure;
use egret_proxy::http::headers;
use egret_proxy::report::access_log::AccessLog;
use egret_proxy::report::record::Record;
use http::HeaderMap;
use http::HeaderValue;
use http::Request;
use http::uri::PathAndQuery;

/// A head with room for the headers that a proxy puts in, as a reader of heads leaves it.
fn head(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(20);
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn allocations(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

#[test]
fn nothing_to_take_out_costs_nothing() {
    let mut request = head(&[("host", "a.test"), ("accept", "*/*"), ("x-own", "1")]);
    let mut response = head(&[("content-length", "3"), ("connection", "keep-alive")]);
    let count = allocations(|| {
        headers::strip_request(&mut request);
        headers::from_sidecar(&mut request, "http");
        headers::count_attempt(&mut request, 1);
        headers::strip_response(&mut response);
    });
    assert_eq!(count, 0);
    assert_eq!((request.len(), response.len()), (5, 1));
}

#[test]
fn the_id_of_a_request_is_shared_from_the_start() {
    let (mut first, mut second) = (head(&[]), head(&[]));
    // Chance is seeded once a thread.
    headers::ensure_request_id(&mut first);
    let mut told = None;
    let count = allocations(|| {
        headers::ensure_request_id(&mut second);
        told = second.get(headers::REQUEST_ID).cloned();
    });
    assert_eq!(count, 1);
    assert_ne!(told.as_ref(), first.get(headers::REQUEST_ID));
    assert_eq!(told.map(|id| id.len()), Some(36));
}

#[test]
fn a_record_without_a_log_takes_nothing() {
    let log = Arc::new(AccessLog::start().expect("a thread"));
    let request = Request::get("http://a.test/path?query")
        .header("user-agent", "a".repeat(40))
        .header("x-request-id", "b".repeat(36))
        .body(())
        .expect("request");
    let authority = HeaderValue::from_static("a.test");
    let path = PathAndQuery::from_static("/path?query");
    let count = allocations(|| {
        let mut record = Record::open(log);
        record.saw_request(&request);
        record.read_as(&authority, &path, request.headers());
        record.took_route(Some("a route"));
        record.decided(&"a reason");
        record.end();
    });
    assert_eq!(count, 0);
}
