//! What clients do with gateways.

/// One thing that a client does with a gateway.
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) doing: Doing,
}

/// What a client does.
pub(super) enum Doing {
    /// `curl URL ARGUMENTS…`, the host's name led to the gateway.
    Curl(&'static str, &'static [&'static str]),
    /// `openssl s_client ARGUMENTS…` at port 443, saying nothing.
    Shake(&'static [&'static str]),
    /// Bytes to a port, then the end of them.
    Bytes(u16, &'static [u8]),
}

pub(super) const CALLS: &[Call] = &[
    call(
        "mirrored",
        Doing::Curl("http://mirrored.example/get?a=1", &[]),
    ),
    call(
        "mirrored with a body",
        Doing::Curl("http://mirrored.example/post", &["-d", "a=1"]),
    ),
    call(
        "mirrored with a port in the host",
        Doing::Curl(
            "http://mirrored.example/get",
            &["-H", "host: mirrored.example:80"],
        ),
    ),
    call(
        "no weight and all weight",
        Doing::Curl("http://weighted.example/get", &[]),
    ),
    call(
        "ended",
        Doing::Curl("https://ended.example/get", &["--http1.1"]),
    ),
    call(
        "ended, HTTP/2",
        Doing::Curl("https://ended.example/get", &["--http2"]),
    ),
    call(
        "ended, a port in the host",
        Doing::Curl(
            "https://ended.example/get",
            &["--http1.1", "-H", "host: ended.example:443"],
        ),
    ),
    call(
        "ended, the host of another name",
        Doing::Curl(
            "https://ended.example/get",
            &["--http1.1", "-H", "host: begun.example"],
        ),
    ),
    call(
        "ended, the host of another server",
        Doing::Curl(
            "https://ended.example/get",
            &["--http1.1", "-H", "host: mutual.example"],
        ),
    ),
    call(
        "ended, a forged certificate header",
        Doing::Curl(
            "https://ended.example/get",
            &[
                "--http1.1",
                "-H",
                "x-forwarded-client-cert: URI=spiffe://forged",
            ],
        ),
    ),
    call(
        "begun",
        Doing::Curl("https://begun.example/get", &["--http1.1"]),
    ),
    call(
        "begun, HTTP/2",
        Doing::Curl("https://begun.example/get", &["--http2"]),
    ),
    call(
        "the origin is somebody else",
        Doing::Curl("https://mistaken.example/get", &["--http1.1"]),
    ),
    call(
        "mutual, nothing shown",
        Doing::Curl(
            "https://mutual.example/get",
            &["--http1.1", "--tls-max", "1.2"],
        ),
    ),
    call(
        "mutual, shown",
        Doing::Curl(
            "https://mutual.example/get",
            &[
                "--http1.1",
                "--cert",
                "FILES/client.crt",
                "--key",
                "FILES/client.key",
            ],
        ),
    ),
    call(
        "mutual, an unknown authority",
        Doing::Curl(
            "https://mutual.example/get",
            &[
                "--http1.1",
                "--tls-max",
                "1.2",
                "--cert",
                "FILES/stranger.crt",
                "--key",
                "FILES/stranger.key",
            ],
        ),
    ),
    call(
        "passed",
        Doing::Curl("https://passed.example/get", &["--http1.1"]),
    ),
    call(
        "a name of no server",
        Doing::Curl("https://unknown.example/get", &[]),
    ),
    call(
        "plaintext where TLS is",
        Doing::Curl("http://ended.example:443/get", &[]),
    ),
    call("no name", Doing::Shake(&["-noservername"])),
    call(
        "TLS 1.1",
        Doing::Shake(&["-servername", "ended.example", "-tls1_1"]),
    ),
    call(
        "TLS 1.2",
        Doing::Shake(&["-servername", "ended.example", "-tls1_2"]),
    ),
    call(
        "TLS 1.3",
        Doing::Shake(&["-servername", "ended.example", "-tls1_3"]),
    ),
    call(
        "HTTP/2 and an unknown protocol",
        Doing::Shake(&["-servername", "ended.example", "-alpn", "unknown,h2"]),
    ),
    call(
        "unknown protocols only",
        Doing::Shake(&["-servername", "ended.example", "-alpn", "unknown"]),
    ),
    call("bytes", Doing::Bytes(9000, b"as they are\n")),
    call("no bytes", Doing::Bytes(9000, b"")),
    call("bytes to nobody", Doing::Bytes(9001, b"")),
];

const fn call(name: &'static str, doing: Doing) -> Call {
    Call { name, doing }
}
