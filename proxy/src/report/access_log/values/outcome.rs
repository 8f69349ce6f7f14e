//! What became of a call.

use std::borrow::Cow;

use egret_config::decide::flag::Flags;
use egret_config::grpc::GrpcStatus;
use egret_config::log_format::GrpcForm;

use crate::report::access_log::value::Value;
use crate::report::facts::Facts;

/// The status that the client got; 0 where none was sent.
pub(super) fn status(facts: &Facts) -> u16 {
    facts.response.code.map_or(0, |status| status.as_u16())
}

/// Flags by their long names.
pub(super) fn long_flags(flags: Flags) -> Value<'static> {
    let names: Vec<_> = flags.iter().map(|flag| flag.long_name()).collect();
    match names[..] {
        [] => Value::text("-"),
        [name] => Value::text(name),
        _ => Value::Text(Cow::Owned(names.join(",").into_bytes())),
    }
}

/// Why the response is what it is.
pub(super) fn details(whitespace: bool, facts: &Facts) -> Value<'_> {
    let Some(details) = facts.response.details.as_deref() else {
        return Value::Missing;
    };
    if whitespace || !details.contains([' ', '\t', '\n', '\r', '\x0b', '\x0c']) {
        return Value::text(details);
    }
    let blank = |byte: u8| byte.is_ascii_whitespace() || byte == 0x0b;
    let one_word = details
        .bytes()
        .map(|byte| if blank(byte) { b'_' } else { byte });
    Value::Text(Cow::Owned(one_word.collect()))
}

/// The number of a gRPC call's status: what the upstream said, else what follows from the status of HTTP.
fn grpc_code(facts: &Facts) -> Option<u32> {
    if !facts.request.grpc {
        return None;
    }
    facts.response.grpc_status.or_else(|| {
        let code = facts.response.code?;
        Some(GrpcStatus::of_http(code.as_u16()) as u32)
    })
}

pub(super) fn grpc_number(facts: &Facts) -> Value<'static> {
    Value::number(grpc_code(facts))
}

pub(super) fn grpc_status(form: GrpcForm, facts: &Facts) -> Value<'static> {
    let Some(code) = grpc_code(facts) else {
        return Value::Missing;
    };
    let status = GrpcStatus::of_header(code.to_string().as_bytes());
    match (form, status) {
        (GrpcForm::Number, _) => Value::Number(code.into()),
        (GrpcForm::Camel, Some(GrpcStatus::Ok)) | (GrpcForm::Snake, Some(GrpcStatus::Ok)) => {
            Value::text("OK")
        }
        (GrpcForm::Camel, Some(GrpcStatus::Cancelled)) => Value::text("Canceled"),
        (GrpcForm::Camel, Some(status)) => {
            Value::Text(Cow::Owned(format!("{status:?}").into_bytes()))
        }
        (GrpcForm::Snake, Some(status)) => Value::text(status.name()),
        // A number of the user's own.
        (_, None) => Value::Text(Cow::Owned(code.to_string().into_bytes())),
    }
}

/// The bytes of `:status` and its value.
pub(super) fn pseudo_size(facts: &Facts) -> u64 {
    facts.response.code.map_or(0, |_| ":status200".len() as u64)
}
