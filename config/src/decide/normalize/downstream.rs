//! The client's side of a request.

use http::HeaderValue;

use crate::decide::call::{Arrival, Terminated};

/// The client connection that a request head comes on.
#[derive(Clone, Copy, Debug)]
pub struct Downstream<'c> {
    /// Its addresses.
    pub arrival: Arrival,
    /// TLS that a gateway terminated on it.
    pub terminated: Option<&'c Terminated>,
    /// The client's certificate, as an element of `x-forwarded-client-cert`.
    pub client_cert: Option<&'c HeaderValue>,
}

impl<'c> Downstream<'c> {
    /// A connection with these addresses, without a client certificate.
    pub fn of(arrival: Arrival, terminated: Option<&'c Terminated>) -> Self {
        Self {
            arrival,
            terminated,
            client_cert: None,
        }
    }

    /// `https` inside TLS that a gateway terminated, else `http`.
    pub fn scheme(&self) -> &'static str {
        if self.terminated.is_some() {
            "https"
        } else {
            "http"
        }
    }
}
