//! Values of any shape.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use crate::wire::reading::any::{AnyList, AnyMap, AnyValue, Expected, ShapeError, Visit};
use crate::wire::reading::shape::{Reading, Shape};

/// A value of any shape, whose keys and values belong to the user; mappings keep their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Json(pub Value);

impl<'de> Shape<'de> for Json {
    fn read(from: &mut dyn AnyValue<'de>, _: &Reading) -> Result<Self, ShapeError> {
        value(from).map(Self)
    }
}

/// Parsers bound how deep values are.
fn value<'de>(from: &mut dyn AnyValue<'de>) -> Result<Value, ShapeError> {
    let mut any = Any(Value::Null);
    from.read(Expected::Any, &mut any)?;
    Ok(any.0)
}

struct Any(Value);

impl<'de> Visit<'de> for Any {
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn null(&mut self) -> Result<(), ShapeError> {
        Ok(())
    }

    fn some(&mut self, from: &mut dyn AnyValue<'de>) -> Result<(), ShapeError> {
        self.0 = value(from)?;
        Ok(())
    }

    fn boolean(&mut self, value: bool) -> Result<(), ShapeError> {
        self.0 = Value::Bool(value);
        Ok(())
    }

    fn unsigned(&mut self, number: u64) -> Result<(), ShapeError> {
        self.0 = number.into();
        Ok(())
    }

    fn signed(&mut self, number: i64) -> Result<(), ShapeError> {
        self.0 = number.into();
        Ok(())
    }

    fn float(&mut self, number: f64) -> Result<(), ShapeError> {
        self.0 = number.into();
        Ok(())
    }

    fn text(&mut self, text: Cow<'_, str>) -> Result<(), ShapeError> {
        self.0 = Value::String(text.into_owned());
        Ok(())
    }

    fn list(&mut self, list: &mut dyn AnyList<'de>) -> Result<(), ShapeError> {
        let mut elements = Vec::new();
        while list.next(&mut |from| {
            elements.push(value(from)?);
            Ok(())
        })? {}
        self.0 = Value::Array(elements);
        Ok(())
    }

    fn mapping(&mut self, map: &mut dyn AnyMap<'de>) -> Result<(), ShapeError> {
        let mut object = Map::new();
        while let Some(key) = map.key()? {
            map.value(&mut |from| {
                object.insert(key.clone().into_owned(), value(from)?);
                Ok(())
            })?;
        }
        self.0 = Value::Object(object);
        Ok(())
    }
}
