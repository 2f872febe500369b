//! The table of revoked tokens and sessions.

use std::sync::mpsc;

use super::super::target_table::{TargetHash, TargetTable};
use super::*;

/// Returns a target like a keyed hash: its bits are evenly spread.
fn target(number: u64) -> TargetHash {
    let mixed = |seed: u64| {
        let number = (number ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let number = (number ^ (number >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        u128::from(number ^ (number >> 32))
    };
    mixed(1) << 64 | mixed(2 << 60)
}

fn insert(table: &TargetTable, target: TargetHash, until: Timestamp) -> bool {
    let mut is_changed = false;
    table.insert(target, until, || is_changed = true);
    is_changed
}

/// Sweeps all shards once.
fn sweep(table: &TargetTable, time: Timestamp) {
    for _ in 0..8 {
        table.sweep(time);
    }
}

#[test]
fn a_table_contains_all_targets_that_were_inserted_and_no_others() {
    let table = TargetTable::new();
    assert!(!table.contains(target(0)));
    for count in 0..100_000 {
        assert!(insert(&table, target(count), NOW));
        assert!(table.contains(target(count)));
    }
    assert!((0..100_000).all(|number| table.contains(target(number))));
    assert!(!(100_000..200_000).any(|number| table.contains(target(number))));
    assert_eq!(table.len(), 100_000);
}

/// The halves of a target are in different slots of memory.
#[test]
fn both_halves_of_a_target_are_compared() {
    let table = TargetTable::new();
    let (low, high) = (7, 7 << 64);
    insert(&table, high | low, NOW);
    // In the same shard, because their first bits are equal.
    for other in [high | 8, high, low, 8 << 64 | low, 0] {
        assert!(!table.contains(other), "{other:x}");
    }
    for other in [high, 8 << 64 | low, 0] {
        assert!(insert(&table, other, NOW));
        assert!(table.contains(other), "{other:x}");
    }
    assert!(table.contains(high | low));
    assert_eq!(table.len(), 4);
}

#[test]
fn targets_that_begin_in_the_same_slot_are_all_found() {
    let table = TargetTable::new();
    // The search begins at the last slot, and continues at the first one.
    let targets: Vec<_> = (0..1000).map(|number| TargetHash::from(u64::MAX - number)).collect();
    for target in &targets {
        insert(&table, *target, NOW);
    }
    assert!(targets.iter().all(|target| table.contains(*target)));
    assert!(!table.contains(TargetHash::from(u64::MAX - 1000)));
}

#[test]
fn a_sweep_removes_only_entries_that_are_over() {
    let table = TargetTable::new();
    let second = Duration::from_secs(1);
    for number in 0..3000 {
        insert(&table, target(number), NOW + second * (number % 3) as u32);
    }
    sweep(&table, NOW - Duration::from_millis(1));
    assert_eq!(table.len(), 3000);
    sweep(&table, NOW + second + Duration::from_millis(999));
    assert_eq!(table.len(), 1000);
    assert!((0..3000).all(|number| table.contains(target(number)) == (number % 3 == 2)));
    // A removed target can be inserted again.
    assert!(insert(&table, target(0), NOW + MINUTE));
    assert_eq!(table.len(), 1001);
}

#[test]
fn the_end_of_an_entry_is_rounded_up() {
    let millisecond = Duration::from_millis(1);
    for until in [NOW, NOW + millisecond, NOW - millisecond] {
        let table = TargetTable::new();
        insert(&table, 1, until);
        sweep(&table, until - millisecond);
        assert!(table.contains(1), "{until:?}");
        sweep(&table, until + Duration::from_secs(1));
        assert!(!table.contains(1), "{until:?}");
    }
}

#[test]
fn entries_before_1970_and_at_the_end_of_time_are_kept_as_long_as_others() {
    let table = TargetTable::new();
    let before = Timestamp::UNIX_EPOCH - MINUTE;
    insert(&table, 1, before);
    insert(&table, 2, Timestamp::MAX);
    sweep(&table, before - MINUTE);
    assert!(table.contains(1));
    sweep(&table, Timestamp::MAX);
    assert!(!table.contains(1) && table.contains(2));
}

#[test]
fn an_insert_extends_an_entry_and_never_shortens_it() {
    let table = TargetTable::new();
    assert!(insert(&table, 1, NOW + MINUTE));
    assert!(!insert(&table, 1, NOW + MINUTE), "nothing changes");
    assert!(!insert(&table, 1, NOW), "nothing changes");
    assert!(insert(&table, 1, NOW + 2 * MINUTE));
    assert_eq!(table.len(), 1);
    sweep(&table, NOW + MINUTE);
    assert!(table.contains(1));
    sweep(&table, NOW + 2 * MINUTE);
    assert!(!table.contains(1));
}

/// Each sweep copies what remains of a shard.
#[test]
fn a_shard_is_swept_once_a_minute() {
    let table = TargetTable::new();
    let second = Duration::from_secs(1);
    for number in 1..=60 {
        insert(&table, TargetHash::from(number), NOW + second * number);
    }
    sweep(&table, NOW + second);
    assert_eq!(table.len(), 59);
    sweep(&table, NOW + MINUTE);
    assert_eq!(table.len(), 59);
    sweep(&table, NOW + MINUTE + second);
    assert_eq!(table.len(), 0);
}

#[test]
fn readers_find_all_entries_while_shards_are_replaced() {
    let table = TargetTable::new();
    let kept = 500;
    for number in 0..kept {
        insert(&table, target(number), NOW + MINUTE);
    }
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20 {
                let time = NOW - 30 * MINUTE + round * MINUTE;
                for number in 0..20_000 {
                    insert(&table, target(kept + number), time);
                }
                sweep(&table, time);
            }
            is_done.store(true, Ordering::Release);
        });
        while !is_done.load(Ordering::Acquire) {
            assert!((0..kept).all(|number| table.contains(target(number))));
        }
    });
    assert_eq!(table.len(), kept);
}

/// A second writer of the same target must not acknowledge it before the first one has published the change.
#[test]
fn a_writer_that_finds_the_target_returns_after_the_change_is_published() {
    let table = TargetTable::new();
    let is_published = AtomicBool::new(false);
    let (inserted_tx, inserted) = mpsc::channel();
    let (go_on_tx, go_on) = mpsc::channel();
    std::thread::scope(|scope| {
        let (table, is_published) = (&table, &is_published);
        scope.spawn(move || {
            table.insert(1, NOW, || {
                inserted_tx.send(()).unwrap();
                go_on.recv().unwrap();
                is_published.store(true, Ordering::SeqCst);
            });
        });
        inserted.recv().unwrap();
        assert!(table.contains(1), "readers do not wait");
        assert!(!is_published.load(Ordering::SeqCst));
        let second = scope.spawn(move || {
            assert!(!insert(table, 1, NOW));
            assert!(is_published.load(Ordering::SeqCst), "the second writer waits");
        });
        go_on_tx.send(()).unwrap();
        second.join().unwrap();
    });
}
