//! What the proxy asks of the kernel beyond what std and tokio offer: the original destination of a redirected
//! connection, socket options, room in a pipe, and the limit of open files. Nothing here knows of Istio or HTTP.

pub mod addresses;
pub mod orig_dst;
pub mod socket;
pub mod limits;
pub mod pipe;
pub mod process;
pub mod gather;
pub mod pass;
