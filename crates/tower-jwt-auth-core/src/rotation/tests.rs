use std::time::Duration;

use super::*;
use crate::id::SessionId;
use crate::rotation_policy::RotationPolicy;
use crate::session::{EndReason, Ended, LateRetryRun, SecretHash, Session, SessionRecord};
use crate::time::Timestamp;

const HASH: SecretHash = SecretHash::from_bytes([1; 32]);
const GRACE: Duration = Duration::from_secs(10);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// Returns the time one millisecond before this one.
fn just_before(time: Timestamp) -> Timestamp {
    time - Duration::from_millis(1)
}

/// Creates a record of generation 5 since second 1000 that is idle at 2000 and expires at 3000.
fn new_record(change: impl FnOnce(&mut SessionRecord)) -> SessionRecord {
    let id = SessionId::from_bytes([9; 16]);
    let mut record = SessionRecord {
        generation: 5,
        rotated_at: at(1000),
        idle_until: at(2000),
        expires_at: at(3000),
        access_until: at(1300),
        client_id: "web".into(),
        ..SessionRecord::new(id, "https://issuer.example", "alice", HASH, at(0))
    };
    change(&mut record);
    record
}

fn session(change: impl FnOnce(&mut SessionRecord)) -> Session {
    Session::from_record(new_record(change))
}

fn run(generation: u64, length: u32) -> Option<LateRetryRun> {
    Some(LateRetryRun { generation, length })
}

fn evaluate_by(
    policy: &RotationPolicy,
    session: &Session,
    generation: u64,
    now: Timestamp,
) -> RotationOutcome {
    let token = PresentedToken { generation, secret_hash: HASH };
    session.evaluate(&token, now, policy)
}

fn evaluate(session: &Session, generation: u64, now: Timestamp) -> RotationOutcome {
    evaluate_by(&RotationPolicy::default(), session, generation, now)
}

#[test]
fn within_the_window_the_current_and_the_previous_generation_are_replayed() {
    let session = session(|_| {});
    for generation in [4, 5] {
        let set_back = at(990) + Duration::from_millis(1);
        for now in [at(1000), just_before(at(1010)), set_back] {
            assert_eq!(
                evaluate(&session, generation, now),
                RotationOutcome::Replay,
                "{generation} {now:?}"
            );
        }
    }
}

#[test]
fn a_clock_that_was_set_back_by_more_than_the_window_opens_no_window() {
    let session = session(|_| {});
    assert_eq!(evaluate(&session, 5, at(990)), RotationOutcome::Rotate);
    assert_eq!(evaluate(&session, 4, at(990)), RotationOutcome::LateRetry);
    let mut record = session.into_record();
    assert!(record.advance(&advance(&record.clone()), at(990)));
    assert_eq!(record.rotated_at, at(990));
}

#[test]
fn after_the_window_the_current_generation_rotates_until_the_session_is_over() {
    let session = session(|_| {});
    assert_eq!(evaluate(&session, 5, at(1010)), RotationOutcome::Rotate, "the window is half open");
    assert_eq!(evaluate(&session, 5, at(1999)), RotationOutcome::Rotate);
    assert_eq!(evaluate(&session, 5, at(2000)), RotationOutcome::Rejected(RotationRejection::Idle));
    assert_eq!(
        evaluate(&session, 5, at(3000)),
        RotationOutcome::Rejected(RotationRejection::Expired)
    );
}

#[test]
fn the_first_refresh_of_a_session_rotates_at_once() {
    let session = session(|s| s.generation = 0);
    assert_eq!(evaluate(&session, 0, at(1000)), RotationOutcome::Rotate);
}

#[test]
fn after_the_window_the_previous_generation_is_a_late_retry_once() {
    assert_eq!(evaluate(&session(|_| {}), 4, at(1010)), RotationOutcome::LateRetry);
    let retried = session(|s| s.late_retry = run(4, 1));
    assert_eq!(
        evaluate(&retried, 4, just_before(at(1010))),
        RotationOutcome::Replay,
        "a repetition"
    );
    assert_eq!(evaluate(&retried, 4, at(1010)), RotationOutcome::Reuse, "a second late retry");
}

