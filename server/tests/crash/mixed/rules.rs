//! What a command does to a state, and its reply: as much of Redis as the clients of the mixed load use.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use super::registers;
use super::value::{Answer, No, State, Value, at, bulk, count, error, flag, number, ok};
use crate::support::resp::Reply;

/// Changes `state` as `command` does and returns its reply.
pub(crate) fn run(state: &mut State, command: &[Vec<u8>]) -> Reply {
    let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
    let families = [
        keys, texts, lists, sets, sorted, hashes, fields, streams, groups, sketches,
    ];
    for family in families {
        let answer = family(state, &args);
        // Commands that take out the last element, or find that they may not put in a first one.
        state.0.retain(|_, entry| !entry.value.is_gone());
        match answer {
            Ok(reply) => return reply,
            Err(No::WrongType) => return error("WRONGTYPE"),
            Err(No::NotMine) => {}
        }
    }
    panic!("the model does not know {:?}", args[0]);
}

fn keys(state: &mut State, args: &[&[u8]]) -> Answer {
    Ok(match *args {
        [b"DEL" | b"UNLINK", key] => flag(state.0.remove(key).is_some()),
        [b"FLUSHDB"] => {
            state.0.clear();
            ok()
        }
        [b"RENAME", from, to] => match state.0.remove(from) {
            Some(entry) => {
                state.0.insert(to.to_vec(), entry);
                ok()
            }
            None => error("ERR"),
        },
        [b"COPY", from, to, b"REPLACE"] => match state.0.get(from).cloned() {
            _ if from == to => error("ERR"),
            Some(entry) => {
                state.0.insert(to.to_vec(), entry);
                flag(true)
            }
            None => flag(false),
        },
        [b"PEXPIREAT", key, ms] => {
            let entry = state.0.get_mut(key);
            flag(entry.map(|e| e.expires_ms = number(ms)).is_some())
        }
        [b"PERSIST", key] => {
            let entry = state.0.get_mut(key).filter(|e| e.expires_ms != -1);
            flag(entry.map(|e| e.expires_ms = -1).is_some())
        }
        _ => return Err(No::NotMine),
    })
}

fn texts(state: &mut State, args: &[&[u8]]) -> Answer {
    let fit = |text: &mut Vec<u8>, len: usize| {
        if text.len() < len {
            text.resize(len, 0);
        }
    };
    Ok(match *args {
        [b"SET", key, text] => {
            state.put(key, Value::Text(text.to_vec()));
            ok()
        }
        [b"GET", key] => bulk(state.text(key)?.map(|text| &text[..])),
        [b"GETDEL", key] => {
            let reply = bulk(state.text(key)?.map(|text| &text[..]));
            state.0.remove(key);
            reply
        }
        [b"APPEND", key, more] => {
            let text = state.make_text(key)?;
            text.extend_from_slice(more);
            count(text.len())
        }
        [b"SETRANGE", key, from, new] => {
            let text = state.make_text(key)?;
            let from = at(from) as usize;
            fit(text, from + new.len());
            text[from..from + new.len()].copy_from_slice(new);
            count(text.len())
        }
        [b"SETBIT", key, bit, value] => {
            let text = state.make_text(key)?;
            let bit = at(bit) as usize;
            fit(text, bit / 8 + 1);
            let mask = 128 >> (bit % 8);
            let was = text[bit / 8] & mask != 0;
            match value {
                b"1" => text[bit / 8] |= mask,
                _ => text[bit / 8] &= !mask,
            }
            flag(was)
        }
        [b"BITCOUNT", key] => {
            let text = state.text(key)?;
            count(text.map_or(0, |t| t.iter().map(|b| b.count_ones() as usize).sum()))
        }
        [b"BITOP", b"OR", to, a, b] => {
            let mut sum = state.text(a)?.cloned().unwrap_or_default();
            let other = state.text(b)?.cloned().unwrap_or_default();
            fit(&mut sum, other.len());
            sum.iter_mut().zip(other).for_each(|(a, b)| *a |= b);
            let len = sum.len();
            match len {
                0 => drop(state.0.remove(to)),
                _ => state.put(to, Value::Text(sum)),
            }
            count(len)
        }
        [b"INCR", key] => {
            let text = state.make_text(key)?;
            let new = if text.is_empty() { 1 } else { number(text) + 1 };
            *text = new.to_string().into_bytes();
            Reply::Int(new)
        }
        _ => return Err(No::NotMine),
    })
}

