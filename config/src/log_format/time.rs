//! Forms of points in time: strftime, with what Envoy adds to it.

use crate::log_format::error::FormatError;

/// A form of points in time; without pieces the default one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeFormat(Vec<TimePiece>);

/// A piece of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimePiece {
    /// Text as it stands.
    Text(Box<str>),
    /// `%s`: seconds since 1970.
    Epoch,
    /// `%f`, `%1f` to `%9f`: so many digits of the fraction of the second, cut off.
    Fraction(u8),
    /// `%E3S`: the second with so many digits of its fraction; `%E*S`, without a number, with all that are not zero.
    FractionalSecond(Option<u8>),
    /// `%E3f`, `%E*f`: the same digits without the second.
    FractionDigits(Option<u8>),
    /// `%Ez`: the distance from UTC with a colon, as `+02:00`.
    OffsetWithColon,
    /// Any other letter of strftime.
    Field(TimeField),
}

/// A letter of strftime, with glibc's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeField {
    /// The letter, one of [`LETTERS`].
    pub letter: char,
    /// What a short number is filled up with, where the flags set it.
    pub padding: Option<Padding>,
    /// `^`: letters in upper case.
    pub upper: bool,
    /// The least width; 0 is that of the letter.
    pub width: u8,
}

/// What a short number is filled up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// `-`: nothing.
    None,
    /// `_`: spaces.
    Space,
    /// `0`: zeros.
    Zero,
}

/// The letters of strftime that stand for a part of a point in time. Any other one is written unchanged.
pub const LETTERS: &str = "aAbBcCdDeFgGhHIjklmMpPrRStTuUVwWxXyYzZ";

impl TimeFormat {
    /// The pieces in order; none for the default form.
    pub fn pieces(&self) -> &[TimePiece] {
        &self.0
    }

    /// Reads a form.
    ///
    /// # Errors
    /// A newline among the letters, which Envoy refuses.
    pub(in crate::log_format) fn parse(text: &str) -> Result<Self, FormatError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            push_text(&mut pieces, &rest[..at]);
            let tail = &rest[at..];
            let (piece, length) = piece(tail)?;
            match piece {
                Some(piece) => pieces.push(piece),
                None if tail.starts_with("%%") => push_text(&mut pieces, "%"),
                None => push_text(&mut pieces, &tail[..length]),
            }
            rest = &tail[length..];
        }
        push_text(&mut pieces, rest);
        Ok(Self(pieces))
    }
}

fn push_text(pieces: &mut Vec<TimePiece>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(TimePiece::Text(before)) = pieces.last_mut() {
        *before = format!("{before}{text}").into();
    } else {
        pieces.push(TimePiece::Text(text.into()));
    }
}

/// The piece that a text begins with, which begins with a percent sign, and its length; none where it has no meaning.
fn piece(tail: &str) -> Result<(Option<TimePiece>, usize), FormatError> {
    let mut field = TimeField {
        letter: ' ',
        padding: None,
        upper: false,
        width: 0,
    };
    let mut at = 1;
    let bytes = tail.as_bytes();
    while let Some(flag @ (b'-' | b'_' | b'0' | b'^' | b'#')) = bytes.get(at) {
        match flag {
            b'-' => field.padding = Some(Padding::None),
            b'_' => field.padding = Some(Padding::Space),
            b'0' => field.padding = Some(Padding::Zero),
            b'^' => field.upper = true,
            _ => {}
        }
        at += 1;
    }
    let digits = tail[at..].bytes().take_while(u8::is_ascii_digit).count();
    field.width = tail[at..at + digits].parse().unwrap_or(0);
    at += digits;
    let modifier = bytes.get(at).filter(|letter| matches!(letter, b'E' | b'O'));
    if modifier == Some(&b'E')
        && let Some((piece, length)) = extended(&tail[at + 1..])
    {
        return Ok((Some(piece), at + 1 + length));
    }
    at += usize::from(modifier.is_some());
    let Some(letter) = tail[at..].chars().next() else {
        return Ok((None, tail.len()));
    };
    let end = at + letter.len_utf8();
    let plain = at == 1;
    let piece = match letter {
        'n' => {
            let reason = "a newline has no place in a line of the log";
            return Err(FormatError::new(&tail[..end], reason));
        }
        's' if plain => TimePiece::Epoch,
        'f' if plain => TimePiece::Fraction(9),
        'f' if digits == 1 && at == 2 && field.width > 0 => TimePiece::Fraction(field.width),
        letter if LETTERS.contains(letter) => TimePiece::Field(TimeField { letter, ..field }),
        '%' => return Ok((None, end)),
        _ => return Ok((None, at)),
    };
    Ok((Some(piece), end))
}