#[test]
fn late_retries_are_granted_in_a_limited_number_of_consecutive_generations() {
    for (allowed, earlier, outcome) in [
        (1, run(3, 1), RotationOutcome::Reuse),
        (1, run(2, 1), RotationOutcome::LateRetry),
        (1, run(2, 7), RotationOutcome::LateRetry),
        (2, run(3, 1), RotationOutcome::LateRetry),
        (2, run(3, 2), RotationOutcome::Reuse),
        (3, run(3, 2), RotationOutcome::LateRetry),
        (0, None, RotationOutcome::Reuse),
    ] {
        let policy = RotationPolicy::default().with_late_retries(allowed);
        let session = session(|s| s.late_retry = earlier);
        assert_eq!(evaluate_by(&policy, &session, 4, at(1500)), outcome, "{allowed} {earlier:?}");
    }
}

#[test]
fn a_strict_policy_grants_no_late_retry() {
    let session = session(|_| {});
    let strict = RotationPolicy::strict();
    assert_eq!(evaluate_by(&strict, &session, 4, just_before(at(1010))), RotationOutcome::Replay);
    assert_eq!(evaluate_by(&strict, &session, 4, at(1010)), RotationOutcome::Reuse);
}

#[test]
fn without_a_grace_window_nothing_is_forgiven() {
    let policy = RotationPolicy::default().with_grace(Duration::ZERO).with_late_retries(5);
    assert_eq!(policy.late_retries(), 0);
    let session = session(|_| {});
    assert_eq!(evaluate_by(&policy, &session, 5, at(1000)), RotationOutcome::Rotate);
    assert_eq!(evaluate_by(&policy, &session, 4, at(1000)), RotationOutcome::Reuse);
}

#[test]
fn anything_older_than_the_previous_generation_is_reuse_also_in_the_window() {
    let session = session(|_| {});
    for generation in 0..=3 {
        for now in [at(1000), at(1010)] {
            assert_eq!(evaluate(&session, generation, now), RotationOutcome::Reuse);
        }
    }
}

#[test]
fn a_generation_that_was_never_issued_ends_nothing() {
    let session = session(|_| {});
    for now in [at(1000), at(1500)] {
        assert_eq!(evaluate(&session, 6, now), RotationOutcome::Rejected(RotationRejection::Ahead));
        assert_eq!(
            evaluate(&session, u64::MAX, now),
            RotationOutcome::Rejected(RotationRejection::Ahead)
        );
    }
}

#[test]
fn another_secret_ends_nothing_whatever_the_generation() {
    let session = session(|_| {});
    for generation in [0, 4, 5, 6] {
        let token = PresentedToken { generation, secret_hash: SecretHash::from_bytes([2; 32]) };
        let outcome = session.evaluate(&token, at(1000), &RotationPolicy::default());
        assert_eq!(outcome, RotationOutcome::Rejected(RotationRejection::WrongSecret));
    }
}

#[test]
fn an_ended_session_is_rejected_for_every_generation() {
    let ended = Some(Ended { at: at(1001), reason: EndReason::Logout });
    let session = session(|s| s.ended = ended);
    for generation in 0..=6 {
        assert_eq!(
            evaluate(&session, generation, at(1002)),
            RotationOutcome::Rejected(RotationRejection::Ended)
        );
    }
    assert!(!session.is_live(at(1002)));
}