fn lists(state: &mut State, args: &[&[u8]]) -> Answer {
    Ok(match *args {
        [b"RPUSH", key, ref new @ ..] => {
            let list = state.make_list(key)?;
            list.extend(new.iter().map(|e| e.to_vec()));
            count(list.len())
        }
        [b"LPUSH", key, ref new @ ..] => {
            let list = state.make_list(key)?;
            new.iter().for_each(|e| list.push_front(e.to_vec()));
            count(list.len())
        }
        [b"LPOP", key, n] => match state.list(key)? {
            None => Reply::NilArray,
            Some(list) => {
                let n = (at(n) as usize).min(list.len());
                Reply::Array(list.drain(..n).map(Reply::Bulk).collect())
            }
        },
        [b"RPOP", key] => bulk(state.list(key)?.and_then(|l| l.pop_back()).as_deref()),
        [b"LMOVE", from, to, b"LEFT", b"RIGHT"] => {
            if state.list(from)?.is_none() {
                return Ok(Reply::Nil);
            }
            state.list(to)?;
            let moved = state.list(from)?.and_then(|l| l.pop_front());
            let moved = moved.expect("no list is empty");
            state.make_list(to)?.push_back(moved.clone());
            Reply::Bulk(moved)
        }
        [b"LSET", key, index, new] => match state.list(key)? {
            None => error("ERR"),
            Some(list) => match list.get_mut(at(index) as usize) {
                None => error("ERR"),
                Some(element) => {
                    *element = new.to_vec();
                    ok()
                }
            },
        },
        [b"LINSERT", key, b"BEFORE", pivot, new] => match state.list(key)? {
            None => flag(false),
            Some(list) => match list.iter().position(|e| e == pivot) {
                None => Reply::Int(-1),
                Some(index) => {
                    list.insert(index, new.to_vec());
                    count(list.len())
                }
            },
        },
        [b"LREM", key, b"0", element] => match state.list(key)? {
            None => flag(false),
            Some(list) => {
                let before = list.len();
                list.retain(|e| e != element);
                count(before - list.len())
            }
        },
        [b"LTRIM", key, first, b"-1"] => {
            if let Some(list) = state.list(key)? {
                let first = (at(first) as usize).min(list.len());
                list.drain(..first);
            }
            ok()
        }
        [b"LINDEX", key, index] => {
            let list = state.list(key)?;
            bulk(list.and_then(|l| l.get(at(index) as usize).map(|e| &e[..])))
        }
        [b"LLEN", key] => count(state.list(key)?.map_or(0, |l| l.len())),
        _ => return Err(No::NotMine),
    })
}

fn sets(state: &mut State, args: &[&[u8]]) -> Answer {
    Ok(match *args {
        [b"SADD", key, ref new @ ..] => {
            let set = state.make_set(key)?;
            count(new.iter().filter(|e| set.insert(e.to_vec())).count())
        }
        [b"SREM", key, ref old @ ..] => match state.set(key)? {
            None => flag(false),
            Some(set) => count(old.iter().filter(|e| set.remove(**e)).count()),
        },
        [b"SMOVE", from, to, element] => {
            if state.set(from)?.is_none() {
                return Ok(flag(false));
            }
            state.set(to)?;
            let moved = state.set(from)?.is_some_and(|set| set.remove(element));
            if moved {
                state.make_set(to)?.insert(element.to_vec());
            }
            flag(moved)
        }
        [command @ (b"SUNIONSTORE" | b"SDIFFSTORE"), to, a, b] => {
            let a = state.set(a)?.cloned().unwrap_or_default();
            let b = state.set(b)?.cloned().unwrap_or_default();
            let new = match command {
                b"SUNIONSTORE" => &a | &b,
                _ => &a - &b,
            };
            let reply = count(new.len());
            state.put(to, Value::Set(new));
            reply
        }
        [b"SISMEMBER", key, element] => flag(state.set(key)?.is_some_and(|s| s.contains(element))),
        [b"SCARD", key] => count(state.set(key)?.map_or(0, |s| s.len())),
        _ => return Err(No::NotMine),
    })
}

