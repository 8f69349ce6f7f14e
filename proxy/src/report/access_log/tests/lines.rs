//! Lines: the default formats, operators, filters, and what strangers cannot do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use egret_config::address::{ClientAddress, EndpointAddress, LocalAddress, UpstreamLocalAddress};
use egret_config::decide::flag::Flag;
use egret_config::decide::verdict::RouteName;
use egret_config::expression::Expression;
use egret_config::log_format::defaults::DEFAULT_KEYS;
use egret_config::model::mesh::FormatSource;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use serde_json::{Value, json};

use crate::report::access_log::line::Line;
use crate::report::attributes::CallAttributes;
use crate::report::facts::{AuthorityFact, Facts, Part, RequestFacts, UpstreamConnectionFacts};
use crate::report::needs::Needs;
use crate::report::now::Now;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("address")
}

/// A moment at which 3 ms have passed since the facts' beginning.
fn now(facts: &Facts) -> Now {
    let passed = Duration::from_millis(3);
    Now {
        instant: facts.began + passed,
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_042) + passed,
    }
}

fn full() -> Facts {
    let mut facts = Facts::begin();
    facts.request = RequestFacts {
        method: Some(Method::GET),
        path: Some(PathAndQuery::from_static("/get?a=b%20c&a=2&d")),
        protocol: Some(Version::HTTP_11),
        authority: Some(AuthorityFact::Header(HeaderValue::from_static(
            "httpbin.org",
        ))),
        user_agent: Some(HeaderValue::from_static("curl/8.5.0")),
        request_id: Some(HeaderValue::from_static("5f0a")),
        ..RequestFacts::default()
    };
    facts.set_response(StatusCode::OK, "via_upstream");
    facts.response.upstream_service_time = Some(Duration::from_millis(7));
    facts.bytes_sent = 345;
    facts.decision.cluster = Some("outbound|80||httpbin.org".into());
    facts.decision.route = Some(RouteName::Named("default".into()));
    let endpoint = |text| EndpointAddress::Ip(address(text));
    facts.attempts.begin(endpoint("10.1.0.8:80"));
    let last = facts.attempts.begin(endpoint("10.1.0.9:80"));
    let local = UpstreamLocalAddress(endpoint("10.1.0.2:40000"));
    let connection = UpstreamConnectionFacts::connected(local, facts.began);
    last.connection = Some(Arc::new(connection));
    facts.downstream.local_address = Some(LocalAddress(address("10.1.0.9:80")));
    facts.downstream.remote_address = Some(ClientAddress(address("10.1.0.2:39999")));
    facts
}

fn bytes(source: &FormatSource, omit_empty: bool, facts: &Facts) -> Vec<u8> {
    let line = Line::of(source, omit_empty, facts.decision.reasons.is_some()).expect("a format");
    let mut bytes = Vec::new();
    line.append(&mut bytes, facts, now(facts));
    bytes
}

/// A line of a text format, without its newline.
fn text(format: &str, facts: &Facts) -> String {
    let line = bytes(&FormatSource::Text(format.into()), false, facts);
    let line = String::from_utf8(line).expect("UTF-8");
    line.strip_suffix('\n').expect("a line").to_owned()
}

fn default_text(facts: &Facts) -> String {
    String::from_utf8(bytes(&FormatSource::DefaultText, false, facts)).expect("UTF-8")
}

fn object(format: Value, omit_empty: bool, facts: &Facts) -> String {
    let Value::Object(format) = format else {
        panic!("no object")
    };
    let line = bytes(&FormatSource::Json(Arc::new(format)), omit_empty, facts);
    String::from_utf8(line).expect("UTF-8")
}

