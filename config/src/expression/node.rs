//! An expression as a tree.

use regex::bytes::Regex;

use crate::expression::attribute::Attribute;
use crate::expression::value::Value;

/// A part of an expression.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A value.
    Literal(Value<'static>),
    /// A fact of the call.
    Attribute(Attribute),
    /// An unknown attribute: always absent.
    Unknown,
    /// Whether an attribute is there.
    Has(Attribute),
    /// `!`.
    Not(Box<Self>),
    /// `-`.
    Negate(Box<Self>),
    /// Parts joined by `&&`.
    All(Vec<Self>),
    /// Parts joined by `||`.
    Any(Vec<Self>),
    /// `==` and its like.
    Compare(Comparison, Box<[Self; 2]>),
    /// `+` and its like.
    Arithmetic(Operator, Box<[Self; 2]>),
    /// `in` of a list.
    In(Box<[Self; 2]>),
    /// `? :`.
    Conditional(Box<[Self; 3]>),
    /// `[..]`.
    List(Vec<Self>),
    /// `list[index]`.
    Index(Box<[Self; 2]>),
    /// `matches` with its expression.
    Matches(Box<Self>, Regex),
    /// A function of one value.
    Unary(Unary, Box<Self>),
    /// A function of two texts.
    Texts(Texts, Box<[Self; 2]>),
}

impl Node {
    /// Adds the attributes that it reads, each once.
    pub(super) fn collect(&self, attributes: &mut Vec<Attribute>) {
        match self {
            Self::Literal(_) | Self::Unknown => {}
            Self::Attribute(attribute) | Self::Has(attribute) => {
                if !attributes.contains(attribute) {
                    attributes.push(attribute.clone());
                }
            }
            Self::Not(one) | Self::Negate(one) | Self::Matches(one, _) | Self::Unary(_, one) => {
                one.collect(attributes);
            }
            Self::Compare(_, both)
            | Self::Arithmetic(_, both)
            | Self::In(both)
            | Self::Index(both)
            | Self::Texts(_, both) => both.iter().for_each(|one| one.collect(attributes)),
            Self::Conditional(parts) => parts.iter().for_each(|one| one.collect(attributes)),
            Self::All(parts) | Self::Any(parts) | Self::List(parts) => {
                parts.iter().for_each(|one| one.collect(attributes));
            }
        }
    }
}

/// A tree, and how deep it is.
pub(super) type Deep = (Node, usize);

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Size,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Duration,
    Timestamp,
    Dyn,
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// A function of two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    StartsWith,
    EndsWith,
    Contains,
}

/// How a function is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `f(x)`.
    Global,
    /// `x.f()`.
    Method,
    /// Both.
    Both,
}

/// The functions of one value.
const UNARY: &[(&str, Form, Unary)] = &[
    ("size", Form::Both, Unary::Size),
    ("bool", Form::Global, Unary::Bool),
    ("int", Form::Global, Unary::Int),
    ("uint", Form::Global, Unary::Uint),
    ("double", Form::Global, Unary::Double),
    ("string", Form::Global, Unary::String),
    ("bytes", Form::Global, Unary::Bytes),
    ("duration", Form::Global, Unary::Duration),
    ("timestamp", Form::Global, Unary::Timestamp),
    ("dyn", Form::Global, Unary::Dyn),
    ("getFullYear", Form::Method, Unary::FullYear),
    ("getMonth", Form::Method, Unary::Month),
    ("getDate", Form::Method, Unary::Date),
    ("getDayOfMonth", Form::Method, Unary::DayOfMonth),
    ("getDayOfWeek", Form::Method, Unary::DayOfWeek),
    ("getDayOfYear", Form::Method, Unary::DayOfYear),
    ("getHours", Form::Method, Unary::Hours),
    ("getMinutes", Form::Method, Unary::Minutes),
    ("getSeconds", Form::Method, Unary::Seconds),
    ("getMilliseconds", Form::Method, Unary::Milliseconds),
];

/// The methods of a text with another.
const TEXTS: &[(&str, Texts)] = &[
    ("startsWith", Texts::StartsWith),
    ("endsWith", Texts::EndsWith),
    ("contains", Texts::Contains),
];

/// The function of one value of a name, as a method or not.
pub(super) fn unary(name: &str, method: bool) -> Option<Unary> {
    let other = if method { Form::Global } else { Form::Method };
    let function = UNARY
        .iter()
        .find(|(known, form, _)| *known == name && *form != other);
    function.map(|(.., function)| *function)
}

/// The method of a text with another, of a name.
pub(super) fn texts(name: &str) -> Option<Texts> {
    let function = TEXTS.iter().find(|(known, _)| *known == name);
    function.map(|(_, function)| *function)
}
