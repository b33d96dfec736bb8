//! What must not happen when things go wrong, by making them go wrong.

mod directory;
mod kill;
mod retention;
