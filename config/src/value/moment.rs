//! Points in time, as documents write them.

/// A point in time: seconds and nanoseconds since 1970, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64, u32);

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
        let day = days(
            number(text.get(0..4))?,
            number(text.get(5..7))?,
            number(text.get(8..10))?,
        );
        let (hours, minutes) = (number(text.get(11..13))?, number(text.get(14..16))?);
        let seconds = ((day * 24 + hours) * 60 + minutes) * 60 + number(text.get(17..19))?;
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
                (sign, number(zone.get(1..3))?, number(zone.get(4..))?)
            }
        };
        let offset = sign * (hours * 60 + minutes) * 60;
        Some(Self(seconds - offset, u32::try_from(nanos).ok()?))
    }
}

/// Days from 1970 to a day of the Gregorian calendar. Years begin in March here, so that the day that comes only every
/// fourth year is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let leap = year / 4 - year / 100 + year / 400;
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
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
