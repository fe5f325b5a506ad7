//! CLIENT KILL, in its old form (an address) and its new one (filters that all must fit).

use basalt_resp::{Args, parse_i64};
use basalt_tiering::UnixMs;

use super::client::unknown_type;
use crate::args;
use crate::clients::{ClientId, ClientInfo, ClientKind};
use crate::errors::{self, Error};
use crate::session::{Next, SessionCtx};

const BAD_ID: Error = Error::new("ERR client-id should be greater than 0");
const BAD_AGE: Error = Error::new("ERR maxage is not an integer or out of range");
const NOBODY: Error = Error::new("ERR No such client");

/// Which clients to close; what is not given fits everybody.
#[derive(Debug, PartialEq, Eq)]
struct Filter<'a> {
    id: Option<ClientId>,
    kind: Option<ClientKind>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    max_age_seconds: Option<u64>,
    skip_me: bool,
}

impl<'a> Filter<'a> {
    fn parse(args: &Args<'a>) -> Result<Self, Error> {
        let mut filter = Filter {
            id: None,
            kind: None,
            addr: None,
            laddr: None,
            user: None,
            max_age_seconds: None,
            skip_me: true,
        };
        if !args.len().is_multiple_of(2) {
            return Err(errors::SYNTAX);
        }
        for at in (2..args.len()).step_by(2) {
            let (Some(option), Some(value)) = (args.get(at), args.get(at + 1)) else {
                return Err(errors::SYNTAX);
            };
            filter.add(option, value)?;
        }
        Ok(filter)
    }

    fn add(&mut self, option: &[u8], value: &'a [u8]) -> Result<(), Error> {
        match option.to_ascii_uppercase().as_slice() {
            b"ID" => {
                let id = parse_i64(value)
                    .and_then(|id| u64::try_from(id).ok())
                    .filter(|id| *id > 0);
                self.id = Some(ClientId(id.ok_or(BAD_ID)?));
            }
            b"TYPE" => {
                self.kind = Some(ClientKind::parse(value).ok_or_else(|| unknown_type(value))?)
            }
            b"ADDR" => self.addr = Some(value),
            b"LADDR" => self.laddr = Some(value),
            b"USER" if value == b"default" => self.user = Some(value),
            b"USER" => {
                return Err(Error::text(format!(
                    "ERR No such user '{}'",
                    String::from_utf8_lossy(value)
                )));
            }
            b"MAXAGE" => {
                let age = parse_i64(value).and_then(|age| u64::try_from(age).ok());
                self.max_age_seconds = Some(age.ok_or(BAD_AGE)?);
            }
            b"SKIPME" if args::is(value, "YES") => self.skip_me = true,
            b"SKIPME" if args::is(value, "NO") => self.skip_me = false,
            _ => return Err(errors::SYNTAX),
        }
        Ok(())
    }

    fn fits(&self, client: &ClientInfo, me: ClientId, now: UnixMs) -> bool {
        let age_seconds = now.0.saturating_sub(client.created.0) / 1000;
        self.id.is_none_or(|id| id == client.id)
            && self.kind.is_none_or(|kind| kind == client.kind())
            && self.addr.is_none_or(|addr| addr == client.addr.as_bytes())
            && self
                .laddr
                .is_none_or(|laddr| laddr == client.laddr.as_bytes())
            && self
                .user
                .is_none_or(|user| user == client.user().as_bytes())
            && self
                .max_age_seconds
                .is_none_or(|least| age_seconds >= least)
            && !(self.skip_me && client.id == me)
    }
}

pub(super) fn kill(ctx: &mut SessionCtx<'_>) -> Next {
    let old_form = ctx.args.len() == 3;
    let filter = if old_form {
        Filter {
            addr: ctx.args.get(2),
            id: None,
            kind: None,
            laddr: None,
            user: None,
            max_age_seconds: None,
            skip_me: false,
        }
    } else {
        match Filter::parse(ctx.args) {
            Ok(filter) => filter,
            Err(error) => return error.into(),
        }
    };
    let me = ctx.session.info.id;
    let (mut killed, mut suicide) = (0, false);
    for client in ctx.server.clients.all() {
        // Of one who was killed only the end of its task is still to come.
        if client.is_killed() || !filter.fits(&client, me, ctx.now) {
            continue;
        }
        killed += 1;
        // The one who asked gets the answer first.
        if client.id == me {
            suicide = true;
        } else {
            client.kill();
        }
    }
    match (old_form, killed) {
        (true, 0) => return NOBODY.into(),
        (true, _) => ctx.out.ok(),
        (false, _) => ctx.out.integer(killed),
    }
    if suicide { Next::Close } else { Next::Done }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::WorkerId;
    use basalt_resp::OwnedArgs;

    fn client(id: u64, addr: &str) -> ClientInfo {
        let info = ClientInfo::new(
            ClientId(id),
            -1,
            addr.into(),
            "l:1".into(),
            WorkerId(0),
            UnixMs(0),
        );
        info.release_socket();
        info
    }

    fn killed(words: &[&str]) -> Result<Vec<u64>, String> {
        let words: Vec<&str> = ["client", "kill"].iter().chain(words).copied().collect();
        let owned = OwnedArgs::from_slices(&words);
        let args = owned.as_args();
        let filter = Filter::parse(&args).map_err(|error| error.to_string())?;
        let clients = [client(1, "a:1"), client(2, "a:2"), client(3, "a:3")];
        let fits = |c: &&ClientInfo| filter.fits(c, ClientId(1), UnixMs(5_000));
        Ok(clients.iter().filter(fits).map(|c| c.id.0).collect())
    }

    #[test]
    fn every_filter_must_fit() {
        assert_eq!(killed(&["TYPE", "normal"]), Ok(vec![2, 3]));
        assert_eq!(
            killed(&["TYPE", "normal", "SKIPME", "no"]),
            Ok(vec![1, 2, 3])
        );
        assert_eq!(killed(&["ID", "3", "ADDR", "a:3"]), Ok(vec![3]));
        assert_eq!(killed(&["ID", "3", "ADDR", "a:2"]), Ok(vec![]));
        assert_eq!(killed(&["LADDR", "l:1", "USER", "default"]), Ok(vec![2, 3]));
        assert_eq!(killed(&["MAXAGE", "5"]), Ok(vec![2, 3]));
        assert_eq!(killed(&["MAXAGE", "6"]), Ok(vec![]));
    }

    #[test]
    fn bad_filters_are_refused_in_the_words_of_redis() {
        assert_eq!(
            killed(&["ID", "0"]),
            Err("ERR client-id should be greater than 0".into())
        );
        assert_eq!(
            killed(&["TYPE", "foo"]),
            Err("ERR Unknown client type 'foo'".into())
        );
        assert_eq!(
            killed(&["USER", "foo"]),
            Err("ERR No such user 'foo'".into())
        );
        assert_eq!(
            killed(&["ID", "1", "SKIPME"]),
            Err("ERR syntax error".into())
        );
        assert_eq!(killed(&["SKIPME", "maybe"]), Err("ERR syntax error".into()));
    }
}
