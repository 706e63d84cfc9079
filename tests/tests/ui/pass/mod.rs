//! What must compile without a word, and do what it says.

mod arguments;
mod bodies;
mod generated;
mod lookalikes;
mod methods;
mod outcomes;
mod routes;
mod state;
