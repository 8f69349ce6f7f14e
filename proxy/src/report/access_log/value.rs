//! Values of operators, and how they are written as bytes.

use std::borrow::Cow;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use egret_config::address::EndpointAddress;
use egret_config::decide::flag::Flags;
use egret_config::log_format::time::TimeFormat;
use uuid::Uuid;

use crate::report::access_log::time;

/// The value of an operator for a call.
#[derive(Clone, Debug)]
pub enum Value<'v> {
    /// The call has none.
    Missing,
    /// A number, which stays one in JSON.
    Number(u64),
    /// A number that may be negative or have a fraction, or a boolean, as JSON text; it stays what it is in JSON.
    Json(Cow<'v, str>),
    /// Text.
    Text(Cow<'v, [u8]>),
    /// Text that is one word of a line: its blanks become `_` there.
    Word(&'v [u8]),
    /// An address with its port.
    Socket(SocketAddr),
    /// The address of an endpoint.
    Endpoint(&'v EndpointAddress),
    /// An address.
    Ip(IpAddr),
    /// The prefix of an address, as CIDR.
    Prefix(IpAddr, u8),
    /// A point in time.
    Time {
        /// The point.
        at: SystemTime,
        /// In the zone of this machine.
        local: bool,
        /// Its form.
        format: &'v TimeFormat,
    },
    /// Response flags, by their letters.
    Flags(Flags),
    /// A UUID.
    Uuid(Uuid),
    /// 128 or 64 bits in hexadecimal digits, as ids of traces are written.
    Hex(u128, usize),
}

impl<'v> Value<'v> {
    /// Text that is there.
    pub fn text(text: &'v str) -> Self {
        Self::Text(Cow::Borrowed(text.as_bytes()))
    }

    /// Text that may be missing.
    pub fn maybe(text: Option<&'v str>) -> Self {
        text.map_or(Self::Missing, Self::text)
    }

    /// Bytes that may be missing.
    pub fn bytes(bytes: Option<&'v [u8]>) -> Self {
        bytes.map_or(Self::Missing, |bytes| Self::Text(Cow::Borrowed(bytes)))
    }

    /// A word that may be missing; an empty one is.
    pub fn word(text: Option<&'v str>) -> Self {
        match text {
            None | Some("") => Self::Missing,
            Some(text) => Self::Word(text.as_bytes()),
        }
    }

    /// A number that may be missing.
    pub fn number(number: Option<impl Into<u64>>) -> Self {
        number.map_or(Self::Missing, |number| Self::Number(number.into()))
    }

    /// The first bytes of the value, as many as `limit`. No character is cut in two.
    pub fn cut(self, limit: Option<usize>) -> Self {
        let Some(limit) = limit else { return self };
        let mut bytes = match self {
            Self::Missing => return Self::Missing,
            Self::Text(Cow::Borrowed(bytes)) | Self::Word(bytes) => {
                return Self::Text(Cow::Borrowed(&bytes[..boundary(bytes, limit)]));
            }
            Self::Text(Cow::Owned(bytes)) => bytes,
            value => {
                let mut bytes = Vec::new();
                value.append(&mut bytes);
                bytes
            }
        };
        bytes.truncate(boundary(&bytes, limit));
        Self::Text(Cow::Owned(bytes))
    }

    /// Appends the value as it is, without regard to where it stands. Nothing where it is missing.
    pub fn append(&self, to: &mut Vec<u8>) {
        match self {
            Self::Missing => {}
            Self::Number(number) => append_number(to, *number),
            Self::Json(text) => to.extend_from_slice(text.as_bytes()),
            Self::Text(bytes) => to.extend_from_slice(bytes),
            Self::Word(bytes) => to.extend_from_slice(bytes),
            Self::Socket(address) => append_socket(to, *address),
            Self::Endpoint(EndpointAddress::Ip(address)) => append_socket(to, *address),
            Self::Endpoint(EndpointAddress::Unix(path)) => to.extend_from_slice(path.as_bytes()),
            Self::Ip(ip) => append_ip(to, *ip),
            Self::Prefix(ip, length) => {
                append_ip(to, *ip);
                to.push(b'/');
                append_number(to, (*length).into());
            }
            Self::Time { at, local, format } => time::append(to, *at, *local, format),
            Self::Flags(flags) => append_flags(to, *flags),
            Self::Uuid(uuid) => {
                let mut text = Uuid::encode_buffer();
                to.extend_from_slice(uuid.hyphenated().encode_lower(&mut text).as_bytes());
            }
            Self::Hex(number, digits) => append_formatted(to, format_args!("{number:0digits$x}")),
        }
    }
}

/// Where bytes are cut so that there are `limit` at most and no character is cut in two.
fn boundary(bytes: &[u8], limit: usize) -> usize {
    if limit >= bytes.len() {
        return bytes.len();
    }
    let continues = |at: &usize| bytes[*at] & 0xc0 == 0x80;
    let cut = limit
        - (0..limit.min(3))
            .take_while(|back| continues(&(limit - back)))
            .count();
    // What is no UTF-8 is cut anywhere.
    if continues(&cut) { limit } else { cut }
}

fn append_formatted(to: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Memory takes what is written to it.
    let _ = to.write_fmt(text);
}

fn append_number(to: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    to.extend_from_slice(&digits[at..]);
}

fn append_ip(to: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            for (index, octet) in ip.octets().into_iter().enumerate() {
                if index > 0 {
                    to.push(b'.');
                }
                append_number(to, octet.into());
            }
        }
        IpAddr::V6(ip) => append_formatted(to, format_args!("{ip}")),
    }
}

fn append_socket(to: &mut Vec<u8>, address: SocketAddr) {
    match address {
        SocketAddr::V4(address) => {
            append_ip(to, (*address.ip()).into());
            to.push(b':');
            append_number(to, address.port().into());
        }
        SocketAddr::V6(address) => append_formatted(to, format_args!("{address}")),
    }
}

fn append_flags(to: &mut Vec<u8>, flags: Flags) {
    if flags.is_empty() {
        to.push(b'-');
    }
    for (index, flag) in flags.iter().enumerate() {
        if index > 0 {
            to.push(b',');
        }
        to.extend_from_slice(flag.letters().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value<'_>) -> String {
        let mut bytes = Vec::new();
        value.append(&mut bytes);
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn numbers_and_addresses() {
        for number in [0, 7, 10, 65_535, u64::MAX] {
            assert_eq!(written(&Value::Number(number)), number.to_string());
        }
        for address in ["10.1.0.255:0", "[2001:db8::1]:443", "[fe80::1%3]:80"] {
            let socket: SocketAddr = address.parse().expect("an address");
            assert_eq!(written(&Value::Socket(socket)), socket.to_string());
            assert_eq!(written(&Value::Ip(socket.ip())), socket.ip().to_string());
        }
        assert_eq!(
            written(&Value::Prefix([10, 1, 0, 0].into(), 16)),
            "10.1.0.0/16"
        );
        assert_eq!(written(&Value::Hex(0xab, 16)), "00000000000000ab");
    }

    #[test]
    fn values_are_cut_between_characters() {
        for (text, limit, cut) in [
            ("abc", 0, ""),
            ("abc", 2, "ab"),
            ("abc", 9, "abc"),
            ("éé", 3, "é"),
            ("éé", 2, "é"),
            ("éé", 1, ""),
            ("a€b", 3, "a"),
            ("𝄞", 3, ""),
        ] {
            assert_eq!(
                written(&Value::text(text).cut(Some(limit))),
                cut,
                "{text} {limit}"
            );
        }
        assert_eq!(written(&Value::Number(123).cut(Some(2))), "12");
        assert!(matches!(Value::Missing.cut(Some(2)), Value::Missing));
        let broken = Value::bytes(Some(&[0x80; 8])).cut(Some(5));
        assert!(matches!(broken, Value::Text(bytes) if bytes.len() == 5));
    }
}
