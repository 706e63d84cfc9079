//! Connections, lent to one borrower at a time.
//!
//! The driver has a pool too. It asks every connection that comes back whether it is still alive: one
//! more round trip per statement. And it closes a broken one politely, with its place in the pool
//! taken while nobody answers. Here a connection comes back only when its borrower knows that it is
//! idle, and any other is dropped on the spot.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Firewalls forget connections on which nothing happens, and tell nobody.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

pub(crate) struct Pool<C: Connection> {
    places: Arc<Semaphore>,
    shelf: Arc<Shelf<C>>,
}

/// What clones and borrowers share.
struct Shelf<C: Connection> {
    options: C::Options,
    /// The latest to come back is the first to go out, so that few stay in use and their statements
    /// prepared.
    idle: Mutex<Vec<(C, Instant)>>,
}

impl<C: Connection> Pool<C> {
    /// A pool of up to `size` connections, none of them open so far.
    pub(crate) fn new(options: C::Options, size: u32) -> Self {
        let places = Arc::new(Semaphore::new(size.max(1) as usize));
        Self { places, shelf: Arc::new(Shelf { options, idle: Mutex::default() }) }
    }

    /// Borrows a connection, waiting for a place and opening one if need be.
    pub(crate) async fn borrow(&self) -> sqlx::Result<Borrowed<C>> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let connection = match self.shelf.take() {
            Some(connection) => connection,
            None => self.shelf.options.connect().await?,
        };
        Ok(Borrowed { connection: Some(connection), shelf: Arc::clone(&self.shelf), _place: place })
    }

    /// Lends no more and closes what is idle; what is out is closed when it comes back.
    pub(crate) async fn close(&self) {
        self.places.close();
        let idle = std::mem::take(&mut *self.shelf.idle());
        for (connection, _) in idle {
            connection.close().await.ok();
        }
    }
}

impl<C: Connection> Shelf<C> {
    fn take(&self) -> Option<C> {
        let mut idle = self.idle();
        let (connection, since) = idle.pop()?;
        if since.elapsed() < LONGEST_IDLE {
            return Some(connection);
        }
        // The others have been idle for longer.
        idle.clear();
        None
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(C, Instant)>> {
        self.idle.lock().expect("no panic while held")
    }
}

/// A connection with its place in the pool. Dropping it closes it.
pub(crate) struct Borrowed<C: Connection> {
    connection: Option<C>,
    shelf: Arc<Shelf<C>>,
    // After the connection, so that no more than `size` are ever open.
    _place: OwnedSemaphorePermit,
}

impl<C: Connection> Borrowed<C> {
    /// Gives the connection back; only when nothing is under way on it.
    pub(crate) fn give_back(mut self) {
        let connection = self.connection.take().expect("taken here only");
        self.shelf.idle().push((connection, Instant::now()));
    }
}

impl<C: Connection> Deref for Borrowed<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect("there until it is given back")
    }
}

impl<C: Connection> DerefMut for Borrowed<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect("there until it is given back")
    }
}
