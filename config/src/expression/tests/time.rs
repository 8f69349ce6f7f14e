//! Timestamps and durations.

use super::*;

#[test]
fn durations() {
    check(&[
        ("duration('1h30m')", "duration 5400000000000"),
        ("duration('-1.5s')", "duration -1500000000"),
        ("duration('1ms2us3ns')", "duration 1002003"),
        ("duration('.5s')", "duration 500000000"),
        ("duration('0')", "duration 0"),
        ("duration('')", "error: invalid value"),
        ("duration('1')", "error: invalid value"),
        ("duration('s')", "error: invalid value"),
        ("duration('1.2.3s')", "error: invalid value"),
        ("duration('1d')", "error: invalid value"),
        ("duration('--1s')", "error: invalid value"),
        ("duration('1e3s')", "error: invalid value"),
        ("duration('315576000001s')", "error: overflow"),
        ("duration('999999999999999999h')", "error: overflow"),
        ("duration(1)", "error: no such overload"),
        ("duration('1s') + duration('1m') == duration('61s')", "true"),
        ("duration('1s') - duration('2s') < duration('0s')", "true"),
        ("duration('1s') * 2", "error: no such overload"),
        ("string(duration('90m'))", "\"5400s\""),
        ("string(duration('-1.50s'))", "\"-1.5s\""),
        ("duration('3h30m').getHours()", "3"),
        ("duration('3h30m').getMinutes()", "210"),
        ("duration('1.5s').getSeconds()", "1"),
        ("duration('1.5s').getMilliseconds()", "500"),
        ("duration('1s').getFullYear()", "error: no such overload"),
    ]);
}

#[test]
fn timestamps() {
    check(&[
        ("timestamp('1970-01-01T00:00:01Z')", "timestamp 1000000000"),
        ("timestamp('1970-01-01T02:00:00+02:00')", "timestamp 0"),
        ("timestamp(1)", "timestamp 1000000000"),
        ("timestamp('yesterday')", "error: invalid value"),
        ("timestamp('2023-02-29T00:00:00Z')", "error: invalid value"),
        ("timestamp(253402300800)", "error: overflow"),
        ("timestamp(1u)", "error: no such overload"),
        ("int(timestamp('1970-01-01T00:01:00.9Z'))", "60"),
        (
            "string(timestamp('2024-02-29T12:00:00.250+02:00'))",
            "\"2024-02-29T10:00:00.25Z\"",
        ),
        ("timestamp(10) - timestamp(4) == duration('6s')", "true"),
        ("timestamp(10) + duration('1s') == timestamp(11)", "true"),
        ("duration('1s') + timestamp(10) == timestamp(11)", "true"),
        ("timestamp(10) - duration('1s') < timestamp(10)", "true"),
        (
            "timestamp('9999-12-31T23:59:59Z') + duration('1s')",
            "error: overflow",
        ),
        ("timestamp(1) + timestamp(1)", "error: no such overload"),
        ("duration('1s') - timestamp(1)", "error: no such overload"),
        ("timestamp(1) == 1", "false"),
    ]);
}

#[test]
fn parts_of_the_time_of_a_request() {
    check(&[
        ("request.time.getFullYear()", "2024"),
        ("request.time.getMonth()", "1"),
        ("request.time.getDate()", "29"),
        ("request.time.getDayOfMonth()", "28"),
        ("request.time.getDayOfWeek()", "4"),
        ("request.time.getDayOfYear()", "59"),
        ("request.time.getHours()", "23"),
        ("request.time.getMinutes()", "59"),
        ("request.time.getSeconds()", "58"),
        ("request.time.getMilliseconds()", "750"),
        ("request.time > timestamp('2024-01-01T00:00:00Z')", "true"),
        ("request.duration > duration('1s')", "true"),
        ("request.path.getHours()", "error: no such overload"),
    ]);
}
