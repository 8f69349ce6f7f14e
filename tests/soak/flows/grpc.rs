//! gRPC by tonic: a stream of messages, each of which comes back.

use std::net::SocketAddr;

use anyhow::ensure;
use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::flows::{Calling, Client};

/// Messages of one call, of which all but one are streams.
const MESSAGES: usize = 3;

/// A client with one channel.
pub(super) struct Grpc {
    to: SocketAddr,
    host: &'static str,
    channel: Option<Channel>,
    number: usize,
}

impl Grpc {
    pub(super) fn new(to: SocketAddr, host: &'static str) -> Self {
        Self {
            to,
            host,
            channel: None,
            number: 0,
        }
    }

    async fn channel(&mut self) -> anyhow::Result<Channel> {
        if let Some(channel) = &self.channel {
            return Ok(channel.clone());
        }
        let origin = format!("http://{}:{}", self.host, self.to.port()).parse()?;
        let endpoint = Endpoint::from_shared(format!("http://{}", self.to))?.origin(origin);
        let channel = endpoint.connect().await?;
        self.channel = Some(channel.clone());
        Ok(channel)
    }
}

impl Client for Grpc {
    fn call(&mut self) -> Calling<'_> {
        Box::pin(async {
            self.number += 1;
            let count = 1 + self.number % MESSAGES;
            let text = |at: usize| Bytes::from(format!("{} {at}", self.number).repeat(100));
            let sent: Vec<_> = (0..count).map(text).collect();
            let mut grpc = tonic::client::Grpc::new(self.channel().await?);
            grpc.ready().await?;
            let request = Request::new(tokio_stream::iter(sent.clone()));
            let path = PathAndQuery::from_static("/soak.Echo/Chat");
            let mut answers = grpc.streaming(request, path, Raw).await?.into_inner();
            let mut came = Vec::new();
            while let Some(answer) = answers.message().await? {
                came.push(answer);
            }
            ensure!(came == sent, "{} other messages", came.len());
            Ok(())
        })
    }
}

/// Messages that are bytes as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
