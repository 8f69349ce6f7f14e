//! Facts of calls in expressions.

use super::*;

#[test]
fn filters_that_people_write() {
    check(&[
        ("response.code >= 400", "true"),
        ("response.code == 200", "false"),
        ("response.code in [500, 503]", "true"),
        ("!(request.url_path.startsWith('/health'))", "true"),
        (
            "request.headers['user-agent'].contains('kube-probe')",
            "false",
        ),
        (
            "request.headers['x-team'] == 'blue' && response.code >= 500",
            "true",
        ),
        ("has(response.code) && response.code != 200", "true"),
        ("connection.mtls", "false"),
        ("string(response.code)", "\"500\""),
        (
            "request.host + ':' + string(request.size)",
            "\"httpbin.org:12\"",
        ),
        ("response.code >= 500 ? 'bad' : 'good'", "\"bad\""),
        ("connection.id > 5", "true"),
        ("upstream.request_attempt_count == 0", "true"),
    ]);
}

#[test]
fn absent_attributes_are_errors() {
    check(&[
        ("response.grpc_status", "error: no such attribute"),
        ("response.grpc_status == 0", "error: no such attribute"),
        ("response.grpc_status == 0 || true", "true"),
        (
            "request.headers['x-none'] == ''",
            "error: no such attribute",
        ),
        (
            "request.headers['x-none'] != 'a'",
            "error: no such attribute",
        ),
        ("has(response.grpc_status)", "false"),
        ("has(request.headers.user_agent)", "false"),
        (
            "response.trailers['grpc-status']",
            "error: no such attribute",
        ),
    ]);
    assert!(
        !Expression::parse("response.grpc_status == 0")
            .unwrap()
            .holds(&Call)
    );
    assert!(!Expression::parse("1").unwrap().holds(&Call));
    assert!(
        Expression::parse("response.code == 500")
            .unwrap()
            .holds(&Call)
    );
}

#[test]
fn headers_are_read_by_name() {
    check(&[
        ("request.headers['x-team']", "\"blue\""),
        ("request.headers['X-Team']", "\"blue\""),
        ("request['headers']['x-team']", "\"blue\""),
        ("request['path'] == request.path", "true"),
        ("'x-team' in request.headers", "true"),
        ("'x-none' in request.headers", "false"),
        (
            "!('x-none' in request.headers) && 'x-team' in request.headers",
            "true",
        ),
        ("has(request.headers)", "true"),
        ("request.headers[':path']", "\"/status/500?a=b\""),
        (
            "request.headers[':method'] + ' ' + request.headers[':authority']",
            "\"GET httpbin.org\"",
        ),
        ("request.headers['host']", "\"httpbin.org\""),
        ("response.headers[':status']", "\"500\""),
        ("':status' in response.headers", "true"),
        ("response.headers['x-answer'] == '42'", "true"),
    ]);
}

#[test]
fn its_attributes_are_listed() {
    let expression = Expression::parse(
        "request.path == 'a' || 'b' in request.headers && request.path == has(response.code)",
    )
    .unwrap();
    assert_eq!(
        expression.attributes(),
        [
            Attribute::RequestPath,
            Attribute::RequestHeader("b".parse().unwrap()),
            Attribute::ResponseCode,
        ]
    );
    assert!(expression.unknown().is_empty());
}

#[test]
fn unknown_attributes_are_reported_and_absent() {
    for (text, unknown) in [
        ("request.pth == 'a'", "request.pth"),
        ("foo", "foo"),
        ("request", "request"),
        ("source.principal == 'a'", "source.principal"),
        (
            "metadata.filter_metadata['a']['b'] == 'c'",
            "metadata.filter_metadata['a']['b']",
        ),
        ("filter_state[request.path]", "filter_state[request.path]"),
        ("xds.node.metadata['NAME']", "xds.node.metadata['NAME']"),
        ("request.headers.a.b", "request.headers.a.b"),
        ("request.path.a", "request.path.a"),
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(expression.unknown(), [Box::from(unknown)], "{text}");
        assert_eq!(
            display(expression.evaluate(&Call)),
            "error: no such attribute",
            "{text}"
        );
    }
    let has = Expression::parse("has(request.pth) || request.pth == 1 || true").unwrap();
    assert_eq!(has.unknown(), [Box::from("request.pth")]);
    assert!(has.holds(&Call));
}

#[test]
fn what_is_made_of_literals_is_made_once() {
    let expression = Expression::parse("request.duration > duration('1' + 's')").unwrap();
    let Node::Compare(_, both) = &expression.root else {
        panic!("{:?}", expression.root);
    };
    assert!(matches!(
        both[1],
        Node::Literal(Value::Duration(1_000_000_000))
    ));
}

#[test]
fn texts_of_the_call_are_borrowed() {
    let expression = Expression::parse("request.host == 'a' ? 'b' : request.host").unwrap();
    assert!(matches!(
        expression.evaluate(&Call),
        Ok(Value::String(Cow::Borrowed("httpbin.org")))
    ));
}
