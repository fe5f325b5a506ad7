//! Well-formed inputs: where a fuzzer starts from, and what the short runs change.

use basalt_resp::encode_command;
use basalt_tiering::cold::{ColdKey, RecordHeader};
use basalt_tiering::{KeyHash, NamespaceId, Offset, Slot, UnixMs, inside};

/// The seeds of a target; none for a name that is none.
#[must_use]
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "resp" => resp(),
        "binlog" => binlog(),
        "cold" => cold(),
        "config" => config(),
        _ => Vec::new(),
    }
}

fn resp() -> Vec<Vec<u8>> {
    let streams: [&[u8]; 6] = [
        b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n",
        b"SET k \"a\\x41\\n\" 'it\\'s'\r\nPING\n",
        b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\na\r\n\r\n*0\r\n*-1\r\n",
        b"+OK\r\n-ERR no\r\n:42\r\n$-1\r\n*2\r\n$1\r\na\r\n*-1\r\n",
        b"%1\r\n+k\r\n,1.5\r\n~2\r\n#t\r\n_\r\n>1\r\n(123\r\n=5\r\ntxt:a\r\n|1\r\n+a\r\n+b\r\n:1\r\n",
        b"*1048577\r\n$536870913\r\n",
    ];
    let input = |(choice, stream): (usize, &&[u8])| {
        let mut bytes = vec![choice as u8, 3, 0];
        bytes.extend_from_slice(stream);
        bytes
    };
    streams.iter().enumerate().map(input).collect()
}

fn binlog() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for n in 0..6_u8 {
        let mut payload = Vec::new();
        encode_command(&mut payload, &[&b"SET"[..], &[n], b"value"]);
        let mut header = [0; 40];
        header[0] = payload.len() as u8;
        header[28] = 1;
        frames.extend_from_slice(&header);
        frames.extend_from_slice(&payload);
    }
    let input = |mode: u8| {
        let mut bytes = vec![mode];
        bytes.extend_from_slice(&u64::from(mode).to_le_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&frames);
        bytes
    };
    (0..64).map(input).collect()
}

fn cold() -> Vec<Vec<u8>> {
    let mut all = vec![inside::sample_keyspace(), inside::sample_hot_keys()];
    for expiry in [None, Some(UnixMs(1 << 40))] {
        let mut record = Vec::new();
        let header = RecordHeader {
            kind: 1,
            lfu_counter: 5,
            lfu_clock: 600,
            guard: Offset(77),
            expiry,
            fields_expire: false,
        };
        header.encode_onto(&mut record);
        record.extend_from_slice(b"value");
        all.push(record);
    }
    let mut key = Vec::new();
    ColdKey::new(NamespaceId(3), Slot(4), KeyHash(5 << 32), b"key").encode_onto(&mut key);
    all.push(key);
    all
}

fn config() -> Vec<Vec<u8>> {
    let files = [
        "port 6380\nbind 127.0.0.1 -::1\n# comment\nmaxmemory 100mb\nsave 900 1\nsave 300 10\n",
        "client-output-buffer-limit normal 0 0 0\nclient-output-buffer-limit pubsub 32mb 8mb 60\n",
        "requirepass \"a b\\x41\\\"\"\nlogfile ''\nnotify-keyspace-events KEA\nrename-command GET g\n",
        "appendfsync always\nmaxmemory-policy allkeys-lfu\ntiering no\nbinlog yes\nmaxdisk 1gb\n",
        "unixsocket /tmp/s\nunixsocketperm 700\nslowlog-log-slower-than -1\nhz 10\ndatabases 4\n",
        "save \"\"\nappendonly yes\nlist-max-listpack-size -2\nreplicaof no one\ndir ./\n",
    ];
    files.iter().map(|file| file.as_bytes().to_vec()).collect()
}
