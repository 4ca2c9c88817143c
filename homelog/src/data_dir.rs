//! The directory of the data: where it is, who may read it, who holds it.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::fs::{FlockOperation, flock};

use crate::env::Env;

/// File that the process which writes the data holds locked; its pid stands in it.
const LOCK: &str = "homelog.lock";

/// The directory that is meant: the given one, or `homelog` in the user's own data directory.
///
/// # Errors
/// None is given and the user has no home directory.
pub(crate) fn locate(given: Option<&Path>, env: &Env) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    // the XDG specification has relative paths ignored
    let own = env
        .os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| {
            env.os("HOME")
                .map(|home| Path::new(home).join(".local/share"))
        });
    own.map(|path| path.join("homelog"))
        .context("there is no home directory to keep data in: name a directory with --data DIR")
}

/// The directory of data that must exist already.
///
/// # Errors
/// There is none.
pub(crate) fn existing(given: Option<&Path>, env: &Env) -> anyhow::Result<PathBuf> {
    let dir = locate(given, env)?;
    let known = ["log.db", "control.db", "spool/log.db"];
    if known.iter().any(|name| dir.join(name).is_file()) {
        return Ok(dir);
    }
    anyhow::bail!(
        "there is no data of homelog in {}: name its directory with --data DIR, or make it with `homelog up`",
        dir.display()
    )
}

/// Makes the directory, for its owner alone.
///
/// # Errors
/// It cannot be made or written to.
pub(crate) fn create(dir: &Path) -> anyhow::Result<()> {
    let advice = "choose another directory with --data DIR, or let this user write there";
    if dir.exists() && !dir.is_dir() {
        anyhow::bail!("{} is not a directory: {advice}", dir.display());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| {
            format!(
                "the data directory {} cannot be made: {advice}",
                dir.display()
            )
        })
}

/// The lock on a data directory, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock.
///
/// # Errors
/// Another process holds it, or the directory cannot be written to.
pub(crate) fn lock(dir: &Path) -> anyhow::Result<Lock> {
    let path = dir.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .with_context(|| {
            format!(
                "the data directory {} cannot be written to: choose another one with --data DIR, or let this user write there",
                dir.display()
            )
        })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let holder = holder(&mut file);
            anyhow::bail!(
                "another homelog{holder} already runs on the data in {}: stop it first, or choose another directory with --data DIR",
                dir.display()
            );
        }
        Err(e) => {
            return Err(e).with_context(|| format!("{} cannot be locked", path.display()));
        }
    }
    // the pid only helps people: a lock without it holds as well
    let written = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(e) = written {
        tracing::warn!(error = %e, "the pid could not be written to {}", path.display());
    }
    Ok(Lock { _file: file })
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(32).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!(" (pid {})", text.trim()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_found_as_xdg_has_it() {
        let at = |env: Env| locate(None, &env).map(|path| path.display().to_string());
        assert_eq!(
            at([("XDG_DATA_HOME", "/x"), ("HOME", "/home/a")].into()).unwrap(),
            "/x/homelog"
        );
        assert_eq!(
            at([("XDG_DATA_HOME", "relative"), ("HOME", "/home/a")].into()).unwrap(),
            "/home/a/.local/share/homelog"
        );
        assert!(
            at(Env::default())
                .unwrap_err()
                .to_string()
                .contains("--data")
        );
        assert_eq!(
            locate(Some(Path::new("d")), &Env::default()).unwrap(),
            Path::new("d")
        );
    }

    #[test]
    fn a_second_lock_is_refused_and_names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let first = lock(dir.path()).unwrap();
        let refused = lock(dir.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("(pid {})", std::process::id())),
            "{refused}"
        );
        drop(first);
        lock(dir.path()).unwrap();
    }

    #[test]
    fn a_file_in_place_of_the_directory_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = create(file.path()).unwrap_err().to_string();
        assert!(refused.contains("is not a directory"), "{refused}");
    }
}
