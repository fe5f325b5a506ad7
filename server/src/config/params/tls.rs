//! TLS.

use super::*;

const NOT_YET: &str = "Kept; TLS is not there yet.";

pub(super) const PARAMS: &[Param] = &[
    kept("tls-port", PORT, "0", NOT_YET),
    kept("tls-cluster", Kind::Bool, "no", NOT_YET),
    kept("tls-replication", Kind::Bool, "no", NOT_YET),
    kept(
        "tls-auth-clients",
        Kind::Choice(&["no", "yes", "optional"]),
        "yes",
        NOT_YET,
    ),
    kept("tls-prefer-server-ciphers", Kind::Bool, "no", NOT_YET),
    kept("tls-session-caching", Kind::Bool, "yes", NOT_YET),
    kept("tls-session-cache-size", COUNT, "20480", NOT_YET),
    kept("tls-session-cache-timeout", COUNT, "300", NOT_YET),
    kept("tls-cert-file", ANY_TEXT, "", NOT_YET),
    kept("tls-key-file", ANY_TEXT, "", NOT_YET),
    kept("tls-key-file-pass", ANY_TEXT, "", NOT_YET).secret(),
    kept("tls-client-cert-file", ANY_TEXT, "", NOT_YET),
    kept("tls-client-key-file", ANY_TEXT, "", NOT_YET),
    kept("tls-client-key-file-pass", ANY_TEXT, "", NOT_YET).secret(),
    kept("tls-dh-params-file", ANY_TEXT, "", NOT_YET),
    kept("tls-ca-cert-file", ANY_TEXT, "", NOT_YET),
    kept("tls-ca-cert-dir", ANY_TEXT, "", NOT_YET),
    kept("tls-protocols", ANY_TEXT, "", NOT_YET),
    kept("tls-ciphers", ANY_TEXT, "", NOT_YET),
    kept("tls-ciphersuites", ANY_TEXT, "", NOT_YET),
];
