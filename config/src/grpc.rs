//! The statuses of gRPC.

/// The status of a gRPC call (gRPC, "Status codes and their use in gRPC").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "gRPC's own names")]
pub enum GrpcStatus {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

use GrpcStatus as S;

/// Each status, its number in decimal and its name, in the order of the numbers.
const TABLE: [(GrpcStatus, &str, &str); 17] = [
    (S::Ok, "0", "OK"),
    (S::Cancelled, "1", "CANCELLED"),
    (S::Unknown, "2", "UNKNOWN"),
    (S::InvalidArgument, "3", "INVALID_ARGUMENT"),
    (S::DeadlineExceeded, "4", "DEADLINE_EXCEEDED"),
    (S::NotFound, "5", "NOT_FOUND"),
    (S::AlreadyExists, "6", "ALREADY_EXISTS"),
    (S::PermissionDenied, "7", "PERMISSION_DENIED"),
    (S::ResourceExhausted, "8", "RESOURCE_EXHAUSTED"),
    (S::FailedPrecondition, "9", "FAILED_PRECONDITION"),
    (S::Aborted, "10", "ABORTED"),
    (S::OutOfRange, "11", "OUT_OF_RANGE"),
    (S::Unimplemented, "12", "UNIMPLEMENTED"),
    (S::Internal, "13", "INTERNAL"),
    (S::Unavailable, "14", "UNAVAILABLE"),
    (S::DataLoss, "15", "DATA_LOSS"),
    (S::Unauthenticated, "16", "UNAUTHENTICATED"),
];

impl GrpcStatus {
    /// The status with this name, such as `UNAVAILABLE`.
    pub fn of_name(name: &str) -> Option<Self> {
        let (status, ..) = TABLE.iter().find(|(.., own)| *own == name)?;
        Some(*status)
    }

    /// The status of a `grpc-status` header.
    pub fn of_header(value: &[u8]) -> Option<Self> {
        let (status, ..) = TABLE.iter().find(|(_, own, _)| own.as_bytes() == value)?;
        Some(*status)
    }

    /// The status with this number.
    pub fn of_number(number: u32) -> Option<Self> {
        let (status, ..) = TABLE.get(usize::try_from(number).ok()?)?;
        Some(*status)
    }

    /// The status in place of an HTTP status (gRPC, "HTTP to gRPC Status Code Mapping").
    pub const fn of_http(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The name, such as `UNAVAILABLE`.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].2
    }

    /// The number in decimal, as a `grpc-status` header has it.
    pub const fn text(self) -> &'static str {
        TABLE[self as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        for (number, (status, text, name)) in TABLE.into_iter().enumerate() {
            assert_eq!(status as usize, number);
            assert_eq!((status.text(), status.name()), (&*number.to_string(), name));
            assert_eq!(GrpcStatus::of_header(text.as_bytes()), Some(status));
            assert_eq!(GrpcStatus::of_name(name), Some(status));
            assert_eq!(GrpcStatus::of_number(number as u32), Some(status));
            let debug = format!("{status:?}").to_lowercase();
            assert_eq!(name.replace('_', "").to_lowercase(), debug);
        }
    }

    #[test]
    fn what_is_no_status_is_none() {
        for text in ["", "17", "01", "-1", "ok"] {
            assert_eq!(GrpcStatus::of_header(text.as_bytes()), None, "{text}");
            assert_eq!(GrpcStatus::of_name(text), None, "{text}");
        }
        assert_eq!(GrpcStatus::of_number(17), None);
    }
}
