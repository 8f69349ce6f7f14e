//! Calls of functions to nodes, and parts without attributes to their values.

use crate::expression::attribute::{Attribute, Attributes};
use crate::expression::evaluate::evaluate;
use crate::expression::node::{Node, texts, unary};
use crate::expression::value::Value;
use crate::re2;

/// The macros that look into lists and maps.
const COMPREHENSIONS: &[&str] = &["all", "exists", "exists_one", "map", "filter"];

/// The node of a call; what is wrong with it otherwise.
pub(super) fn call(
    name: &str,
    receiver: Option<Node>,
    arguments: Vec<Node>,
) -> Result<Node, String> {
    let method = receiver.is_some();
    let mut values: Vec<Node> = receiver.into_iter().chain(arguments).collect();
    if let Some(function) = unary(name, method) {
        return match (values.pop(), values.is_empty()) {
            (Some(value), true) => Ok(Node::Unary(function, Box::new(value))),
            _ if method => Err("time zones and other arguments are not supported".into()),
            _ => Err("this function has one argument".into()),
        };
    }
    let pair = <[Node; 2]>::try_from(values);
    match (texts(name), name, pair) {
        (Some(function), _, Ok(pair)) if method => Ok(Node::Texts(function, Box::new(pair))),
        (_, "matches", Ok([text, Node::Literal(Value::String(pattern))])) => {
            let regex = re2::part(&pattern)?;
            Ok(Node::Matches(Box::new(text), regex))
        }
        (_, "matches", Ok(_)) => Err("the regular expression must be a text in quotes".into()),
        (Some(_), _, _) | (_, "matches", _) => Err(format!(
            "write it as a method of a text, with one argument: text.{name}('..')"
        )),
        _ if method && COMPREHENSIONS.contains(&name) => {
            Err("macros over lists and maps are not supported".into())
        }
        _ => Err("no such function".into()),
    }
}

/// A call without attributes.
struct Nothing;

impl Attributes for Nothing {
    fn get(&self, _: &Attribute) -> Option<Value<'_>> {
        None
    }
}

/// The value of a node over literals, where it has one; the node itself otherwise.
pub(super) fn folded(node: Node) -> Node {
    let literal = |node: &Node| matches!(node, Node::Literal(_));
    let constant = match &node {
        Node::Arithmetic(_, both) | Node::Texts(_, both) => both.iter().all(literal),
        Node::Negate(one) | Node::Unary(_, one) | Node::Matches(one, _) => literal(one),
        _ => false,
    };
    let value = constant.then(|| evaluate(&node, &Nothing).map(Value::into_owned));
    match value {
        Some(Ok(value)) => Node::Literal(value),
        _ => node,
    }
}
