"""Strings, keys and expiry through redis-py's own methods and parsers."""

import datetime
import time

import pytest
import redis


def test_strings(r):
    assert r.set("k", "v") is True
    assert r.get("k") == "v"
    assert r.get("none") is None
    assert r.set("k", "w", nx=True) is None
    assert r.set("k", "w", xx=True, get=True) == "v"
    assert r.getset("k", "x") == "w"
    assert r.getdel("k") == "x"
    assert r.mset({"a": 1, "b": 2}) is True
    assert r.mget("a", "none", "b") == ["1", None, "2"]
    assert r.msetnx({"a": 1, "c": 2}) is False
    assert r.append("a", "0") == 2
    assert r.strlen("a") == 2
    assert r.setrange("a", 1, "99") == 3
    assert r.getrange("a", 0, -1) == "199"
    assert r.substr("a", 0, 0) == "1"
    assert r.incr("a") == 200
    assert r.decr("a", 50) == 150
    assert float(r.incrbyfloat("f", 0.1)) == 0.1
    assert float(r.incrbyfloat("f", 0.2)) == 0.3
    assert r.setnx("a", 1) is False


def test_lcs(r):
    r.mset({"a": "ohmytext", "b": "mynewtext"})
    assert r.lcs("a", "b") == "mytext"
    assert r.lcs("a", "b", len=True) == 6
    idx = r.lcs("a", "b", idx=True, withmatchlen=True)
    if isinstance(idx, dict):
        assert idx["len"] == 6
    else:
        assert idx[-1] == 6


def test_unicode_and_binary(r, raw):
    r.set("schlüssel", "wört ✓")
    assert r.get("schlüssel") == "wört ✓"
    blob = bytes(range(256)) * 10
    raw.set(blob, blob)
    assert raw.get(blob) == blob
    raw.set(b"", b"")
    assert raw.get(b"") == b""


@pytest.mark.parametrize("size", [0, 1, 44, 45, 16_384, 1_000_000, 20_000_000])
def test_large_values(raw, size):
    value = bytes(i * 7 % 251 for i in range(1000)) * (size // 1000) + b"x" * (size % 1000)
    raw.set("big", value)
    assert raw.get("big") == value
    assert raw.strlen("big") == size


def test_keys(r):
    r.mset({"a": 1, "b": 2, "c": 3})
    assert r.exists("a", "b", "none") == 2
    assert sorted(r.keys("*")) == ["a", "b", "c"]
    assert r.type("a") == "string"
    assert r.type("none") == "none"
    assert r.rename("a", "d") is True
    assert r.renamenx("d", "b") is False
    assert r.copy("d", "e") is True
    assert r.copy("d", "e") is False
    assert r.move("e", 1) == 1
    assert r.delete("b", "c", "none") == 2
    assert r.unlink("d") == 1
    assert r.dbsize() == 0
    assert r.randomkey() is None
    assert r.swapdb(0, 1) is True
    assert r.get("e") == "1"
    assert r.object("encoding", "e") == "int"
    assert r.touch("e", "none") == 1
    with pytest.raises(redis.ResponseError, match="no such key"):
        r.rename("none", "x")


def test_scan_iter_finds_everything_once_or_more(r):
    expected = {f"key:{n}" for n in range(3000)}
    r.mset({k: "v" for k in expected})
    assert set(r.scan_iter()) == expected
    assert set(r.scan_iter(match="key:1*", count=100)) == {k for k in expected if k[4] == "1"}
    assert set(r.scan_iter(_type="string", count=1000)) == expected
    assert set(r.scan_iter(match="nothing*")) == set()


def test_scan_iter_while_keys_change(r):
    stays = {f"stay:{n}" for n in range(1000)}
    r.mset({k: "v" for k in stays})
    seen = set()
    for n, key in enumerate(r.scan_iter(count=20)):
        seen.add(key)
        r.set(f"new:{n}", "v")
        r.delete(f"new:{n - 5}")
    assert stays <= seen


def test_expiry(r):
    now = int(time.time())
    r.set("k", "v", ex=100)
    assert 90 <= r.ttl("k") <= 100
    assert 90_000 <= r.pttl("k") <= 100_000
    assert now + 90 <= r.expiretime("k") <= now + 110
    assert r.persist("k") is True
    assert r.ttl("k") == -1
    assert r.ttl("none") == -2
    assert r.expire("k", datetime.timedelta(seconds=200)) is True
    assert r.expire("k", 100, gt=True) is False
    assert r.expire("k", 100, lt=True) is True
    assert r.expireat("k", now + 1000) is True
    assert r.pexpire("k", 5000) is True
    assert r.getex("k", ex=300) == "v"
    assert 290 <= r.ttl("k") <= 300
    assert r.getex("k", persist=True) == "v"
    assert r.setex("k", 10, "w") is True
    assert r.psetex("k", 10_000, "w") is True
    assert r.set("k", "v", keepttl=True) is True
    assert 0 < r.pttl("k") <= 10_000
    r.set("short", "v", px=30)
    time.sleep(0.06)
    assert r.get("short") is None


def test_errors_are_redis_py_exceptions(r):
    r.set("k", "text")
    with pytest.raises(redis.ResponseError, match="not an integer"):
        r.incr("k")
    with pytest.raises(redis.ResponseError, match="unknown command"):
        r.execute_command("NOSUCH", "x")
    with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
        r.execute_command("GET")
    assert r.get("k") == "text"
