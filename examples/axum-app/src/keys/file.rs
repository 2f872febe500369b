//! A file with secrets: nobody else may read it, and nobody ever sees a part of it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// No such file is longer, in bytes.
const LONGEST: u64 = 64 * 1024;

/// What the file says; nothing where there is none.
///
/// # Errors
///
/// When it cannot be read, is no file, or is open to other users.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    // Asked before it is opened: opening a pipe waits for someone to write.
    match fs::metadata(path) {
        Ok(about) if about.is_file() => {}
        Ok(_) => return Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let file = File::open(path)?;
    refuse_if_open_to_others(&file)?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Makes the file, unless it is there by now, and tells whether it did: of several processes that start at once
/// one makes it, and the others find it.
///
/// # Errors
///
/// When it can be neither made nor found.
pub(super) fn create(path: &Path, text: &str) -> io::Result<bool> {
    let draft = Draft::write(path, text)?;
    // Unlike renaming, this replaces nothing.
    match fs::hard_link(&draft.path, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
        Ok(()) => flush(directory_of(path)).map(|()| true),
    }
}

/// The whole text under a name that nobody else looks for; it goes when this is dropped.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(path: &Path, text: &str) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let mut draft_name = OsString::from(".");
        draft_name.push(name);
        // The process id does not tell containers apart that share a directory.
        draft_name.push(format!(".{:016x}", getrandom::u64().map_err(io::Error::other)?));
        let draft = Self { path: directory_of(path).join(draft_name) };
        let mut file = for_the_owner().write(true).create_new(true).open(&draft.path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What cannot be removed is as private as the file itself.
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
fn for_the_owner() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Where there are no modes, the directory decides who may read.
#[cfg(not(unix))]
fn for_the_owner() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(unix)]
fn refuse_if_open_to_others(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    match file.metadata()?.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(io::Error::other("other users have access to it: run chmod 600 on it")),
    }
}

#[cfg(not(unix))]
fn refuse_if_open_to_others(_file: &File) -> io::Result<()> {
    Ok(())
}

/// A name is kept by its directory: without this it could be gone after a power cut, though the sessions made
/// under these keys are there.
#[cfg(unix)]
fn flush(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn flush(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_not_replaced_and_no_draft_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        assert_eq!(read(&path).unwrap(), None);
        for (text, is_made) in [("first", true), ("second", false)] {
            assert_eq!(create(&path, text).unwrap(), is_made);
            assert_eq!(read(&path).unwrap().as_deref(), Some("first"));
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn of_many_who_make_it_at_once_all_find_one_and_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        let make = |id: usize| {
            create(&path, &format!("{id}").repeat(10_000)).unwrap();
            read(&path).unwrap().unwrap()
        };
        let texts: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|id| scope.spawn(move || make(id))).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert_eq!(texts[0].len(), 10_000);
        assert!(texts.iter().all(|text| *text == texts[0]));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}
