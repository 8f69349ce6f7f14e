//! The ports that Istio's proxies use by default.

macro_rules! ports {
    ($($(#[$doc:meta])* $name:ident, $text:ident = $port:literal;)*) => {
        $(
            $(#[$doc])*
            pub const $name: u16 = $port;
            /// The same in decimal.
            pub const $text: &str = stringify!($port);
        )*
    };
}

ports! {
    /// The admin pages.
    ADMIN, ADMIN_TEXT = 15000;
    /// Where redirected outbound connections arrive.
    OUTBOUND, OUTBOUND_TEXT = 15001;
    /// Where the rules of a pod are probed; nothing listens there.
    PROBE, PROBE_TEXT = 15002;
    /// Where redirected inbound connections arrive.
    INBOUND, INBOUND_TEXT = 15006;
    /// HBONE: mutual TLS with HTTP/2 CONNECT.
    TUNNEL, TUNNEL_TEXT = 15008;
    /// The pages of Istio's agent: metrics with those of the application, readiness.
    AGENT, AGENT_TEXT = 15020;
    /// Readiness.
    HEALTH, HEALTH_TEXT = 15021;
    /// Where captured DNS queries arrive.
    DNS, DNS_TEXT = 15053;
    /// The proxy's own metrics.
    STATS, STATS_TEXT = 15090;
}

/// Ports that a proxy serves itself.
pub const OWN: [u16; 4] = [ADMIN, AGENT, HEALTH, STATS];

/// Where redirected connections arrive.
pub const REDIRECT: [u16; 2] = [OUTBOUND, INBOUND];
