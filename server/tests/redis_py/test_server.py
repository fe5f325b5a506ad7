"""What redis-py parses: INFO, CONFIG, COMMAND, SLOWLOG, MEMORY, TIME."""

import datetime
import time


def test_info(r):
    r.set("k", "v", ex=1000)
    info = r.info()
    for field in (
        "redis_version",
        "process_id",
        "tcp_port",
        "uptime_in_seconds",
        "connected_clients",
        "used_memory",
        "used_memory_rss",
        "maxmemory",
        "maxmemory_policy",
        "loading",
        "rdb_last_save_time",
        "total_commands_processed",
        "keyspace_hits",
        "keyspace_misses",
        "expired_keys",
        "evicted_keys",
        "role",
        "master_repl_offset",
        "used_cpu_user",
    ):
        assert field in info, field
    assert info["db0"]["keys"] == 1 and info["db0"]["expires"] == 1
    assert info["role"] == "master"
    assert isinstance(info["used_memory"], int)
    stats = r.info("commandstats")
    assert stats["cmdstat_set"]["calls"] >= 1
    assert r.info("keyspace") == {"db0": info["db0"]} or "db0" in r.info("keyspace")


def test_config(r):
    assert r.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    before = r.config_get("slowlog-max-len")["slowlog-max-len"]
    assert r.config_set("slowlog-max-len", 77) is True
    assert r.config_get("slowlog-*")["slowlog-max-len"] == "77"
    assert r.config_set("slowlog-max-len", before) is True
    assert r.config_resetstat() is True
    assert len(r.config_get("*")) > 40


def test_command(r):
    commands = r.command()
    assert commands["get"]["arity"] == 2
    assert "readonly" in commands["get"]["flags"]
    assert commands["mset"]["step_count"] == 2
    assert r.command_count() == len(commands)
    assert "getdel" in r.command_list()
    assert r.command_getkeys("MSET", "a", 1, "b", 2) == ["a", "b"]


def test_slowlog(r):
    old = r.config_get("slowlog-log-slower-than")["slowlog-log-slower-than"]
    r.config_set("slowlog-log-slower-than", 0)
    r.slowlog_reset()
    r.set("slow", "v")
    entries = r.slowlog_get(10)
    r.config_set("slowlog-log-slower-than", old)
    commands = [e["command"] for e in entries]
    assert any(c in (b"SET slow v", "SET slow v") for c in commands)
    assert r.slowlog_len() >= 1
    assert r.slowlog_reset() is True


def test_memory_time_and_save(r):
    r.set("k", "x" * 1000)
    assert 1000 <= r.memory_usage("k") < 1600
    assert r.memory_stats()["total.allocated"] > 0
    assert r.memory_purge() is True
    seconds, micros = r.time()
    assert abs(seconds - time.time()) < 5 and 0 <= micros < 1_000_000
    assert isinstance(r.lastsave(), datetime.datetime)
    assert r.save() is True
    assert r.bgsave() in (True, "Background saving started")
    while r.info("persistence")["rdb_bgsave_in_progress"]:
        time.sleep(0.01)
    assert r.info("persistence")["rdb_last_bgsave_status"] == "ok"
    assert r.echo("hello") == "hello"
