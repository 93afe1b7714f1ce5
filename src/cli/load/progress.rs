//! How far a load has come, in a file beside the one that is loaded: so that a command that was stopped
//! or killed goes on there.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::bad_lines::{self, BadLines, Kept};
use super::input::Input;
use super::ledger::{Mark, Place};
use crate::atomic_file::AtomicFile;

/// Of the file's form.
const SCHEMA_VERSION: u32 = 1;

/// What is loaded where, and how: a load goes on only where all of it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Task {
    /// Of the whole input, hex digits.
    pub sha256: String,
    /// Hosts and name of the database, without a password.
    pub database: String,
    /// `--type`.
    pub route: Option<String>,
    /// `--time`, as RFC 3339.
    pub time: Option<String>,
    /// Of the routes and of what is said of messages: where lines go. Hex digits.
    pub routes: String,
}

/// How far it has come.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    schema_version: u32,
    #[serde(flatten)]
    task: Task,
    #[serde(flatten)]
    mark: Mark,
    /// The file of `--bad`, as far as it is of lines before the mark.
    bad_file: Option<Kept>,
}

/// Keeps the progress, and the bad lines that it has passed.
pub(super) struct Keeper {
    task: Task,
    /// None where nothing is kept.
    path: Option<PathBuf>,
    bad_lines: Option<BadLines>,
    /// Passed by the mark, and not yet in the file of bad lines.
    passed: Vec<Place>,
}

impl Keeper {
    /// Looks for the progress of an earlier run, and gives where to go on.
    ///
    /// # Errors
    /// Where there is progress of something else, or a file cannot be read or written.
    pub(super) fn start(
        task: Task,
        path: Option<PathBuf>,
        bad: Option<PathBuf>,
        restart: bool,
    ) -> Result<(Self, Mark)> {
        let found = path.as_deref().map(read).transpose()?.flatten();
        if !restart
            && let (Some(progress), Some(path)) = (&found, &path)
            && let Some(difference) = difference(&progress.task, &task)
        {
            bail!(
                "{} is the progress of another load: {difference}. Give --restart to load all of this one from its start, or --progress FILE to keep both",
                path.display()
            );
        }
        let (mark, earlier) =
            found.map_or((Mark::default(), None), |progress| (progress.mark, progress.bad_file));
        let mark = if restart { Mark::default() } else { mark };
        let bad_lines = match bad {
            Some(path) => {
                let lines = BadLines::open(&path, earlier.as_ref(), restart);
                Some(lines.with_context(|| bad_lines::failed(&path))?)
            }
            None => None,
        };
        let mut keeper = Self { task, path, bad_lines, passed: Vec::new() };
        // A progress that cannot be kept is told before anything is loaded, and before a file is changed.
        keeper.write(mark)?;
        if let Some(lines) = &mut keeper.bad_lines {
            lines.begin().with_context(|| lines.failed())?;
        }
        Ok((keeper, mark))
    }

    /// Keeps the mark, and before that the bad lines that it has passed.
    ///
    /// # Errors
    /// Where a file cannot be written. The next call tries all of it again.
    pub(super) fn save(&mut self, mark: Mark, passed: Vec<Place>, input: &Input) -> Result<()> {
        self.passed.extend(passed);
        if let Some(bad_lines) = &mut self.bad_lines {
            bad_lines.append(&self.passed, input).with_context(|| bad_lines.failed())?;
        }
        self.passed.clear();
        self.write(mark)
    }

    /// All lines have their end: there is nothing to go on with.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub(super) fn forget(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// There as a whole, or as it was before.
    fn write(&mut self, mark: Mark) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let bad_file = self.bad_lines.as_ref().map(|lines| lines.kept().clone());
        let (schema_version, task) = (SCHEMA_VERSION, self.task.clone());
        let progress = Progress { schema_version, task, mark, bad_file };
        let written = || -> Result<()> {
            let mut file = AtomicFile::beside(path)?;
            serde_json::to_writer_pretty(&mut file, &progress)?;
            file.write_all(b"\n")?;
            Ok(file.put_over()?)
        };
        written().with_context(|| {
            let path = path.display();
            format!("cannot keep the progress in {path}: give --progress FILE for another place")
        })
    }
}

fn read(path: &Path) -> Result<Option<Progress>> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(there) if !there.is_file() => {
            bail!(
                "{} is no plain file, and progress is written over it: give --progress FILE for another place",
                path.display()
            )
        }
        _ => {}
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let progress: Progress = serde_json::from_reader(io::BufReader::new(file))
        .ok()
        .filter(|progress: &Progress| progress.schema_version == SCHEMA_VERSION)
        .with_context(|| {
            format!("{} is no progress of a load that this version can go on with, and would be written over: give --progress FILE for another place, or remove it to load all from the start", path.display())
        })?;
    Ok(Some(progress))
}

