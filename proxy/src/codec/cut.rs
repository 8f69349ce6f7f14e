//! Why a body broke off.

use std::io;

use thiserror::Error;

/// Why a body broke off.
#[derive(Debug, Error)]
pub enum Cut {
    /// Over HTTP/1.
    #[error(transparent)]
    Http1(hyper::Error),
    /// Over HTTP/2.
    #[error(transparent)]
    Http2(h2::Error),
}

impl Cut {
    /// Why HTTP/2 broke off.
    pub fn http2(&self) -> Option<&h2::Error> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(error) => Some(error),
        }
    }

    /// Why HTTP/1 broke off, where it is for its bytes: they do not come, or are no body.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        let Self::Http1(error) = self else {
            return None;
        };
        std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<io::Error>())
            .map(io::Error::kind)
    }
}
