//! The check of an access token, beside other middleware and the bare signature check. See benches/README.md.

mod allocations;
mod args;
mod bars;
mod case;
mod cases;
mod http;
mod instructions;
mod keys;
mod list;
mod machine;
mod report;
mod results;
mod svg;
mod table;
mod threads;
mod timing;
mod tokens;

use std::process::ExitCode;

use tokio::runtime::{self, Runtime};
use tower_jwt_auth::Algorithm;

use self::args::{Action, Args, Part};
use self::cases::{TokenCounts, TokenSets, candidates};
use self::keys::Key;
use self::results::{AlgorithmResults, Results};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let action = match Args::parse(std::env::args().skip(1)) {
        Ok(action) => action,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let result = match action {
        Action::Help => {
            print!("{}", args::HELP);
            Ok(())
        }
        Action::Run(args) => run(&args),
        Action::CountInstructions(args) => {
            runtime().and_then(|runtime| runtime.block_on(instructions::run(&args)))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the runtime for the tasks in the background, such as those of revocation lists.
fn runtime() -> Result<Runtime, BoxError> {
    let mut builder = runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(1).enable_all().build()?)
}

fn run(args: &Args) -> Result<(), BoxError> {
    let runtime = runtime()?;
    let mut results = Results::default();
    if args.includes(Part::Table) {
        for &algorithm in args.algorithms() {
            print_progress(algorithm.as_str());
            results.algorithms.push(runtime.block_on(measure_algorithm(algorithm, args))?);
        }
        print_progress("instructions");
        results.instructions = instructions::count(args)?;
        if results.instructions.is_none() {
            print_progress("NOT MEASURED: instructions. Install valgrind");
        }
    }
    if args.includes(Part::Threads) {
        print_progress("two threads");
        results.threads = runtime.block_on(threads::measure(args.rounds))?;
    }
    let seconds = if args.is_quick { 0.2 } else { 0.5 };
    if args.includes(Part::Http) {
        print_progress("over a socket");
        results.http = http::measure(&runtime, args.rounds, seconds)?;
    }
    if args.includes(Part::Flood) {
        print_progress("under a flood");
        results.flood = Some(http::flood::measure(args.rounds.div_ceil(3), 4.0 * seconds)?);
    }
    if args.includes(Part::List) {
        let sizes: &[usize] = match args.is_quick {
            true => &[1_000, 100_000],
            false => &[1_000, 100_000, 1_000_000, 10_000_000],
        };
        results.lists = runtime.block_on(list::measure(sizes, args.rounds))?;
    }
    println!("{}", report::report(&results)?);
    if let Some(path) = &args.svg {
        match svg::plot(&results)? {
            Some(plot) => std::fs::write(path, plot)?,
            None => return Err("the plot needs the table with ES256 or HS256".into()),
        }
    }
    Ok(())
}

async fn measure_algorithm(
    algorithm: Algorithm,
    args: &Args,
) -> Result<AlgorithmResults, BoxError> {
    let key = Key::generate(algorithm)?;
    // A token of the other algorithms takes longer to sign, or has kilobytes: a million would take minutes, or
    // gigabytes. A repeated token is not verified, so that the algorithm makes no difference.
    let is_large = matches!(algorithm, Algorithm::HS256 | Algorithm::ES256) && !args.is_quick;
    let counts = TokenCounts {
        rotation: 10_000,
        large_rotation: if is_large { 1_000_000 } else { 0 },
        fresh: timing::fresh_tokens(args.rounds),
        several: 1024,
    };
    let sets = TokenSets::issue(&key, counts)?;
    let mut candidates = candidates(&key, &sets).await?;
    let timings = timing::measure(&mut candidates, args.rounds)?;
    Ok(AlgorithmResults::new(algorithm, timings))
}

/// Prints progress on standard error, so that standard output is the report alone.
fn print_progress(text: &str) {
    eprintln!("{text}");
}
