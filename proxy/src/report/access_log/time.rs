//! Points in time, in the forms of formats.

use std::cell::Cell;
use std::time::SystemTime;

use egret_config::log_format::time::{Padding, TimeField, TimeFormat, TimePiece};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The date and the time of day of a second, as the default form begins.
type SecondText = [u8; 19];

thread_local! {
    /// The second of the line before, and its text.
    static SECOND: Cell<(i64, SecondText)> = const { Cell::new((i64::MIN, [0; 19])) };
}

/// Appends a point in time in a form, in the zone of this machine if it is `local`, otherwise in UTC.
pub fn append(to: &mut Vec<u8>, at: SystemTime, local: bool, format: &TimeFormat) {
    let at = Timestamp::try_from(at).unwrap_or_default();
    if format.pieces().is_empty() && !local {
        append_default(to, at);
        return;
    }
    let zone = if local {
        TimeZone::system()
    } else {
        TimeZone::UTC
    };
    let zoned = at.to_zoned(zone);
    if format.pieces().is_empty() {
        append_formatted(to, &zoned, "%Y-%m-%dT%H:%M:%S");
        append_fraction(to, at, 3, true);
        append_formatted(to, &zoned, "%z");
    }
    for piece in format.pieces() {
        append_piece(to, &zoned, piece);
    }
}

/// ISO 8601 with milliseconds, in UTC.
fn append_default(to: &mut Vec<u8>, at: Timestamp) {
    let milliseconds = at.as_millisecond();
    let second = milliseconds.div_euclid(1000);
    let (known, mut text) = SECOND.get();
    if known != second {
        let begin = Timestamp::from_second(second).unwrap_or_default();
        let formatted = begin.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let Ok(made) = formatted.as_bytes().try_into() else {
            // A year of five digits.
            to.extend_from_slice(formatted.as_bytes());
            append_fraction(to, at, 3, true);
            to.push(b'Z');
            return;
        };
        text = made;
        SECOND.set((second, text));
    }
    to.extend_from_slice(&text);
    let rest = milliseconds.rem_euclid(1000) as u16;
    let digit = |unit: u16| b'0' + (rest / unit % 10) as u8;
    to.extend_from_slice(&[b'.', digit(100), digit(10), digit(1), b'Z']);
}

fn append_piece(to: &mut Vec<u8>, at: &Zoned, piece: &TimePiece) {
    match piece {
        TimePiece::Text(text) => to.extend_from_slice(text.as_bytes()),
        TimePiece::Epoch => to.extend_from_slice(at.timestamp().as_second().to_string().as_bytes()),
        TimePiece::Fraction(digits) => append_fraction(to, at.timestamp(), *digits, false),
        TimePiece::FractionalSecond(digits) => {
            append_formatted(to, at, "%S");
            append_digits(to, at.timestamp(), *digits, true);
        }
        TimePiece::FractionDigits(digits) => append_digits(to, at.timestamp(), *digits, false),
        TimePiece::OffsetWithColon => append_formatted(to, at, "%:z"),
        TimePiece::Field(field) => append_field(to, at, *field),
    }
}

/// So many digits of the fraction of the second, or all that are not zero.
fn append_digits(to: &mut Vec<u8>, at: Timestamp, digits: Option<u8>, dot: bool) {
    match digits {
        Some(0) => {}
        Some(digits) => append_fraction(to, at, digits, dot),
        None => {
            let begin = to.len();
            append_fraction(to, at, 9, dot);
            while to.len() > begin && to.last() == Some(&b'0') {
                to.pop();
            }
            if to.len() == begin + 1 && dot {
                to.pop();
            }
            if to.len() == begin && !dot {
                to.push(b'0');
            }
        }
    }
}

/// So many digits of the fraction of the second, cut off.
fn append_fraction(to: &mut Vec<u8>, at: Timestamp, digits: u8, dot: bool) {
    let nanoseconds = at.as_nanosecond().rem_euclid(1_000_000_000);
    let text = format!("{nanoseconds:09}");
    if dot {
        to.push(b'.');
    }
    to.extend_from_slice(&text.as_bytes()[..usize::from(digits.min(9))]);
}

