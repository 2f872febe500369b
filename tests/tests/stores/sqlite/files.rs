use std::path::Path;

use tower_jwt_auth_core::SessionStore;
use tower_jwt_auth_sqlx::{ConnectError, SqliteStore};
use tower_jwt_auth_tests::log_capture;
use tower_jwt_auth_tests::util::error_chain;

use super::{directory, new_path};
use crate::support::{assert_works_after_migration, rows_of_version_1, session};

async fn run(path: &Path, sql: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn the_tables_are_created_once_and_found_again() {
    let path = new_path();
    let new = session("alice");
    {
        let store = SqliteStore::open(&path).await.unwrap();
        store.insert(&new, tower_jwt_auth_core::SessionLimit::none()).await.unwrap();
    }
    for store in
        [SqliteStore::open(&path).await.unwrap(), SqliteStore::open_existing(&path).await.unwrap()]
    {
        assert_eq!(store.load(new.id()).await.unwrap().unwrap().session, new);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_opens_of_a_new_file_all_succeed() {
    for _ in 0..5 {
        let path = new_path();
        let opening = (0..8).map(|_| tokio::spawn(SqliteStore::open(path.clone())));
        for opened in opening.collect::<Vec<_>>() {
            opened.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn an_application_can_create_the_tables_itself() {
    let path = new_path();
    let missing = SqliteStore::open_existing(&path).await;
    assert!(matches!(missing, Err(ConnectError::File(_))), "{missing:?}");
    assert!(!path.exists(), "no file should be created");
    run(&path, "CREATE TABLE theirs (a INTEGER)").await;
    let bare = SqliteStore::open_existing(&path).await;
    assert!(matches!(bare, Err(ConnectError::NoTables)), "{bare:?}");
    for migration in SqliteStore::MIGRATIONS {
        run(&path, migration.sql).await;
    }
    SqliteStore::open_existing(&path).await.unwrap();
}

#[tokio::test]
async fn tables_of_earlier_versions_are_migrated_with_their_rows() {
    for version in [1, 2] {
        let path = new_path();
        for migration in &SqliteStore::MIGRATIONS[..version] {
            run(&path, migration.sql).await;
        }
        run(&path, &rows_of_version_1(&format!("x'{}'", "07".repeat(32)))).await;
        let error = SqliteStore::open_existing(&path).await.unwrap_err();
        let expected = format!("the tables are of version {version}, not 3: run the migrations");
        assert_eq!(error.to_string(), expected);
        assert_works_after_migration(&SqliteStore::open(&path).await.unwrap()).await;
        SqliteStore::open_existing(&path).await.unwrap();
    }
}

#[tokio::test]
async fn tables_of_another_version_are_refused() {
    let path = new_path();
    drop(SqliteStore::open(&path).await.unwrap());
    run(&path, "UPDATE tower_jwt_auth_meta SET version = 4").await;
    for newer in [SqliteStore::open(&path).await, SqliteStore::open_existing(&path).await] {
        let error = newer.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the tables are of version 4, which is newer than 3: run a newer release"
        );
    }
    run(&path, "UPDATE tower_jwt_auth_meta SET version = 0").await;
    let error = SqliteStore::open_existing(&path).await.unwrap_err();
    assert_eq!(error.to_string(), "the tables are of version 0, not 3: run the migrations");
}

#[tokio::test]
async fn a_path_that_cannot_be_opened_is_a_clear_error() {
    let error = SqliteStore::open(directory().join("missing/sessions.db")).await.unwrap_err();
    assert!(matches!(error, ConnectError::File(_)), "{}", error_chain(&error));
    let error = SqliteStore::open(directory()).await.unwrap_err();
    assert!(matches!(error, ConnectError::File(_)), "{}", error_chain(&error));
    let text = new_path();
    std::fs::write(&text, "not a database at all, but long enough to be looked at".repeat(20))
        .unwrap();
    let error = SqliteStore::open(&text).await.unwrap_err();
    assert!(matches!(error, ConnectError::NotADatabase(_)), "{}", error_chain(&error));
}

#[test]
fn a_store_may_outlive_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(async {
        let store = SqliteStore::open(new_path()).await.unwrap();
        store.insert(&session("alice"), tower_jwt_auth_core::SessionLimit::none()).await.unwrap();
        store.load(session("bob").id()).await.unwrap();
        store
    });
    drop(runtime);
    drop(store);
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_access_a_new_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let path = new_path();
    let store = SqliteStore::open(&path).await.unwrap();
    store.insert(&session("alice"), tower_jwt_auth_core::SessionLimit::none()).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", path.display());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_read_is_opened_with_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    log_capture::install();
    let path = new_path();
    let warnings = || {
        let lines =
            log_capture::lines_containing("lets other users read or write it: run chmod 600");
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        lines.into_iter().filter(move |line| line.contains(&name)).collect::<Vec<_>>()
    };
    let set_mode = |suffix: &str, mode| {
        let file = format!("{}{suffix}", path.display());
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let store = SqliteStore::open(&path).await.unwrap();
    store.insert(&session("alice"), tower_jwt_auth_core::SessionLimit::none()).await.unwrap();
    drop(SqliteStore::open(&path).await.unwrap());
    assert_eq!(warnings(), [""; 0]);
    let mut count = 0;
    for (suffix, mode) in
        [("", 0o640), ("", 0o604), ("", 0o620), ("", 0o602), ("-wal", 0o644), ("-shm", 0o644)]
    {
        set_mode(suffix, mode);
        drop(SqliteStore::open(&path).await.unwrap());
        drop(SqliteStore::open_existing(&path).await.unwrap());
        set_mode(suffix, 0o600);
        let warnings = warnings();
        count += 2;
        assert_eq!(warnings.len(), count, "{suffix:?} {mode:o}");
        let last = warnings.last().unwrap();
        assert!(last.contains("WARN") && last.contains(&format!("{mode:o}")), "{last}");
        assert!(last.contains(&format!(".db{suffix}\"")), "{last}");
    }
}

/// The environment variable with the path that a copy of this test opens.
#[cfg(unix)]
const READ_ONLY: &str = "READ_ONLY_FILE";

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_file_is_an_error_at_open() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
    use std::os::unix::process::CommandExt as _;
    if let Ok(path) = std::env::var(READ_ONLY) {
        let error = SqliteStore::open(&path).await.unwrap_err();
        assert!(matches!(error, ConnectError::ReadOnly(_)), "{}", error_chain(&error));
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("sessions.db");
    drop(SqliteStore::open(&path).await.unwrap());
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
    std::fs::set_permissions(temporary.path(), PermissionsExt::from_mode(0o555)).unwrap();
    // File modes do not restrict root, so the copy runs as another user.
    let program = temporary.path().with_extension("test");
    // This path exists even if the program was rebuilt in the meantime.
    let itself = Path::new("/proc/self/exe");
    let itself = if itself.exists() { itself.into() } else { std::env::current_exe().unwrap() };
    std::fs::copy(itself, &program).unwrap();
    let mut copy = std::process::Command::new(&program);
    copy.args(["--exact", "sqlite::files::a_read_only_file_is_an_error_at_open"]);
    if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        copy.uid(65534).gid(65534);
    }
    let output = copy.env(READ_ONLY, &path).output().unwrap();
    std::fs::remove_file(&program).unwrap();
    std::fs::set_permissions(temporary.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
