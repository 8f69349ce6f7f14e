//! Why a body broke off.

use std::io;

use thiserror::Error;

use crate::codec::cut::Cut;

/// Why a request's body broke off.
#[derive(Debug, Error)]
pub enum Broken {
    /// The client closed or reset its connection.
    #[error("the client broke off")]
    Client(#[source] Cut),
    /// Another attempt reads the body, or the client broke off during an earlier one.
    #[error("the body is no longer for this try")]
    Superseded,
}

impl Broken {
    /// Whether the client's bytes are not a valid body, for example a chunk size that is not a number.
    pub fn is_malformed(&self) -> bool {
        let Self::Client(cut) = self else {
            return false;
        };
        matches!(
            cut.kind(),
            Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
        )
    }
}
