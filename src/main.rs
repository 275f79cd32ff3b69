//! Arguments in, exit status out; `nextcloud_mcp_server::cli` does the work.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use nextcloud_mcp_server::cli;

fn main() -> ExitCode {
    match cli::run(std::env::args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `eprintln!` panics where standard error is closed.
            let _ = writeln!(std::io::stderr(), "{}", chain(&error));
            ExitCode::from(error.exit_status())
        }
    }
}

/// The error with everything that led to it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
