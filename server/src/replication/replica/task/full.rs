//! A full sync, from the link's side: fetch the snapshot, open it, have it take over. See `super::super::sync`.

use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::Context;
use basalt_binlog::Offset;
use basalt_replication::fetch;
use basalt_replication::ids::ReplicationId;
use basalt_replication::link::LinkError;
use basalt_replication::wire::{Answer, Manifest, Psync};

use super::super::LinkState;
use super::super::sync::{Staging, retire};
use super::Task;
use super::link::{Ended, Wired};

impl Task {
    pub(super) async fn full_sync(
        &mut self,
        wire: &mut Wired,
        held: &Psync,
        id: ReplicationId,
        snapshot: &str,
    ) -> Result<(), Ended> {
        self.link().set_state(LinkState::Sync);
        if self.staged.is_some() {
            // It has waited too long: the master's log no longer reaches back to it.
            self.discard_snapshot();
        }
        self.tell_what_is_lost(wire, held).await;
        let manifest = fetch::manifest(wire, snapshot).await?;
        if manifest.id != id {
            return Err(LinkError::Damaged("a snapshot of another history".to_owned()).into());
        }
        self.prepare(manifest)?;
        let staging = self.staging.as_ref().expect("prepared");
        let link = &self.server.replication.replica;
        let total = staging.manifest.bytes();
        link.sync_total.store(total, Ordering::Relaxed);
        let begun = Instant::now();
        tracing::info!(snapshot, bytes = total, "full sync");
        let progress = |bytes: u64| {
            link.sync_held.store(bytes, Ordering::Relaxed);
            link.heard();
        };
        let fetched = fetch::fetch(wire, &staging.manifest, &mut staging.sink(), &progress).await;
        if let Err(error) = fetched {
            if is_of_no_use(&error) {
                self.discard_snapshot();
            }
            return Err(error.into());
        }
        tracing::info!(
            bytes = total,
            seconds = begun.elapsed().as_secs_f64(),
            "the snapshot is here"
        );
        let staging = self.staging.take().expect("prepared");
        match staging.open(&self.server) {
            Ok(staged) => self.staged = Some(staged),
            Err(error) => {
                staging.discard();
                return Err(error.into());
            }
        }
        let ask = self.held().await?;
        match wire.psync(&ask).await? {
            Answer::Continue(_) => Ok(()),
            other => {
                self.discard_snapshot();
                let text = format!("{other:?}");
                Err(LinkError::Refused("the master does not go on after its snapshot", text).into())
            }
        }
    }

    /// Goes on with what is there of this snapshot, or begins anew.
    fn prepare(&mut self, manifest: Manifest) -> anyhow::Result<()> {
        if self
            .staging
            .as_ref()
            .is_some_and(|staging| staging.manifest == manifest)
        {
            return Ok(());
        }
        self.discard_snapshot();
        let staging = Staging::new(&self.server, manifest).context("no place for the snapshot")?;
        self.staging = Some(staging);
        Ok(())
    }

    /// Says in the log what of this node's own the full sync discards.
    async fn tell_what_is_lost(&self, wire: &mut Wired, held: &Psync) {
        let (Some(id), Some(from)) = (held.id, held.from) else {
            return;
        };
        if from == Offset(0) {
            return;
        }
        let parted_at = match wire.call(&[b"INFO", b"replication"]).await {
            Ok(info) => parted_at(info.bytes().unwrap_or_default(), id),
            Err(_) => None,
        };
        match parted_at {
            Some(at) if at < from => tracing::warn!(
                discarded_bytes = from.0 - at.0,
                "full sync: {} bytes of this node's own writes, from offset {at} on, are discarded",
                from.0 - at.0
            ),
            Some(_) => {}
            None => tracing::warn!(
                held_bytes = from.0,
                "full sync: this node's data has another history than the master's, or is too far behind, \
                 and is replaced"
            ),
        }
    }

    /// The snapshot is complete: it becomes what is served.
    pub(super) fn take_over(&mut self) -> anyhow::Result<()> {
        let staged = self.staged.take().expect("asked by the caller");
        let old = match staged.take_over(&self.server) {
            Ok(old) => old,
            Err(error) => {
                self.staged = Some(staged);
                return Err(error);
            }
        };
        // Who follows this node followed another history.
        self.server.replication.master.forget_pair();
        self.server.replication.master.disconnect_all(&self.server);
        let old_feed = self.feed.replace(staged.into_feed());
        self.parted = false;
        self.link().full_syncs.fetch_add(1, Ordering::Relaxed);
        self.link().set_state(LinkState::Connected);
        tracing::info!("full sync: the master's data is in place");
        // Not waited for: the stream goes on meanwhile.
        drop(tokio::task::spawn_blocking(move || {
            drop(old_feed);
            retire(old);
        }));
        Ok(())
    }
}

/// Whether what was fetched so far will not help the next attempt.
fn is_of_no_use(error: &LinkError) -> bool {
    match error {
        LinkError::Damaged(_) | LinkError::Refused(..) => true,
        // No room: what is there takes it from the data that is served.
        LinkError::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
        _ => false,
    }
}

/// The offset up to which the master shares our history, if INFO tells.
fn parted_at(info: &[u8], ours: ReplicationId) -> Option<Offset> {
    let info = std::str::from_utf8(info).ok()?;
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let same = |name: &str| field(name).is_some_and(|id| id.as_bytes() == ours.as_bytes());
    let number = |name: &str| field(name)?.parse::<u64>().ok();
    if same("master_replid") {
        number("master_repl_offset").map(Offset)
    } else if same("master_replid2") {
        // INFO counts the first byte that is no longer shared, from 1.
        number("second_repl_offset").map(|first| Offset(first.saturating_sub(1)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_tells_where_two_histories_part() {
        let ours = ReplicationId::parse(&[b'a'; 40]).unwrap();
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let info = |id: &str, second: &str| {
            format!(
                "# Replication\r\nrole:master\r\nmaster_replid:{id}\r\nmaster_replid2:{second}\r\n\
                 master_repl_offset:500\r\nsecond_repl_offset:101\r\n"
            )
        };
        assert_eq!(parted_at(info(&b, &a).as_bytes(), ours), Some(Offset(100)));
        assert_eq!(parted_at(info(&a, &b).as_bytes(), ours), Some(Offset(500)));
        assert_eq!(parted_at(info(&b, &b).as_bytes(), ours), None);
        assert_eq!(parted_at(b"\xff", ours), None);
    }
}
