//! Points in time, as documents write them.

use std::fmt;

/// A point in time: seconds and nanoseconds since 1970, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64, u32);

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

const NANOS: i128 = 1_000_000_000;

impl Moment {
    /// Reads RFC 3339, with any offset and any fraction of a second; `None` when the text is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: Option<&str>| -> Option<i64> {
            part.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?
                .parse()
                .ok()
        };
        let at = |from: usize, mark: &str| text.get(from..from + 1).filter(|it| mark.contains(it));
        at(4, "-").and(at(7, "-")).and(at(10, "Tt "))?;
        at(13, ":").and(at(16, ":"))?;
        let (year, month) = (number(text.get(0..4))?, number(text.get(5..7))?);
        let date = number(text.get(8..10))?;
        let day = days(year, month, date);
        let calendar = Calendar::of_day(day);
        if (calendar.year, calendar.month, calendar.day) != (year, month, date) {
            return None;
        }
        let (hours, minutes) = (number(text.get(11..13))?, number(text.get(14..16))?);
        let second = number(text.get(17..19))?;
        if hours > 23 || minutes > 59 || second > 60 {
            return None;
        }
        let seconds = ((day * 24 + hours) * 60 + minutes) * 60 + second;
        let rest = text.get(19..)?;
        let zone = rest.find(['Z', 'z', '+', '-'])?;
        let (fraction, zone) = rest.split_at(zone);
        let nanos = match fraction {
            "" => 0,
            _ => number(format!("{:0<9.9}", fraction.strip_prefix('.')?).get(..9))?,
        };
        let (sign, hours, minutes) = match zone {
            "Z" | "z" => (0, 0, 0),
            _ => {
                let sign = if zone.starts_with('-') { -1 } else { 1 };
                zone.get(3..4).filter(|colon| *colon == ":")?;
                (sign, number(zone.get(1..3))?, number(zone.get(4..6))?)
            }
        };
        if zone.len() > 6 {
            return None;
        }
        let offset = sign * (hours * 60 + minutes) * 60;
        Some(Self(seconds - offset, u32::try_from(nanos).ok()?))
    }

    /// The point that many nanoseconds after the beginning of 1970; `None` where the number of seconds has no 64 bits.
    pub fn from_nanos(nanos: i128) -> Option<Self> {
        let seconds = i64::try_from(nanos.div_euclid(NANOS)).ok()?;
        Some(Self(seconds, u32::try_from(nanos.rem_euclid(NANOS)).ok()?))
    }

    /// Nanoseconds since the beginning of 1970.
    pub fn nanos(self) -> i128 {
        i128::from(self.0) * NANOS + i128::from(self.1)
    }

    /// Nanoseconds of the second.
    pub fn subsec_nanos(self) -> u32 {
        self.1
    }

    /// Seconds since the beginning of 1970, without the fraction.
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// The day and the time.
    pub fn calendar(self) -> Calendar {
        let second = self.0.rem_euclid(86_400);
        Calendar {
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
            ..Calendar::of_day(self.0.div_euclid(86_400))
        }
    }
}

/// RFC 3339 in UTC, with the digits of the fraction that are needed.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calendar {
            year,
            month,
            day,
            hour,
            minute,
            second,
            ..
        } = self.calendar();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if self.1 > 0 {
            let fraction = format!("{:09}", self.1);
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl Calendar {
    /// The midnight that begins a day, counted from 1970.
    fn of_day(day: i64) -> Self {
        // Years begin in March here, as in `days`; eras have 400 years.
        let shifted = day + 719_468;
        let (era, in_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let of_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
        let in_year = in_era - (365 * of_era + of_era / 4 - of_era / 100);
        let of_march = (5 * in_year + 2) / 153;
        let month = if of_march < 10 {
            of_march + 3
        } else {
            of_march - 9
        };
        let year = era * 400 + of_era + i64::from(month <= 2);
        Self {
            year,
            month,
            day: in_year - (153 * of_march + 2) / 5 + 1,
            day_of_year: day - days(year, 1, 1),
            // 1970 began on a Thursday.
            day_of_week: (day + 4).rem_euclid(7),
            hour: 0,
            minute: 0,
            second: 0,
        }
    }
}

/// Days from 1970 to a day of the Gregorian calendar. Years begin in March here, so that the day that comes only every
/// fourth year is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let leap = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let in_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap + in_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<(i64, u32)> {
        Moment::parse(text).map(|Moment(seconds, nanos)| (seconds, nanos))
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
