//! The event classes of `notify-keyspace-events`, one letter each.

use std::fmt;

/// A set of keyspace event classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyspaceEvents(u16);

/// Every class, in the order in which they are written. The first ten are what `A` stands for.
const CLASSES: [(u8, KeyspaceEvents); 15] = [
    (b'g', KeyspaceEvents::GENERIC),
    (b'$', KeyspaceEvents::STRING),
    (b'l', KeyspaceEvents::LIST),
    (b's', KeyspaceEvents::SET),
    (b'h', KeyspaceEvents::HASH),
    (b'z', KeyspaceEvents::ZSET),
    (b'x', KeyspaceEvents::EXPIRED),
    (b'e', KeyspaceEvents::EVICTED),
    (b't', KeyspaceEvents::STREAM),
    (b'd', KeyspaceEvents::MODULE),
    (b'n', KeyspaceEvents::NEW),
    (b'm', KeyspaceEvents::MISS),
    (b'o', KeyspaceEvents::OVERWRITTEN),
    (b'c', KeyspaceEvents::TYPE_CHANGED),
    (b'K', KeyspaceEvents::TO_KEYSPACE),
];

impl KeyspaceEvents {
    /// Commands of no particular type (DEL, EXPIRE, …).
    pub const GENERIC: Self = Self(1);
    /// String commands.
    pub const STRING: Self = Self(1 << 1);
    /// List commands.
    pub const LIST: Self = Self(1 << 2);
    /// Set commands.
    pub const SET: Self = Self(1 << 3);
    /// Hash commands.
    pub const HASH: Self = Self(1 << 4);
    /// Sorted set commands.
    pub const ZSET: Self = Self(1 << 5);
    /// A key reached its expiry.
    pub const EXPIRED: Self = Self(1 << 6);
    /// A key was evicted for lack of room.
    pub const EVICTED: Self = Self(1 << 7);
    /// Stream commands.
    pub const STREAM: Self = Self(1 << 8);
    /// Types of modules.
    pub const MODULE: Self = Self(1 << 9);
    /// A key came into being (not in `A`).
    pub const NEW: Self = Self(1 << 10);
    /// A key was looked for and not found (not in `A`).
    pub const MISS: Self = Self(1 << 11);
    /// A key was overwritten as a whole (not in `A`).
    pub const OVERWRITTEN: Self = Self(1 << 12);
    /// A key changed its type (not in `A`).
    pub const TYPE_CHANGED: Self = Self(1 << 13);
    /// Publish to `__keyspace@<db>__` channels.
    pub const TO_KEYSPACE: Self = Self(1 << 14);
    /// Publish to `__keyevent@<db>__` channels.
    pub const TO_KEYEVENT: Self = Self(1 << 15);

    const ALL: u16 = (1 << 10) - 1;

    /// Reads a string of class letters; `None` if one is unknown.
    pub fn parse(letters: &[u8]) -> Option<Self> {
        let mut events = Self::default();
        for letter in letters {
            events.0 |= match letter {
                b'A' => Self::ALL,
                b'E' => Self::TO_KEYEVENT.0,
                _ => CLASSES.iter().find(|(name, _)| name == letter)?.1.0,
            };
        }
        Some(events)
    }

    /// Whether every class of `other` is in this set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for KeyspaceEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0 & Self::ALL == Self::ALL;
        if all {
            f.write_str("A")?;
        }
        for (letter, class) in CLASSES {
            let named_by_all = all && class.0 & Self::ALL != 0;
            if self.contains(class) && !named_by_all {
                write!(f, "{}", char::from(letter))?;
            }
        }
        if self.contains(Self::TO_KEYEVENT) {
            f.write_str("E")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_survive_a_round_trip() {
        for (given, written) in [
            ("", ""),
            ("KEA", "AKE"),
            ("AKEnm", "AnmKE"),
            ("Kx", "xK"),
            ("g$lshzxetd", "A"),
            ("E$oc", "$ocE"),
        ] {
            let events = KeyspaceEvents::parse(given.as_bytes()).expect(given);
            assert_eq!(events.to_string(), written);
            assert_eq!(KeyspaceEvents::parse(written.as_bytes()), Some(events));
        }
        assert_eq!(KeyspaceEvents::parse(b"Kq"), None);
    }
}
