//! Points in time, as documents write them.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;

/// A point in time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(DateTime);

/// A day and a time of the Gregorian calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The year; 1 BC is 0.
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// Of the month, from 1.
    pub day: i64,
    /// Of the year, from 0.
    pub day_of_year: i64,
    /// Of the week, from Sunday, which is 0.
    pub day_of_week: i64,
    /// From 0.
    pub hour: i64,
    /// From 0.
    pub minute: i64,
    /// From 0.
    pub second: i64,
}

/// The beginning of 1970.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

const NANOS: i128 = 1_000_000_000;

/// Digits of a fraction of a second that count.
const FRACTION_DIGITS: usize = 9;

impl Moment {
    /// Reads RFC 3339, with any offset and any fraction of a second; `None` when the text is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, fraction, offset) = parts(text)?;
        let fraction = &fraction[..fraction.len().min(1 + FRACTION_DIGITS)];
        let whole = format!("{time}{fraction}{offset}");
        let pieces = Pieces::parse(&whole).ok()?;
        let local = pieces.date().to_datetime(pieces.time()?);
        let offset = pieces.to_numeric_offset()?;
        let utc = local.checked_sub(SignedDuration::from_secs(offset.seconds().into()));
        Some(Self(utc.ok()?))
    }

    /// The point that many nanoseconds after the beginning of 1970; `None` where its year has more than four digits.
    pub fn from_nanos(nanos: i128) -> Option<Self> {
        let seconds = i64::try_from(nanos.div_euclid(NANOS)).ok()?;
        let rest = i32::try_from(nanos.rem_euclid(NANOS)).ok()?;
        let moment = EPOCH.checked_add(SignedDuration::new(seconds, rest));
        Some(Self(moment.ok()?))
    }

    /// Nanoseconds since the beginning of 1970.
    pub fn nanos(self) -> i128 {
        self.0.duration_since(EPOCH).as_nanos()
    }

    /// Nanoseconds of the second.
    pub fn subsec_nanos(self) -> u32 {
        self.0.subsec_nanosecond().unsigned_abs()
    }

    /// Seconds since the beginning of 1970, without the fraction.
    pub fn seconds(self) -> i64 {
        let whole = self.nanos().div_euclid(NANOS);
        i64::try_from(whole).unwrap_or_default()
    }

    /// The day and the time.
    pub fn calendar(self) -> Calendar {
        let Self(moment) = self;
        Calendar {
            year: moment.year().into(),
            month: moment.month().into(),
            day: moment.day().into(),
            day_of_year: i64::from(moment.day_of_year()) - 1,
            day_of_week: moment.weekday().to_sunday_zero_offset().into(),
            hour: moment.hour().into(),
            minute: moment.minute().into(),
            second: moment.second().into(),
        }
    }
}

/// The day and the time to the second, the fraction, and the offset of a text in the form of RFC 3339. Jiff reads other
/// forms of ISO 8601, too.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let (time, rest) = text.split_at_checked(FORM.len())?;
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (fraction, offset) = rest.split_at(zone);
    let digits = fraction.strip_prefix('.').unwrap_or(fraction);
    let fits = follows(time, FORM)
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && (fraction.is_empty() || fraction.len() > 1)
        && fraction.len() - digits.len() == usize::from(!fraction.is_empty())
        && (offset.eq_ignore_ascii_case("Z") || follows(&offset[1..], b"00:00"));
    fits.then_some((time, fraction, offset))
}

/// Whether a text has a digit for each zero of a form, and its other characters; a space may be written for the `T`.
fn follows(text: &str, form: &[u8]) -> bool {
    let mut pairs = text.bytes().zip(form);
    text.len() == form.len()
        && pairs.all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't' | b' '),
            form => byte == *form,
        })
}

/// RFC 3339 in UTC, with the digits of the fraction that are needed.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<(i64, u32)> {
        Moment::parse(text).map(|moment| (moment.seconds(), moment.subsec_nanos()))
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("2000-02-29T23:59:59Z", (951_868_799, 0)),
            ("2000-03-01T00:00:00Z", (951_868_800, 0)),
            ("2024-01-01T00:00:00Z", (1_704_067_200, 0)),
            ("2024-01-01T02:00:00+02:00", (1_704_067_200, 0)),
            ("2023-12-31T18:30:00-05:30", (1_704_067_200, 0)),
            ("2024-01-01T00:00:00.5Z", (1_704_067_200, 500_000_000)),
            (
                "2024-01-01t00:00:00.123456789123z",
                (1_704_067_200, 123_456_789),
            ),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "yesterday",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Zx",
            "2024-01-01T00:00:00+0200",
            "2024-01-01T00:00:+1Z",
            "2024/01/01T00:00:00Z",
            "2024-01-01T00:00:0äZ",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00+02:000",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn calendar_and_text_are_the_way_back() {
        for text in [
            "0001-01-01T00:00:00Z",
            "1582-10-15T12:30:45Z",
            "1969-12-31T23:59:59.999999999Z",
            "1970-01-01T00:00:00Z",
            "2000-02-29T23:59:59.5Z",
            "2024-12-31T00:00:00.000001Z",
            "9999-12-31T23:59:59Z",
        ] {
            let moment = Moment::parse(text).unwrap();
            assert_eq!(moment.to_string(), text);
            assert_eq!(Moment::from_nanos(moment.nanos()), Some(moment));
        }
        let calendar = Moment::parse("2024-12-31T01:02:03Z").unwrap().calendar();
        assert_eq!((calendar.day_of_year, calendar.day_of_week), (365, 2));
        let first = Moment::parse("1970-01-01T00:00:00Z").unwrap().calendar();
        assert_eq!((first.day_of_year, first.day_of_week), (0, 4));
    }
}
