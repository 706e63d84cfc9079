//! What runs beside the workflows: one loop a file, each with one owner that ends it.

pub(crate) mod delays;
pub(crate) mod identity;
pub(crate) mod forgotten;
pub(crate) mod lease;
pub(crate) mod listener;
pub(crate) mod parked;
pub(crate) mod queues;
pub(crate) mod recovery;
pub(crate) mod retention;
pub(crate) mod schedules;
