//! The progress of a request's body from the client.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Instant;

use crate::codec::grpc_messages::MessageCounter;
use crate::report::reporter::ByteCounter;

/// Shared by the body, which updates it, and its readers. The default is an empty body.
#[derive(Clone, Debug, Default)]
pub struct Received(Option<Rc<Progress>>);

#[derive(Debug, Default)]
struct Progress {
    bytes: Cell<u64>,
    complete: Cell<bool>,
    /// Whether it counts when it was complete, and when it was.
    timed: Cell<bool>,
    completed: Cell<Option<Instant>>,
    /// Counts the messages of a gRPC call.
    messages: RefCell<Option<MessageCounter>>,
    /// It was dropped before its end.
    abandoned: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl ByteCounter for Progress {
    fn bytes(&self) -> u64 {
        self.bytes.get()
    }
}

impl Received {
    /// Of a body that is to come.
    pub fn begin() -> Self {
        Self(Some(Rc::default()))
    }

    /// What counts the bytes, if there are any to come.
    pub fn counter(&self) -> Option<Rc<dyn ByteCounter>> {
        self.0
            .clone()
            .map(|progress| -> Rc<dyn ByteCounter> { progress })
    }

    /// The bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |progress| progress.bytes.get())
    }

    /// Whether it has ended: it is complete, or it was dropped.
    pub fn is_complete(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|progress| progress.complete.get())
    }

    /// Makes it record the time at which it is complete.
    pub fn note_time(&self) {
        if let Some(progress) = &self.0 {
            progress.timed.set(true);
        }
    }

    /// Counts its messages: those of a gRPC call.
    pub fn count_messages(&self) {
        if let Some(progress) = &self.0 {
            progress.messages.borrow_mut().get_or_insert_default();
        }
    }

    /// The messages so far, where they are counted.
    pub fn messages(&self) -> u64 {
        let messages = self.0.as_ref().map(|progress| progress.messages.borrow());
        messages.map_or(0, |messages| {
            messages.as_ref().map_or(0, MessageCounter::count)
        })
    }

    /// When it was complete; `began` for an empty body.
    pub fn completed(&self, began: Instant) -> Option<Instant> {
        match &self.0 {
            None => Some(began),
            Some(progress) => progress.completed.get(),
        }
    }

    /// Whether a part of it has not been read.
    pub fn is_unread(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|progress| !progress.complete.get() || progress.abandoned.get())
    }

    /// Returns when it has ended.
    pub async fn complete(&self) {
        poll_fn(|context| match &self.0 {
            Some(progress) if !progress.complete.get() => {
                let mut waiting = progress.waiting.borrow_mut();
                if !waiting.iter().any(|known| known.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
            Some(_) | None => Poll::Ready(()),
        })
        .await;
    }

    pub(super) fn note<E>(&self, frame: &Option<Result<Frame<Bytes>, E>>) {
        if let (Some(progress), Some(Ok(frame))) = (&self.0, frame) {
            let Some(data) = frame.data_ref() else { return };
            progress.bytes.set(progress.bytes.get() + data.len() as u64);
            if let Some(messages) = &mut *progress.messages.borrow_mut() {
                messages.feed(data);
            }
        }
    }

    /// Notes that the body was dropped.
    pub(super) fn abandon(&self) {
        if let Some(progress) = &self.0
            && !progress.complete.get()
        {
            progress.abandoned.set(true);
        }
        self.end();
    }

    pub(super) fn end(&self) {
        let Some(progress) = &self.0 else { return };
        if !progress.complete.replace(true) {
            if progress.timed.get() && !progress.abandoned.get() {
                progress.completed.set(Some(Instant::now()));
            }
            for waiting in progress.waiting.take() {
                waiting.wake();
            }
        }
    }
}
