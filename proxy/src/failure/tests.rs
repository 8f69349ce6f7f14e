use egret_config::decide::flag::Flag;

use super::*;

/// Status, flag for HTTP, flag for byte streams, details.
#[track_caller]
fn check(cause: Cause, status: u16, flag: &str, stream_flag: &str, details: &str) {
    let failure = Failure::new(cause, "");
    let shown = |flag: Option<Flag>| flag.map_or("-".into(), |flag| format!("{flag:?}"));
    assert_eq!(failure.status().map_or(0, |status| status.as_u16()), status);
    assert_eq!(shown(failure.reply().flag), flag);
    assert_eq!(shown(failure.reply().stream_flag), stream_flag);
    assert_eq!(failure.details(), details);
}

#[test]
fn flags_and_details_are_envoys() {
    check(Cause::NoEndpoint, 503, "UH", "UH", "no_healthy_upstream");
    check(
        Cause::Overflow,
        503,
        "UO",
        "UO",
        "upstream_reset_before_response_started{overflow}",
    );
    check(Cause::Timeout, 504, "UT", "UT", "response_timeout");
    check(Cause::Overloaded, 503, "OM", "OM", "overload");
    let requests = Cause::ClientLimit(ClientLimit::Requests);
    check(requests, 503, "OM", "OM", "overload{requests}");
    check(
        Cause::ClientGone,
        0,
        "DC",
        "-",
        "downstream_remote_disconnect",
    );
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
    assert!(!failure.reply().body.contains("10.0.0.1"));
    assert_eq!(failure.blame(), Blame::Upstream);
    assert_eq!(failure.step(), Step::Connect);
}
