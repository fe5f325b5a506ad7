//! Behaviour as redis-py sees it: runs the Python tests of this directory (`run` makes the
//! environment they need) against the server under test.

use std::path::Path;
use std::process::Command;

#[test]
fn redis_py_works() {
    let has_python = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .status()
        .is_ok_and(|s| s.success());
    if !has_python {
        assert!(
            std::env::var_os("CI").is_none(),
            "python3 with venv is needed"
        );
        eprintln!("skipped: python3 with venv is not installed");
        return;
    }
    let server = std::env::var_os("BASALT_TEST_SERVER")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_basalt-server").into());
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redis_py");
    let status = Command::new(here.join("run"))
        .env("BASALT_TEST_SERVER", server)
        .env(
            "BASALT_VENV",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("redis-py-venv"),
        )
        .status()
        .expect("the script can be started");
    assert!(status.success(), "redis-py tests failed");
}
