//! The dialogue of a replica with its master, without a network.

use std::time::Duration;

use basalt_binlog::Offset;
use tokio::io::DuplexStream;

use super::*;
use crate::ids::ReplicationId;

/// Plays a script against `work`: what the master must read, and what it then says.
fn with_master<R>(
    script: &[(&str, &str)],
    work: impl AsyncFnOnce(&mut Wire<DuplexStream>) -> R,
) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let master = async {
            for (heard, said) in script {
                let mut words = heard.split(' ').collect::<Vec<_>>();
                words.retain(|word| !word.is_empty());
                let expected = command(&words.iter().map(|w| w.as_bytes()).collect::<Vec<_>>());
                let mut got = vec![0; expected.len()];
                theirs.read_exact(&mut got).await.unwrap();
                assert_eq!(
                    String::from_utf8_lossy(&got),
                    String::from_utf8_lossy(&expected)
                );
                theirs.write_all(said.as_bytes()).await.unwrap();
            }
            theirs
        };
        let replica = async {
            let mut wire = Wire::new(ours, Duration::from_secs(60));
            work(&mut wire).await
        };
        let (result, _open) = tokio::join!(replica, master);
        result
    })
}

const CAPA: &str = "REPLCONF capa eof capa psync2 capa basalt";

fn greeting() -> Greeting {
    Greeting {
        auth: Some((None, b"secret".to_vec())),
        port: 7000,
        ip: Some("10.0.0.9".into()),
    }
}

#[test]
fn the_greeting_is_that_of_redis() {
    let script = [
        ("PING", "-NOAUTH Authentication required.\r\n"),
        ("AUTH secret", "+OK\r\n"),
        ("REPLCONF listening-port 7000", "+OK\r\n"),
        ("REPLCONF ip-address 10.0.0.9", "-ERR unknown option\r\n"),
        (CAPA, "\n\n+OK\r\n"),
    ];
    let done = with_master(&script, async |wire| wire.greet(&greeting()).await);
    assert!(done.is_ok(), "{done:?}");
}

#[test]
fn a_refusal_says_what_was_refused() {
    let script = [
        ("PING", "+PONG\r\n"),
        ("AUTH secret", "-WRONGPASS invalid\r\n"),
    ];
    let error = with_master(&script, async |wire| wire.greet(&greeting()).await).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot authenticate to the master: WRONGPASS invalid"
    );
    let script = [("PING", "-LOADING wait\r\n")];
    let error = with_master(&script, async |wire| wire.greet(&greeting()).await).unwrap_err();
    assert!(matches!(error, LinkError::Later(_)));
}

#[test]
fn psync_names_the_next_byte_and_keeps_what_follows_the_answer() {
    let id = ReplicationId::parse(&[b'a'; 40]).unwrap();
    let ask = format!("PSYNC {id} 11");
    let script = [(&ask[..], "+CONTINUE\r\n*1\r\n$4\r\nPING\r\n")];
    let psync = Psync {
        id: Some(id),
        from: Some(Offset(10)),
        failover: false,
    };
    let (answer, bytes) = with_master(&script, async |wire| {
        let answer = wire.psync(&psync).await.unwrap();
        (answer, wire.stream_bytes().await.unwrap())
    });
    assert_eq!(answer, Answer::Continue(None));
    assert_eq!(bytes, b"*1\r\n$4\r\nPING\r\n");
}

#[test]
fn a_silent_master_is_given_up() {
    let error = with_master(&[], async |wire| wire.greet(&greeting()).await).unwrap_err();
    assert!(matches!(error, LinkError::Timeout));
}

#[test]
fn attempts_become_rarer_and_are_spread() {
    assert_eq!(back_off(0, 100), Duration::from_millis(100));
    assert_eq!(back_off(0, 0), Duration::from_millis(50));
    assert_eq!(back_off(3, 100), Duration::from_millis(800));
    assert_eq!(back_off(40, 100), Duration::from_millis(3000));
}
