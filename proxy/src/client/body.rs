//! The body of a request on its way to an upstream. It streams, counts, can be held back until the upstream asks for it,
//! and can be sent again.

mod broken;
pub mod hold;
mod inflow;
pub mod progress;
mod kept;
mod kept_bytes;
mod request_body;
pub mod replay;

pub use crate::client::body::broken::Broken;
pub use crate::client::body::kept::KEPT_MAX;
pub use crate::client::body::kept_bytes::KeptBytes;
pub use crate::client::body::progress::Received;
pub use crate::client::body::request_body::RequestBody;
