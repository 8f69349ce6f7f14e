//! The list of nodes as serde reads it: the type of a plain scalar depends on the field.

use std::fmt;

use crate::load::plain::node::{Kind, Node};
use serde::Deserializer;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

/// The document is not in the subset, or does not have the expected shape.
#[derive(Debug)]
pub(in crate::load) struct NotPlain;

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not plain")
    }
}

impl std::error::Error for NotPlain {}

impl serde::de::Error for NotPlain {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// One node, as a deserializer.
#[derive(Clone, Copy)]
pub(super) struct At<'a, 't> {
    nodes: &'a [Node<'t>],
    at: usize,
}

impl<'a, 't> At<'a, 't> {
    /// The whole document.
    pub(super) fn root(nodes: &'a [Node<'t>]) -> Self {
        Self { nodes, at: 0 }
    }

    fn node(self) -> Node<'t> {
        self.nodes[self.at]
    }

    fn children(self) -> Children<'a, 't> {
        Children {
            nodes: self.nodes,
            at: self.at + 1,
            end: self.node().end,
        }
    }
}

impl<'de> Deserializer<'de> for At<'_, 'de> {
    type Error = NotPlain;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.node().kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Quoted(scalar) => visitor.visit_borrowed_str(scalar),
            Kind::Map => visitor.visit_map(self.children()),
            Kind::Seq => visitor.visit_seq(self.children()),
            Kind::Plain(scalar) => {
                let digits = scalar.bytes().all(|byte| byte.is_ascii_digit());
                let decimal = digits && (scalar.len() == 1 || !scalar.starts_with('0'));
                if decimal {
                    visitor.visit_u64(scalar.parse().map_err(NotPlain::custom)?)
                } else {
                    Err(NotPlain)
                }
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.node().kind {
            Kind::Plain("true") => visitor.visit_bool(true),
            Kind::Plain("false") => visitor.visit_bool(false),
            _ => Err(NotPlain),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.node().kind {
            Kind::Plain(scalar) | Kind::Quoted(scalar) => visitor.visit_borrowed_str(scalar),
            Kind::Null | Kind::Map | Kind::Seq => Err(NotPlain),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.node().kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.node().kind {
            Kind::Seq => visitor.visit_seq(self.children()),
            _ => Err(NotPlain),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.node().kind {
            Kind::Map => visitor.visit_map(self.children()),
            _ => Err(NotPlain),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct struct enum
    }
}

/// What a collection holds.
struct Children<'a, 't> {
    nodes: &'a [Node<'t>],
    at: usize,
    end: usize,
}

impl<'a, 't> Children<'a, 't> {
    fn next(&mut self) -> Option<At<'a, 't>> {
        if self.at >= self.end {
            return None;
        }
        let at = At {
            nodes: self.nodes,
            at: self.at,
        };
        self.at = at.node().end;
        Some(at)
    }
}

impl<'t> SeqAccess<'t> for Children<'_, 't> {
    type Error = NotPlain;

    fn next_element_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, NotPlain> {
        self.next().map(|at| seed.deserialize(at)).transpose()
    }
}

impl<'t> MapAccess<'t> for Children<'_, 't> {
    type Error = NotPlain;

    fn next_key_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, NotPlain> {
        let Some(at) = self.next() else {
            return Ok(None);
        };
        match at.node().kind {
            Kind::Quoted(key) => seed
                .deserialize(BorrowedStrDeserializer::new(key))
                .map(Some),
            _ => Err(NotPlain),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, NotPlain> {
        let value = self.next().ok_or(NotPlain)?;
        seed.deserialize(value)
    }
}