fn sorted(state: &mut State, args: &[&[u8]]) -> Answer {
    let by_rank = |sorted: &BTreeMap<Vec<u8>, i64>| {
        let mut all: Vec<(i64, Vec<u8>)> = sorted.iter().map(|(m, s)| (*s, m.clone())).collect();
        all.sort();
        all
    };
    let score = |score: Option<i64>| bulk(score.map(|s| s.to_string().into_bytes()).as_deref());
    Ok(match *args {
        [b"ZADD", key, ref pairs @ ..] => {
            let sorted = state.make_sorted(key)?;
            let is_new = |p: &&[&[u8]]| sorted.insert(p[1].to_vec(), number(p[0])).is_none();
            count(pairs.chunks(2).filter(is_new).count())
        }
        [b"ZINCRBY", key, by, member] => {
            let old = state.make_sorted(key)?.entry(member.to_vec()).or_insert(0);
            *old += number(by);
            score(Some(*old))
        }
        [b"ZREM", key, ref old @ ..] => match state.sorted(key)? {
            None => flag(false),
            Some(sorted) => count(old.iter().filter(|m| sorted.remove(**m).is_some()).count()),
        },
        [b"ZPOPMIN", key, n] => {
            let Some(sorted) = state.sorted(key)? else {
                return Ok(Reply::Array(Vec::new()));
            };
            let mut all = by_rank(sorted);
            all.truncate(at(n) as usize);
            let pairs = all.into_iter().flat_map(|(s, m)| {
                sorted.remove(&m);
                [Reply::Bulk(m), score(Some(s))]
            });
            Reply::Array(pairs.collect())
        }
        [b"ZREMRANGEBYRANK", key, b"0", last] => {
            let Some(sorted) = state.sorted(key)? else {
                return Ok(flag(false));
            };
            let mut all = by_rank(sorted);
            all.truncate(at(last) as usize + 1);
            for (_, member) in &all {
                sorted.remove(member);
            }
            count(all.len())
        }
        [b"ZUNIONSTORE", to, b"2", a, b] => {
            let mut sum = scored(state, a)?;
            for (member, score) in scored(state, b)? {
                *sum.entry(member).or_insert(0) += score;
            }
            let reply = count(sum.len());
            state.put(to, Value::Sorted(sum));
            reply
        }
        [b"ZSCORE", key, member] => score(state.sorted(key)?.and_then(|s| s.get(member)).copied()),
        [b"ZRANK", key, member] => {
            let all = state.sorted(key)?.map(|s| by_rank(s)).unwrap_or_default();
            let rank = all.iter().position(|(_, m)| m == member);
            rank.map_or(Reply::Nil, count)
        }
        _ => return Err(No::NotMine),
    })
}

/// A sorted set, or a set whose members have the score 1.
fn scored(state: &mut State, key: &[u8]) -> Result<BTreeMap<Vec<u8>, i64>, No> {
    match state.set(key) {
        Ok(None) => Ok(BTreeMap::new()),
        Ok(Some(set)) => Ok(set.iter().map(|m| (m.clone(), 1)).collect()),
        Err(_) => Ok(state.sorted(key)?.cloned().unwrap_or_default()),
    }
}

