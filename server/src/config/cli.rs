//! The command line of `basalt-server`, which is redis-server's:
//! `basalt-server [/path/to/basalt.conf] [--directive value …] [-]`.
//!
//! The file is read first, then standard input (a last argument of `-`), then the directives, so
//! that each overrides what is before it.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Config;
use super::docs;
use super::error::ConfigError;
use super::file::Loader;
use super::params::ParamId;
use super::words;

/// What the command line asks for.
pub enum Invocation {
    /// Print this and leave.
    Print(String),
    /// Serve.
    Serve(Startup),
}

/// A configuration to start with.
pub struct Startup {
    /// The configuration.
    pub config: Arc<Config>,
    /// Directives that were given and have no effect here, each once: to be named in the log.
    pub without_effect: Vec<&'static str>,
}

/// The command line taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    file: Option<PathBuf>,
    from_stdin: bool,
    options: Vec<Vec<Vec<u8>>>,
}

impl Invocation {
    /// Reads the command line (without the program's name) and every file it names.
    pub fn from_args(
        args: impl IntoIterator<Item = OsString>,
        stdin: &mut dyn Read,
    ) -> Result<Self, ConfigError> {
        let args: Vec<Vec<u8>> = args.into_iter().map(OsStringExt::into_vec).collect();
        match args.first().map(Vec::as_slice) {
            Some(b"--version" | b"-v") => return Ok(Self::Print(docs::version())),
            Some(b"--help" | b"-h") => return Ok(Self::Print(docs::help())),
            _ => {}
        }
        Arguments::parse(args).load(stdin).map(Self::Serve)
    }
}

impl Arguments {
    fn parse(mut args: Vec<Vec<u8>>) -> Self {
        let from_stdin = args.last().is_some_and(|last| last == b"-");
        if from_stdin {
            args.pop();
        }
        let mut args = args.into_iter().peekable();
        let file = args.next_if(|first| !first.starts_with(b"-"));
        let file = file.map(|path| PathBuf::from(OsString::from_vec(path)));
        let mut options = Vec::new();
        while let Some(arg) = args.next() {
            let mut option = option_head(&arg);
            if takes_one(&option) {
                // Whatever follows is its value, even if it looks like an option: a password may.
                option.extend(args.next());
            }
            while let Some(value) = args.next_if(|arg| !arg.starts_with(b"--")) {
                option.push(value);
            }
            if option == [b"save"] {
                option.push(Vec::new());
            }
            options.push(option);
        }
        Self {
            file,
            from_stdin,
            options,
        }
    }

    fn load(self, stdin: &mut dyn Read) -> Result<Startup, ConfigError> {
        let mut loader = Loader::new();
        // Later changes of the working directory must not change which file is meant.
        let unreadable = |path: &PathBuf, error| ConfigError::Unreadable {
            path: path.clone(),
            error,
        };
        let file = match &self.file {
            Some(path) => Some(std::path::absolute(path).map_err(|error| unreadable(path, error))?),
            None => None,
        };
        if let Some(path) = &file {
            loader.read_file(path)?;
        }
        if self.from_stdin {
            let mut text = Vec::new();
            let read = stdin.read_to_end(&mut text);
            read.map_err(|error| unreadable(&PathBuf::from("-"), error))?;
            loader.read_text(&text)?;
        }
        for option in &self.options {
            loader.read_option(option)?;
        }
        loader.check_whole()?;
        let without_effect = std::mem::take(&mut loader.without_effect);
        Ok(Startup {
            config: Arc::new(Config::new(loader, file)),
            without_effect,
        })
    }
}

/// `--name` is a name; `--name value` in one argument, as init scripts quote it, is both.
fn option_head(arg: &[u8]) -> Vec<Vec<u8>> {
    let Some(name) = arg.strip_prefix(b"--") else {
        return vec![arg.to_vec()];
    };
    match name.contains(&b' ') {
        true => words::split(name).unwrap_or_else(|| vec![name.to_vec()]),
        false => vec![name.to_vec()],
    }
}

