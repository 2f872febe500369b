use std::time::{Duration, Instant};

use crate::BoxError;

/// Runs the work and measures how long it takes.
pub(crate) async fn timed<T>(
    work: impl Future<Output = Result<T, BoxError>>,
) -> Result<(T, Duration), BoxError> {
    let started = Instant::now();
    let output = work.await?;
    Ok((output, started.elapsed()))
}

/// The timings of the steps of one run, over all clients.
#[derive(Debug)]
pub(crate) struct Timings {
    elapsed: Duration,
    /// The duration of each step in nanoseconds, in ascending order.
    steps: Vec<u64>,
}

impl Timings {
    /// Creates the timings of a run that took `elapsed`, from the duration of each step in nanoseconds.
    pub(crate) fn new(elapsed: Duration, mut steps: Vec<u64>) -> Self {
        steps.sort_unstable();
        Self { elapsed, steps }
    }

    /// Returns the steps per second.
    pub(crate) fn rate(&self) -> f64 {
        self.steps.len() as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        Quantiles { p50: self.percentile(50), p99: self.percentile(99), max: self.percentile(100) }
    }

    /// Returns the duration that `percent` of the steps do not exceed.
    fn percentile(&self, percent: usize) -> Duration {
        let index = (self.steps.len() * percent).div_ceil(100).saturating_sub(1);
        Duration::from_nanos(self.steps.get(index).copied().unwrap_or_default())
    }
}

/// Quantiles of the durations of steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

/// Returns the median, or the greater of the two middle numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn time_is_measured_until_the_work_is_done() {
        let sleep = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok("done")
        };
        let (output, elapsed) = timed(sleep).await.unwrap();
        assert_eq!(output, "done");
        assert!(elapsed >= Duration::from_millis(20), "{elapsed:?}");
    }

    #[test]
    fn percentiles_are_durations_of_steps() {
        let timings = Timings::new(Duration::from_secs(2), (1..=200).rev().collect());
        let Quantiles { p50, p99, max } = timings.quantiles();
        assert_eq!([p50, p99, max].map(|quantile| quantile.as_nanos()), [100, 198, 200]);
        assert!((timings.rate() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn the_median_is_one_of_the_numbers() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
