//! Literals as CEL writes them: numbers, and texts and bytes in four kinds of quotes.

use crate::expression::error::ExpressionError;

/// A literal in quotes.
pub(super) enum Text {
    String(String),
    Bytes(Vec<u8>),
}

/// A literal number, without its sign.
pub(super) enum Number {
    Int(u64),
    Uint(u64),
    Double(f64),
}

/// The literal in quotes that a text begins with, and its length.
pub(super) fn text(rest: &str) -> Result<Option<(Text, usize)>, ExpressionError> {
    // At most one `b` and one `r`, in either order.
    let start = rest.as_bytes().iter().take(3);
    let prefix = start
        .take_while(|byte| !matches!(byte, b'"' | b'\''))
        .count();
    let prefix = if prefix < 3 { prefix } else { 0 };
    let (raw, bytes) = match &rest[..prefix] {
        "" => (false, false),
        "r" | "R" => (true, false),
        "b" | "B" => (false, true),
        "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB" => (true, true),
        _ => return Ok(None),
    };
    let quoted = &rest[prefix..];
    let quote = match quoted.as_bytes().first() {
        Some(b'"') if quoted.starts_with("\"\"\"") => "\"\"\"",
        Some(b'\'') if quoted.starts_with("'''") => "'''",
        Some(b'"') => "\"",
        Some(b'\'') => "'",
        _ => return Ok(None),
    };
    let body = &quoted[quote.len()..];
    let unended = || {
        let excerpt: String = rest.chars().take(20).collect();
        ExpressionError::new(excerpt, "a text without its closing quote")
    };
    let mut reader = Reader {
        rest: body,
        bytes,
        out: Vec::new(),
    };
    loop {
        if let Some(after) = reader.rest.strip_prefix(quote) {
            let length = rest.len() - after.len();
            return Ok(Some((reader.finish(), length)));
        }
        let next = reader.rest.chars().next().ok_or_else(unended)?;
        if quote.len() == 1 && matches!(next, '\n' | '\r') {
            return Err(unended());
        }
        if next == '\\' && !raw {
            reader.escape().ok_or_else(|| {
                let excerpt: String = reader.rest.chars().take(4).collect();
                ExpressionError::new(excerpt, "no such escape")
            })?;
        } else {
            reader.take(next);
            // In a raw text a backslash keeps the quote behind it from ending the text.
            let escaped = reader.rest.chars().next();
            if let Some(behind) = escaped.filter(|_| raw && next == '\\') {
                reader.take(behind);
            }
        }
    }
}

/// Reads what stands between quotes.
struct Reader<'t> {
    rest: &'t str,
    bytes: bool,
    out: Vec<u8>,
}

impl Reader<'_> {
    /// Takes one character as it stands.
    fn take(&mut self, c: char) {
        self.push(c);
        self.rest = &self.rest[c.len_utf8()..];
    }

    fn push(&mut self, c: char) {
        let mut buffer = [0; 4];
        self.out
            .extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }

    /// Takes the escape that the rest begins with; `None` when it is none.
    fn escape(&mut self) -> Option<()> {
        let letter = self.rest[1..].chars().next()?;
        let simple = match letter {
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            '\\' | '?' | '"' | '\'' | '`' => Some(letter),
            _ => None,
        };
        if let Some(c) = simple {
            self.push(c);
            self.rest = &self.rest[2..];
            return Some(());
        }
        let (skip, digits, radix) = match letter {
            'x' | 'X' => (2, 2, 16),
            'u' if !self.bytes => (2, 4, 16),
            'U' if !self.bytes => (2, 8, 16),
            '0'..='3' => (1, 3, 8),
            _ => return None,
        };
        let code = self.rest.get(skip..skip + digits)?;
        let all = code.chars().all(|c| c.is_digit(radix));
        let code = u32::from_str_radix(code, radix).ok().filter(|_| all)?;
        if self.bytes {
            self.out.push(u8::try_from(code).ok()?);
        } else {
            self.push(char::from_u32(code)?);
        }
        self.rest = &self.rest[skip + digits..];
        Some(())
    }

    fn finish(self) -> Text {
        if self.bytes {
            return Text::Bytes(self.out);
        }
        // Only whole characters were pushed.
        Text::String(String::from_utf8(self.out).unwrap_or_default())
    }
}

/// The number that a text begins with, and its length.
pub(super) fn number(rest: &str) -> Result<Option<(Number, usize)>, ExpressionError> {
    let digits = |from: usize, radix: u32| {
        let count = rest[from..]
            .bytes()
            .take_while(|byte| char::from(*byte).is_digit(radix));
        from + count.count()
    };
    let hex = rest.starts_with("0x") || rest.starts_with("0X");
    let (start, radix) = if hex { (2, 16) } else { (0, 10) };
    let whole = digits(start, radix);
    let behind = |at: usize| rest.as_bytes().get(at).copied();
    let is_digit = |at: usize| behind(at).is_some_and(|byte| byte.is_ascii_digit());
    let mut end = whole;
    if !hex {
        if behind(whole) == Some(b'.') && is_digit(whole + 1) {
            end = digits(whole + 1, 10);
        }
        if end > 0 && matches!(behind(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(behind(end + 1), Some(b'+' | b'-')));
            if is_digit(end + 1 + sign) {
                end = digits(end + 1 + sign, 10);
            }
        }
    }
    if end == 0 {
        return Ok(None);
    }
    let unsigned = end == whole && matches!(behind(end), Some(b'u' | b'U'));
    let length = end + usize::from(unsigned);
    let continued = behind(length).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let wrong = || {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
        ExpressionError::new(
            &rest[..length.unwrap_or(rest.len())],
            "not a number of 64 bits",
        )
    };
    if continued || (hex && whole == start) {
        return Err(wrong());
    }
    let value = if end > whole {
        let double: f64 = rest[..end].parse().map_err(|_| wrong())?;
        if double.is_infinite() {
            return Err(wrong());
        }
        Number::Double(double)
    } else {
        let number = u64::from_str_radix(&rest[start..whole], radix).map_err(|_| wrong())?;
        if unsigned {
            Number::Uint(number)
        } else {
            Number::Int(number)
        }
    };
    Ok(Some((value, length)))
}
