//! The program `burgee`; everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    burgee::run(std::env::args_os())
}
