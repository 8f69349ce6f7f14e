//! The operators between two trees, and their precedence.

use crate::expression::node::{Comparison, Operator};
use crate::expression::token::Token;

/// What an operator between two trees does.
#[derive(Clone, Copy)]
pub(super) enum Infix {
    Or,
    And,
    Compare(Comparison),
    In,
    Arithmetic(Operator),
}

/// An infix operator and how tightly it binds.
pub(super) fn infix(token: &Token<'_>) -> Option<(Infix, u8)> {
    Some(match token {
        Token::Mark("||") => (Infix::Or, 1),
        Token::Mark("&&") => (Infix::And, 2),
        Token::Mark("==") => (Infix::Compare(Comparison::Equal), 3),
        Token::Mark("!=") => (Infix::Compare(Comparison::Unequal), 3),
        Token::Mark("<") => (Infix::Compare(Comparison::Less), 3),
        Token::Mark("<=") => (Infix::Compare(Comparison::LessOrEqual), 3),
        Token::Mark(">") => (Infix::Compare(Comparison::Greater), 3),
        Token::Mark(">=") => (Infix::Compare(Comparison::GreaterOrEqual), 3),
        Token::Name("in") => (Infix::In, 3),
        Token::Mark("+") => (Infix::Arithmetic(Operator::Add), 4),
        Token::Mark("-") => (Infix::Arithmetic(Operator::Subtract), 4),
        Token::Mark("*") => (Infix::Arithmetic(Operator::Multiply), 5),
        Token::Mark("/") => (Infix::Arithmetic(Operator::Divide), 5),
        Token::Mark("%") => (Infix::Arithmetic(Operator::Remainder), 5),
        _ => return None,
    })
}
