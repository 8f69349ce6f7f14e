//! The way to tell a client something before the final response: interim responses (1xx), in either version of HTTP.

pub mod two;

use http::HeaderMap;
use http::StatusCode;

use crate::http::early::two::Interim;
use crate::http::line;

/// The way to announce a request's answer.
#[derive(Clone, Debug)]
pub enum Early {
    /// To a client of HTTP/1. hyper sends its 100, when the body is asked for.
    One(line::interim::Early),
    /// To a client of HTTP/2.
    Two(Interim),
}

impl Early {
    /// Sends an interim response, as long as the final one has not begun. 101 is none that could be passed on.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        match (self, status) {
            (_, StatusCode::SWITCHING_PROTOCOLS) => {}
            (Self::One(_), StatusCode::CONTINUE) => {}
            (Self::One(early), _) => early.send(status, headers),
            (Self::Two(early), _) => early.send(status, headers),
        }
    }

    /// Whether a client that waits for 100 hears it only from here. Nothing of its body comes before, so that there is
    /// nothing to hold back.
    pub fn says_continue(&self) -> bool {
        matches!(self, Self::Two(_))
    }
}
