//! A hypothetical call, as a user describes it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};

/// The protocol of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Plaintext HTTP/1.1.
    Http,
    /// Plaintext HTTP/2, without upgrade.
    Http2,
    /// HTTP inside the client's own TLS. A gateway that terminates TLS decides the request; other proxies only read the
    /// ClientHello.
    Https,
    /// TLS with something else inside.
    Tls,
    /// Other bytes.
    Tcp,
}

impl Protocol {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Https => "https",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
        }
    }

    /// Whether it begins with a ClientHello.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

/// The destination of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// An address.
    Address(SocketAddr),
    /// A name: the address that the configuration gives it, else one that no service has.
    Name(Box<str>, u16),
}

impl To {
    /// Reads `IP:PORT`, `[IPv6]:PORT` or `NAME:PORT`.
    ///
    /// # Errors
    /// The expected form.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let named = text.rsplit_once(':').and_then(|(name, port)| {
            let fits = !name.is_empty() && !name.contains([':', '/', ' ', '[']);
            let port = port.parse().ok().filter(|_| fits)?;
            Some(match name.parse::<IpAddr>() {
                Ok(ip) => Self::Address(SocketAddr::new(ip, port)),
                Err(_) => Self::Name(name.to_ascii_lowercase().into(), port),
            })
        });
        named.ok_or_else(|| format!("{text:?} is not IP:PORT (or NAME:PORT)"))
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The destination.
    pub to: To,
    /// The protocol.
    pub protocol: Protocol,
    /// The Host header; `None` is none.
    pub host: Option<String>,
    /// The name in the ClientHello; `None` is the host's, empty is none.
    pub sni: Option<String>,
    /// Application protocols in the ClientHello.
    pub alpn: Vec<String>,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Whether the workload's DNS queries are captured; `None` uses the setting of the command line.
    pub dns_capture: Option<bool>,
}

/// Why a description is not a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongCall(String);

impl WrongCall {
    /// An error with a message for the user.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for WrongCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Call {
    /// A call with only a destination and a protocol.
    pub fn new(to: To, protocol: Protocol) -> Self {
        Self {
            to,
            protocol,
            host: None,
            sni: None,
            alpn: Vec::new(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            dns_capture: None,
        }
    }

    /// Reads a JSON object with the names of the flags as keys, and returns its unknown keys. `null` counts as a
    /// missing key. `headers` is an object of texts or lists of texts, or a list of `name: value`, of pairs or of
    /// objects with `name` and `value`.
    ///
    /// # Errors
    /// Values of the wrong shape; no `to` or no `protocol`.
    pub fn of_json(value: &Value) -> Result<(Self, Vec<String>), WrongCall> {
        let object = value
            .as_object()
            .ok_or_else(|| WrongCall::new("a call is a JSON object"))?;
        let to = text(object, "to")?.ok_or_else(|| WrongCall::new("`to` is required"))?;
        let to = To::parse(&to).map_err(WrongCall)?;
        let protocol =
            text(object, "protocol")?.ok_or_else(|| WrongCall::new("`protocol` is required"))?;
        let mut call = Self::new(to, protocol_of(&protocol)?);
        let mut unknown = Vec::new();
        for (key, value) in object {
            match key.as_str() {
                "to" | "protocol" => {}
                "host" => call.host = text(object, key)?,
                "sni" => call.sni = text(object, key)?,
                "alpn" => call.alpn = list(value, key)?,
                "method" => call.method = text(object, key)?.unwrap_or(call.method),
                "path" => call.path = text(object, key)?.unwrap_or(call.path),
                "headers" | "header" => call.headers = headers(value)?,
                "dns_capture" | "dnsCapture" | "dns-capture" => {
                    call.dns_capture = flag(value, key)?;
                }
                "id" | "name" | "comment" => {}
                other => unknown.push(other.to_owned()),
            }
        }
        Ok((call, unknown))
    }
}

/// Reads `name: value`.
///
/// # Errors
/// There is no colon or no name.
pub fn header(line: &str) -> Result<(String, String), String> {
    // A pseudo header begins with a colon.
    let from = usize::from(line.starts_with(':'));
    match line[from..].split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            let name = format!("{}{}", &line[..from], name.trim());
            Ok((name, value.trim().to_owned()))
        }
        _ => Err(format!("{line:?} is not `name: value`")),
    }
}

fn protocol_of(name: &str) -> Result<Protocol, WrongCall> {
    [
        Protocol::Http,
        Protocol::Http2,
        Protocol::Https,
        Protocol::Tls,
        Protocol::Tcp,
    ]
    .into_iter()
    .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    .ok_or_else(|| {
        WrongCall(format!(
            "protocol {name:?} is none of http, http2, https, tls, tcp"
        ))
    })
}

fn text(object: &Map<String, Value>, key: &str) -> Result<Option<String>, WrongCall> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(WrongCall(format!("`{key}` is not a text: {other}"))),
    }
}

fn flag(value: &Value, key: &str) -> Result<Option<bool>, WrongCall> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        other => Err(WrongCall(format!(
            "`{key}` is neither true nor false: {other}"
        ))),
    }
}

fn list(value: &Value, key: &str) -> Result<Vec<String>, WrongCall> {
    let wrong = || WrongCall(format!("`{key}` is not a text or a list of texts"));
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(items(text)),
        Value::Array(list) => list
            .iter()
            .map(|one| one.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        _ => Err(wrong()),
    }
}

/// The items of `a,b`.
pub fn items(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

fn headers(value: &Value) -> Result<Vec<(String, String)>, WrongCall> {
    let wrong =
        || WrongCall::new("`headers` is neither an object of texts nor a list of `name: value`");
    let mut headers = Vec::new();
    match value {
        Value::Null => {}
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) => headers.push((name.clone(), text.clone())),
                    Value::Array(list) => {
                        for one in list {
                            let text = one.as_str().ok_or_else(wrong)?;
                            headers.push((name.clone(), text.to_owned()));
                        }
                    }
                    Value::Null => {}
                    Value::Bool(_) | Value::Number(_) => {
                        headers.push((name.clone(), value.to_string()));
                    }
                    Value::Object(_) => return Err(wrong()),
                }
            }
        }
        Value::Array(list) => {
            for one in list {
                let pair = match one {
                    Value::String(line) => header(line).map_err(WrongCall)?,
                    Value::Object(pair) => match (pair.get("name"), pair.get("value")) {
                        (Some(Value::String(name)), Some(Value::String(value))) => {
                            (name.clone(), value.clone())
                        }
                        _ => return Err(wrong()),
                    },
                    Value::Array(pair) => match &pair[..] {
                        [Value::String(name), Value::String(value)] => {
                            (name.clone(), value.clone())
                        }
                        _ => return Err(wrong()),
                    },
                    _ => return Err(wrong()),
                };
                headers.push(pair);
            }
        }
        Value::String(line) => headers.push(header(line).map_err(|_| wrong())?),
        Value::Bool(_) | Value::Number(_) => return Err(wrong()),
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