#[test]
fn text_of_a_request() {
    assert_eq!(
        default_text(&full()),
        "[2023-11-14T22:13:20.042Z] \"GET /get?a=b%20c&a=2&d HTTP/1.1\" 200 - via_upstream - \"-\" 0 345 3 7 \"-\" \
         \"curl/8.5.0\" \"5f0a\" \"httpbin.org\" \"10.1.0.9:80\" outbound|80||httpbin.org 10.1.0.2:40000 10.1.0.9:80 \
         10.1.0.2:39999 - default\n"
    );
}

#[test]
fn text_of_a_refused_stream() {
    let mut facts = Facts::begin();
    facts.flags.raise(Flag::UH);
    facts.decision.cluster = Some("BlackHoleCluster".into());
    facts.downstream.requested_server_name = Some("www.example.com".into());
    assert_eq!(
        default_text(&facts),
        "[2023-11-14T22:13:20.042Z] \"- - -\" 0 UH - - \"-\" 0 0 3 - \"-\" \"-\" \"-\" \"-\" \"-\" BlackHoleCluster - - - \
         www.example.com -\n"
    );
}

#[test]
fn reasons_end_lines_of_the_default_formats() {
    let mut facts = full();
    facts.decision.reasons = Some("policy=REGISTRY_ONLY (a \"b\")".into());
    let line = default_text(&facts);
    assert!(
        line.ends_with(" default reasons=\"policy=REGISTRY_ONLY (a \\\"b\\\")\"\n"),
        "{line}"
    );
    let line = bytes(&FormatSource::DefaultJson, false, &facts);
    let value: Value = serde_json::from_slice(&line).expect("JSON");
    let last = value
        .as_object()
        .expect("an object")
        .iter()
        .next_back()
        .expect("a key");
    assert_eq!(
        (&**last.0, last.1),
        ("reasons", &json!("policy=REGISTRY_ONLY (a \"b\")"))
    );
}

#[test]
fn json_has_istios_keys_in_order() {
    let line = bytes(&FormatSource::DefaultJson, false, &full());
    assert_eq!(line.last(), Some(&b'\n'));
    let value: Value = serde_json::from_slice(&line).expect("JSON");
    let keys: Vec<_> = value
        .as_object()
        .expect("object")
        .keys()
        .map(String::as_str)
        .collect();
    let expected: Vec<_> = DEFAULT_KEYS.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, expected);
    assert_eq!(value["start_time"], "2023-11-14T22:13:20.042Z");
    assert_eq!(
        (&value["bytes_sent"], &value["response_code"]),
        (&json!(345), &json!(200))
    );
    assert_eq!(value["upstream_service_time"], "7", "the value of a header");
    assert_eq!(value["response_flags"], "-");
    assert_eq!(value["x_forwarded_for"], Value::Null);
    assert_eq!(value["upstream_host"], "10.1.0.9:80");
}

