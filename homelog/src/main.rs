//! The one place that reads the arguments and the environment of the process.

use std::process::ExitCode;

use homelog::env::Env;

fn main() -> ExitCode {
    homelog::run(std::env::args_os(), &Env::new(std::env::vars_os()))
}
