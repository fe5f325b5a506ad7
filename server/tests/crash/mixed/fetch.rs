//! What a server holds of one client's keys, read back by the commands of each type.

use std::collections::BTreeMap;
use std::io;

use super::registers;
use super::value::{Entry, Group, State, Stream, Value, at, number};
use crate::support::client::Client;
use crate::support::resp::Reply;

/// All keys of the database that `client` has selected.
pub(super) fn state(client: &mut Client, items: &[Vec<u8>]) -> io::Result<State> {
    let mut state = State::default();
    let keys = client.call(&["KEYS", "*"])?;
    for key in keys.items().unwrap_or_default() {
        let key = key.bytes().unwrap_or_default();
        let kind = client.call(&[b"TYPE", key])?.text();
        let expires_ms = int(&client.call(&[&b"PEXPIRETIME"[..], key])?)?;
        let value = value(client, &kind, key, items)?;
        state.0.insert(key.to_vec(), Entry { value, expires_ms });
    }
    Ok(state)
}

fn value(client: &mut Client, kind: &str, key: &[u8], items: &[Vec<u8>]) -> io::Result<Value> {
    let mut ask = |before: &[&str], after: &[&str]| -> io::Result<Vec<Reply>> {
        let args = before.iter().map(|w| w.as_bytes()).chain([key]);
        let args: Vec<&[u8]> = args.chain(after.iter().map(|w| w.as_bytes())).collect();
        list(client.call(&args)?)
    };
    Ok(match kind {
        "string" => {
            let text = bytes(&client.call(&[b"GET", key])?)?;
            match key.starts_with(b"p") {
                true => Value::Registers(registers::decode(&text).ok_or_else(|| odd("registers"))?),
                false => Value::Text(text),
            }
        }
        "list" => Value::List(all_bytes(&ask(&["LRANGE"], &["0", "-1"])?)?.into()),
        "set" => Value::Set(all_bytes(&ask(&["SMEMBERS"], &[])?)?.into_iter().collect()),
        "zset" => {
            let flat = all_bytes(&ask(&["ZRANGE"], &["0", "-1", "WITHSCORES"])?)?;
            let pairs = flat.chunks(2).map(|p| (p[0].clone(), number(&p[1])));
            Value::Sorted(pairs.collect())
        }
        "hash" => hash(client, key)?,
        "stream" => Value::Stream(stream(client, key)?),
        "MBbloom--" => {
            let mut args: Vec<&[u8]> = vec![b"BF.MEXISTS", key];
            args.extend(items.iter().map(Vec::as_slice));
            let known = list(client.call(&args)?)?;
            let known = items.iter().zip(known).filter(|(_, k)| *k == Reply::Int(1));
            Value::Filter(known.map(|(item, _)| item.clone()).collect())
        }
        other => return Err(odd(other)),
    })
}

fn hash(client: &mut Client, key: &[u8]) -> io::Result<Value> {
    let flat = all_bytes(&list(client.call(&[b"HGETALL", key])?)?)?;
    let mut hash = BTreeMap::new();
    for pairs in flat.chunks(2000) {
        let count = (pairs.len() / 2).to_string();
        let mut args: Vec<&[u8]> = vec![b"HPEXPIRETIME", key, b"FIELDS", count.as_bytes()];
        args.extend(pairs.chunks(2).map(|pair| &pair[0][..]));
        let times = list(client.call(&args)?)?;
        for (pair, time) in pairs.chunks(2).zip(times) {
            hash.insert(pair[0].clone(), (pair[1].clone(), int(&time)?));
        }
    }
    Ok(Value::Hash(hash))
}

fn stream(client: &mut Client, key: &[u8]) -> io::Result<Stream> {
    let mut stream = Stream::default();
    for entry in list(client.call(&[b"XRANGE", key, b"-", b"+"])?)? {
        let parts = list(entry)?;
        let fields = list(parts[1].clone())?;
        stream.entries.insert(id(&parts[0])?, bytes(&fields[1])?);
    }
    let about = list(client.call(&[&b"XINFO"[..], b"STREAM", key])?)?;
    stream.last = id(field(&about, "last-generated-id")?)?;
    for about in list(client.call(&[&b"XINFO"[..], b"GROUPS", key])?)? {
        let about = list(about)?;
        let name = bytes(field(&about, "name")?)?;
        let mut group = Group {
            last: id(field(&about, "last-delivered-id")?)?,
            ..Group::default()
        };
        for consumer in list(client.call(&[&b"XINFO"[..], b"CONSUMERS", key, &name])?)? {
            let name = bytes(field(&list(consumer)?, "name")?)?;
            group.consumers.insert(name);
        }
        let pending = client.call(&[b"XPENDING", key, &name, b"-", b"+", b"1000000"])?;
        for one in list(pending)? {
            let one = list(one)?;
            let owner = (bytes(&one[1])?, int(&one[3])?);
            group.pending.insert(id(&one[0])?, owner);
        }
        stream.groups.insert(name, group);
    }
    Ok(stream)
}

fn field<'a>(flat: &'a [Reply], name: &str) -> io::Result<&'a Reply> {
    let mut pairs = flat.chunks(2);
    pairs
        .find(|pair| pair[0].bytes() == Some(name.as_bytes()))
        .map(|pair| &pair[1])
        .ok_or_else(|| odd(name))
}

fn odd(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("odd reply: {what}"))
}

fn list(reply: Reply) -> io::Result<Vec<Reply>> {
    match reply {
        Reply::Array(items) => Ok(items),
        other => Err(odd(other)),
    }
}

fn int(reply: &Reply) -> io::Result<i64> {
    reply.int().ok_or_else(|| odd(reply))
}

fn bytes(reply: &Reply) -> io::Result<Vec<u8>> {
    match reply {
        Reply::Bulk(bytes) => Ok(bytes.clone()),
        other => Err(odd(other)),
    }
}

fn all_bytes(replies: &[Reply]) -> io::Result<Vec<Vec<u8>>> {
    replies.iter().map(bytes).collect()
}

fn id(reply: &Reply) -> io::Result<u64> {
    Ok(at(&bytes(reply)?))
}
