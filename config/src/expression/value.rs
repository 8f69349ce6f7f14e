//! The values of expressions: CEL's types, as far as attributes and literals have them.

use std::borrow::Cow;
use std::time::Duration;

/// A value, with its text borrowed where that is possible.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `uint`.
    Uint(u64),
    /// `double`.
    Double(f64),
    /// `string`.
    String(Cow<'a, str>),
    /// `bytes`.
    Bytes(Cow<'a, [u8]>),
    /// `google.protobuf.Duration`, in nanoseconds.
    Duration(i128),
    /// `google.protobuf.Timestamp`, in nanoseconds since 1970, UTC.
    Timestamp(i128),
    /// `list`.
    List(Vec<Self>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::String(Cow::Owned(text))
    }
}

impl From<Duration> for Value<'_> {
    fn from(duration: Duration) -> Self {
        // At most 2^64 seconds, which 128 bits of nanoseconds hold.
        Self::Duration(i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX))
    }
}
