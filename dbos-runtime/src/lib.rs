//! DBOS.
