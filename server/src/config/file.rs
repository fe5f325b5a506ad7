//! Reads directives, from files and from the command line, into the values of the table.
//!
//! Later directives override earlier ones, with two exceptions that files depend on: each `save`
//! line adds a rule to those of the lines before it, and each `client-output-buffer-limit` line
//! changes only the classes it names. On the command line a `save` replaces all rules.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Place};
use super::kind::Reason;
use super::params::{Effect, KEPT_DIRECTIVES, ParamId, Values};
use super::settings::RenamedCommand;
use super::value::Value;
use super::words;

/// Files that include each other end here.
const MAX_INCLUDE_DEPTH: usize = 16;

const BAD_DIRECTIVE: Reason = Reason::Borrowed("Bad directive or wrong number of arguments");

/// What has been read so far.
#[derive(Clone)]
pub(super) struct Loader {
    pub(super) values: Values,
    pub(super) renamed: Vec<RenamedCommand>,
    /// Names of directives that were given and have no effect here, each once, in order.
    pub(super) without_effect: Vec<&'static str>,
    /// Whether `save` was given, so that the default rules are gone.
    save_given: bool,
}

/// Where a directive comes from, as far as its meaning depends on it.
#[derive(Clone, Copy)]
enum Source {
    File { include_depth: usize },
    CommandLine,
}

enum Failure {
    Here(Reason),
    InIncludedFile(ConfigError),
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Failure::Here(reason)
    }
}

impl Loader {
    pub(super) fn new() -> Self {
        Self {
            values: Values::defaults(),
            renamed: Vec::new(),
            without_effect: Vec::new(),
            save_given: false,
        }
    }

