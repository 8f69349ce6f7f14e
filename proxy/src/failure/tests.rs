use super::*;
use crate::failure::flags::Flags;

/// Status, flag for HTTP, flag for byte streams, details.
#[track_caller]
fn check(cause: Cause, status: u16, flag: &str, stream_flag: &str, details: &str) {
    let failure = Failure::new(cause, "");
    let shown = |flag: Option<Flag>| flag.map_or("-".into(), |flag| format!("{flag:?}"));
    assert_eq!(failure.status().map_or(0, |status| status.as_u16()), status);
    assert_eq!(shown(failure.flag()), flag);
    assert_eq!(shown(failure.stream_flag()), stream_flag);
    assert_eq!(failure.details(), details);
}

#[test]
fn flags_and_details_are_envoys() {
    check(
        Cause::Refused(Refusal::Blackhole),
        502,
        "-",
        "UH",
        "direct_response",
    );
    check(
        Cause::Refused(Refusal::NoRoute),
        404,
        "NR",
        "NR",
        "route_not_found",
    );
    check(
        Cause::Refused(Refusal::NoCluster("outbound|80||x".into())),
        503,
        "NC",
        "NC",
        "cluster_not_found",
    );
    check(
        Cause::Refused(Refusal::NoChain),
        0,
        "NR",
        "NR",
        "filter_chain_not_found",
    );
    check(Cause::NoEndpoint, 503, "UH", "UH", "no_healthy_upstream");
    check(
        Cause::Overflow,
        503,
        "UO",
        "UO",
        "upstream_reset_before_response_started{overflow}",
    );
    check(Cause::Timeout, 504, "UT", "UT", "response_timeout");
    check(
        Cause::ClientGone,
        0,
        "DC",
        "-",
        "downstream_remote_disconnect",
    );
    for (bad, flag, details) in [
        (Bad::Syntax, "DPE", "http1.codec_error"),
        (
            Bad::Framing,
            "DPE",
            "http1.content_length_and_chunked_not_allowed",
        ),
        (Bad::Scheme, "DPE", "http1.invalid_scheme"),
        (Bad::Host, "DPE", "http.invalid_authority"),
        (Bad::NoHost, "-", "missing_host_header"),
        (Bad::Path, "-", "path_normalization_failed"),
    ] {
        check(Cause::BadRequest(bad), 400, flag, flag, details);
    }
    check(
        Cause::ResetAfter,
        0,
        "UC",
        "-",
        "upstream_reset_after_response_started{connection_termination}",
    );
    check(
        Cause::StreamResetAfter,
        0,
        "UR",
        "-",
        "upstream_reset_after_response_started{remote_reset}",
    );
    check(
        Cause::ProtocolAfter,
        0,
        "UPE",
        "-",
        "upstream_reset_after_response_started{protocol_error}",
    );
    check(
        Cause::FaultAbort(StatusCode::IM_A_TEAPOT),
        418,
        "FI",
        "FI",
        "fault_filter_abort",
    );
    check(
        Cause::Connect("delayed connect error: Connection refused".into()),
        503,
        "UF",
        "UF",
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
    );
}

#[test]
fn only_what_reached_no_upstream_may_always_be_tried_again() {
    for (cause, retry) in [
        (Cause::Connect("".into()), Retry::Safe),
        (Cause::ConnectTimeout, Retry::Safe),
        (Cause::ResetBefore, Retry::ByPolicy),
        (Cause::ResetAfter, Retry::Never),
        (Cause::Refused(Refusal::Blackhole), Retry::Never),
    ] {
        assert_eq!(Failure::new(cause.clone(), "").retry(), retry, "{cause:?}");
    }
}

#[test]
fn the_operators_words_do_not_reach_the_caller() {
    let failure = Failure::new(
        Cause::Connect("refused".into()),
        "10.0.0.1:443 refused the connection",
    );
    assert_eq!(failure.to_string(), "10.0.0.1:443 refused the connection");
    assert!(!failure.words_for_caller().contains("10.0.0.1"));
    assert_eq!(failure.blame(), Blame::Upstream);
    assert_eq!(failure.step(), Step::Connect);
}

#[test]
fn flags_keep_their_order_and_come_once() {
    let mut flags = Flags::default();
    assert_eq!(flags.to_string(), "-");
    for flag in [Flag::URX, Flag::UF, Flag::URX] {
        flags.raise(flag);
    }
    assert_eq!(flags.to_string(), "URX,UF");
}
