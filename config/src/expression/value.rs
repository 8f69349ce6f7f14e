//! The values of expressions: CEL's types, as far as attributes and literals have them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::time::Duration;

/// A value, with its text borrowed where that is possible.
///
/// `==` is CEL's equality: numbers of different types are compared as numbers, other values of different types differ.
#[derive(Clone, Debug)]
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

impl Value<'_> {
    /// The same value, borrowing from this one.
    pub(crate) fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Uint(value) => Value::Uint(*value),
            Self::Double(value) => Value::Double(*value),
            Self::String(text) => Value::String(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
            Self::Duration(nanos) => Value::Duration(*nanos),
            Self::Timestamp(nanos) => Value::Timestamp(*nanos),
            Self::List(list) => Value::List(list.iter().map(Value::borrowed).collect()),
        }
    }

    /// The same value, borrowing from nothing.
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Uint(value) => Value::Uint(value),
            Self::Double(value) => Value::Double(value),
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Self::Duration(nanos) => Value::Duration(nanos),
            Self::Timestamp(nanos) => Value::Timestamp(nanos),
            Self::List(list) => Value::List(list.into_iter().map(Value::into_owned).collect()),
        }
    }

    /// CEL's order. `Err` where the types have none; `None` where one of two numbers is NaN.
    pub(crate) fn order(&self, other: &Value<'_>) -> Result<Option<Ordering>, NoOrder> {
        Ok(match (self, other) {
            (Self::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
            (Self::String(one), Value::String(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
            (Self::Bytes(one), Value::Bytes(other)) => Some(one.cmp(other)),
            (Self::Duration(one), Value::Duration(other))
            | (Self::Timestamp(one), Value::Timestamp(other)) => Some(one.cmp(other)),
            (one, other) => match (Number::of(one), Number::of(other)) {
                (Some(one), Some(other)) => one.order(other),
                _ => return Err(NoOrder),
            },
        })
    }
}

/// Two values have no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoOrder;

impl PartialEq<Value<'_>> for Value<'_> {
    fn eq(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::List(one), Value::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other)
            }
            (one, other) => one.order(other) == Ok(Some(Ordering::Equal)),
        }
    }
}

/// A number of any type.
#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Double(f64),
}

impl Number {
    fn of(value: &Value<'_>) -> Option<Self> {
        match value {
            Value::Int(number) => Some(Self::Whole(i128::from(*number))),
            Value::Uint(number) => Some(Self::Whole(i128::from(*number))),
            Value::Double(number) => Some(Self::Double(*number)),
            _ => None,
        }
    }

    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => Some(one.cmp(&other)),
            (Self::Double(one), Self::Double(other)) => one.partial_cmp(&other),
            (Self::Whole(one), Self::Double(other)) => against(one, other),
            (Self::Double(one), Self::Whole(other)) => against(other, one).map(Ordering::reverse),
        }
    }
}

/// A whole number of 64 bits against any other, without rounding.
fn against(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // A cast saturates, so that what is too large stays larger than each number of 64 bits.
    let floor = double.floor();
    let order = whole.cmp(&(floor as i128));
    Some(order.then(if double > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
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
