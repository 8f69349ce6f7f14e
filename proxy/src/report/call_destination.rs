//! What a call was for, as the log shows it.

use std::fmt;
use std::fmt::{Display, Formatter};

use crate::report::facts::{AuthorityFact, Facts};

/// The host or server name that a call has, if any, and the address that its client connected to.
#[derive(Clone, Copy, Debug)]
pub struct CallDestination<'f>(pub &'f Facts);

impl Display for CallDestination<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let facts = self.0;
        let authority = facts.request.authority.as_ref();
        let server_name = facts.downstream.requested_server_name.as_deref();
        // Clients choose these.
        if let Some(authority) = authority.map(AuthorityFact::as_bytes) {
            write!(f, "{} at ", authority.escape_ascii())?;
        } else if let Some(name) = server_name {
            write!(f, "{} at ", name.escape_default())?;
        }
        match facts.downstream.local_address {
            Some(address) => write!(f, "{}", address.0),
            None => f.write_str("-"),
        }
    }
}
