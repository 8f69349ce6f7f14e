use egret_config::address::{EndpointAddress, UpstreamLocalAddress};

use super::*;

fn request() -> Request<()> {
    Request::get("/status/418?x=1")
        .header("host", "shop.example")
        .header("user-agent", "curl/8.5.0")
        .header("x-forwarded-for", "203.0.113.9")
        .body(())
        .expect("request")
}

fn endpoint(last: u8) -> EndpointAddress {
    EndpointAddress::Ip(([192, 0, 2, last], 80).into())
}

#[test]
fn a_request_is_known_as_its_client_sent_it_until_it_is_normalized() {
    let mut facts = Facts::begin();
    assert!(!facts.is_request());
    facts.set_request(&request());
    assert!(facts.is_request());
    let sent = facts.request.clone();
    assert_eq!(sent.method, Some(Method::GET));
    assert_eq!(sent.protocol, Some(Version::HTTP_11));
    assert_eq!(
        sent.path,
        Some(PathAndQuery::from_static("/status/418?x=1"))
    );
    assert_eq!(sent.authority.expect("host").as_bytes(), b"shop.example");
    assert_eq!(sent.user_agent.expect("user-agent"), "curl/8.5.0");
    assert_eq!(
        sent.x_forwarded_for.expect("x-forwarded-for"),
        "203.0.113.9"
    );
    assert_eq!(sent.request_id, None);

    let (mut parts, ()) = request().into_parts();
    parts.headers.remove(FORWARDED_FOR);
    parts
        .headers
        .insert(REQUEST_ID, HeaderValue::from_static("5f0a"));
    facts.set_normalized(&NormalizedRequest {
        parts,
        authority: HeaderValue::from_static("other.example"),
        path: PathAndQuery::from_static("/a"),
        upgrade: None,
    });
    let normalized = facts.request;
    assert_eq!(
        normalized.authority.expect("authority").as_bytes(),
        b"other.example"
    );
    assert_eq!(normalized.path, Some(PathAndQuery::from_static("/a")));
    assert_eq!(normalized.request_id.expect("x-request-id"), "5f0a");
    assert_eq!(normalized.x_forwarded_for, None);
    assert_eq!(normalized.user_agent.expect("user-agent"), "curl/8.5.0");
}

#[test]
fn attempts_are_kept_in_order() {
    let mut attempts = Attempts::default();
    assert!(attempts.last().is_none());
    for last in 1..=3 {
        let local = UpstreamLocalAddress(endpoint(100 + last));
        let connection = UpstreamConnectionFacts::connected(local, Instant::now());
        attempts.begin(endpoint(last)).connection = Some(Arc::new(connection));
    }
    let endpoints: Vec<_> = attempts.iter().map(|attempt| &attempt.endpoint).collect();
    assert_eq!(endpoints, [&endpoint(1), &endpoint(2), &endpoint(3)]);
    let last = attempts.last().expect("an attempt");
    let local = UpstreamLocalAddress(endpoint(103));
    assert_eq!(last.local_address(), Some(&local));
}

#[test]
fn a_refused_request_has_a_status_and_a_refused_stream_has_a_flag() {
    let refused = Failure::from(Refusal::Blackhole);
    let mut facts = Facts::begin();
    facts.set_request(&request());
    facts.set_request_failure(&refused);
    assert_eq!(facts.response.code, Some(StatusCode::BAD_GATEWAY));
    assert_eq!(facts.response.details.as_deref(), Some("direct_response"));
    assert!(facts.flags.is_empty());

    for (failure, flags, details) in [
        (refused, "UH", None),
        (
            Failure::from(Refusal::NoChain),
            "NR",
            Some("filter_chain_not_found"),
        ),
        (Failure::new(Cause::ConnectTimeout, ""), "UF,URX", None),
    ] {
        let mut facts = Facts::begin();
        facts.set_stream_failure(&failure);
        assert_eq!(facts.response.code, None);
        assert_eq!(facts.flags.to_string(), flags);
        assert_eq!(facts.response.details.as_deref(), details);
    }
}
