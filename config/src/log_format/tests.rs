use serde_json::{Value, json};

use super::*;
use crate::log_format::facts::{FACTS, Fact, UNKNOWN};

/// Which of `%NAME%`, `%NAME(a)%`, `%NAME:5%` and `%NAME(a):5%` Envoy 1.40 loads, of all its operators.
const ENVOY: &str = include_str!("envoy_operators.txt");

fn error(format: &str) -> String {
    TextFormat::parse(format).expect_err(format).to_string()
}

#[test]
fn operators_are_those_of_envoy() {
    for line in ENVOY.lines() {
        let (name, loads) = line.split_once(' ').expect("a name");
        let forms = ["", "(a)", ":5", "(a):5"].map(|rest| format!("%{name}{rest}%"));
        let own: String = forms
            .iter()
            .map(|form| {
                if TextFormat::parse(form).is_ok() {
                    'Y'
                } else {
                    'n'
                }
            })
            .collect();
        assert_eq!(own, loads, "{name}");
    }
}

#[test]
fn each_row_is_envoys_or_ours() {
    let own = ["EGRET_VERDICT", "EGRET_REASONS", "REQ_WITHOUT_QUERY"];
    let rows = FACTS
        .iter()
        .flat_map(|section| section.rows)
        .map(|row| row.name);
    let more = commands::COMMANDS
        .iter()
        .flat_map(|section| section.rows)
        .map(|row| row.name);
    let names: Vec<_> = rows.chain(more).chain(UNKNOWN.iter().copied()).collect();
    for (at, name) in names.iter().enumerate() {
        let known = ENVOY
            .lines()
            .any(|line| line.split(' ').next() == Some(name));
        assert!(known || own.contains(name), "{name}");
        assert!(!names[..at].contains(name), "{name} has two rows");
    }
}

#[test]
fn what_envoy_loads_is_read() {
    for format in [
        "",
        "text",
        "100%%",
        "%%%REQ(a)%",
        "%REQ(A?B):5%",
        "%REQ(a?)%",
        "%REQ(?a)%",
        "%REQ(a):0%",
        "%REQ(:foo)%",
        "%REQ(a_b.c~!)%",
        "%PROTOCOL()%",
        "%START_TIME()%",
        "%START_TIME(%Y)%",
        "%START_TIME(%Q %E %)%",
        "%START_TIME(%%)%",
        "%START_TIME(%Y(%m))%",
        "%RESPONSE_CODE_DETAILS(x)%",
        "%GRPC_STATUS()%",
        "%GRPC_STATUS(NUMBER)%",
        "%PATH():4%",
        "%PATH(NQ:PATH):4%",
        "%PATH(WQ:ORIG)%",
        "%QUERY_PARAM(k):4%",
        "%QUERY_PARAMS(DECODED):3%",
        "%REQUESTED_SERVER_NAME(SNI_FIRST:HOST)%",
        "%REQUESTED_SERVER_NAME(HOST_FIRST)%",
        "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
        "%COMMON_DURATION(X:Y)%",
        "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(x)%",
        "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(160)%",
        "%ENVIRONMENT(X):4%",
        "%CEL(request.host):4%",
        "%CEL((1 + 2) * 3)%",
        "%METADATA(ROUTE:a:b)%",
        "%METADATA(ROUTE):5%",
        "%FILTER_STATE(a:FIELD:b)%",
        "%UPSTREAM_METADATA([\"a\",\"b\"])%",
        "%COALESCE({\"operators\":[\"PROTOCOL\"]}):4%",
        "%COALESCE({\"operators\":[{\"command\":\"CEL\",\"param\":\"request.host\"}]})%",
        // An extension that Istio loads, and what its documentation has.
        "%REQ_WITHOUT_QUERY(:path?a):4%",
        "%REQUEST_HEADER(:PATH:ORIG)%",
    ] {
        if let Err(error) = TextFormat::parse(format) {
            panic!("{format}: {error}");
        }
    }
}

