//! The forms in which changes of strings and keys are logged.
//!
//! Every form names one key, is deterministic, and is a command of the table, so that replay runs the
//! handlers which serve clients. Times are absolute.

use basalt_resp::Args;
use basalt_tiering::UnixMs;

use crate::dispatch;
use crate::effects::Effects;

impl Effects {
    /// Logs the client's command as it is, for one that is an effect already; its own bytes if they are
    /// in canonical form.
    pub fn as_given(&mut self, db: u32, args: &Args<'_>) {
        let own_name = dispatch::own_name(args);
        if args.is_canonical() && own_name.is_none() {
            self.raw(db, args.raw());
            return;
        }
        let mut words: Vec<&[u8]> = args.iter().collect();
        if let Some(name) = own_name {
            words[0] = name.as_bytes();
        }
        self.command(db, &words);
    }

    /// The key now holds the string `value` and expires at `deadline`.
    pub fn set(&mut self, db: u32, key: &[u8], value: &[u8], deadline: Option<UnixMs>) {
        match deadline {
            None => self.command(db, &[b"SET", key, value]),
            Some(at) => {
                let mut digits = itoa::Buffer::new();
                self.command(
                    db,
                    &[b"SET", key, value, b"PXAT", digits.format(at.0).as_bytes()],
                );
            }
        }
    }

    /// The key is gone.
    pub fn delete(&mut self, db: u32, key: &[u8]) {
        self.command(db, &[b"DEL", key]);
    }

    /// The key now expires at `deadline`.
    pub fn expire_at(&mut self, db: u32, key: &[u8], deadline: UnixMs) {
        let mut digits = itoa::Buffer::new();
        self.command(
            db,
            &[b"PEXPIREAT", key, digits.format(deadline.0).as_bytes()],
        );
    }

    /// The key now stays.
    pub fn persist(&mut self, db: u32, key: &[u8]) {
        self.command(db, &[b"PERSIST", key]);
    }
}

#[cfg(test)]
mod tests {
    use basalt_resp::{ArgRanges, Decoder, Limits, OwnedArgs};

    use super::*;

    fn payload(log: impl FnOnce(&mut Effects)) -> String {
        let mut effects = Effects::default();
        log(&mut effects);
        assert_eq!(effects.count(), 1);
        String::from_utf8(effects.payload().to_vec()).expect("the cases are text")
    }

    #[test]
    fn a_set_names_its_deadline_in_unix_milliseconds() {
        assert_eq!(
            payload(|e| e.set(0, b"k", b"v", None)),
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
        );
        assert_eq!(
            payload(|e| e.set(0, b"k", b"", Some(UnixMs(1234)))),
            "*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n$4\r\nPXAT\r\n$4\r\n1234\r\n"
        );
    }

    #[test]
    fn an_inline_command_is_logged_in_canonical_form() {
        let line = b"append 'a b' c\r\n";
        let mut ranges = ArgRanges::new();
        assert_eq!(
            Decoder::new().decode(line, &Limits::default(), &mut ranges),
            Ok(Some(line.len()))
        );
        let logged = payload(|e| e.as_given(0, &Args::new(line, &ranges)));
        assert_eq!(logged, "*3\r\n$6\r\nappend\r\n$3\r\na b\r\n$1\r\nc\r\n");
        let same = OwnedArgs::from_slices(&["append", "a b", "c"]);
        assert_eq!(payload(|e| e.as_given(0, &same.as_args())), logged);
    }
}
