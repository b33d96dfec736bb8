//! The cases, one file per topic; a case's name is the sentence that it proves.

mod access;
mod apply;
mod authentication;
mod bearer;
mod content;
mod create;
mod delete;
mod discovery;
mod forged;
mod hostile;
mod impersonation;
mod list;
mod owners;
mod patch;
mod remote_headers;
mod reviews;
mod self_review;
mod token_end;
mod token_review;
mod tokens;
mod unauthorized;
mod update;
mod watch;
mod websocket;
