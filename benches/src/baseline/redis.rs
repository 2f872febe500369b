use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;
use tower_jwt_auth_tests::servers::Redis;

use super::{MAX_CLIENTS, stdout_of};
use crate::BoxError;

/// `redis-benchmark` with a script of ours.
pub(crate) struct RedisBaseline<'a> {
    program: PathBuf,
    server: &'a Redis,
    script: String,
    /// The last rate that was seen, by which it is guessed how many requests take so long.
    guess: f64,
}

/// The least that a conditional update is: it moves a row on if there is one.
const SCRIPT: &str = "if redis.call('HGET', KEYS[1], 'generation') then \
     redis.call('HSET', KEYS[1], 'rotated_at', ARGV[1], 'idle_until', ARGV[2], 'access_until', ARGV[3]) \
     return redis.call('HINCRBY', KEYS[1], 'generation', 1) end";

impl<'a> RedisBaseline<'a> {
    pub(super) fn prepare(program: PathBuf, server: &'a Redis) -> Self {
        for number in 0..MAX_CLIENTS {
            // As the benchmark writes its random numbers.
            server.cli(&["HSET", &format!("baseline:{number:012}"), "generation", "0"]);
        }
        let script = server.cli(&["SCRIPT", "LOAD", SCRIPT]).trim().to_owned();
        Self { program, server, script, guess: 500.0 }
    }

    pub(super) async fn rate(&mut self, clients: usize, time: Duration) -> Result<f64, BoxError> {
        // The first one is short, and tells how many requests there may be.
        for part in [0.1, 1.0] {
            let requests = (self.guess * time.as_secs_f64() * part) as u64;
            self.guess = self.run(clients, requests.max(500), time).await?;
        }
        Ok(self.guess)
    }

    async fn run(&self, clients: usize, requests: u64, time: Duration) -> Result<f64, BoxError> {
        let mut benchmark = Command::new(&self.program);
        benchmark.arg("-p").arg(self.server.port().to_string());
        benchmark.arg("-c").arg(clients.to_string()).arg("-n").arg(requests.to_string());
        benchmark.arg("-r").arg(MAX_CLIENTS.to_string()).arg("--csv");
        benchmark.args(["EVALSHA", &self.script, "1", "baseline:__rand_int__"]);
        benchmark.args(["1763900000000", "1766492000000", "1763900300000"]);
        let output = stdout_of(&mut benchmark, time).await?;
        // A line of names, and one of numbers: the test, its rate, and more.
        let numbers = output.lines().last().unwrap_or_default();
        let rate = numbers.rsplit("\",\"").nth(6).ok_or("redis-benchmark tells no rate")?;
        Ok(rate.parse()?)
    }
}
