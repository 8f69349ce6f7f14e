//! System calls beyond those of std and tokio: the original destination of a redirected
//! connection, socket options, closed connections, room in a pipe, and the limit of open files. Nothing here depends on Istio or HTTP.

pub mod addresses;
pub mod orig_dst;
pub mod socket;
pub mod limits;
pub mod hang_up;
pub mod pipe;
pub mod process;
pub mod gather;
pub mod pass;