fn hashes(state: &mut State, args: &[&[u8]]) -> Answer {
    Ok(match *args {
        [b"HSET", key, ref pairs @ ..] => {
            let hash = state.make_hash(key)?;
            let put = |p: &&[&[u8]]| hash.insert(p[0].to_vec(), (p[1].to_vec(), -1)).is_none();
            count(pairs.chunks(2).filter(put).count())
        }
        [b"HDEL", key, ref old @ ..] => match state.hash(key)? {
            None => flag(false),
            Some(hash) => count(old.iter().filter(|f| hash.remove(**f).is_some()).count()),
        },
        [b"HINCRBY", key, field, by] => {
            let hash = state.make_hash(key)?;
            let entry = hash.entry(field.to_vec()).or_insert((b"0".to_vec(), -1));
            let new = number(&entry.0) + number(by);
            entry.0 = new.to_string().into_bytes();
            Reply::Int(new)
        }
        [b"HGET", key, field] => {
            let hash = state.hash(key)?;
            bulk(hash.and_then(|h| h.get(field).map(|(value, _)| &value[..])))
        }
        [b"HLEN", key] => count(state.hash(key)?.map_or(0, |h| h.len())),
        _ => return Err(No::NotMine),
    })
}

/// Times of fields, and commands that set them with values.
fn fields(state: &mut State, args: &[&[u8]]) -> Answer {
    let one = |code: i64| Reply::Array(vec![Reply::Int(code)]);
    Ok(match *args {
        [b"HPEXPIREAT", key, ms, b"FIELDS", b"1", field] => {
            match state.hash(key)?.and_then(|hash| hash.get_mut(field)) {
                None => one(-2),
                Some(entry) => {
                    entry.1 = number(ms);
                    one(1)
                }
            }
        }
        [b"HPERSIST", key, b"FIELDS", b"1", field] => {
            match state.hash(key)?.and_then(|hash| hash.get_mut(field)) {
                None => one(-2),
                Some((_, -1)) => one(-1),
                Some(entry) => {
                    entry.1 = -1;
                    one(1)
                }
            }
        }
        [b"HSETEX", key, b"PXAT", ms, b"FIELDS", b"1", field, value] => {
            let hash = state.make_hash(key)?;
            hash.insert(field.to_vec(), (value.to_vec(), number(ms)));
            flag(true)
        }
        [b"HGETDEL", key, b"FIELDS", b"1", field] => {
            let old = state.hash(key)?.and_then(|hash| hash.remove(field));
            Reply::Array(vec![bulk(old.as_ref().map(|(value, _)| &value[..]))])
        }
        _ => return Err(No::NotMine),
    })
}

fn streams(state: &mut State, args: &[&[u8]]) -> Answer {
    Ok(match *args {
        [b"XADD", key, id, b"f", value] => {
            let stream = state.make_stream(key)?;
            stream.last = at(id);
            stream.entries.insert(at(id), value.to_vec());
            Reply::Bulk(id.to_vec())
        }
        [b"XDEL", key, ref ids @ ..] => match state.stream(key)? {
            None => flag(false),
            Some(stream) => count(
                ids.iter()
                    .filter(|id| stream.entries.remove(&at(id)).is_some())
                    .count(),
            ),
        },
        [b"XTRIM", key, b"MAXLEN", keep] => match state.stream(key)? {
            None => flag(false),
            Some(stream) => {
                let excess = stream.entries.len().saturating_sub(at(keep) as usize);
                (0..excess).for_each(|_| drop(stream.entries.pop_first()));
                count(excess)
            }
        },
        [b"XLEN", key] => count(state.stream(key)?.map_or(0, |s| s.entries.len())),
        _ => return Err(No::NotMine),
    })
}