/// What of a load is not as it was.
fn difference(was: &Task, is: &Task) -> Option<String> {
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
    if was.sha256 != is.sha256 {
        return Some("the input has another content, and lines without an id of their own would be new messages".to_owned());
    }
    if was.database != is.database {
        return Some(format!(
            "it went into {}, and this one goes into {}",
            was.database, is.database
        ));
    }
    if was.route != is.route {
        return Some(format!("--type was {}, and is {}", shown(&was.route), shown(&is.route)));
    }
    if was.routes != is.routes {
        return Some("the routes or the section [message] of the configuration were others, or another version of Longshore read them".to_owned());
    }
    (was.time != is.time)
        .then(|| format!("--time was {}, and is {}", shown(&was.time), shown(&is.time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task {
            sha256: "00ff".to_owned(),
            database: "a/db".to_owned(),
            route: None,
            time: None,
            routes: "a".to_owned(),
        }
    }

    fn mark(offset: u64) -> Mark {
        Mark { offset, line: offset / 10, loaded: 3, bad: 1 }
    }

    fn input() -> Input {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"{\"good\":1}\n{bad\n{worse\n").expect("written");
        Input::open(file.path()).expect("readable")
    }

    #[test]
    fn a_load_goes_on_where_it_was_and_forgets_it_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.ndjson.load");
        let start = || Keeper::start(task(), Some(path.clone()), None, false).expect("started");
        let (mut keeper, from) = start();
        assert_eq!(from, Mark::default());
        keeper.save(mark(40), Vec::new(), &input()).expect("kept");
        let (keeper, from) = start();
        assert_eq!(from, mark(40));
        let files = std::fs::read_dir(folder.path()).expect("it is there").count();
        keeper.forget().expect("removed");
        assert_eq!((files, start().1), (1, Mark::default()));
    }

    #[test]
    fn the_progress_of_something_else_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("progress");
        let start = |task, restart| Keeper::start(task, Some(path.clone()), None, restart);
        start(task(), false)
            .expect("started")
            .0
            .save(mark(40), Vec::new(), &input())
            .expect("kept");
        let text = || "event".to_owned();
        for (other, why) in [
            (Task { sha256: text(), ..task() }, "another content"),
            (Task { database: text(), ..task() }, "it went into a/db"),
            (Task { route: Some(text()), ..task() }, "--type was nothing, and is event"),
            (Task { time: Some(text()), ..task() }, "--time was nothing"),
            (Task { routes: text(), ..task() }, "the routes"),
        ] {
            let refused = start(other, false).err().expect("refused").to_string();
            assert!(refused.contains(why) && refused.contains("--restart"), "{refused}");
        }
        assert_eq!(start(task(), true).expect("started").1, Mark::default());
        // Whatever is no progress is never written over.
        std::fs::write(&path, b"{}").expect("written");
        for restart in [false, true] {
            let refused = start(task(), restart).err().expect("refused").to_string();
            assert!(refused.contains("no progress of a load"), "{refused}");
        }
        let device = Some(PathBuf::from("/dev/null"));
        let refused = Keeper::start(task(), device, None, true).err().expect("refused");
        assert!(refused.to_string().contains("no plain file"), "{refused}");
    }

    #[test]
    fn a_file_that_holds_something_else_keeps_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, bad) = (folder.path().join("progress"), folder.path().join("bad"));
        let start = |restart| Keeper::start(task(), Some(path.clone()), Some(bad.clone()), restart);
        std::fs::write(&bad, "of others\n").expect("written");
        for restart in [false, true] {
            let refused = format!("{:#}", start(restart).err().expect("refused"));
            assert!(refused.contains("not of a load that goes on"), "{refused}");
        }
        assert_eq!(std::fs::read_to_string(&bad).expect("read"), "of others\n");
        std::fs::remove_file(&bad).expect("removed");
        let place = Place { offset: 11, bytes: 5, number: 2 };
        let (mut keeper, _) = start(false).expect("started");
        keeper.save(mark(16), vec![place], &input()).expect("kept");
        // Written over by somebody else, and no shorter.
        std::fs::write(&bad, "of others\n").expect("written");
        let refused = format!("{:#}", start(false).err().expect("refused"));
        assert!(refused.contains("was changed"), "{refused}");
        std::fs::write(&bad, "{bad\nof a run that was killed").expect("written");
        start(true).expect("it is its own");
        assert_eq!(std::fs::read_to_string(&bad).expect("read"), "");
    }

    #[test]
    fn bad_lines_are_kept_once_however_often_it_is_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, bad) = (folder.path().join("progress"), folder.path().join("bad"));
        let start = || Keeper::start(task(), Some(path.clone()), Some(bad.clone()), false);
        let input = input();
        let [second, third] =
            [(11, 5, 2), (16, 7, 3)].map(|(offset, bytes, number)| Place { offset, bytes, number });
        let (mut keeper, _) = start().expect("started");
        keeper.save(mark(16), vec![second], &input).expect("kept");
        // Killed between the bad line and the progress.
        keeper.bad_lines.as_mut().expect("kept").append(&[third], &input).expect("kept");
        let (mut keeper, from) = start().expect("started");
        assert_eq!(from, mark(16));
        keeper.save(mark(23), vec![third], &input).expect("kept");
        assert_eq!(std::fs::read_to_string(&bad).expect("read"), "{bad\n{worse\n");
        keeper.forget().expect("removed");
        let refused = format!("{:#}", start().err().expect("refused"));
        assert!(refused.contains("is not empty"), "{refused}");
    }
}
