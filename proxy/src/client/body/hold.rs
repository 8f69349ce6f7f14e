//! A body that is held back until the upstream asks for it: `Expect: 100-continue` (RFC 9110, 10.1.1).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::{Sleep, sleep};

/// How long an upstream may stay silent before it gets the body all the same. Clients wait as long, curl among them.
const PATIENCE: Duration = Duration::from_secs(1);

/// The word to go on. Clones are the same word.
#[derive(Clone, Debug, Default)]
pub struct Go(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    given: AtomicBool,
    waiting: AtomicWaker,
}

impl Go {
    /// Gives it.
    pub fn give(&self) {
        self.0.given.store(true, Ordering::Release);
        self.0.waiting.wake();
    }

    fn is_given(&self) -> bool {
        self.0.given.load(Ordering::Acquire)
    }
}

/// Waits for the word, with patience.
#[derive(Debug)]
pub(super) struct Hold {
    go: Go,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Hold {
    pub(super) fn new(go: Go) -> Self {
        Self { go, patience: None }
    }

    pub(super) fn go(&self) -> &Go {
        &self.go
    }

    /// Ready once the body may be read. The first call is when the head has been sent, so patience begins then.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.go.0.waiting.register(context.waker());
        if self.go.is_given() {
            return Poll::Ready(());
        }
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        patience.as_mut().poll(context)
    }
}
