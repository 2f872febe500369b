//! A file with secrets. Only its owner can read it, and it is complete from the moment it exists.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The max size of the file, in bytes.
pub(super) const MAX_SIZE: u64 = 64 * 1024;

/// Returns the contents of the file, or `None` if it does not exist.
///
/// # Errors
///
/// Fails if the file cannot be read, is not a regular one, or is accessible to other users.
pub(super) fn read(path: &Path) -> io::Result<Option<Zeroizing<String>>> {
    // Checked before it is opened: opening a pipe waits for a writer.
    match fs::metadata(path) {
        Ok(about) if about.is_file() => {}
        Ok(_) => return Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let file = File::open(path)?;
    require_private(&file)?;
    // With room for all of it: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_SIZE as usize));
    file.take(MAX_SIZE).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Creates the file unless it exists, and returns whether it did. Of several processes that start at the same time,
/// one creates it and the others find it.
///
/// # Errors
///
/// Fails if the file does not exist and cannot be created.
pub(super) fn create(path: &Path, text: &str) -> io::Result<bool> {
    let draft = Draft::write(path, text)?;
    // Unlike a rename, a link does not replace an existing file.
    match fs::hard_link(&draft.path, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
        Ok(()) => sync(directory_of(path)).map(|()| true),
    }
}

/// Replaces the file. A process that reads it finds either the old text or the new one.
///
/// # Errors
///
/// Fails if the new file cannot be written. The old one is then unchanged.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let draft = Draft::write(path, text)?;
    fs::rename(&draft.path, path)?;
    sync(directory_of(path))
}

/// The complete text in a file with a random name, which is removed on drop.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(path: &Path, text: &str) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let mut draft_name = OsString::from(".");
        draft_name.push(name);
        // Containers that share a directory may have the same process id.
        draft_name.push(format!(".{:016x}", getrandom::u64().map_err(io::Error::other)?));
        let draft = Self { path: directory_of(path).join(draft_name) };
        let mut file = private_file().write(true).create_new(true).open(&draft.path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A file that cannot be removed is as private as the target.
        let _ = fs::remove_file(&self.path);
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(unix)]
fn private_file() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Without file modes, the access rights of the directory apply.
#[cfg(not(unix))]
fn private_file() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(unix)]
fn require_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    match file.metadata()?.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(io::Error::other("other users have access to it: run chmod 600 on it")),
    }
}

#[cfg(not(unix))]
fn require_private(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Syncs the directory, which contains the name of the file. Without it, a power cut could remove the name and leave
/// the sessions that were started with these keys.
#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_not_replaced_and_no_draft_remains() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        assert_eq!(read(&path).unwrap(), None);
        for (text, is_created) in [("first", true), ("second", false)] {
            assert_eq!(create(&path, text).unwrap(), is_created);
            assert_eq!(read(&path).unwrap().unwrap().as_str(), "first");
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn a_replaced_file_has_the_new_text_and_no_draft_remains() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        for text in ["first", "second"] {
            replace(&path, text).unwrap();
            assert_eq!(read(&path).unwrap().unwrap().as_str(), text);
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn threads_that_create_it_at_the_same_time_all_read_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        let create_and_read = |id: usize| {
            create(&path, &format!("{id}").repeat(10_000)).unwrap();
            read(&path).unwrap().unwrap().to_string()
        };
        let texts: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|id| scope.spawn(move || create_and_read(id))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(texts[0].len(), 10_000);
        assert!(texts.iter().all(|text| *text == texts[0]));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}
