"""Lists and blocking commands through redis-py's own methods and parsers."""

import threading
import time

import pytest
import redis


def test_lists(r):
    assert r.rpush("l", "a", "b", "c") == 3
    assert r.lpush("l", "x") == 4
    assert r.lrange("l", 0, -1) == ["x", "a", "b", "c"]
    assert r.lpop("l") == "x"
    assert r.rpop("l", 2) == ["c", "b"]
    assert r.lpop("none") is None
    assert r.lpop("none", 2) is None
    assert r.linsert("l", "after", "a", "b") == 2
    assert r.lset("l", 0, "A") is True
    assert r.lindex("l", 0) == "A"
    assert r.lrem("l", 0, "b") == 1
    assert r.llen("l") == 1
    assert r.ltrim("l", 1, 0) is True
    assert r.exists("l") == 0
    r.rpush("l", *"abcabc")
    assert r.lpos("l", "b") == 1
    assert r.lpos("l", "b", rank=-1) == 4
    assert r.lpos("l", "b", count=0) == [1, 4]
    assert r.lmove("l", "m", "LEFT", "RIGHT") == "a"
    assert r.rpoplpush("l", "m") == "c"
    assert r.lmpop(2, "none", "m", direction="LEFT", count=5) == ["m", ["c", "a"]]
    assert r.lmpop(1, "none", direction="LEFT") is None
    with pytest.raises(redis.ResponseError):
        r.lset("l", 100, "x")


def test_blocking_without_a_wait(r):
    r.rpush("l", *"abcd")
    assert r.blpop(["none", "l"], timeout=0) in (("l", "a"), ["l", "a"])
    assert r.brpop("l", timeout=1) in (("l", "d"), ["l", "d"])
    assert r.blmove("l", "m", 0) == "b"
    assert r.brpoplpush("l", "m") == "c"
    assert r.blmpop(0, 2, "none", "m", direction="LEFT", count=2) == ["m", ["c", "b"]]
    assert r.blpop("none", timeout=0.01) is None


def test_a_queue_between_threads(r, port):
    """Each of many elements reaches exactly one of several waiting workers."""
    jobs, workers, done = 500, 6, []

    def work():
        mine = redis.Redis(host="127.0.0.1", port=port, decode_responses=True)
        while True:
            _, job = mine.blpop(["urgent", "jobs"], timeout=0)
            if job == "stop":
                return
            done.append(int(job))

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for job in range(jobs):
        r.rpush("urgent" if job % 7 == 0 else "jobs", job)
        if job % 50 == 0:
            time.sleep(0.002)
    while r.llen("urgent") + r.llen("jobs") > 0:
        time.sleep(0.01)
    r.rpush("jobs", *["stop"] * workers)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert sorted(done) == list(range(jobs))
    assert r.dbsize() == 0


def test_a_client_that_leaves_takes_nothing(r, port):
    other = redis.Redis(host="127.0.0.1", port=port, socket_timeout=0.2)
    with pytest.raises(redis.TimeoutError):
        other.blpop("k", timeout=0)
    other.close()
    deadline = time.time() + 5
    while r.info("clients")["blocked_clients"] and time.time() < deadline:
        time.sleep(0.01)
    r.rpush("k", "v")
    assert r.lrange("k", 0, -1) == ["v"]


def test_shutdown_of_a_wait_by_another(r, port):
    other = redis.Redis(host="127.0.0.1", port=port, decode_responses=True)
    number = other.client_id()
    # The same connection asks and waits.
    errors = []

    def wait():
        try:
            other.blpop("k", timeout=0)
        except redis.ResponseError as error:
            errors.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    deadline = time.time() + 5
    while not r.client_unblock(number, error=True) and time.time() < deadline:
        time.sleep(0.01)
    thread.join(5)
    assert errors and "UNBLOCKED" in errors[0] or errors[0].startswith("client unblocked")
