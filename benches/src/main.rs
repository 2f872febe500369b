//! Benchmarks of the stores, each beside its engine alone.
//!
//! `cargo run --release -p tower-jwt-auth-bench -- --help` lists the options. The README explains the report.

mod advance;
mod args;
mod baseline;
mod catch_up;
mod end_all;
mod engine;
mod fill;
mod key_flood;
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
mod service;
mod table;
mod timing;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use tower_jwt_auth_tests::util::error_chain;

use crate::args::{Action, Args};
use crate::engine::{Engine, EngineKind};
use crate::key_flood::Scenario;
use crate::report::{Report, StoreCosts};

/// The made-up tokens a second.
const FLOOD_PER_SECOND: usize = 2000;

/// An error of any type.
type BoxError = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(Action::Run(args)) => args,
        Ok(Action::Help) => return exit_code(print(io::stdout(), args::HELP)),
        Err(message) => {
            print_progress(&message);
            return ExitCode::from(2);
        }
    };
    exit_code(run(&args))
}

/// Measures all selected engines and prints the report. An engine that fails does not stop the others.
fn run(args: &Args) -> Result<(), BoxError> {
    let mut report = Report::new(args.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(requests) = args.key_flood {
        for scenario in Scenario::ALL {
            let flood = key_flood::measure(scenario, requests, FLOOD_PER_SECOND);
            report.key_floods.push(runtime.block_on(flood)?);
        }
        return print(io::stdout(), &report.to_string());
    }
    if args.end_all.is_none() && args.catch_up.is_none() {
        // Before anything else has grown the process.
        print_progress("memory per entry");
        report.memory_use = Some(memory_use::measure(args.entries)?);
    }
    let mut failed = Vec::new();
    for kind in EngineKind::ALL.into_iter().filter(|kind| args.includes(*kind)) {
        let Some(engine) = Engine::start(kind)? else {
            report.skipped.push(format!("{} is not installed", kind.label()));
            continue;
        };
        if let Err(error) = runtime.block_on(measure(&engine, args, &mut report)) {
            print_progress(&format!("{} failed: {}", kind.label(), error_chain(&*error)));
            failed.push(kind.label());
        }
    }
    print(io::stdout(), &report.to_string())?;
    match &*failed {
        [] => Ok(()),
        failed => Err(format!("failed: {}", failed.join("; ")).into()),
    }
}

/// Measures one engine and adds the results to the report.
async fn measure(engine: &Engine, args: &Args, report: &mut Report) -> Result<(), BoxError> {
    let kind = engine.kind();
    let label = kind.label();
    report.versions.extend(engine.version().await?);
    if let Some(sessions) = args.end_all {
        print_progress(&format!("{label}: end all sessions of a subject"));
        report.end_all.push((kind, end_all::measure(engine, sessions, args.rounds).await?));
        return Ok(());
    }
    if let Some(entries) = args.catch_up {
        print_progress(&format!("{label}: a new node reads the log"));
        let result = catch_up::measure(engine, entries, args.rounds, args.measure_for).await?;
        report.catch_up.push((kind, result));
        return Ok(());
    }
    let store = engine.open().await?;
    print_progress(&format!("{label}: rates"));
    report.rates.extend(rates::measure(engine, &store, args, &mut report.skipped).await?);
    print_progress(&format!("{label}: round trips"));
    let round_trips = round_trips::measure(engine).await?;
    print_progress(&format!("{label}: log"));
    let log = log::measure(engine, &store, args.entries).await?;
    print_progress(&format!("{label}: purge"));
    let purge = purge::measure(&store, args).await?;
    report.stores.push(StoreCosts { kind, round_trips, log, purge });
    Ok(())
}

fn exit_code(outcome: Result<(), BoxError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_progress(&error_chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Prints progress or an error on standard error: standard output has the report alone.
fn print_progress(text: &str) {
    // A closed standard error does not stop the measurement.
    let _ = print(io::stderr(), text);
}

fn print(mut to: impl io::Write, text: &str) -> Result<(), BoxError> {
    Ok(writeln!(to, "{}", text.trim_end())?)
}
