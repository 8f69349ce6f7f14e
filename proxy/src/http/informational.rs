//! The way to tell a client something before the final response: informational responses (1xx), in either version of
//! HTTP.

pub mod http2;

use http::{HeaderMap, StatusCode};

use crate::http::http1_io;
use crate::http::informational::http2::Http2Informational;

/// The way to announce a request's answer.
#[derive(Clone, Debug)]
pub enum InformationalSender {
    /// To a client of HTTP/1. hyper sends its 100, when the body is asked for.
    Http1(http1_io::informational::InformationalHandle),
    /// To a client of HTTP/2.
    Http2(Http2Informational),
}

impl InformationalSender {
    /// Sends an informational response, as long as the final one has not begun. 101 is none that could be passed on.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        match (self, status) {
            (_, StatusCode::SWITCHING_PROTOCOLS) => {}
            (Self::Http1(_), StatusCode::CONTINUE) => {}
            (Self::Http1(informational), _) => informational.send(status, headers),
            (Self::Http2(informational), _) => informational.send(status, headers),
        }
    }

    /// Whether a client that waits for 100 hears it only from here. Nothing of its body comes before, so that there is
    /// nothing to hold back.
    pub fn says_continue(&self) -> bool {
        matches!(self, Self::Http2(_))
    }
}