fn groups(state: &mut State, args: &[&[u8]]) -> Answer {
    Ok(match *args {
        [b"XGROUP", b"CREATE", key, name, b"0", b"MKSTREAM"] => {
            match state.make_stream(key)?.groups.entry(name.to_vec()) {
                Place::Occupied(_) => error("BUSYGROUP"),
                Place::Vacant(place) => {
                    place.insert(Default::default());
                    ok()
                }
            }
        }
        [b"XGROUP", b"DESTROY", key, name] => match state.stream(key)? {
            None => error("ERR"),
            Some(stream) => flag(stream.groups.remove(name).is_some()),
        },
        [b"XGROUP", b"DELCONSUMER", key, name, consumer] => {
            let Some(stream) = state.stream(key)? else {
                return Ok(error("ERR"));
            };
            let Some(group) = stream.groups.get_mut(name) else {
                return Ok(error("NOGROUP"));
            };
            group.consumers.remove(consumer);
            let before = group.pending.len();
            group.pending.retain(|_, (owner, _)| owner != consumer);
            count(before - group.pending.len())
        }
        [
            b"XREADGROUP",
            b"GROUP",
            name,
            consumer,
            b"COUNT",
            n,
            b"STREAMS",
            key,
            b">",
        ] => {
            let Some(stream) = state.stream(key)? else {
                return Ok(error("NOGROUP"));
            };
            let Some(group) = stream.groups.get_mut(name) else {
                return Ok(error("NOGROUP"));
            };
            group.consumers.insert(consumer.to_vec());
            let new = stream.entries.range(group.last + 1..).take(at(n) as usize);
            let mut read = Vec::new();
            for (id, value) in new {
                group.last = *id;
                group.pending.insert(*id, (consumer.to_vec(), 1));
                read.push(entry(*id, value));
            }
            match read.is_empty() {
                true => Reply::NilArray,
                false => Reply::Array(vec![Reply::Array(vec![
                    Reply::Bulk(key.to_vec()),
                    Reply::Array(read),
                ])]),
            }
        }
        [b"XACK", key, name, ref ids @ ..] => {
            let group = state.stream(key)?.and_then(|s| s.groups.get_mut(name));
            count(group.map_or(0, |group| {
                let acked = ids
                    .iter()
                    .filter(|id| group.pending.remove(&at(id)).is_some());
                acked.count()
            }))
        }
        [b"XCLAIM", key, name, consumer, b"0", ref ids @ ..] => {
            let Some(stream) = state.stream(key)? else {
                return Ok(error("NOGROUP"));
            };
            let Some(group) = stream.groups.get_mut(name) else {
                return Ok(error("NOGROUP"));
            };
            group.consumers.insert(consumer.to_vec());
            let mut claimed = Vec::new();
            for id in ids.iter().map(|id| at(id)) {
                let Some(pending) = group.pending.get_mut(&id) else {
                    continue;
                };
                match stream.entries.get(&id) {
                    None => drop(group.pending.remove(&id)),
                    Some(value) => {
                        *pending = (consumer.to_vec(), pending.1 + 1);
                        claimed.push(entry(id, value));
                    }
                }
            }
            Reply::Array(claimed)
        }
        _ => return Err(No::NotMine),
    })
}

fn entry(id: u64, value: &[u8]) -> Reply {
    Reply::Array(vec![
        Reply::Bulk(format!("{id}-0").into_bytes()),
        Reply::Array(vec![
            Reply::Bulk(b"f".to_vec()),
            Reply::Bulk(value.to_vec()),
        ]),
    ])
}

/// HyperLogLogs and Bloom filters.
fn sketches(state: &mut State, args: &[&[u8]]) -> Answer {
    Ok(match *args {
        [b"PFADD", key, ref elements @ ..] => {
            let is_new = !state.0.contains_key(key);
            let registers = state.make_registers(key)?;
            let mut changed = is_new;
            for (register, value) in elements.iter().map(|e| registers::of(e)) {
                let old = registers.entry(register).or_insert(0);
                changed |= *old < value;
                *old = value.max(*old);
            }
            flag(changed)
        }
        [b"PFMERGE", to, from] => {
            let from = state.registers(from)?.cloned().unwrap_or_default();
            let to = state.make_registers(to)?;
            for (register, value) in from {
                let old = to.entry(register).or_insert(0);
                *old = value.max(*old);
            }
            ok()
        }
        [
            b"BF.INSERT",
            key,
            b"ERROR",
            _,
            b"CAPACITY",
            _,
            b"ITEMS",
            ref items @ ..,
        ] => {
            let filter = state.make_filter(key)?;
            let added = items.iter().map(|item| flag(filter.insert(item.to_vec())));
            Reply::Array(added.collect())
        }
        _ => return Err(No::NotMine),
    })
}