    /// Reads the file the server is started with.
    pub(super) fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = read(path)?;
        self.read_text(&text)
    }

    /// Reads the text of a configuration file.
    pub(super) fn read_text(&mut self, text: &[u8]) -> Result<(), ConfigError> {
        self.read_lines(text, None, 0)
    }

    /// Reads one option of the command line: a name without its dashes, and its arguments.
    pub(super) fn read_option(&mut self, option: &[Vec<u8>]) -> Result<(), ConfigError> {
        self.directive(option, Source::CommandLine)
            .map_err(|failure| match failure {
                Failure::InIncludedFile(error) => error,
                Failure::Here(reason) => {
                    let line = as_typed(option);
                    ConfigError::Directive {
                        place: Place::CommandLine,
                        line,
                        reason,
                    }
                }
            })
    }

    /// Checks what no single directive can be blamed for.
    pub(super) fn check_whole(&self) -> Result<(), ConfigError> {
        let is = |name: &str, wanted: &[u8]| {
            let id = ParamId::find(name.as_bytes()).expect("checked names are in the table");
            self.values.get(id).reply() == wanted
        };
        if is("cluster-enabled", b"yes") && !is("replicaof", b"") {
            return Err(ConfigError::Contradiction(
                "replicaof directive not allowed in cluster mode",
            ));
        }
        Ok(())
    }

    fn read_lines(
        &mut self,
        text: &[u8],
        included: Option<&Path>,
        depth: usize,
    ) -> Result<(), ConfigError> {
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let source = Source::File {
                include_depth: depth,
            };
            let outcome = match words::split(line) {
                Some(directive) => self.directive(&directive, source),
                None => Err(Failure::Here(
                    "Unbalanced quotes in configuration line".into(),
                )),
            };
            outcome.map_err(|failure| match failure {
                Failure::InIncludedFile(error) => error,
                Failure::Here(reason) => ConfigError::Directive {
                    place: Place::in_file(included, at + 1),
                    line: lossy(line),
                    reason,
                },
            })?;
        }
        Ok(())
    }

    fn directive(&mut self, directive: &[Vec<u8>], source: Source) -> Result<(), Failure> {
        let [name, args @ ..] = directive else {
            return Err(BAD_DIRECTIVE.into());
        };
        if let Some(id) = ParamId::find(name) {
            return self.parameter(id, args, source).map_err(Failure::Here);
        }
        let name = name.to_ascii_lowercase();
        match (name.as_slice(), args) {
            (b"include", [path]) => self.include(path, source),
            (b"rename-command", [command, new_name]) => {
                let new_name = (!new_name.is_empty()).then(|| lossy(new_name));
                self.renamed.push(RenamedCommand {
                    command: lossy(command),
                    new_name,
                });
                Ok(())
            }
            (b"sentinel", _) => Err(Failure::Here(
                "sentinel directive while not in sentinel mode".into(),
            )),
            (_, [_, ..]) => self.kept_directive(&name).map_err(Failure::Here),
            _ => Err(BAD_DIRECTIVE.into()),
        }
    }

    fn kept_directive(&mut self, name: &[u8]) -> Result<(), Reason> {
        let known = KEPT_DIRECTIVES
            .iter()
            .find(|(kept, _)| kept.as_bytes() == name);
        let (name, _) = known.ok_or(BAD_DIRECTIVE)?;
        self.note_without_effect(name);
        Ok(())
    }

    fn parameter(&mut self, id: ParamId, args: &[Vec<u8>], source: Source) -> Result<(), Reason> {
        let param = id.param();
        if args.is_empty() {
            return Err("wrong number of arguments".into());
        }
        let old = self.values.get(id);
        let mut value = param.kind.parse(args, old)?;
        if let Value::Save(rules) = &mut value {
            let adds =
                matches!(source, Source::File { .. }) && self.save_given && !rules.is_empty();
            if let (true, Value::Save(before)) = (adds, old) {
                rules.splice(0..0, before.iter().copied());
            }
            self.save_given = true;
        }
        self.values.set(id, value);
        if param.effect == Effect::None {
            self.note_without_effect(param.name);
        }
        Ok(())
    }

    fn note_without_effect(&mut self, name: &'static str) {
        if !self.without_effect.contains(&name) {
            self.without_effect.push(name);
        }
    }

    fn include(&mut self, pattern: &[u8], source: Source) -> Result<(), Failure> {
        let depth = match source {
            Source::File { include_depth } => include_depth + 1,
            Source::CommandLine => 1,
        };
        if depth > MAX_INCLUDE_DEPTH {
            return Err(Failure::Here("Files include each other too deeply".into()));
        }
        let paths = match words::is_glob(pattern) {
            true => expand(pattern),
            false => vec![path_of(pattern)],
        };
        for path in paths {
            let text = read(&path).map_err(Failure::InIncludedFile)?;
            self.read_lines(&text, Some(&path), depth)
                .map_err(Failure::InIncludedFile)?;
        }
        Ok(())
    }
}

/// An option as it stood on the command line.
fn as_typed(option: &[Vec<u8>]) -> String {
    let mut line = Vec::new();
    for (at, word) in option.iter().enumerate() {
        match at {
            0 if word.starts_with(b"-") => {}
            0 => line.extend_from_slice(b"--"),
            _ => line.push(b' '),
        }
        words::push_quoted(&mut line, word);
    }
    lossy(&line)
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_path_buf(),
        error,
    })
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// The files that a path with patterns in it names, in order. None is fine: a directory of
/// fragments may be empty.
fn expand(pattern: &[u8]) -> Vec<PathBuf> {
    let root = if pattern.starts_with(b"/") { "/" } else { "" };
    let mut paths = vec![PathBuf::from(root)];
    for part in pattern
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
    {
        paths = match words::is_glob(part) {
            true => paths
                .iter()
                .flat_map(|path| matching_entries(path, part))
                .collect(),
            false => paths.iter().map(|path| path.join(path_of(part))).collect(),
        };
    }
    paths.retain(|path| path.is_file());
    paths
}

fn matching_entries(dir: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let listed = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    // A directory that is not there has no entries, as in a shell.
    let Ok(entries) = fs::read_dir(listed) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    names.retain(|name| {
        let hidden = name.as_bytes().starts_with(b".") && !pattern.starts_with(b".");
        !hidden && words::glob_match(pattern, name.as_bytes())
    });
    names.sort();
    names.into_iter().map(|name| dir.join(name)).collect()
}
