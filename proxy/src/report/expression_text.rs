//! Values of expressions as text and as JSON, in Envoy's form.

use std::borrow::Cow;

use egret_config::expression;
use jiff::Timestamp;

/// A value as JSON.
pub fn to_json(value: &expression::Value<'_>) -> serde_json::Value {
    use expression::Value as V;
    match value {
        V::Null => serde_json::Value::Null,
        V::Bool(value) => (*value).into(),
        V::Int(number) => (*number).into(),
        V::Uint(number) => (*number).into(),
        V::Double(number) => (*number).into(),
        V::List(items) => items.iter().map(to_json).collect(),
        other => text(other)
            .map(Cow::into_owned)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .into(),
    }
}

/// A value as Envoy writes it.
pub fn text<'v>(value: &'v expression::Value<'v>) -> Option<Cow<'v, [u8]>> {
    use expression::Value as V;
    let text = match value {
        V::String(text) => return Some(Cow::Borrowed(text.as_bytes())),
        V::Bytes(bytes) => return Some(Cow::Borrowed(bytes)),
        V::Null => "NULL".to_owned(),
        V::Bool(value) => value.to_string(),
        V::Int(number) => number.to_string(),
        V::Uint(number) => number.to_string(),
        V::Double(number) => number.to_string(),
        V::Duration(nanos) => duration(*nanos),
        V::Timestamp(nanos) => date(*nanos, "+00:00"),
        V::List(_) => to_json(value).to_string(),
    };
    Some(Cow::Owned(text.into_bytes()))
}

/// A date by RFC 3339 with as many digits as there are: nanoseconds since 1970 and the zone.
pub fn date(nanos: i128, zone: &str) -> String {
    let at = Timestamp::from_nanosecond(nanos).unwrap_or_default();
    let seconds = at.strftime("%Y-%m-%dT%H:%M:%S");
    format!("{seconds}{}{zone}", fraction(nanos.rem_euclid(SECOND), 9))
}

/// The digits behind the dot that are not zero, with the dot.
fn fraction(rest: i128, digits: usize) -> String {
    if rest == 0 {
        return String::new();
    }
    let text = format!("{rest:0digits$}");
    format!(".{}", text.trim_end_matches('0'))
}

const SECOND: i128 = 1_000_000_000;

/// As abseil writes durations: `1h2m3.5s`, `710.5ms`, `181.2us`.
fn duration(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.abs();
    let small = [(1, "ns", 0), (1_000, "us", 3), (1_000_000, "ms", 6)];
    if nanos == 0 {
        return "0".to_owned();
    }
    if nanos < SECOND
        && let Some((unit, name, digits)) =
            small.into_iter().rev().find(|(unit, ..)| nanos >= *unit)
    {
        return format!(
            "{sign}{}{}{name}",
            nanos / unit,
            fraction(nanos % unit, digits)
        );
    }
    let seconds = nanos / SECOND;
    let mut text = sign.to_owned();
    for (length, name) in [(3600, "h"), (60, "m")] {
        let count = if length == 3600 {
            seconds / 3600
        } else {
            seconds % 3600 / 60
        };
        if count > 0 {
            text += &format!("{count}{name}");
        }
    }
    if nanos % (60 * SECOND) > 0 {
        text += &format!("{}{}s", seconds % 60, fraction(nanos % SECOND, 9));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_dates_are_abseils() {
        for (nanos, expected) in [
            (0, "0"),
            (7, "7ns"),
            (181_200, "181.2us"),
            (710_752_543, "710.752543ms"),
            (3_633_220, "3.63322ms"),
            (SECOND, "1s"),
            (61 * SECOND + SECOND / 2, "1m1.5s"),
            (3600 * SECOND, "1h"),
            (-3_723 * SECOND, "-1h2m3s"),
        ] {
            assert_eq!(duration(nanos), expected);
        }
        let at = 1_795_293_533_398_376_000;
        assert_eq!(date(at, "+00:00"), "2026-11-21T20:38:53.398376+00:00");
        assert_eq!(date(0, "Z"), "1970-01-01T00:00:00Z");
    }
}
