"""A server for the whole session, and an empty database for each test."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

import pytest
import redis


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="session")
def port():
    """The port of a server that ends with the session; its log is shown if it died."""
    directory = tempfile.mkdtemp(prefix="basalt-redis-py-")
    port = free_port()
    log = os.path.join(directory, "log")
    command = [os.environ["BASALT_TEST_SERVER"], "--port", str(port), "--dir", directory]
    command += ["--logfile", log, "--enable-debug-command", "yes"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        client = redis.Redis(host="127.0.0.1", port=port)
        deadline = time.monotonic() + 60
        while True:
            try:
                client.ping()
                break
            except (redis.ConnectionError, redis.BusyLoadingError):
                assert process.poll() is None, open(log).read()
                assert time.monotonic() < deadline, "no PONG in 60 s"
                time.sleep(0.01)
        yield port
        if process.poll() is not None:
            print(open(log).read())
        assert process.poll() is None, "the server died during the tests"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def r(request, port):
    """A client that decodes, once per protocol version."""
    client = redis.Redis(host="127.0.0.1", port=port, protocol=request.param, decode_responses=True)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def raw(port):
    """A client that returns bytes."""
    client = redis.Redis(host="127.0.0.1", port=port)
    client.flushall()
    yield client
    client.close()
