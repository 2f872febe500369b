use std::time::Duration;

use crate::engine::Kind;

pub(crate) const HELP: &str = "\
Measures the stores beside the engines that they stand on, on servers of its own.

  --seconds N      how long each rate is measured, in each round (2)
  --rounds N       how often; medians are reported (3)
  --entries N      how many revocations the log holds (1000000)
  --ending N       measures nothing but the ending of N sessions of one subject, once a round
  --only NAME      memory, sqlite, postgres or redis; may be given several times
  --help           this
";

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    /// How long a rate is measured at a time.
    pub(crate) time: Duration,
    /// How often.
    pub(crate) rounds: usize,
    /// How many revocations the log holds.
    pub(crate) entries: usize,
    /// How many sessions of one subject are ended, where nothing else is measured.
    pub(crate) ending: Option<usize>,
    only: Vec<String>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    Run(Args),
    Help,
}

impl Args {
    pub(crate) fn read(mut given: impl Iterator<Item = String>) -> Result<Asked, String> {
        let time = Duration::from_secs(2);
        let mut args = Self { time, rounds: 3, entries: 1_000_000, ending: None, only: Vec::new() };
        while let Some(option) = given.next() {
            if option == "--help" {
                return Ok(Asked::Help);
            }
            let value =
                given.next().ok_or_else(|| format!("{option} needs a value; see --help"))?;
            let number = || match value.parse::<usize>() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(format!("{option} needs a number above 0, not {value:?}")),
            };
            match option.as_str() {
                "--seconds" => args.time = Duration::from_secs(number()? as u64),
                "--rounds" => args.rounds = number()?,
                "--ending" => args.ending = Some(number()?),
                "--entries" => args.entries = number()?,
                "--only" if Kind::ALL.iter().any(|kind| kind.family() == value) => {
                    args.only.push(value);
                }
                "--only" => return Err(format!("there is no store {value:?}; see --help")),
                _ => return Err(format!("there is no option {option:?}; see --help")),
            }
        }
        Ok(Asked::Run(args))
    }

    pub(crate) fn wants(&self, kind: Kind) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == kind.family())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Asked, String> {
        Args::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_run_may_be_made_small() {
        let Ok(Asked::Run(args)) = read("--seconds 1 --entries 1000 --only redis --rounds 5")
        else {
            panic!("it is a run")
        };
        assert_eq!((args.time.as_secs(), args.entries, args.rounds), (1, 1000, 5));
        assert_eq!(args.ending, None);
        assert!(args.wants(Kind::RedisAlways) && !args.wants(Kind::Postgres));
        let Ok(Asked::Run(all)) = read("") else { panic!("it is a run") };
        assert!(Kind::ALL.into_iter().all(|kind| all.wants(kind)));
    }

    #[test]
    fn the_ending_alone_may_be_measured() {
        let Ok(Asked::Run(args)) = read("--ending 20000") else { panic!("it is a run") };
        assert_eq!(args.ending, Some(20_000));
        assert!(read("--ending 0").is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["--entries", "--entries 0", "--entries x", "--only mysql", "--fast 1"] {
            assert!(read(line).is_err(), "{line}");
        }
        assert!(matches!(read("--only redis --help"), Ok(Asked::Help)));
    }
}
