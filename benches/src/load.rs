use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::BoxError;
use crate::timing::Timings;

/// A client that repeats one operation.
pub(crate) trait Client: Send + 'static {
    /// The pause before each step. It does not count as time of the step.
    const PAUSE: Duration = Duration::ZERO;

    /// Runs the operation once.
    fn step(&mut self) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// Runs all clients concurrently for a duration and returns them for the next run.
pub(crate) async fn run_for<C: Client>(
    clients: Vec<C>,
    duration: Duration,
) -> Result<(Vec<C>, Timings), BoxError> {
    let end = Instant::now() + duration;
    run(clients, move |now| now >= end).await
}

/// Runs all clients concurrently until they have done `steps` in total, and returns them for the next run.
pub(crate) async fn run_steps<C: Client>(
    clients: Vec<C>,
    steps: usize,
) -> Result<(Vec<C>, Timings), BoxError> {
    let begun = Arc::new(AtomicUsize::new(0));
    run(clients, move |_| begun.fetch_add(1, Ordering::Relaxed) >= steps).await
}

/// Runs all clients concurrently until the work is done, and returns its output.
pub(crate) async fn run_during<C: Client, T>(
    clients: Vec<C>,
    work: impl Future<Output = Result<T, BoxError>>,
) -> Result<(Timings, T), BoxError> {
    let is_done = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&is_done);
    let work = async {
        let output = work.await;
        // Also if the work failed: otherwise the clients never stop.
        is_done.store(true, Ordering::SeqCst);
        output
    };
    let clients = run(clients, move |_| is_over.load(Ordering::SeqCst));
    let (output, run) = tokio::join!(work, clients);
    let (_, timings) = run?;
    Ok((timings, output?))
}

/// Runs all clients concurrently. Each calls `is_over` once before each step, and stops if it returns `true`.
async fn run<C: Client>(
    clients: Vec<C>,
    is_over: impl Fn(Instant) -> bool + Clone + Send + 'static,
) -> Result<(Vec<C>, Timings), BoxError> {
    let mut running = JoinSet::new();
    let started = Instant::now();
    for mut client in clients {
        let is_over = is_over.clone();
        running.spawn(async move {
            let mut steps = Vec::new();
            // One reading of the clock a step: the fastest steps are hardly longer than a reading.
            let mut before = Instant::now();
            while !is_over(before) {
                if !C::PAUSE.is_zero() {
                    sleep(C::PAUSE).await;
                    before = Instant::now();
                }
                client.step().await?;
                let now = Instant::now();
                steps.push(u64::try_from((now - before).as_nanos())?);
                before = now;
            }
            Ok::<_, BoxError>((client, steps))
        });
    }
    let mut clients = Vec::new();
    let mut steps = Vec::new();
    while let Some(finished) = running.join_next().await {
        let (client, mut client_steps) = finished??;
        clients.push(client);
        steps.append(&mut client_steps);
    }
    Ok((clients, Timings::new(started.elapsed(), steps)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sleeper(u64);

    impl Client for Sleeper {
        async fn step(&mut self) -> Result<(), BoxError> {
            sleep(Duration::from_millis(self.0)).await;
            Ok(())
        }
    }

    struct Pauser {
        steps: usize,
    }

    impl Client for Pauser {
        const PAUSE: Duration = Duration::from_millis(20);

        async fn step(&mut self) -> Result<(), BoxError> {
            self.steps += 1;
            Ok(())
        }
    }

    #[derive(Debug)]
    struct Broken;

    impl Client for Broken {
        async fn step(&mut self) -> Result<(), BoxError> {
            Err("broken".into())
        }
    }

    #[tokio::test]
    async fn clients_run_concurrently_and_are_returned() {
        let clients = vec![Sleeper(20), Sleeper(20), Sleeper(20), Sleeper(20)];
        let (clients, timings) = run_for(clients, Duration::from_millis(300)).await.unwrap();
        assert_eq!(clients.len(), 4);
        assert!(timings.quantiles().p50 >= Duration::from_millis(20));
        // One after the other they would reach 50.
        assert!((55.0..=200.0).contains(&timings.rate()), "{}", timings.rate());
    }

    #[tokio::test]
    async fn steps_are_counted_over_all_clients() {
        let clients = vec![Pauser { steps: 0 }, Pauser { steps: 0 }, Pauser { steps: 0 }];
        let (clients, _) = run_steps(clients, 10).await.unwrap();
        assert_eq!(clients.iter().map(|client| client.steps).sum::<usize>(), 10);
    }

    #[tokio::test]
    async fn a_pause_is_not_part_of_a_step() {
        let (_, timings) = run_steps(vec![Pauser { steps: 0 }], 5).await.unwrap();
        assert!(timings.quantiles().p50 < Pauser::PAUSE);
        assert!(timings.rate() < 50.0, "{}", timings.rate());
    }

    #[tokio::test]
    async fn clients_stop_when_the_work_is_done_or_fails() {
        let work = async {
            sleep(Duration::from_millis(100)).await;
            Ok("done")
        };
        let (timings, output) = run_during(vec![Sleeper(5)], work).await.unwrap();
        assert_eq!(output, "done");
        assert!(timings.rate() > 0.0);
        let failed = run_during(vec![Sleeper(5)], async { Err::<(), _>("failed".into()) }).await;
        assert_eq!(failed.unwrap_err().to_string(), "failed");
    }

    #[tokio::test]
    async fn an_error_in_a_step_ends_the_run() {
        let failed = run_for(vec![Broken], Duration::from_secs(60)).await;
        assert_eq!(failed.unwrap_err().to_string(), "broken");
    }
}