fn append_field(to: &mut Vec<u8>, at: &Zoned, field: TimeField) {
    let letter = match field.letter {
        // The same, spelled out.
        'c' => "%a %b %e %H:%M:%S %Y",
        'D' | 'x' => "%m/%d/%y",
        'r' => "%I:%M:%S %p",
        'X' => "%H:%M:%S",
        't' => "\t",
        _ => "",
    };
    let text = if letter.is_empty() {
        at.strftime(&format!("%{}", field.letter)).to_string()
    } else {
        at.strftime(letter).to_string()
    };
    let mut text = if field.upper {
        text.to_uppercase()
    } else {
        text
    };
    // Of numbers, which begin with zeros or blanks.
    let fill = match field.padding {
        None => None,
        Some(padding) => {
            let bare = text.trim_start_matches(['0', ' ']);
            let width = text.len().max(field.width.into());
            let bare = if bare.is_empty() { "0" } else { bare };
            let numeric = bare.bytes().all(|byte| byte.is_ascii_digit());
            numeric.then(|| match padding {
                Padding::None => bare.to_owned(),
                Padding::Space => format!("{bare:>width$}"),
                Padding::Zero => format!("{bare:0>width$}"),
            })
        }
    };
    if let Some(fill) = fill {
        text = fill;
    } else if text.len() < field.width.into() {
        let numeric = text.bytes().all(|byte| byte.is_ascii_digit());
        let fill = if numeric { '0' } else { ' ' };
        let missing = usize::from(field.width) - text.len();
        text.insert_str(0, &fill.to_string().repeat(missing));
    }
    to.extend_from_slice(text.as_bytes());
}

fn append_formatted(to: &mut Vec<u8>, at: &Zoned, form: &str) {
    to.extend_from_slice(at.strftime(form).to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use egret_config::log_format::{Operator, Piece, TextFormat};

    use super::*;

    /// A Saturday, at 450,888 microseconds of its second.
    fn at() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_293_944_450_888)
    }

    fn formatted(form: &str, at: SystemTime) -> String {
        let format = TextFormat::parse(&format!("%START_TIME({form})%")).expect(form);
        let [Piece::Command(command)] = format.pieces() else {
            panic!("{form}")
        };
        let Operator::Time { format, .. } = &command.operator else {
            panic!("{form}")
        };
        let mut bytes = Vec::new();
        append(&mut bytes, at, false, format);
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn the_default_form_and_its_memory() {
        for (milliseconds, expected) in [
            (1_700_000_000_042, "2023-11-14T22:13:20.042Z"),
            (1_700_000_000_999, "2023-11-14T22:13:20.999Z"),
            (1_700_000_001_000, "2023-11-14T22:13:21.000Z"),
            (0, "1970-01-01T00:00:00.000Z"),
        ] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds);
            assert_eq!(formatted("", at), expected);
        }
    }

    /// As Envoy 1.40 writes them, but for `%%s`.
    #[test]
    fn forms_are_envoys() {
        for (form, expected) in [
            ("%1f %3f %6f %f %9f", "4 450 450888 450888000 450888000"),
            ("%s", "1795293944"),
            ("%s.%3f", "1795293944.450"),
            ("%Y/%m/%dT%H:%M:%S%z %Z", "2026/11/21T20:45:44+0000 UTC"),
            ("%e %I %p %y %C", "21 08 PM 26 20"),
            ("%c", "Sat Nov 21 20:45:44 2026"),
            (
                "%x %X %D %F %R %T %r",
                "11/21/26 20:45:44 11/21/26 2026-11-21 20:45 20:45:44 08:45:44 PM",
            ),
            ("%u %w %U %W %V %G %g %j", "6 6 46 46 47 2026 26 325"),
            (
                "%k %l %P %h %b %B %a %A",
                "20  8 pm Nov Nov November Sat Saturday",
            ),
            (
                "%Ez %E*S %E*f %E4Y %ET %E1S %Ey %Od",
                "+00:00 44.450888 450888 2026 T 44.4 26 21",
            ),
            ("%-d %_d %0e %^a %5Y", "21 21 21 SAT 02026"),
            ("%-I %_I %0l", "8  8 08"),
            ("%Q %0f %+ %", "%Q %0f %+ %"),
            ("plain", "plain"),
            ("%%s", "%s"),
        ] {
            assert_eq!(formatted(form, at()), expected, "{form}");
        }
        let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(3);
        assert_eq!(formatted("%E*S %E*f %E3S", whole), "03 0 03.000");
    }
}
