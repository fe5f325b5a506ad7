//! The tools around Basalt that are not the server: the admin tool and the load generator.
//!
//! Nothing here may use the server crate: the tools talk to a server over its socket, as any client
//! does, so that they work against Redis and its other relatives too; and they read the files of a log through
//! `basalt-binlog`.

pub mod admin;
pub mod bench;