#[test]
fn operators_of_a_request() {
    let facts = full();
    for (operator, expected) in [
        ("REQ(:METHOD)", "GET"),
        ("REQ(host)", "httpbin.org"),
        ("REQ(x-none?user-agent):4", "curl"),
        ("REQ(x-none):0", "-"),
        ("REQ(user-agent):0", ""),
        ("REQ_WITHOUT_QUERY(:PATH)", "/get"),
        ("PATH", "/get?a=b%20c&a=2&d"),
        ("PATH(NQ):2", "/g"),
        ("PATH(WQ:ORIG)", "-"),
        ("QUERY_PARAM(a)", "b c"),
        ("QUERY_PARAM(d)", ""),
        ("QUERY_PARAM(z)", "-"),
        ("QUERY_PARAMS", "a=b%20c&a=2&d"),
        ("REQUESTED_SERVER_NAME", "-"),
        ("REQUESTED_SERVER_NAME(SNI_FIRST)", "httpbin.org"),
        ("STREAM_ID", "5f0a"),
        ("RESP(:STATUS)", "200"),
        ("RESPONSE_FLAGS_LONG", "-"),
        ("UPSTREAM_REQUEST_ATTEMPT_COUNT", "2"),
        ("GRPC_STATUS", "-"),
        ("UPSTREAM_HOSTS_ATTEMPTED", "10.1.0.8:80,10.1.0.9:80"),
        ("UPSTREAM_HOST_NAME_WITHOUT_PORT", "10.1.0.9"),
        ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "10.1.0.2"),
        ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)", "10.1.0.0/16"),
        ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(64)", "10.1.0.2/32"),
        ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(x)", "10.1.0.2"),
        ("DOWNSTREAM_REMOTE_PORT", "39999"),
        ("UPSTREAM_LOCAL_PORT", "40000"),
        ("ACCESS_LOG_TYPE", "DownstreamEnd"),
        ("COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)", "3000"),
        ("COMMON_DURATION(X:DS_TX_END)", "-"),
        ("START_TIME(%s.%3f)", "1700000000.042"),
        ("EMIT_TIME(%s.%3f)", "1700000000.045"),
        ("ENVIRONMENT(EGRET_NO_SUCH_VARIABLE)", "-"),
        ("DYNAMIC_METADATA(a:b)", "-"),
        ("CEL(response.code == 200)", "true"),
        ("CEL(request.nope)", "-"),
        (
            "COALESCE({\"operators\":[\"REQUESTED_SERVER_NAME\",{\"command\":\"REQ\",\"param\":\":authority\"}]}):4",
            "http",
        ),
    ] {
        let (name, limit) = match operator.rsplit_once(':') {
            Some((name, limit)) if limit.parse::<usize>().is_ok() => (name, format!(":{limit}")),
            _ => (operator, String::new()),
        };
        assert_eq!(
            text(&format!("%{name}{limit}%"), &facts),
            expected,
            "{operator}"
        );
    }
}

#[test]
fn a_rewrite_has_two_paths_and_two_hosts() {
    let mut facts = full();
    facts.request.rewritten_path = Some(PathAndQuery::from_static("/x?a=b"));
    facts.request.original_authority = Some(AuthorityFact::Header(HeaderValue::from_static(
        "Old.host:80",
    )));
    assert_eq!(
        text(
            "%REQ(:PATH)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PATH(NQ:PATH)% %PATH(NQ:ORIG)%",
            &facts
        ),
        "/x?a=b /get?a=b%20c&a=2&d /x /get"
    );
    assert_eq!(
        text(
            "%REQ(:AUTHORITY)% %REQUESTED_SERVER_NAME(HOST_FIRST)% %REQUEST_HEADER(:AUTHORITY:ORIG)%",
            &facts
        ),
        "httpbin.org Old.host:80 Old.host:80"
    );
}

#[test]
fn grpc_calls_have_a_status() {
    let mut facts = full();
    facts.request.grpc = true;
    for (said, expected) in [
        (Some(0), "OK OK 0 0"),
        (Some(1), "Canceled CANCELLED 1 1"),
        (Some(4), "DeadlineExceeded DEADLINE_EXCEEDED 4 4"),
        (Some(77), "77 77 77 77"),
        // What follows from 200 where the upstream says nothing.
        (None, "Unknown UNKNOWN 2 2"),
    ] {
        facts.response.grpc_status = said;
        let format =
            "%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(NUMBER)% %GRPC_STATUS_NUMBER%";
        assert_eq!(text(format, &facts), expected);
    }
}

#[test]
fn json_keeps_order_nesting_and_types() {
    let facts = full();
    let format = json!({
        "z": "%RESPONSE_CODE%", "a": {"n": 5, "none": "%TRAILER(x)%", "m": {}}, "l": ["%DURATION%", "%PROTOCOL%"],
        "mixed": "a%TRAILER(x)%b%DURATION%%%", "typed": "%TYPED_CEL(response.code)%", "text": "%CEL(response.code)%",
    });
    assert_eq!(
        object(format.clone(), false, &facts),
        "{\"z\":200,\"a\":{\"n\":5,\"none\":null,\"m\":{}},\"l\":[3,\"HTTP/1.1\"],\"mixed\":\"a-b3%\",\"typed\":200,\"text\":\"200\"}\n"
    );
    assert_eq!(
        object(format, true, &facts),
        "{\"z\":200,\"a\":{\"n\":5,\"m\":{}},\"l\":[3,\"HTTP/1.1\"],\"mixed\":\"ab3%\",\"typed\":200,\"text\":\"200\"}\n"
    );
}

