//! Names of attributes while they are read: `request.headers['x-name']` and the like.

use std::borrow::Cow;

use http::HeaderName;

use crate::expression::attribute::{Attribute, HeaderMap};
use crate::expression::node::{Deep, Node, Unary};
use crate::expression::token::{SpannedToken, Token};
use crate::expression::value::Value;

/// What a member may follow.
pub(super) enum Operand<'t> {
    /// A value.
    Node(Deep),
    /// A name that may go on.
    Path(Path<'t>),
}

/// The name of an attribute, as far as it was read.
pub(super) struct Path<'t> {
    /// The name with its dots.
    name: Cow<'t, str>,
    from: usize,
    to: usize,
}

/// What is wrong with the key of a map of headers.
const KEY: &str = "write a header with its name in quotes, as in request.headers['x-name']";

impl<'t> Path<'t> {
    pub(super) fn new(name: &'t str, token: &SpannedToken<'t>) -> Self {
        Self {
            name: Cow::Borrowed(name),
            from: token.from,
            to: token.to,
        }
    }

    /// Goes on with a field.
    pub(super) fn push(&mut self, field: &str, token: &SpannedToken<'t>) {
        self.add(field);
        self.to = token.to;
    }

    fn add(&mut self, field: &str) {
        let name = self.name.to_mut();
        name.push('.');
        name.push_str(field);
    }

    /// What the name and its keys are in the text.
    pub(super) fn source_text<'w>(&self, text: &'w str) -> &'w str {
        &text[self.from..self.to]
    }

    /// Whether there is a dot in it.
    pub(super) fn has_fields(&self) -> bool {
        self.name.contains('.')
    }

    /// Whether it is a map of headers.
    pub(super) fn is_map(&self) -> bool {
        HeaderMap::named(&self.name).is_some()
    }

    /// The attribute, or a header by its name as a field; `None` when it is unknown.
    pub(super) fn attribute(&self) -> Option<Node> {
        match Attribute::named(&self.name) {
            Some(attribute) => Some(Node::Attribute(attribute)),
            None => self.field_of_map().map(value_of),
        }
    }

    /// Whether the attribute is there; `None` when it is unknown. Maps and groups always are.
    pub(super) fn presence(&self) -> Option<Node> {
        if self.is_map() || Attribute::is_group(&self.name) {
            return Some(Node::Literal(Value::Bool(true)));
        }
        let attribute = Attribute::named(&self.name);
        let attribute = attribute.or_else(|| self.field_of_map())?;
        Some(Node::Has(attribute))
    }

    fn field_of_map(&self) -> Option<Attribute> {
        let (map, field) = self.name.rsplit_once('.')?;
        header(HeaderMap::named(map)?, field)
    }

    /// What it is with a key behind it that ends at the byte `end` of the text.
    pub(super) fn keyed(mut self, key: Deep, end: usize) -> Result<Operand<'t>, &'static str> {
        let name = match &key.0 {
            Node::Literal(Value::String(name)) => Some(name.as_ref()),
            _ => None,
        };
        if let Some(map) = HeaderMap::named(&self.name) {
            let attribute = name.and_then(|name| header(map, name)).ok_or(KEY)?;
            return Ok(Operand::Node((value_of(attribute), 2)));
        }
        if let Some(node) = self.attribute() {
            let node = Node::Index(Box::new([node, key.0]));
            return Ok(Operand::Node((node, key.1 + 1)));
        }
        // `request['path']` is `request.path`; other keys make an unknown name.
        self.add(name.unwrap_or_default());
        self.to = end;
        Ok(Operand::Path(self))
    }
}

/// The value of an attribute that is written as a header: the status line has a code, and headers are texts.
fn value_of(attribute: Attribute) -> Node {
    let text = attribute == Attribute::ResponseCode;
    let node = Node::Attribute(attribute);
    match text {
        true => Node::Unary(Unary::String, Box::new(node)),
        false => node,
    }
}

/// The attribute of a header, pseudo-headers included; `None` for what is no name of a header.
pub(super) fn header(map: HeaderMap, name: &str) -> Option<Attribute> {
    match (map, name) {
        (HeaderMap::Request, ":path") => Some(Attribute::RequestPath),
        (HeaderMap::Request, ":method") => Some(Attribute::RequestMethod),
        (HeaderMap::Request, ":authority" | "host") => Some(Attribute::RequestHost),
        (HeaderMap::Request, ":scheme") => Some(Attribute::RequestScheme),
        (HeaderMap::Response, ":status") => Some(Attribute::ResponseCode),
        (map, name) => {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some(map.attribute(name))
        }
    }
}

/// The map of headers that tokens begin with, and how many tokens it takes; `None` where the name goes on.
pub(super) fn map_at(tokens: &[SpannedToken<'_>]) -> Option<(HeaderMap, usize)> {
    let [group, dot, field, rest @ ..] = tokens else {
        return None;
    };
    let (Token::Name(group), Token::Mark("."), Token::Name(field)) =
        (&group.token, &dot.token, &field.token)
    else {
        return None;
    };
    let map = HeaderMap::named(&format!("{group}.{field}"))?;
    let goes_on = |token: &SpannedToken<'_>| matches!(token.token, Token::Mark("." | "["));
    (!rest.first().is_some_and(goes_on)).then_some((map, 3))
}
