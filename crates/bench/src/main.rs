//! Benchmarks of the stores, beside the engines that they stand on: one run, on servers of its own.
//!
//! `cargo run --release -p tower-jwt-auth-bench -- --help` tells what there is; the README what it means.

mod advancing;
mod args;
mod ending;
mod engine;
mod facts;
mod filling;
mod load;
mod log;
mod memory_use;
mod purging;
mod rates;
mod raw;
mod refreshing;
mod report;
mod round_trips;
mod sample;
mod table;

use std::error::Error;
use std::io;
use std::iter;
use std::process::ExitCode;

use crate::args::{Args, Asked};
use crate::engine::{Engine, Kind};
use crate::report::Report;

/// Why something could not be measured.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let args = match Args::read(std::env::args().skip(1)) {
        Ok(Asked::Run(args)) => args,
        Ok(Asked::Help) => return finish(write(io::stdout(), args::HELP)),
        Err(message) => {
            note(&message);
            return ExitCode::from(2);
        }
    };
    finish(run(&args))
}

fn run(args: &Args) -> Result<(), Failure> {
    let mut report = Report::new(args);
    if args.ending.is_none() {
        // First, in a process that has done nothing else yet.
        note("memory of revocations");
        report.memory_use = Some(memory_use::measure(args.entries)?);
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().build()?;
    let mut failed = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| args.wants(*kind)) {
        let Some(engine) = Engine::start(kind)? else {
            report.skipped.push(format!("{}: it is not installed", kind.name()));
            continue;
        };
        if let Err(failure) = runtime.block_on(measure(&engine, args, &mut report)) {
            note(&format!("{} failed: {}", kind.name(), chain(&*failure)));
            failed.push(kind.name());
        }
    }
    write(io::stdout(), &report.to_string())?;
    match &*failed {
        [] => Ok(()),
        failed => Err(format!("not all could be measured: {}", failed.join(", ")).into()),
    }
}

/// Measures all there is of one engine.
async fn measure(engine: &Engine, args: &Args, report: &mut Report) -> Result<(), Failure> {
    let kind = engine.kind();
    let name = kind.name();
    report.versions.extend(engine.version().await?);
    if let Some(sessions) = args.ending {
        note(&format!("{name}: ending"));
        report.endings.push((kind, ending::measure(engine, sessions, args.rounds).await?));
        return Ok(());
    }
    let store = engine.open().await?;
    note(&format!("{name}: rates"));
    report.rates.extend(rates::measure(engine, &store, args, &mut report.skipped).await?);
    note(&format!("{name}: round trips"));
    let round_trips = round_trips::measure(engine).await?;
    note(&format!("{name}: log"));
    let log = log::measure(engine, &store, args.entries).await?;
    note(&format!("{name}: purging"));
    let purging = purging::measure(&store, args).await?;
    report.stores.push(report::Store { kind, round_trips, log, purging });
    Ok(())
}

fn finish(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            note(&chain(&*failure));
            ExitCode::FAILURE
        }
    }
}

/// Says on standard error what goes on; the report alone is on standard output.
fn note(text: &str) {
    // Nobody may be listening.
    let _ = write(io::stderr(), text);
}

fn write(mut to: impl io::Write, text: &str) -> Result<(), Failure> {
    Ok(writeln!(to, "{}", text.trim_end())?)
}

/// An error and what it came from.
fn chain(error: &(dyn Error + 'static)) -> String {
    let all = iter::successors(Some(error), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
