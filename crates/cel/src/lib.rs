//! Common Expression Language as Kubernetes uses it in AuthenticationConfiguration: compiled with
//! checks, evaluated within a budget.
//!
//! An [`Expression`] is compiled when the configuration is read, where mistakes are found with the
//! texts that kube-apiserver gives; it is evaluated against [`Variables`] for every token.
//!
//! ```
//! use burgee_cel::{Expects, Expression, Scope, Value, Variables};
//! use serde_json::json;
//!
//! let groups = Expression::compile("claims.roles.split(',')", Scope::Claims, Expects::Any)?;
//! let claims = json!({"sub": "jane", "roles": "user,admin"});
//! let variables = Variables::claims(claims.as_object().unwrap());
//! assert_eq!(
//!     groups.evaluate(&variables)?,
//!     Value::Strings(vec!["user".to_owned(), "admin".to_owned()])
//! );
//!
//! let domain = Expression::compile("claims.hd == 'example.com'", Scope::Claims, Expects::Bool)?;
//! let missing = domain.evaluate(&variables).unwrap_err();
//! assert_eq!(missing.to_string(), "no such key: hd");
//!
//! let vague = Expression::compile("claims.admin", Scope::Claims, Expects::Bool).unwrap_err();
//! assert_eq!(vague.to_string(), "must evaluate to bool");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The environment
//!
//! That of Kubernetes 1.37, for these two variables: the standard functions and macros, optional
//! types, the strings (version 2), lists (version 3), sets and two-variable comprehension
//! extensions, and Kubernetes' own lists, regex, url, quantity, ip, cidr, format and semver
//! libraries. Like upstream, it has no `math`, no `base64` and no `cel.bind`.
//!
//! Every number of the claims is a double, since that is what Go makes of JSON: `claims.n == 3`
//! holds for 3, and `claims.n % 2` is an error. Names in selectors are unescaped:
//! `claims.a__dot__b` is the claim `a.b`.
//!
//! # What is different
//!
//! - Expressions of more than 16 KiB are refused, and those whose tree, with macros expanded, is
//!   deeper than 250; upstream reads 100,000 characters and counts the depth of each kind of
//!   expression alone.
//! - The cost of an evaluation is counted in upstream's unit and has upstream's limit, but is not
//!   the same to the last digit: texts, lists and regular expressions that come from claims are
//!   charged for where upstream charges a flat one, so that the limit bounds time and memory.
//! - Types are checked as far as they are known. Upstream knows a little more: it also refuses
//!   lists and maps whose literals mix a claim with a constant, such as `[claims.sub, 'x']`.
//! - Regular expressions are RE2's up to classes such as `\pN` and `[[:alpha:]]`; compiled ones are
//!   limited to 256 KiB, patterns to 4 KiB.
//! - Time zones are `UTC` and offsets such as `+02:00`; there is no database of named ones. Times end
//!   a day early, on 9999-12-30.
//! - Quantities stop at 1.7e29. The authorizer library, which needs an authorizer, and struct
//!   literals, of which there is no type, are not there.
//! - Loops over maps go through keys in order. Upstream's order is random.
//!
//! # Why only the parser of the `cel` crate
//!
//! Its interpreter has nowhere to count work at: no hook in loops, functions without state. An
//! expression over the claims of a 16 KiB token could run for hours. Here every node and every
//! function charges a budget before it works, which also gives two-variable loops, which that
//! interpreter has not, upstream's error texts and keys that unescape.

mod budget;
mod check;
mod declarations;
mod error;
mod evaluate;
mod expand;
mod expression;
mod functions;
mod inspect;
mod names;
mod operations;
mod parse;
mod patterns;
mod types;
mod value;

pub use error::{CompileError, EvaluationError};
pub use expression::{Expects, Expression, Scope, Value, Variables};
