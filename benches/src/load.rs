use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::BoxError;

/// Someone who does the same thing over and over.
pub(crate) trait Client: Send + 'static {
    /// Does it once.
    fn step(&mut self) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// What a number of clients did.
#[derive(Debug)]
pub(crate) struct Load {
    took: Duration,
    /// How long each step took, in nanoseconds, the shortest first.
    steps: Vec<u64>,
}

/// Lets all clients work at the same time until each has found that this is so; gives them back.
pub(crate) async fn run<C: Client>(
    clients: Vec<C>,
    is_over: impl Fn(Instant) -> bool + Clone + Send + 'static,
) -> Result<(Vec<C>, Load), BoxError> {
    let mut working = JoinSet::new();
    let started = Instant::now();
    for mut client in clients {
        let is_over = is_over.clone();
        working.spawn(async move {
            let mut steps = Vec::new();
            let mut before = Instant::now();
            while !is_over(before) {
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
    while let Some(done) = working.join_next().await {
        let (client, mut its_steps) = done??;
        clients.push(client);
        steps.append(&mut its_steps);
    }
    Ok((clients, Load::new(started.elapsed(), steps)))
}

/// As [`run`], for so long.
pub(crate) async fn run_for<C: Client>(
    clients: Vec<C>,
    time: Duration,
) -> Result<(Vec<C>, Load), BoxError> {
    let end = Instant::now() + time;
    run(clients, move |now| now >= end).await
}

impl Load {
    pub(crate) fn new(took: Duration, mut steps: Vec<u64>) -> Self {
        steps.sort_unstable();
        Self { took, steps }
    }

    /// Steps per second.
    pub(crate) fn rate(&self) -> f64 {
        self.steps.len() as f64 / self.took.as_secs_f64()
    }

    /// How long this part of the steps took at most, in percent.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let place = (self.steps.len() * percent).div_ceil(100).saturating_sub(1);
        Duration::from_nanos(self.steps.get(place).copied().unwrap_or_default())
    }
}

/// The one in the middle.
pub(crate) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sleeper(u64);

    impl Client for Sleeper {
        async fn step(&mut self) -> Result<(), BoxError> {
            tokio::time::sleep(Duration::from_millis(self.0)).await;
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
    async fn all_clients_work_at_the_same_time_and_come_back() {
        let clients = vec![Sleeper(20), Sleeper(20), Sleeper(20), Sleeper(20)];
        let (clients, load) = run_for(clients, Duration::from_millis(300)).await.unwrap();
        assert_eq!(clients.len(), 4);
        assert!(load.percentile(50) >= Duration::from_millis(20));
        // One after the other they would come to 50.
        assert!((55.0..=200.0).contains(&load.rate()), "{}", load.rate());
    }

    #[tokio::test]
    async fn a_step_that_fails_ends_the_run() {
        let failed = run_for(vec![Broken], Duration::from_secs(60)).await;
        assert_eq!(failed.unwrap_err().to_string(), "broken");
    }

    #[test]
    fn percentiles_are_steps_that_there_were() {
        let load = Load { took: Duration::from_secs(2), steps: (1..=200).collect() };
        let at = |percent| load.percentile(percent).as_nanos();
        assert_eq!((at(50), at(99), at(100)), (100, 198, 200));
        assert!((load.rate() - 100.0).abs() < 1e-9);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
