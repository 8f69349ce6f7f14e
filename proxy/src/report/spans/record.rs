//! A span as it is exported, whatever the collector speaks.

use std::sync::Arc;
use std::time::SystemTime;

use crate::report::spans::plan::SpanPlan;

/// One span.
#[derive(Clone, Debug)]
pub struct Span {
    /// The trace.
    pub trace_id: u128,
    /// The span.
    pub span_id: u64,
    /// Its parent.
    pub parent: Option<u64>,
    /// `tracestate`.
    pub trace_state: Text,
    /// Its name.
    pub name: Box<str>,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// Its status is an error; otherwise it is unset.
    pub error: bool,
    /// What it says, each name once.
    pub attributes: Attributes,
}

/// Which side of a call a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// The side that is called.
    Server,
    /// The side that calls.
    Client,
}

/// A span, and where it goes.
#[derive(Clone, Debug)]
pub struct QueuedSpan {
    /// The span.
    pub span: Span,
    /// By what it was made.
    pub plan: Arc<SpanPlan>,
}

/// A text that costs as little memory as may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Of the program.
    Static(&'static str),
    /// Of the configuration.
    Shared(Arc<str>),
    /// Of the call.
    Own(Box<str>),
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
            Self::Own(text) => text,
        }
    }

    /// The text of bytes; what is no UTF-8 is replaced.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::Own(String::from_utf8_lossy(bytes).into())
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self::Static(text)
    }
}

impl From<&Arc<str>> for Text {
    fn from(text: &Arc<str>) -> Self {
        Self::Shared(Arc::clone(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Own(text.into())
    }
}

/// The attributes of a span, in the order in which they were set. Each name stands once.
#[derive(Clone, Debug, Default)]
pub struct Attributes(Vec<(Text, Text)>);

impl Attributes {
    /// No attributes yet, with room for this many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Sets one, in place of an earlier one of the same name.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Text>) {
        let (name, value) = (name.into(), value.into());
        match self
            .0
            .iter_mut()
            .find(|(known, _)| known.as_str() == name.as_str())
        {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets one that a header says, if there is the header.
    pub fn set_header(&mut self, name: &'static str, value: Option<&http::HeaderValue>) {
        if let Some(value) = value {
            self.set(name, Text::of_bytes(value.as_bytes()));
        }
    }

    /// All of them: name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter();
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
