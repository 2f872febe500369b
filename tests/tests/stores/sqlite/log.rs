use std::time::Duration;

use tower_jwt_auth_core::{LogEntry, Revocation, RevocationLog, Timestamp};
use tower_jwt_auth_sqlx::SqliteStore;
use tower_jwt_auth_tests::util::until;

use super::{new_path, new_store};
use crate::support::{assert_restore_ends_all, is_lost, read, revoke};

#[tokio::test]
async fn a_log_that_is_purged_empty_and_written_again_is_followed() {
    let store = new_store().await;
    let past = |jti: &str| {
        let until = Timestamp::from_unix_seconds(1_000_000_000);
        let (issuer, jti) = ("https://issuer.example".to_owned(), jti.to_owned());
        LogEntry::Revocation(Revocation::Token { issuer, jti, until })
    };
    for round in 0..3 {
        store.append(&[past("a"), past("b"), past("c")]).await.unwrap();
        let (seen, end) = read(&store, None).await;
        assert_eq!(seen.len(), 3, "round {round}: the log was purged before");
        assert_eq!(store.purge_log(Duration::ZERO, 1000).await.unwrap(), 3);
        // If the table started its numbers again, this entry would be before the cursor.
        store.append(&[past("d")]).await.unwrap();
        let (seen, end) = read(&store, Some(end)).await;
        assert_eq!(seen.len(), 1, "round {round}");
        assert!(read(&store, Some(end)).await.0.is_empty());
        assert_eq!(store.purge_log(Duration::ZERO, 1000).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_write_by_one_store_wakes_the_readers_of_another() {
    let path = new_path();
    let (one, other) =
        (SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap());
    let (_, mut end) = read(&other, None).await;
    for _ in 0..5 {
        let revocation = revoke(&one).await;
        // An earlier write may also wake the reader.
        let mut seen = Vec::new();
        while !seen.contains(&revocation) {
            let woken = tokio::time::timeout(Duration::from_secs(10), other.changed(Some(&end)));
            woken.await.unwrap().unwrap();
            let (new, next) = read(&other, Some(end)).await;
            seen.extend(new);
            end = next;
        }
    }
    // Without further writes no reader is woken.
    until("the last write was seen", async || {
        let waiting = other.changed(Some(&end));
        let silent = tokio::time::timeout(Duration::from_millis(200), waiting).await.is_err();
        (_, end) = read(&other, Some(end.clone())).await;
        silent
    })
    .await;
}

#[tokio::test]
async fn a_file_restored_from_an_older_copy_loses_the_cursors_beyond_it() {
    let path = new_path();
    let copy = new_path();
    let store = SqliteStore::open(&path).await.unwrap();
    revoke(&store).await;
    let backup = format!("VACUUM INTO '{}'", copy.display());
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(backup)).execute(&pool).await.unwrap();
    let (_, then) = read(&store, None).await;
    revoke(&store).await;
    let (_, beyond) = read(&store, None).await;

    let restored = SqliteStore::open(&copy).await.unwrap();
    assert!(is_lost(&restored, &beyond).await);
    assert!(!is_lost(&restored, &then).await, "up to the copy it is the same log");
}

#[tokio::test]
async fn after_a_restore_all_sessions_are_ended_and_all_cursors_lost() {
    let store = new_store().await;
    assert_restore_ends_all(&store, async || store.after_restore().await.unwrap()).await;
}
