//! Benchmarks of the stores, beside the engines that they stand on: one run, on servers of its own.
//!
//! `cargo run --release -p tower-jwt-auth-bench -- --help` tells what there is; the README what it means.

mod advance;
mod args;
mod baseline;
mod end_all;
mod engine;
mod fill;
mod load;
mod log;
mod machine;
mod memory_use;
mod purge;
mod rates;
mod refresh;
mod report;
mod round_trips;
mod sample;
mod table;

use std::error::Error;
use std::io;
use std::iter;
use std::process::ExitCode;

use crate::args::{Action, Args};
use crate::engine::{Engine, EngineKind};
use crate::report::Report;

/// Why something could not be measured.
type BoxError = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(Action::Run(args)) => args,
        Ok(Action::Help) => return finish(write(io::stdout(), args::HELP)),
        Err(message) => {
            print_status(&message);
            return ExitCode::from(2);
        }
    };
    finish(run(&args))
}

fn run(args: &Args) -> Result<(), BoxError> {
    let mut report = Report::new(args);
    if args.end_all.is_none() {
        // First, in a process that has done nothing else yet.
        print_status("memory of revocations");
        report.memory_use = Some(memory_use::measure(args.entries)?);
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().build()?;
    let mut failed = Vec::new();
    for kind in EngineKind::ALL.into_iter().filter(|kind| args.includes(*kind)) {
        let Some(engine) = Engine::start(kind)? else {
            report.skipped.push(format!("{}: it is not installed", kind.label()));
            continue;
        };
        if let Err(failure) = runtime.block_on(measure(&engine, args, &mut report)) {
            print_status(&format!("{} failed: {}", kind.label(), chain(&*failure)));
            failed.push(kind.label());
        }
    }
    write(io::stdout(), &report.to_string())?;
    match &*failed {
        [] => Ok(()),
        failed => Err(format!("not all could be measured: {}", failed.join(", ")).into()),
    }
}

/// Measures all there is of one engine.
async fn measure(engine: &Engine, args: &Args, report: &mut Report) -> Result<(), BoxError> {
    let kind = engine.kind();
    let name = kind.label();
    report.versions.extend(engine.version().await?);
    if let Some(sessions) = args.end_all {
        print_status(&format!("{name}: end_all"));
        report.end_all.push((kind, end_all::measure(engine, sessions, args.rounds).await?));
        return Ok(());
    }
    let store = engine.open().await?;
    print_status(&format!("{name}: rates"));
    report.rates.extend(rates::measure(engine, &store, args, &mut report.skipped).await?);
    print_status(&format!("{name}: round trips"));
    let round_trips = round_trips::measure(engine).await?;
    print_status(&format!("{name}: log"));
    let log = log::measure(engine, &store, args.entries).await?;
    print_status(&format!("{name}: purge"));
    let purge = purge::measure(&store, args).await?;
    report.stores.push(report::Store { kind, round_trips, log, purge });
    Ok(())
}

fn finish(outcome: Result<(), BoxError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print_status(&chain(&*failure));
            ExitCode::FAILURE
        }
    }
}

/// Says on standard error what goes on; the report alone is on standard output.
fn print_status(text: &str) {
    // Nobody may be listening.
    let _ = write(io::stderr(), text);
}

fn write(mut to: impl io::Write, text: &str) -> Result<(), BoxError> {
    Ok(writeln!(to, "{}", text.trim_end())?)
}

/// An error and what it came from.
fn chain(error: &(dyn Error + 'static)) -> String {
    let all = iter::successors(Some(error), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
