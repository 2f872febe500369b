use std::time::Duration;

use crate::engine::EngineKind;

pub(crate) const HELP: &str = "\
Measures the stores beside the engines that they stand on, on servers of its own.

  --seconds N      how long each rate is measured, in each round (2)
  --rounds N       how often; medians are reported (3)
  --entries N      how many revocations the log holds (1000000)
  --end-all N       measures nothing but the ending of N sessions of one subject, once a round
  --only NAME      memory, sqlite, postgres or redis; may be given several times
  --help           this
";

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    /// How long a rate is measured at a time.
    pub(crate) measure_for: Duration,
    /// How often.
    pub(crate) rounds: usize,
    /// How many revocations the log holds.
    pub(crate) entries: usize,
    /// How many sessions of one subject are ended, where nothing else is measured.
    pub(crate) end_all: Option<usize>,
    only: Vec<String>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Action {
    Run(Args),
    Help,
}

impl Args {
    pub(crate) fn parse(mut options: impl Iterator<Item = String>) -> Result<Action, String> {
        let measure_for = Duration::from_secs(2);
        let mut args =
            Self { measure_for, rounds: 3, entries: 1_000_000, end_all: None, only: Vec::new() };
        while let Some(option) = options.next() {
            if option == "--help" {
                return Ok(Action::Help);
            }
            let value =
                options.next().ok_or_else(|| format!("{option} needs a value; see --help"))?;
            let number = || match value.parse::<usize>() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(format!("{option} needs a number above 0, not {value:?}")),
            };
            match option.as_str() {
                "--seconds" => args.measure_for = Duration::from_secs(number()? as u64),
                "--rounds" => args.rounds = number()?,
                "--end-all" => args.end_all = Some(number()?),
                "--entries" => args.entries = number()?,
                "--only" if EngineKind::ALL.iter().any(|kind| kind.option_name() == value) => {
                    args.only.push(value);
                }
                "--only" => return Err(format!("there is no store {value:?}; see --help")),
                _ => return Err(format!("there is no option {option:?}; see --help")),
            }
        }
        Ok(Action::Run(args))
    }

    pub(crate) fn includes(&self, kind: EngineKind) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == kind.option_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Action, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_run_may_be_made_small() {
        let Ok(Action::Run(args)) = parse("--seconds 1 --entries 1000 --only redis --rounds 5")
        else {
            panic!("it is a run")
        };
        assert_eq!((args.measure_for.as_secs(), args.entries, args.rounds), (1, 1000, 5));
        assert_eq!(args.end_all, None);
        assert!(args.includes(EngineKind::RedisAlways) && !args.includes(EngineKind::Postgres));
        let Ok(Action::Run(all)) = parse("") else { panic!("it is a run") };
        assert!(EngineKind::ALL.into_iter().all(|kind| all.includes(kind)));
    }

    #[test]
    fn the_ending_alone_may_be_measured() {
        let Ok(Action::Run(args)) = parse("--end-all 20000") else { panic!("it is a run") };
        assert_eq!(args.end_all, Some(20_000));
        assert!(parse("--end-all 0").is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["--entries", "--entries 0", "--entries x", "--only mysql", "--fast 1"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(matches!(parse("--only redis --help"), Ok(Action::Help)));
    }
}