fn takes_one(option: &[Vec<u8>]) -> bool {
    match option {
        [name] => ParamId::find(name).is_some_and(|id| !id.param().kind.takes_many()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str], stdin: &str) -> Result<Startup, String> {
        let args = args.iter().map(OsString::from);
        match Invocation::from_args(args, &mut stdin.as_bytes()) {
            Ok(Invocation::Serve(startup)) => Ok(startup),
            Ok(Invocation::Print(text)) => Err(text),
            Err(error) => Err(error.to_string()),
        }
    }

    fn get(startup: &Startup, name: &str) -> String {
        String::from_utf8(startup.config.value(name).expect(name)).expect("text")
    }

    fn error(args: &[&str]) -> String {
        run(args, "").err().expect("refused")
    }

    #[test]
    fn options_override_stdin_which_overrides_the_file() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("basalt.conf");
        std::fs::write(&path, "port 1\nhz 11\ntimeout 1\n").expect("write");
        let path = path.to_str().expect("utf-8");
        let startup = run(&[path, "--port", "3", "-"], "port 2\nhz 12\n").expect("valid");
        assert_eq!(
            ["port", "hz", "timeout"].map(|name| get(&startup, name)),
            ["3", "12", "1"]
        );
    }

    #[test]
    fn several_values_may_come_as_one() {
        let quoted = ["--save", "900 1 60 2", "--replicaof", "127.0.0.1 6379"];
        let startup = run(&quoted, "").expect("valid");
        assert_eq!(get(&startup, "save"), "900 1 60 2");
        assert_eq!(get(&startup, "replicaof"), "127.0.0.1 6379");
        let from_stdin = run(&["-"], "bind \"127.0.0.1 ::1\"\n").expect("valid");
        assert_eq!(get(&from_stdin, "bind"), "127.0.0.1 ::1");
        assert!(run(&["--rename-command", "get got"], "").is_err());
    }

    #[test]
    fn options_take_several_values_as_redis_server_does() {
        let startup = run(
            &[
                "--save",
                "60",
                "1",
                "--bind",
                "127.0.0.1",
                "::1",
                "--maxmemory 10mb",
                "--REQUIREPASS",
                "--x",
                "--save",
                "5",
                "6",
                "7",
                "8",
            ],
            "",
        )
        .expect("valid");
        assert_eq!(get(&startup, "save"), "5 6 7 8");
        assert_eq!(get(&startup, "bind"), "127.0.0.1 ::1");
        assert_eq!(get(&startup, "maxmemory"), "10485760");
        assert_eq!(get(&startup, "requirepass"), "--x");
        assert_eq!(
            get(&run(&["--save", "--port", "1"], "").expect("valid"), "save"),
            ""
        );
        assert_eq!(get(&run(&["--save", ""], "").expect("valid"), "save"), "");
    }

    #[test]
    fn wrong_options_name_themselves() {
        let title = concat!(
            "*** FATAL CONFIG FILE ERROR (Basalt ",
            env!("CARGO_PKG_VERSION"),
            ") ***\n"
        );
        let cases: &[(&[&str], &str)] = &[
            (
                &["--port", "abc"],
                ">>> '--port abc'\nargument couldn't be parsed into an integer",
            ),
            (&["--port"], ">>> '--port'\nwrong number of arguments"),
            (
                &["--port", "1", "a b"],
                ">>> '--port 1 \"a b\"'\nwrong number of arguments",
            ),
            (
                &["--foo", "bar"],
                ">>> '--foo bar'\nBad directive or wrong number of arguments",
            ),
            (
                &["--foo"],
                ">>> '--foo'\nBad directive or wrong number of arguments",
            ),
            (
                &["-x"],
                ">>> '-x'\nBad directive or wrong number of arguments",
            ),
        ];
        for (args, tail) in cases {
            assert_eq!(
                error(args),
                format!("{title}Reading the command line\n{tail}"),
                "{args:?}"
            );
        }
        assert_eq!(
            error(&["/nonexistent/basalt.conf"]),
            "Fatal error, can't open config file '/nonexistent/basalt.conf': No such file or directory"
        );
        let both = error(&["--cluster-enabled", "yes", "--replicaof", "localhost", "1"]);
        assert_eq!(
            both,
            format!("{title}replicaof directive not allowed in cluster mode")
        );
    }

    #[test]
    fn version_and_help_print() {
        assert!(error(&["-v"]).starts_with("Basalt server v="));
        let help = error(&["--help"]);
        for id in ParamId::all() {
            assert!(
                help.contains(&format!("--{} ", id.param().name)),
                "{}",
                id.param().name
            );
        }
    }
}
