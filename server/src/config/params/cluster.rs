//! Cluster.

use super::*;

const NOT_YET: &str = "Kept; cluster mode is not there yet.";

pub(super) const PARAMS: &[Param] = &[
    kept("cluster-enabled", Kind::Bool, "no", NOT_YET).at_start(),
    kept("cluster-config-file", ANY_TEXT, "nodes.conf", NOT_YET).at_start(),
    kept("cluster-port", PORT, "0", NOT_YET).at_start(),
    kept("cluster-node-timeout", LONG_COUNT, "15000", NOT_YET),
    kept("cluster-announce-ip", ANY_TEXT, "", NOT_YET),
    kept("cluster-announce-port", PORT, "0", NOT_YET),
    kept("cluster-announce-tls-port", PORT, "0", NOT_YET),
    kept("cluster-announce-bus-port", PORT, "0", NOT_YET),
    kept(
        "cluster-announce-hostname",
        Kind::Text(checks::host_name),
        "",
        NOT_YET,
    ),
    kept(
        "cluster-announce-human-nodename",
        Kind::Text(checks::node_name),
        "",
        NOT_YET,
    ),
    kept(
        "cluster-preferred-endpoint-type",
        Kind::Choice(&["ip", "hostname", "unknown-endpoint"]),
        "ip",
        NOT_YET,
    ),
    kept("cluster-require-full-coverage", Kind::Bool, "yes", NOT_YET),
    kept("cluster-allow-reads-when-down", Kind::Bool, "no", NOT_YET),
    kept(
        "cluster-allow-pubsubshard-when-down",
        Kind::Bool,
        "yes",
        NOT_YET,
    ),
    kept(
        "cluster-allow-replica-migration",
        Kind::Bool,
        "yes",
        NOT_YET,
    ),
    kept("cluster-migration-barrier", COUNT, "1", NOT_YET),
    kept("cluster-replica-no-failover", Kind::Bool, "no", NOT_YET)
        .or(&["cluster-slave-no-failover"]),
    kept("cluster-replica-validity-factor", COUNT, "10", NOT_YET)
        .or(&["cluster-slave-validity-factor"]),
    kept("cluster-link-sendbuf-limit", ANY_BYTES, "0", NOT_YET),
    kept(
        "cluster-compatibility-sample-ratio",
        int(0, 100),
        "0",
        NOT_YET,
    ),
    kept("cluster-slot-stats-enabled", Kind::Bool, "no", NOT_YET),
];
