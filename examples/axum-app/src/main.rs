//! An axum application that shows `tower-jwt-auth`: sign-in, API calls, refresh and logout.

mod api;
mod app;
mod assets;
mod config;
mod error;
mod headers;
mod keys;
mod listen;
mod login;
mod ready;
mod serve;
mod sessions;
mod store;
mod users;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::process;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::Config;
use crate::serve::Limits;

#[tokio::main]
async fn main() {
    if let Err(error) = run().await {
        report(&*error);
        // A return would wait for the threads of the runtime, one of which may still wait for a name server.
        process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    log_to_stderr()?;
    let config = Config::from_env()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["rotate-keys", step] => {
            writeln!(io::stdout(), "{}", keys::rotate(&config, step)?)?;
            return Ok(());
        }
        _ => return Err("give no arguments, or rotate-keys publish, sign or remove".into()),
    }
    let (app, sessions) = app::build(&config).await?;
    let listener = listen::bind(config.bind()).await?;
    // Before the address is printed: a script that has read it may stop the server.
    let stop = serve::stop_signal()?;
    let address = listen::address(config.bind(), &listener)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on http://{address}")?;
    stdout.flush()?;
    serve::serve(listener, app, Limits::default(), stop).await;
    // Completes the refreshes and logouts whose client has disconnected.
    sessions.shutdown().await;
    Ok(())
}

/// Logs to standard error. Standard output has the address alone, for scripts.
fn log_to_stderr() -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env()
        .map_err(|source| config::StartError::new("RUST_LOG cannot be read", source))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    Ok(())
}

/// Writes the error with its sources to standard error, in one line.
fn report(error: &dyn Error) {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        let reason = error.to_string();
        // The text of some errors includes their source's.
        if !text.ends_with(&reason) {
            text.push_str(&format!(": {reason}"));
        }
        source = error.source();
    }
    // Without a standard error the text is lost.
    let _ = writeln!(io::stderr(), "{text}");
}
