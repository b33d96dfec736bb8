//! The cases, one file per topic; a case's name is the sentence that it proves.

mod access;
mod apply;
mod authentication;
mod content;
mod create;
mod delete;
mod discovery;
mod hostile;
mod list;
mod owners;
mod patch;
mod reviews;
mod tokens;
mod update;
mod watch;
