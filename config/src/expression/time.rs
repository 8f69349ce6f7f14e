//! Timestamps and durations: their limits, how they are written, and their parts.

use std::fmt::Write;

use crate::expression::error::EvaluationError;
use crate::expression::node::Unary;
use crate::expression::value::Value;
use crate::value::moment::Moment;

const SECOND: i128 = 1_000_000_000;

/// As protobuf bounds a duration: about 10,000 years.
const DURATION_MAX: i128 = 315_576_000_000 * SECOND;

/// 0001-01-01T00:00:00Z.
const TIMESTAMP_MIN: i128 = -62_135_596_800 * SECOND;

/// 9999-12-31T23:59:59.999999999Z.
const TIMESTAMP_MAX: i128 = 253_402_300_800 * SECOND - 1;

/// A duration of that many nanoseconds, if protobuf has it.
pub(super) fn duration<'v>(nanos: Option<i128>) -> Result<Value<'v>, EvaluationError> {
    let fits = |nanos: &i128| (-DURATION_MAX..=DURATION_MAX).contains(nanos);
    let nanos = nanos.filter(fits).ok_or(EvaluationError::Overflow)?;
    Ok(Value::Duration(nanos))
}

/// The point that many nanoseconds after the beginning of 1970, if protobuf has it.
pub(super) fn timestamp<'v>(nanos: Option<i128>) -> Result<Value<'v>, EvaluationError> {
    let fits = |nanos: &i128| (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(nanos);
    let nanos = nanos.filter(fits).ok_or(EvaluationError::Overflow)?;
    Ok(Value::Timestamp(nanos))
}

/// Reads RFC 3339.
pub(super) fn parse_timestamp<'v>(text: &str) -> Result<Value<'v>, EvaluationError> {
    let moment = Moment::parse(text).ok_or(EvaluationError::Range)?;
    timestamp(Some(moment.nanos()))
}

/// Reads Go's durations: `1h30m`, `-1.5s`, `250ms`.
pub(super) fn parse_duration<'v>(text: &str) -> Result<Value<'v>, EvaluationError> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let nanos = match unsigned {
        "0" => 0,
        _ => lengths(unsigned).ok_or(EvaluationError::Range)?,
    };
    duration(Some(if text.starts_with('-') { -nanos } else { nanos }))
}

/// The sum of numbers with units.
fn lengths(text: &str) -> Option<i128> {
    let mut rest = text;
    let mut sum = 0_i128;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(number);
        let end = behind.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, behind) = behind.split_at(end.unwrap_or(behind.len()));
        let unit = match unit {
            "h" => 3_600 * SECOND,
            "m" => 60 * SECOND,
            "s" => SECOND,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || whole.len() > 18 {
            return None;
        }
        if !whole.is_empty() {
            sum = sum.checked_add(whole.parse::<i128>().ok()?.checked_mul(unit)?)?;
        }
        // More digits than nanoseconds of a day need do not count.
        let digits = fraction.get(..fraction.len().min(18))?;
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if !digits.is_empty() {
            let scale = 10_i128.pow(u32::try_from(digits.len()).ok()?);
            sum = sum.checked_add(digits.parse::<i128>().ok()? * unit / scale)?;
        }
        rest = behind;
    }
    (!text.is_empty()).then_some(sum)
}

/// Writes a duration as protobuf's JSON form has it: seconds with the digits of the fraction that are needed, and `s`.
pub(super) fn duration_text(nanos: i128) -> String {
    let mut text = String::new();
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let (seconds, fraction) = (nanos / SECOND.unsigned_abs(), nanos % SECOND.unsigned_abs());
    // Writing to a String cannot fail.
    let _ = write!(text, "{sign}{seconds}");
    if fraction > 0 {
        let digits = format!("{fraction:09}");
        let _ = write!(text, ".{}", digits.trim_end_matches('0'));
    }
    text.push('s');
    text
}

/// Writes a timestamp.
pub(super) fn timestamp_text(nanos: i128) -> Result<String, EvaluationError> {
    let moment = Moment::from_nanos(nanos).ok_or(EvaluationError::Range)?;
    Ok(moment.to_string())
}

/// A part of a timestamp (in UTC) or of a duration.
pub(super) fn part<'v>(function: Unary, value: &Value<'_>) -> Result<Value<'v>, EvaluationError> {
    let number = match value {
        Value::Timestamp(nanos) => of_timestamp(function, *nanos)?,
        Value::Duration(nanos) => of_duration(function, *nanos)?,
        _ => return Err(EvaluationError::Types),
    };
    Ok(Value::Int(number))
}

fn of_timestamp(function: Unary, nanos: i128) -> Result<i64, EvaluationError> {
    let moment = Moment::from_nanos(nanos).ok_or(EvaluationError::Range)?;
    let calendar = moment.calendar();
    Ok(match function {
        Unary::FullYear => calendar.year,
        Unary::Month => calendar.month - 1,
        Unary::Date => calendar.day,
        Unary::DayOfMonth => calendar.day - 1,
        Unary::DayOfWeek => calendar.day_of_week,
        Unary::DayOfYear => calendar.day_of_year,
        Unary::Hours => calendar.hour,
        Unary::Minutes => calendar.minute,
        Unary::Seconds => calendar.second,
        Unary::Milliseconds => i64::from(moment.subsec_nanos() / 1_000_000),
        _ => return Err(EvaluationError::Types),
    })
}

fn of_duration(function: Unary, nanos: i128) -> Result<i64, EvaluationError> {
    let number = match function {
        Unary::Hours => nanos / (3_600 * SECOND),
        Unary::Minutes => nanos / (60 * SECOND),
        Unary::Seconds => nanos / SECOND,
        Unary::Milliseconds => nanos % SECOND / 1_000_000,
        _ => return Err(EvaluationError::Types),
    };
    i64::try_from(number).map_err(|_| EvaluationError::Overflow)
}
