//! Whole exchanges over loopback: a raw client, hyper's server, the pool, and origins that do as the test says.

mod world;
mod exchanges;
mod refused;
mod between;
mod framing;
mod retries;
mod repeats;
mod details;
mod http2_details;
mod http2;
mod interim;
mod shared;
mod bodies;
mod trailers;
mod answers;
mod routes;
mod explained;
mod wire;
mod upstream_wire;
mod logged;
mod traced;
