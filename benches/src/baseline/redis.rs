use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;
use tower_jwt_auth_tests::servers::Redis;

use super::{MAX_CLIENTS, stdout_of};
use crate::BoxError;

/// The minimum of a conditional update: it advances a session if the session exists.
const SCRIPT: &str = "if redis.call('HGET', KEYS[1], 'generation') then \
     redis.call('HSET', KEYS[1], 'rotated_at', ARGV[1], 'idle_until', ARGV[2], 'access_until', ARGV[3]) \
     return redis.call('HINCRBY', KEYS[1], 'generation', 1) end";
/// The minimum of requests in a run, and the first estimate of requests per second.
const MIN_REQUESTS: u64 = 500;

/// `redis-benchmark` with the script [`SCRIPT`].
pub(crate) struct RedisBaseline<'a> {
    program: PathBuf,
    server: &'a Redis,
    script_sha1: String,
    /// The last measured rate. It gives the number of requests for a duration.
    last_rate: f64,
}

impl<'a> RedisBaseline<'a> {
    pub(super) fn prepare(program: PathBuf, server: &'a Redis) -> Self {
        for number in 0..MAX_CLIENTS {
            // The benchmark writes its random numbers in twelve digits.
            server.cli(&["HSET", &format!("baseline:{number:012}"), "generation", "0"]);
        }
        let script_sha1 = server.cli(&["SCRIPT", "LOAD", SCRIPT]).trim().to_owned();
        Self { program, server, script_sha1, last_rate: MIN_REQUESTS as f64 }
    }

    pub(super) async fn rate(
        &mut self,
        clients: usize,
        duration: Duration,
    ) -> Result<f64, BoxError> {
        // The first, short run estimates the number of requests for the second one.
        for part in [0.1, 1.0] {
            let requests = (self.last_rate * duration.as_secs_f64() * part) as u64;
            self.last_rate = self.run(clients, requests.max(MIN_REQUESTS), duration).await?;
        }
        Ok(self.last_rate)
    }

    async fn run(
        &self,
        clients: usize,
        requests: u64,
        duration: Duration,
    ) -> Result<f64, BoxError> {
        let mut benchmark = Command::new(&self.program);
        benchmark.arg("-p").arg(self.server.port().to_string());
        benchmark.arg("-c").arg(clients.to_string()).arg("-n").arg(requests.to_string());
        benchmark.arg("-r").arg(MAX_CLIENTS.to_string()).arg("--csv");
        benchmark.args(["EVALSHA", &self.script_sha1, "1", "baseline:__rand_int__"]);
        benchmark.args(["1763900000000", "1766492000000", "1763900300000"]);
        let output = stdout_of(&mut benchmark, duration).await?;
        // A line of column names, and a line of values: the test, its rate and six more numbers.
        let values = output.lines().last().unwrap_or_default();
        let rate = values.rsplit("\",\"").nth(6);
        Ok(rate.ok_or("the output of redis-benchmark has no rate")?.parse()?)
    }
}
