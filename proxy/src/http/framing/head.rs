//! The framing of a request's body as its head has it, and what is wrong with it.

/// What is wrong with a request's framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A length and a transfer coding.
    LengthAndCoding,
    /// More than one length, if equal ones.
    Lengths,
    /// A last coding that is not `chunked`, so that the body has no end.
    Coding,
}

/// The framing by the head so far.
#[derive(Debug, Default)]
pub(in crate::http::framing) struct Head {
    length: Option<u64>,
    coded: bool,
    chunked: bool,
    upgrade: bool,
    flaw: Option<Flaw>,
}

/// What comes after a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http::framing) enum Body {
    /// Another request.
    Nothing,
    /// So many bytes, at least one.
    Bytes(u64),
    /// Chunks.
    Chunks,
    /// What has no end.
    Endless,
}

impl Head {
    /// Takes the first line.
    pub(in crate::http::framing) fn request_line(&mut self, line: &[u8]) {
        self.upgrade |= line.starts_with(b"CONNECT ");
    }

    /// Takes the line of a field.
    pub(in crate::http::framing) fn field(&mut self, line: &[u8]) {
        match line.first() {
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length") {
                    self.length(value);
                }
            }
            Some(b't' | b'T') => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    self.coding(value);
                }
            }
            Some(b'u' | b'U') => self.upgrade |= value_of(line, b"upgrade").is_some(),
            _ => {}
        }
    }

    /// What comes after it.
    pub(in crate::http::framing) fn body(&self) -> Body {
        match self.length {
            _ if self.chunked => Body::Chunks,
            _ if self.coded => Body::Endless,
            Some(length @ 1..) => Body::Bytes(length),
            Some(0) | None => Body::Nothing,
        }
    }

    /// Whether what comes after it may not be HTTP.
    pub(in crate::http::framing) fn may_upgrade(&self) -> bool {
        self.upgrade
    }

    /// What is wrong with it.
    pub(in crate::http::framing) fn flaw(&self) -> Option<Flaw> {
        match (self.length, self.coded) {
            (Some(_), true) => Some(Flaw::LengthAndCoding),
            (None, true) if !self.chunked => Some(Flaw::Coding),
            _ => self.flaw,
        }
    }

    fn length(&mut self, value: &[u8]) {
        if self.length.is_some() {
            self.flaw.get_or_insert(Flaw::Lengths);
        }
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = digits
            .then(|| std::str::from_utf8(value).ok()?.parse().ok())
            .flatten();
        // What is no length is refused by hyper.
        self.length = Some(length.unwrap_or(u64::MAX));
    }

    fn coding(&mut self, value: &[u8]) {
        // Refused by hyper, whatever it says.
        if value
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            return;
        }
        let last = value.rsplit(|byte| *byte == b',').next().unwrap_or(value);
        self.coded = true;
        self.chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
    }
}

/// The value of a line, if it is of the field with this name.
fn value_of<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (own, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    own.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}
