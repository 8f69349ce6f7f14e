//! Words to a tree, by precedence. Nesting is bounded, so that neither reading nor evaluating needs much stack.

use crate::expression::attribute::Attribute;
use crate::expression::cursor::Cursor;
use crate::expression::error::ExpressionError;
use crate::expression::infix::{Infix, infix};
use crate::expression::node::{Deep, Node};
use crate::expression::operand::{Operand, Path, header, map_at};
use crate::expression::token::{SpannedToken, Token};
use crate::expression::value::Value;
use crate::expression::{build, token};

/// How deep a tree may be. CEL requires at least 32 of implementations.
const DEPTH_MAX: usize = 64;

/// Reads the tokens of one text.
pub(super) struct Parser<'t> {
    cursor: Cursor<'t>,
    nesting: usize,
    /// The unknown attributes, as they are written.
    pub(super) unknown: Vec<Box<str>>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, tokens: &'t [SpannedToken<'t>]) -> Self {
        Self {
            cursor: Cursor {
                text,
                tokens,
                at: 0,
            },
            nesting: 0,
            unknown: Vec::new(),
        }
    }

    /// Reads the whole text.
    pub(super) fn whole(&mut self) -> Result<Node, ExpressionError> {
        let (node, _) = self.expression()?;
        match self.cursor.peek() {
            None => Ok(node),
            Some(_) => Err(self.cursor.error("not expected here")),
        }
    }

    /// `a ? b : c`, or a simpler expression.
    fn expression(&mut self) -> Result<Deep, ExpressionError> {
        self.nesting += 1;
        if self.nesting > DEPTH_MAX {
            return Err(self.cursor.error("nested too deeply"));
        }
        let mut tree = self.infixes(1)?;
        if self.cursor.take("?") {
            let yes = self.infixes(1)?;
            self.cursor.expect(":")?;
            let no = self.expression()?;
            let depth = tree.1.max(yes.1).max(no.1);
            let node = Node::Conditional(Box::new([tree.0, yes.0, no.0]));
            tree = self.deeper(node, depth)?;
        }
        self.nesting -= 1;
        Ok(tree)
    }

    /// Trees joined by operators that bind at least as tightly as `least`.
    fn infixes(&mut self, least: u8) -> Result<Deep, ExpressionError> {
        let mut left = self.prefixed()?;
        while let Some((operator, binding)) = self.cursor.peek().and_then(infix)
            && binding >= least
        {
            self.cursor.at += 1;
            if matches!(operator, Infix::In)
                && let Some(attribute) = self.header_of(&left.0)?
            {
                left = self.deeper(Node::Has(attribute), 0)?;
                continue;
            }
            let right = self.infixes(binding + 1)?;
            let depth = left.1.max(right.1);
            let both = |left: Deep, right: Deep| Box::new([left.0, right.0]);
            left = match operator {
                Infix::Or | Infix::And => self.joined(operator, left, right)?,
                Infix::Compare(comparison) => {
                    self.deeper(Node::Compare(comparison, both(left, right)), depth)?
                }
                Infix::In => self.deeper(Node::In(both(left, right)), depth)?,
                Infix::Arithmetic(operator) => {
                    let node = Node::Arithmetic(operator, both(left, right));
                    self.deeper(build::folded(node), depth)?
                }
            };
        }
        Ok(left)
    }

    /// Chains of `&&` and of `||` are one node, however long they are.
    fn joined(&self, operator: Infix, left: Deep, right: Deep) -> Result<Deep, ExpressionError> {
        let or = matches!(operator, Infix::Or);
        match left {
            (Node::Any(mut parts), depth) if or => {
                parts.push(right.0);
                Ok((Node::Any(parts), depth.max(right.1 + 1)))
            }
            (Node::All(mut parts), depth) if !or => {
                parts.push(right.0);
                Ok((Node::All(parts), depth.max(right.1 + 1)))
            }
            left => {
                let parts = vec![left.0, right.0];
                let node = if or {
                    Node::Any(parts)
                } else {
                    Node::All(parts)
                };
                self.deeper(node, left.1.max(right.1))
            }
        }
    }

    /// `'name' in request.headers`: the header, when the tokens that follow name a map of headers.
    fn header_of(&mut self, left: &Node) -> Result<Option<Attribute>, ExpressionError> {
        let start = self.cursor.at;
        let tokens = self.cursor.tokens.get(start..).unwrap_or_default();
        let Some((map, length)) = map_at(tokens) else {
            return Ok(None);
        };
        let attribute = match left {
            Node::Literal(Value::String(name)) => header(map, name),
            _ => None,
        };
        if attribute.is_none() {
            return Err(self
                .cursor
                .error("before `in` of headers stands the name of a header, in quotes"));
        }
        self.cursor.at += length;
        Ok(attribute)
    }

    /// `!a`, `-a`, or a simpler expression.
    fn prefixed(&mut self) -> Result<Deep, ExpressionError> {
        let start = self.cursor.at;
        while self.cursor.take("!") {}
        let mut not = self.cursor.at - start;
        let start = self.cursor.at;
        while self.cursor.take("-") {}
        let mut minus = self.cursor.at - start;
        let mut tree = match self.cursor.peek() {
            // The smallest number has no positive counterpart.
            Some(Token::Int(number)) if minus > 0 => {
                minus -= 1;
                let number = 0_i64.checked_sub_unsigned(*number);
                let number = number.ok_or_else(|| self.cursor.error("not a number of 64 bits"))?;
                self.cursor.at += 1;
                let literal = Node::Literal(Value::Int(number));
                self.members(Operand::Node((literal, 1)))?
            }
            _ => {
                let first = self.primary()?;
                self.members(first)?
            }
        };
        while minus > 0 {
            minus -= 1;
            let node = build::folded(Node::Negate(Box::new(tree.0)));
            tree = self.deeper(node, tree.1)?;
        }
        while not > 0 {
            not -= 1;
            tree = self.deeper(Node::Not(Box::new(tree.0)), tree.1)?;
        }
        Ok(tree)
    }

    /// A literal, a name, a call, a list, or an expression in brackets.
    fn primary(&mut self) -> Result<Operand<'t>, ExpressionError> {
        let Some(token) = self.cursor.tokens.get(self.cursor.at) else {
            return Err(self.cursor.error("ends too soon"));
        };
        let start = self.cursor.at;
        let literal = |value| Ok(Operand::Node((Node::Literal(value), 1)));
        self.cursor.at += 1;
        match &token.token {
            Token::Int(number) => match i64::try_from(*number) {
                Ok(number) => literal(Value::Int(number)),
                Err(_) => self.cursor.back("not a number of 64 bits"),
            },
            Token::Uint(number) => literal(Value::Uint(*number)),
            Token::Double(number) => literal(Value::Double(*number)),
            Token::String(text) => literal(Value::from(text.clone())),
            Token::Bytes(bytes) => literal(Value::Bytes(bytes.clone().into())),
            Token::Name("true") => literal(Value::Bool(true)),
            Token::Name("false") => literal(Value::Bool(false)),
            Token::Name("null") => literal(Value::Null),
            Token::Name("in") => self.cursor.back("not expected here"),
            Token::Name(name) if token::is_reserved(name) => {
                self.cursor.back("a reserved word of CEL")
            }
            Token::Name("has") if self.cursor.take("(") => self.presence(),
            Token::Name(name) if self.cursor.take("(") => {
                let arguments = self.arguments(")")?;
                self.call(start, name, None, arguments)
            }
            Token::Name(name) => Ok(Operand::Path(Path::new(name, token))),
            Token::Mark("(") => {
                let tree = self.expression()?;
                self.cursor.expect(")")?;
                Ok(Operand::Node(tree))
            }
            Token::Mark("[") => {
                let elements = self.arguments("]")?;
                let depth = elements.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
                let nodes = elements.into_iter().map(|(node, _)| node).collect();
                Ok(Operand::Node(self.deeper(Node::List(nodes), depth)?))
            }
            Token::Mark("{") => self.cursor.back("maps and messages are not supported"),
            Token::Mark(".") => self
                .cursor
                .back("names with a leading dot are not supported"),
            Token::Mark(_) => self.cursor.back("not expected here"),
        }
    }

    /// `has(a.b)`, behind its bracket: whether an attribute is there.
    fn presence(&mut self) -> Result<Operand<'t>, ExpressionError> {
        let start = self.cursor.at;
        let reason = "`has` needs an attribute, as in has(response.code)";
        let Some(Token::Name(name)) = self.cursor.peek() else {
            return Err(self.cursor.error(reason));
        };
        let mut path = Path::new(name, &self.cursor.tokens[start]);
        self.cursor.at += 1;
        while self.cursor.take(".") {
            self.field(&mut path)?;
        }
        if !path.has_fields() || !self.cursor.take(")") {
            self.cursor.at = start;
            return Err(self.cursor.error(reason));
        }
        let node = path.presence().unwrap_or_else(|| {
            self.note_unknown(&path);
            Node::Literal(Value::Bool(false))
        });
        Ok(Operand::Node(self.deeper(node, 0)?))
    }

    /// What follows an operand: fields, keys and methods.
    fn members(&mut self, first: Operand<'t>) -> Result<Deep, ExpressionError> {
        let mut operand = first;
        loop {
            if self.cursor.take(".") {
                let next = self.cursor.tokens.get(self.cursor.at + 1);
                let method = next.is_some_and(|token| token.token == Token::Mark("("));
                operand = match operand {
                    Operand::Path(mut path) if !method => {
                        self.field(&mut path)?;
                        Operand::Path(path)
                    }
                    receiver => self.method(receiver)?,
                };
            } else if self.cursor.take("[") {
                let start = self.cursor.at;
                let key = self.expression()?;
                self.cursor.expect("]")?;
                operand = self.keyed(operand, key, start)?;
            } else {
                return self.resolved(operand);
            }
        }
    }

    /// A field of an attribute's name, behind its dot.
    fn field(&mut self, path: &mut Path<'t>) -> Result<(), ExpressionError> {
        match self.cursor.tokens.get(self.cursor.at) {
            Some(token) => match token.token {
                Token::Name(name) if name != "in" => {
                    path.push(name, token);
                    self.cursor.at += 1;
                    Ok(())
                }
                _ => Err(self.cursor.error("a name is expected after a dot")),
            },
            None => Err(self.cursor.error("ends too soon")),
        }
    }

    fn method(&mut self, receiver: Operand<'t>) -> Result<Operand<'t>, ExpressionError> {
        let tree = self.resolved(receiver)?;
        let start = self.cursor.at;
        let Some(Token::Name(name)) = self.cursor.peek() else {
            return Err(self.cursor.error("a name is expected after a dot"));
        };
        self.cursor.at += 1;
        if !self.cursor.take("(") {
            self.cursor.at = start;
            return Err(self.cursor.error("values have no fields"));
        }
        let arguments = self.arguments(")")?;
        self.call(start, name, Some(tree), arguments)
    }

    /// `operand[key]`, with the key at the token `start`.
    fn keyed(
        &mut self,
        operand: Operand<'t>,
        key: Deep,
        start: usize,
    ) -> Result<Operand<'t>, ExpressionError> {
        let path = match operand {
            Operand::Node(tree) => {
                let depth = tree.1.max(key.1);
                let node = Node::Index(Box::new([tree.0, key.0]));
                return Ok(Operand::Node(self.deeper(node, depth)?));
            }
            Operand::Path(path) => path,
        };
        let end = self
            .cursor
            .tokens
            .get(self.cursor.at - 1)
            .map_or(self.cursor.text.len(), |token| token.to);
        match path.keyed(key, end) {
            Ok(operand) => Ok(operand),
            Err(reason) => {
                self.cursor.at = start;
                Err(self.cursor.error(reason))
            }
        }
    }

    /// What an operand is, once nothing follows.
    fn resolved(&mut self, operand: Operand<'t>) -> Result<Deep, ExpressionError> {
        match operand {
            Operand::Node(tree) => Ok(tree),
            Operand::Path(path) => match path.attribute() {
                Some(node) => Ok((node, 1)),
                None if path.is_map() => Err(ExpressionError::new(
                    path.source_text(self.cursor.text),
                    "write a header by its name, as in request.headers['x-name']",
                )),
                None => {
                    self.note_unknown(&path);
                    Ok((Node::Unknown, 1))
                }
            },
        }
    }

    fn call(
        &self,
        start: usize,
        name: &str,
        receiver: Option<Deep>,
        arguments: Vec<Deep>,
    ) -> Result<Operand<'t>, ExpressionError> {
        let all = receiver.iter().chain(&arguments);
        let depth = all.map(|(_, depth)| *depth).max().unwrap_or(0);
        let receiver = receiver.map(|(node, _)| node);
        let arguments = arguments.into_iter().map(|(node, _)| node).collect();
        match build::call(name, receiver, arguments) {
            Ok(node) => Ok(Operand::Node(self.deeper(build::folded(node), depth)?)),
            Err(reason) => Err(ExpressionError::new(self.cursor.token_text(start), reason)),
        }
    }

    /// Expressions separated by commas, up to `end`, which is taken. A comma may stand before the end of a list.
    fn arguments(&mut self, end: &'static str) -> Result<Vec<Deep>, ExpressionError> {
        let mut elements = Vec::new();
        while !self.cursor.take(end) {
            if !elements.is_empty() {
                self.cursor.expect(",")?;
                if end == "]" && self.cursor.take(end) {
                    break;
                }
            }
            elements.push(self.expression()?);
        }
        Ok(elements)
    }

    fn note_unknown(&mut self, path: &Path<'_>) {
        let name = path.source_text(self.cursor.text);
        if !self.unknown.iter().any(|known| **known == *name) {
            self.unknown.push(name.into());
        }
    }

    /// A tree over others, the deepest of which has `depth`.
    fn deeper(&self, node: Node, depth: usize) -> Result<Deep, ExpressionError> {
        if depth >= DEPTH_MAX {
            return Err(self.cursor.error("nested too deeply"));
        }
        Ok((node, depth + 1))
    }
}