#[test]
fn strangers_cannot_forge_lines_or_fields() {
    let mut facts = Facts::begin();
    let said = b"a\" \"b\\\t\xff";
    facts.request.user_agent = Some(HeaderValue::from_bytes(said).expect("header"));
    facts.response.details = Some("two words\n[forged]".into());
    facts.downstream.requested_server_name = Some("a b\x1b[31m\x7f".into());
    let line = bytes(&FormatSource::DefaultText, false, &facts);
    let line = String::from_utf8_lossy(&line);
    assert!(line.contains(r#""a\" \"b\\\x09"#), "{line}");
    assert!(line.contains(r"two_words_[forged]"), "{line}");
    assert!(line.contains(r"a_b\x1b[31m\x7f"), "{line}");
    assert_eq!(line.matches('\n').count(), 1);
    assert!(!line.contains(['\x1b', '\x7f', '\t']));
    for source in [
        FormatSource::DefaultJson,
        FormatSource::Json(Arc::new(
            json!({"user_agent": "%REQ(user-agent)%", "requested_server_name": "%REQUESTED_SERVER_NAME%"})
                .as_object()
                .expect("an object")
                .clone(),
        )),
    ] {
        let line = bytes(&source, false, &facts);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let value: Value = serde_json::from_slice(&line).expect("JSON");
        assert_eq!(value["user_agent"], "a\" \"b\\\t\u{fffd}");
        assert_eq!(value["requested_server_name"], "a b\x1b[31m\x7f");
    }
}

#[test]
fn headers_are_those_that_a_format_asked_for() {
    let mut needs = Needs::default();
    let expression = Expression::parse("request.headers['x-a'] == '1,2' && response.code >= 200")
        .expect("parsed");
    needs.add_expression(&expression);
    Line::of(
        &FormatSource::Text("%REQ(x-a)%%RESP(x-b)%".into()),
        false,
        false,
    )
    .expect("a format")
    .add_needs(&mut needs);
    let plan = Arc::new(needs.headers);
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-a", "1"), ("x-a", "2"), ("x-b", "3")] {
        headers.append(name, HeaderValue::from_static(value));
    }
    let mut facts = full();
    let captured = facts.captured.get_or_insert_default();
    captured.keep(&plan, Part::Request, &headers);
    captured.keep(&plan, Part::Response, &headers);
    assert_eq!(text("%REQ(x-a)% %RESP(x-b)% %RESP(x-a)%", &facts), "1 3 -");
    assert!(expression.holds(&CallAttributes::of(&facts, now(&facts))));
}

#[test]
fn absent_attributes_do_not_hold() {
    let holds = |text: &str, facts: &Facts| {
        let expression = Expression::parse(text).expect(text);
        expression.holds(&CallAttributes::of(facts, now(facts)))
    };
    let mut stream = Facts::begin();
    stream.flags.raise(Flag::UF);
    stream.flags.raise(Flag::URX);
    for text in [
        "response.code == 0",
        "response.code < 400",
        "request.host != 'a'",
    ] {
        assert!(!holds(text, &stream), "{text}");
    }
    assert!(
        holds("response.flags == 32800", &stream),
        "Envoy's bits of UF and URX"
    );
    assert!(holds(
        "!has(response.code) && upstream.request_attempt_count == 0u",
        &stream
    ));
    assert!(holds(
        "request.path.startsWith('/get') && request.query == 'a=b%20c&a=2&d'",
        &full()
    ));
    assert!(holds(
        "connection.mtls == false && source.port == 39999",
        &full()
    ));
}