#[test]
fn generation_numbers_at_the_end_of_their_range_do_not_overflow() {
    let session = session(|s| {
        s.generation = u64::MAX;
        s.late_retry = run(u64::MAX - 2, u32::MAX);
    });
    assert_eq!(evaluate(&session, u64::MAX, at(1500)), RotationOutcome::Rotate);
    let policy = RotationPolicy::default().with_late_retries(u32::MAX);
    assert_eq!(evaluate_by(&policy, &session, u64::MAX - 1, at(1500)), RotationOutcome::LateRetry);
    let mut record = session.into_record();
    assert!(!record.advance(&advance(&record), at(1500)), "there is no next generation");
    assert!(record.retry_late(&retry(&record, u32::MAX), at(1500)));
}

fn advance(record: &SessionRecord) -> AdvanceRequest {
    AdvanceRequest {
        id: record.id,
        secret_hash: HASH,
        from_generation: record.generation,
        grace: GRACE,
        idle: Duration::from_secs(100),
        access_until: at(9000),
    }
}

fn retry(record: &SessionRecord, max_running: u32) -> LateRetryRequest {
    LateRetryRequest {
        id: record.id,
        secret_hash: HASH,
        generation: record.generation - 1,
        grace: GRACE,
        max_running,
        access_until: at(9000),
    }
}

/// The rule and the two writes must never differ: a store decides by the condition of the write alone.
#[test]
fn the_writes_apply_exactly_where_the_rule_allows_them() {
    let runs = [None, run(2, 1), run(3, 1), run(3, 2), run(4, 1)];
    let ended = [None, Some(Ended { at: at(1), reason: EndReason::Reuse })];
    let times =
        [at(1), at(990), at(999), at(1000), just_before(at(1010)), at(1010), at(1999), at(2000)];
    for late_retry in runs {
        for ended in ended {
            for now in times {
                for generation in [0, 3, 4, 5, 6] {
                    for current in [0, 5] {
                        for late_retries in [0, 1, 2] {
                            let record = new_record(|s| {
                                s.generation = current;
                                s.late_retry = late_retry;
                                s.ended = ended;
                            });
                            let policy = RotationPolicy::default().with_late_retries(late_retries);
                            let session = Session::from_record(record.clone());
                            let outcome = evaluate_by(&policy, &session, generation, now);

                            let request =
                                AdvanceRequest { from_generation: generation, ..advance(&record) };
                            let advanced = record.clone().advance(&request, now);
                            assert_eq!(
                                advanced,
                                outcome == RotationOutcome::Rotate,
                                "{record:?} {now:?}"
                            );

                            let request = LateRetryRequest {
                                generation,
                                max_running: policy.late_retries(),
                                ..retry(&new_record(|_| {}), 0)
                            };
                            let retried = record.clone().retry_late(&request, now);
                            assert_eq!(
                                retried,
                                outcome == RotationOutcome::LateRetry,
                                "{record:?} {now:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn an_advance_opens_a_window_and_slides_the_idle_expiry() {
    let mut record = new_record(|_| {});
    assert!(record.advance(&advance(&record.clone()), at(1990)));
    let expected = new_record(|s| {
        s.generation = 6;
        s.rotated_at = at(1990);
        s.idle_until = at(2090);
        s.access_until = at(9000);
    });
    assert_eq!(record, expected);
}

#[test]
fn a_late_retry_opens_a_window_and_slides_nothing() {
    let mut record = new_record(|_| {});
    assert!(record.retry_late(&retry(&record.clone(), 1), at(1990)));
    let expected = new_record(|s| {
        s.rotated_at = at(1990);
        s.late_retry = run(4, 1);
        s.access_until = at(9000);
    });
    assert_eq!(record, expected);
}

#[test]
fn a_write_with_another_secret_does_not_apply() {
    let other = SecretHash::from_bytes([2; 32]);
    let mut record = new_record(|_| {});
    let request = AdvanceRequest { secret_hash: other, ..advance(&record) };
    assert!(!record.advance(&request, at(1500)));
    let request = LateRetryRequest { secret_hash: other, ..retry(&record, 1) };
    assert!(!record.retry_late(&request, at(1500)));
    assert_eq!(record, new_record(|_| {}));
}