#[test]
fn formats_that_envoy_refuses_are_refused() {
    for (format, part) in [
        ("a%b", "`%b`"),
        ("100%", "`%`"),
        ("%%REQ(a)%", "`%`"),
        ("%req(a)%", "`%req(a)%`"),
        ("%REQ(a)b%", "`%REQ(a)b%`"),
        ("%REQ(a):99999999999999999999999%", "`%REQ(a):9999"),
        ("%START_TIME(%Y", "`%START_TIME(%Y`"),
        ("%REQ(a\nb)%", "`%REQ(a\nb)%`"),
        ("%NOPE%", "`NOPE`: no operator"),
        ("%REQUEST_TRAILER(a)%", "`REQUEST_TRAILER`"),
        ("%REQ%", "`REQ`: this operator needs an argument: REQ(A?B)"),
        ("%REQ():5%", "`REQ`"),
        (
            "%PROTOCOL(a)%",
            "`PROTOCOL`: this operator takes no argument and no length",
        ),
        ("%PROTOCOL:4%", "`PROTOCOL`"),
        (
            "%START_TIME:5%",
            "`START_TIME`: this operator takes no length",
        ),
        ("%START_TIME(a%n)%", "`%n`"),
        (
            "%REQ(A?B?C)%",
            "`A?B?C`: a header has one alternative at most",
        ),
        ("%REQ(a(b))%", "`a(b)`: no name of a header"),
        ("%REQ(a b)%", "`a b`"),
        ("%REQ(a:b)%", "`a:b`"),
        ("%REQ(a:ORIG)%", "`a:ORIG`"),
        ("%RESP(é)%", "`é`"),
        (
            "%GRPC_STATUS(FOO)%",
            "`FOO`: one of CAMEL_STRING, SNAKE_STRING, NUMBER",
        ),
        ("%PATH(X)%", "`X`: one of WQ, NQ"),
        ("%PATH(WQ:X)%", "`X`"),
        ("%QUERY_PARAM()%", "`QUERY_PARAM`"),
        ("%QUERY_PARAMS(X)%", "`X`"),
        ("%REQUESTED_SERVER_NAME(X)%", "`X`"),
        ("%REQUESTED_SERVER_NAME(SNI_FIRST:X)%", "`X`"),
        ("%COMMON_DURATION(X)%", "`X`"),
        ("%COMMON_DURATION(X:Y:z)%", "`z`: one of ms, us, ns"),
        (
            "%DOWNSTREAM_REMOTE_ADDRESS(16)%",
            "`DOWNSTREAM_REMOTE_ADDRESS`",
        ),
        ("%CEL(bad bad)%", "`bad`"),
        ("%CEL()%", "`CEL`"),
        ("%METADATA(X:a)%", "`X`: no kind of metadata"),
        ("%FILTER_STATE(a:X)%", "`X`"),
        ("%FILTER_STATE(a:FIELD)%", "`a:FIELD`"),
        ("%COALESCE(x)%", "`x`: the argument of COALESCE is JSON"),
        ("%COALESCE({\"operators\":[]})%", "no item"),
        ("%COALESCE({\"operators\":[3]})%", "a name or an object"),
        ("%COALESCE({\"operators\":[\"NOPE\"]})%", "`NOPE`"),
        ("%COALESCE({\"operators\":[\"REQ\"]})%", "`REQ`"),
        (
            "%COALESCE({\"operators\":[{\"command\":\"REQ\",\"param\":\"a\",\"max_length\":0}]})%",
            "`max_length`",
        ),
    ] {
        let error = error(format);
        assert!(error.contains(part), "{format}: {error}");
    }
}

#[test]
fn literals_and_operators_alternate() {
    let format = TextFormat::parse("a%%b %PROTOCOL%%REQ(X-A?:path):3% c").expect("a format");
    let pieces: Vec<_> = format
        .pieces()
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => text.to_string(),
            Piece::Command(command) => format!("{:?} {:?}", command.operator, command.limit),
        })
        .collect();
    assert_eq!(
        pieces,
        [
            "a%b ",
            "Fact(Protocol) None",
            "Header(Request, HeaderChoice { main: Name(\"x-a\"), alternative: Some(Path) }) Some(3)",
            " c"
        ]
    );
}

#[test]
fn a_line_has_one_newline_at_its_end() {
    for (format, end) in [
        ("", "\n"),
        ("a", "a\n"),
        ("a\n", "a\n"),
        ("a\n\n", "a\n\n"),
        ("%PROTOCOL%", "\n"),
    ] {
        let line = TextFormat::line(format).expect("a format");
        let Some(Piece::Literal(last)) = line.pieces().last() else {
            panic!("{line:?}")
        };
        assert_eq!(&**last, end);
    }
}

fn parsed(value: &Value) -> Result<JsonFormat, FormatError> {
    JsonFormat::parse(value.as_object().expect("an object"))
}

#[test]
fn json_keeps_its_order_and_what_is_no_text() {
    let format = json!({
        "z": "%PROTOCOL%", "a": {"n": 1.5, "t": true, "e": null, "m": {}}, "l": ["%DURATION%", 2, ["x%%"]],
        "mixed": "a %DURATION%", "text": "\"", "empty": "",
    });
    let format = parsed(&format).expect("a format");
    let keys: Vec<_> = format.entries().iter().map(|(key, _)| &**key).collect();
    assert_eq!(keys, ["z", "a", "l", "mixed", "text", "empty"]);
    let value = |at: usize| format!("{:?}", format.entries()[at].1);
    assert_eq!(
        value(0),
        "Value(Command { operator: Fact(Protocol), limit: None })"
    );
    assert_eq!(
        value(1),
        "Object(JsonFormat([(\"n\", Constant(\"1.5\")), (\"t\", Constant(\"true\")), (\"e\", Constant(\"null\")), (\"m\", Object(JsonFormat([])))]))"
    );
    assert!(
        value(2).ends_with("Constant(\"2\"), List([Constant(\"\\\"x%\\\"\")])])"),
        "{}",
        value(2)
    );
    assert!(value(3).starts_with("Text("));
    assert_eq!(
        (value(4), value(5)),
        (
            r#"Constant("\"\\\"\"")"#.into(),
            r#"Constant("\"\"")"#.into()
        )
    );
}

#[test]
fn json_errors_name_the_wrong_part() {
    let error = parsed(&json!({"a": {"b": ["%NOPE%"]}})).expect_err("refused");
    assert_eq!(error.excerpt, "NOPE");
}

#[test]
fn unknown_facts_stay_unknown() {
    for name in UNKNOWN {
        assert_eq!(Fact::named(name), Some(Fact::Unknown), "{name}");
    }
}
