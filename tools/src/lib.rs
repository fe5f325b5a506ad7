//! The tools around Basalt that are not the server: today the load generator.
//!
//! Nothing here may use the server crate: the tools talk to a server over its socket, as any client
//! does, so that they work against Redis and its other relatives too.

pub mod bench;
