//! Which gRPC calls failed.

use egret_config::grpc::GrpcStatus;

/// Whether a status is the upstream's fault, and no answer to what the client asked for. The list is Envoy's.
pub fn is_error(status: u32) -> bool {
    [
        GrpcStatus::Unknown,
        GrpcStatus::DeadlineExceeded,
        GrpcStatus::ResourceExhausted,
        GrpcStatus::Unimplemented,
        GrpcStatus::Internal,
        GrpcStatus::Unavailable,
        GrpcStatus::DataLoss,
    ]
    .iter()
    .any(|error| *error as u32 == status)
}
