use super::*;
use crate::{Device, EndReason, Ended, SessionId, SessionParts};

const HASH: SecretHash = SecretHash::from_bytes([1; 32]);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// At generation 5 since second 1000, idle until 2000, over at 3000.
fn session(change: impl FnOnce(&mut SessionParts)) -> Session {
    let mut parts = SessionParts {
        id: SessionId::from_bytes([9; 16]),
        issuer: "https://issuer.example".into(),
        subject: "alice".into(),
        secret_hash: HASH,
        generation: 5,
        created_at: at(0),
        rotated_at: at(1000),
        idle_until: at(2000),
        expires_at: at(3000),
        access_until: at(1300),
        late_retry: None,
        ended: None,
        auth_time: at(0),
        client_id: "web".into(),
        scope: String::new(),
        claims: "{}".into(),
        device: Device::default(),
    };
    change(&mut parts);
    Session::from_parts(parts)
}

fn judge(session: &Session, generation: u64, now: Timestamp) -> Verdict {
    let presented = Presented { generation, secret_hash: HASH };
    session.present(&presented, now, &RotationPolicy::default())
}

#[test]
fn the_current_generation_rotates_until_the_session_is_over() {
    let session = session(|_| {});
    assert_eq!(judge(&session, 5, at(1000)), Verdict::Rotate);
    assert_eq!(judge(&session, 5, at(1999)), Verdict::Rotate);
    assert_eq!(judge(&session, 5, at(2000)), Verdict::Refused(Refusal::Idle));
    assert_eq!(judge(&session, 5, at(3000)), Verdict::Refused(Refusal::Expired));
}

#[test]
fn the_generation_before_is_replayed_within_the_grace_window() {
    let session = session(|_| {});
    assert_eq!(judge(&session, 4, at(1000)), Verdict::Replay);
    assert_eq!(judge(&session, 4, Timestamp::from_unix_millis(1_009_999)), Verdict::Replay);
    assert_eq!(judge(&session, 4, at(1010)), Verdict::LateRetry, "the window is half open");
    assert_eq!(judge(&session, 4, at(990)), Verdict::Replay, "a clock that went back is no theft");
}

#[test]
fn one_late_retry_is_granted_and_may_be_repeated() {
    assert_eq!(judge(&session(|s| s.late_retry = Some(4)), 4, at(1500)), Verdict::LateRetry);
    assert_eq!(judge(&session(|s| s.late_retry = Some(2)), 4, at(1500)), Verdict::LateRetry);
}

#[test]
fn late_retries_in_two_generations_running_are_reuse() {
    assert_eq!(judge(&session(|s| s.late_retry = Some(3)), 4, at(1500)), Verdict::Reuse);
}

#[test]
fn a_strict_policy_grants_no_late_retry() {
    let presented = Presented { generation: 4, secret_hash: HASH };
    let strict = RotationPolicy::strict();
    let session = session(|_| {});
    assert_eq!(session.present(&presented, at(1009), &strict), Verdict::Replay);
    assert_eq!(session.present(&presented, at(1010), &strict), Verdict::Reuse);
}

#[test]
fn anything_older_than_the_generation_before_is_reuse_even_in_the_window() {
    let session = session(|_| {});
    for generation in 0..=3 {
        assert_eq!(judge(&session, generation, at(1000)), Verdict::Reuse);
    }
}

#[test]
fn a_generation_that_was_never_issued_ends_nothing() {
    let session = session(|_| {});
    assert_eq!(judge(&session, 6, at(1000)), Verdict::Refused(Refusal::Ahead));
    assert_eq!(judge(&session, u64::MAX, at(1000)), Verdict::Refused(Refusal::Ahead));
}

#[test]
fn another_secret_ends_nothing_whatever_the_generation() {
    let session = session(|_| {});
    for generation in [0, 4, 5, 6] {
        let presented = Presented { generation, secret_hash: SecretHash::from_bytes([2; 32]) };
        let verdict = session.present(&presented, at(1000), &RotationPolicy::default());
        assert_eq!(verdict, Verdict::Refused(Refusal::WrongSecret));
    }
}

#[test]
fn an_ended_session_is_refused_for_every_generation() {
    let ended = Some(Ended { at: at(1001), reason: EndReason::Logout });
    let session = session(|s| s.ended = ended);
    for generation in 0..=6 {
        assert_eq!(judge(&session, generation, at(1002)), Verdict::Refused(Refusal::Ended));
    }
    assert!(!session.is_live(at(1002)));
}

#[test]
fn generation_numbers_at_the_end_of_their_range_do_not_overflow() {
    let session = session(|s| {
        s.generation = u64::MAX;
        s.late_retry = Some(u64::MAX - 1);
    });
    assert_eq!(judge(&session, u64::MAX, at(1500)), Verdict::Rotate);
    assert_eq!(judge(&session, u64::MAX - 1, at(1500)), Verdict::LateRetry);
    assert!(!may_retry_late(Some(u64::MAX), 0));
}
