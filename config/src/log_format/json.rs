//! JSON whose strings are texts with operators in them.

use serde_json::{Map, Value};

use crate::log_format::arguments::Command;
use crate::log_format::error::FormatError;
use crate::log_format::text::{Piece, TextFormat};

/// A JSON object, with its keys in their order.
#[derive(Clone, Debug, Default)]
pub struct JsonFormat(Vec<(Box<str>, Template)>);

/// A value of a JSON format.
#[derive(Clone, Debug)]
pub enum Template {
    /// The value of one operator, with its type.
    Value(Command),
    /// A text with operators in it.
    Text(TextFormat),
    /// What stays as it is, as JSON text.
    Constant(Box<str>),
    /// An object.
    Object(JsonFormat),
    /// A list.
    List(Vec<Self>),
}

impl JsonFormat {
    /// The keys with their values, in order.
    pub fn entries(&self) -> &[(Box<str>, Template)] {
        &self.0
    }

    /// Reads the strings of an object.
    ///
    /// # Errors
    /// Those of a string that is no format.
    pub fn parse(object: &Map<String, Value>) -> Result<Self, FormatError> {
        let entry = |(key, value): (&String, &Value)| {
            let value = Template::parse(value)?;
            Ok((key.as_str().into(), value))
        };
        object.iter().map(entry).collect::<Result<_, _>>().map(Self)
    }
}

impl Template {
    fn parse(value: &Value) -> Result<Self, FormatError> {
        match value {
            Value::String(text) => {
                let format = TextFormat::parse(text)?;
                Ok(match format.pieces() {
                    [Piece::Command(command)] => Self::Value(command.clone()),
                    [] => Self::Constant("\"\"".into()),
                    [Piece::Literal(literal)] => {
                        Self::Constant(Value::from(&**literal).to_string().into())
                    }
                    _ => Self::Text(format),
                })
            }
            Value::Object(object) => JsonFormat::parse(object).map(Self::Object),
            Value::Array(items) => items
                .iter()
                .map(Self::parse)
                .collect::<Result<_, _>>()
                .map(Self::List),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                Ok(Self::Constant(value.to_string().into()))
            }
        }
    }
}
