//! Room for sockets below the limit of open files. Who finds none waits, so that no call in progress fails for want of a
//! file, and the pages stay reachable.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

/// The client's socket, and the upstream's.
const OF_A_CALL: u32 = 2;

/// The files that one worker may have open for calls.
#[derive(Clone, Debug)]
pub struct Files(Arc<Semaphore>);

/// What one connection has of them. Given back when dropped.
#[derive(Debug)]
pub struct Held {
    files: Files,
    /// None where the semaphore was closed, which nobody does.
    permit: Option<OwnedSemaphorePermit>,
}

impl Files {
    /// Room for `max` files, and for one call at least.
    pub fn new(max: usize) -> Self {
        let most = max.clamp(OF_A_CALL as usize, Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(most)))
    }

    /// Room for one more connection, if there is any.
    pub fn try_hold(&self) -> Option<Held> {
        let permit = Arc::clone(&self.0).try_acquire_many_owned(OF_A_CALL);
        permit.ok().map(|permit| self.held(Some(permit)))
    }

    /// Room for one more connection, once there is.
    pub async fn hold(&self) -> Held {
        let permit = Arc::clone(&self.0).acquire_many_owned(OF_A_CALL).await;
        self.held(permit.ok())
    }

    fn held(&self, permit: Option<OwnedSemaphorePermit>) -> Held {
        Held {
            files: self.clone(),
            permit,
        }
    }
}

impl Held {
    /// For now there is the client's socket alone: the connection idles.
    pub fn rest(&mut self) {
        if let Some(permit) = &mut self.permit {
            drop(permit.split(OF_A_CALL as usize - 1));
        }
    }

    /// There is work for the connection again. Waits for room.
    pub async fn work(&mut self) {
        let more = Arc::clone(&self.files.0).acquire_many_owned(OF_A_CALL - 1);
        if let (Some(permit), Ok(more)) = (&mut self.permit, more.await) {
            permit.merge(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_idle_connection_makes_room_and_waits_for_its_turn() {
        let files = Files::new(4);
        let mut first = files.hold().await;
        let mut second = files.try_hold().expect("room for two");
        assert!(files.try_hold().is_none());
        first.rest();
        assert!(files.try_hold().is_none(), "a call takes two files");
        second.rest();
        let third = files.try_hold().expect("two connections idle");
        assert!(first.work().now_or_never().is_none(), "no file is left");
        drop(third);
        first.work().await;
        second.work().await;
        assert!(files.try_hold().is_none());
        drop((first, second));
        assert_eq!(files.0.available_permits(), 4);
    }

    #[test]
    fn there_is_always_room_for_one() {
        assert!(Files::new(0).try_hold().is_some());
    }
}
