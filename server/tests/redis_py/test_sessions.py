"""Pipelines, transactions, pools and connections."""

import threading
import time

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def test_pipeline(r):
    with r.pipeline(transaction=False) as p:
        for n in range(1000):
            p.set(f"k{n}", n)
            p.get(f"k{n}")
        replies = p.execute()
    assert replies[1::2] == [str(n) for n in range(1000)]


def test_transaction(r):
    with r.pipeline() as p:
        p.set("a", 1).incr("a").get("a")
        assert p.execute() == [True, 2, "2"]


def test_an_error_inside_a_transaction(r):
    r.set("text", "x")
    with r.pipeline() as p:
        p.set("a", 1).incr("text").set("b", 2)
        replies = p.execute(raise_on_error=False)
    assert replies[0] is True and replies[2] is True
    assert isinstance(replies[1], redis.ResponseError)
    assert r.mget("a", "b") == ["1", "2"]


def test_watch_conflict(r, port):
    r.set("n", 1)
    other = redis.Redis(host="127.0.0.1", port=port)
    with r.pipeline() as p:
        p.watch("n")
        value = int(p.get("n"))
        other.set("n", 100)
        p.multi()
        p.set("n", value + 1)
        with pytest.raises(redis.WatchError):
            p.execute()
    assert r.get("n") == "100"
    other.close()


def test_optimistic_counters_of_many_threads(r):
    r.set("n", 0)

    def add():
        for _ in range(40):
            r.transaction(lambda p: increment(p), "n")

    def increment(p):
        value = int(p.get("n"))
        p.multi()
        p.set("n", value + 1)

    threads = [threading.Thread(target=add) for _ in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert r.get("n") == "200"


def test_pool_is_shared_by_threads(port):
    pool = redis.BlockingConnectionPool(host="127.0.0.1", port=port, max_connections=8, timeout=20)
    client = redis.Redis(connection_pool=pool)
    client.flushall()

    def work(n):
        for i in range(100):
            client.set(f"{n}:{i}", i)
            assert client.get(f"{n}:{i}") == str(i).encode()
            client.incr("total")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert client.get("total") == b"2000"
    assert client.dbsize() == 2001
    pool.disconnect()


def test_databases_of_a_pool(port):
    zero, five = redis.Redis(host="127.0.0.1", port=port), redis.Redis(host="127.0.0.1", port=port, db=5)
    zero.flushall()
    five.set("k", "five")
    assert zero.get("k") is None
    assert five.get("k") == b"five"
    with pytest.raises(redis.ResponseError, match="DB index is out of range"):
        redis.Redis(host="127.0.0.1", port=port, db=99).ping()


def test_from_url(port):
    client = redis.from_url(f"redis://127.0.0.1:{port}/3?protocol=3&client_name=url")
    assert client.ping() is True
    assert client.client_getname() in (b"url", "url")
    info = client.client_info()
    assert int(info["db"]) == 3


def test_lock(r):
    # redis-py's Lock needs scripts to release; acquiring alone is SET NX PX.
    lock = r.lock("lock", timeout=5)
    assert lock.acquire(blocking=False) is True
    assert r.lock("lock").acquire(blocking=False) is False
    assert 0 < r.pttl("lock") <= 5000


def test_client_list_and_kill(r, port):
    victim = redis.Redis(
        host="127.0.0.1", port=port, client_name="victim", retry=Retry(NoBackoff(), 0), single_connection_client=True
    )
    victim.ping()
    clients = r.client_list()
    found = [c for c in clients if c["name"] == "victim"]
    assert len(found) == 1
    assert found[0]["addr"].startswith("127.0.0.1:")
    assert {"id", "fd", "age", "idle", "flags", "db", "cmd", "user", "resp"} <= set(found[0])
    assert r.client_kill_filter(_id=found[0]["id"]) == 1
    with pytest.raises(redis.ConnectionError):
        victim.ping()
    assert all(c["name"] != "victim" for c in r.client_list())


def test_client_commands(r):
    assert r.client_id() > 0
    assert r.client_setname("me") is True
    assert r.client_no_evict("ON") in ("OK", True)
    assert r.client_pause(10, all=False) is True
    assert r.client_unpause() in ("OK", True)
    r.set("k", "v")
    time.sleep(0.02)
    assert r.get("k") == "v"


def test_a_health_checked_connection(port):
    client = redis.Redis(host="127.0.0.1", port=port, health_check_interval=1)
    for _ in range(3):
        assert client.ping()
        time.sleep(0.6)