/// What abseil adds behind `%E`, and its length.
fn extended(rest: &str) -> Option<(TimePiece, usize)> {
    let (digits, letter) = match rest.as_bytes() {
        [b'z', ..] => return Some((TimePiece::OffsetWithColon, 1)),
        [b'*', b'z', ..] => return Some((TimePiece::OffsetWithColon, 2)),
        [b'T', ..] => return Some((TimePiece::Text("T".into()), 1)),
        [b'4', b'Y', ..] => {
            let field = TimeField {
                letter: 'Y',
                padding: Some(Padding::Zero),
                upper: false,
                width: 4,
            };
            return Some((TimePiece::Field(field), 2));
        }
        [b'*', letter, ..] => (None, letter),
        [digit @ b'0'..=b'9', letter, ..] => (Some(digit - b'0'), letter),
        _ => return None,
    };
    match letter {
        b'S' => Some((TimePiece::FractionalSecond(digits), 2)),
        b'f' => Some((TimePiece::FractionDigits(digits), 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<TimePiece> {
        TimeFormat::parse(text).expect("a form").0
    }

    fn field(letter: char) -> TimePiece {
        TimePiece::Field(TimeField {
            letter,
            padding: None,
            upper: false,
            width: 0,
        })
    }

    fn text(text: &str) -> TimePiece {
        TimePiece::Text(text.into())
    }

    #[test]
    fn letters_and_what_envoy_adds() {
        for (form, expected) in [
            ("", vec![]),
            ("at", vec![text("at")]),
            ("%Y/%m", vec![field('Y'), text("/"), field('m')]),
            (
                "%s.%3f",
                vec![TimePiece::Epoch, text("."), TimePiece::Fraction(3)],
            ),
            (
                "%f%9f",
                vec![TimePiece::Fraction(9), TimePiece::Fraction(9)],
            ),
            ("%%s", vec![text("%s")]),
            ("50%%", vec![text("50%")]),
            ("%Q!", vec![text("%Q!")]),
            ("%0f", vec![text("%0f")]),
            ("%", vec![text("%")]),
            ("%E3S", vec![TimePiece::FractionalSecond(Some(3))]),
            (
                "%E*S%E*f",
                vec![
                    TimePiece::FractionalSecond(None),
                    TimePiece::FractionDigits(None),
                ],
            ),
            ("%Ez%ET", vec![TimePiece::OffsetWithColon, text("T")]),
            ("%Ey%Od", vec![field('y'), field('d')]),
        ] {
            assert_eq!(pieces(form), expected, "{form}");
        }
        let flagged = TimeField {
            letter: 'a',
            padding: Some(Padding::None),
            upper: true,
            width: 5,
        };
        assert_eq!(pieces("%-^5a"), [TimePiece::Field(flagged)]);
    }

    #[test]
    fn newlines_are_refused() {
        for form in ["%n", "a%-3nb", "%En", "%On"] {
            let error = TimeFormat::parse(form).expect_err(form);
            assert!(form.contains(&error.excerpt), "{error}");
        }
    }
}
