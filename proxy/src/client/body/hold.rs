//! A body that is held back until the upstream asks for it: `Expect: 100-continue` (RFC 9110, 10.1.1).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::{Sleep, sleep};

/// How long to wait for an upstream before the body is sent anyway. curl and other clients wait as long.
const CONTINUE_WAIT_MAX: Duration = Duration::from_secs(1);

/// A signal that the upstream wants the body. Clones share the signal.
#[derive(Clone, Debug, Default)]
pub struct Go(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    given: AtomicBool,
    waiting: AtomicWaker,
}

impl Go {
    /// Sends the signal.
    pub fn give(&self) {
        self.0.given.store(true, Ordering::Release);
        self.0.waiting.wake();
    }

    fn is_given(&self) -> bool {
        self.0.given.load(Ordering::Acquire)
    }
}

/// Waits for the signal, at most `CONTINUE_WAIT_MAX`.
#[derive(Debug)]
pub(super) struct Hold {
    go: Go,
    time_limit: Option<Pin<Box<Sleep>>>,
}

impl Hold {
    pub(super) fn new(go: Go) -> Self {
        Self {
            go,
            time_limit: None,
        }
    }

    pub(super) fn go(&self) -> &Go {
        &self.go
    }

    /// Ready once the body may be read. The first call is when the head has been sent, so the time limit starts then.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.go.0.waiting.register(context.waker());
        if self.go.is_given() {
            return Poll::Ready(());
        }
        let time_limit = self
            .time_limit
            .get_or_insert_with(|| Box::pin(sleep(CONTINUE_WAIT_MAX)));
        time_limit.as_mut().poll(context)
    }
}
