//! Headers in formats.

use http::HeaderName;

use crate::log_format::error::FormatError;

/// Whose header a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderSource {
    /// The request's, as it was sent upstream.
    Request,
    /// The request's, before a route rewrote its path or its authority.
    OriginalRequest,
    /// The response's, as the client got it.
    Response,
    /// The response's trailers.
    Trailers,
}

/// A header by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeaderKey {
    /// `:method`.
    Method,
    /// `:path`.
    Path,
    /// `:authority`, or `host`.
    Authority,
    /// `:scheme`.
    Scheme,
    /// `:status`.
    Status,
    /// Any other one.
    Name(HeaderName),
    /// A pseudo-header that no message has, or no name.
    Never,
}

/// A header, or another one where the first is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderChoice {
    /// The header that counts.
    pub main: HeaderKey,
    /// The replacement.
    pub alternative: Option<HeaderKey>,
}

impl HeaderChoice {
    /// Reads `A` or `A?B`.
    ///
    /// # Errors
    /// More than one alternative, or what is no name of a header.
    pub(in crate::log_format) fn parse(text: &str) -> Result<Self, FormatError> {
        let mut names = text.split('?');
        let (main, alternative) = (names.next().unwrap_or_default(), names.next());
        if names.next().is_some() {
            let reason = "a header has one alternative at most";
            return Err(FormatError::new(text, reason));
        }
        Ok(Self {
            main: HeaderKey::parse(main)?,
            alternative: alternative
                .filter(|name| !name.is_empty())
                .map(HeaderKey::parse)
                .transpose()?,
        })
    }

    /// Both names, in the order in which they count.
    pub fn keys(&self) -> impl Iterator<Item = &HeaderKey> {
        std::iter::once(&self.main).chain(&self.alternative)
    }
}

impl HeaderKey {
    fn parse(name: &str) -> Result<Self, FormatError> {
        if let Some(pseudo) = name.strip_prefix(':') {
            return match &*pseudo.to_ascii_lowercase() {
                "method" => Ok(Self::Method),
                "path" => Ok(Self::Path),
                "authority" => Ok(Self::Authority),
                "scheme" => Ok(Self::Scheme),
                "status" => Ok(Self::Status),
                // Valid letters, though no message has it.
                other if other.is_empty() || HeaderName::try_from(other).is_ok() => Ok(Self::Never),
                _ => Err(no_name(name)),
            };
        }
        match HeaderName::try_from(name) {
            Ok(http::header::HOST) => Ok(Self::Authority),
            Ok(name) => Ok(Self::Name(name)),
            Err(_) if name.is_empty() => Ok(Self::Never),
            Err(_) => Err(no_name(name)),
        }
    }
}

fn no_name(name: &str) -> FormatError {
    FormatError::new(name, "no name of a header")
}
