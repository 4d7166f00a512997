"""What was taken into the spool is there, whatever ends the process, and leaves it only once the store has it."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adlayout.events.segments import sync
from adlayout.events.spool import RING_S, Bounds, Spool, adopt


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A directory for spools, a clock that is moved by hand, and what was told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = Clock()
        self.told: list[tuple[str, dict[str, object]]] = []
        self.spools: list[Spool] = []

    def alarm(self, event: str, /, **fields: object) -> None:
        self.told.append((event, fields))

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.told]

    def spool(self, bounds: Bounds | None = None) -> Spool:
        self.spools.append(Spool(self.directory, alarm=self.alarm, bounds=bounds or Bounds(), clock=self.clock))
        return self.spools[-1]

    def adopt(self, *, now: Callable[[], float] = time.time) -> list[Spool]:
        found = adopt(self.directory, alarm=self.alarm, clock=self.clock, now=now)
        self.spools += found
        return found

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir() if path.name != "lock")

    def close(self) -> None:
        for spool in self.spools:
            spool.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "spool")
    yield bench
    bench.close()


@contextmanager
def file_size(most: int) -> Iterator[None]:
    """No file grows beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Somebody else gives and takes spools in the directory, and does not come to an end."""
    with (directory / "lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        yield


def numbered(first: int, last: int) -> list[bytes]:
    return [b"line %d" % n for n in range(first, last + 1)]


def everything(spool: Spool, most: int = 7) -> list[bytes]:
    found: list[bytes] = []
    while batch := spool.read(spool.earliest + len(found), most):
        found += batch
    return found


def test_lines_are_at_positions_from_one_on(bench: Bench) -> None:
    spool = bench.spool()
    assert [spool.append(numbered(1, 1)), spool.append(numbered(2, 5))] == [1, 5]
    assert (spool.read(1, 3), spool.read(4, 9), spool.read(6, 9)) == (numbered(1, 3), numbered(4, 5), [])
    assert (spool.last, spool.waiting, spool.earliest, bench.told) == (5, 5, 1, [])


def test_lines_are_read_again_from_wherever_one_asks(bench: Bench) -> None:
    spool = bench.spool(Bounds(segment_bytes=40))
    for n in range(1, 31):
        spool.append(numbered(n, n))
    assert len(bench.files()) > 5
    assert [spool.read(n, 1) for n in (30, 1, 17, 16, 18)] == [numbered(n, n) for n in (30, 1, 17, 16, 18)]
    assert everything(spool) == numbered(1, 30)


def test_a_line_is_in_the_file_before_append_returns(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 2))
    assert (bench.directory / f"{spool.id}.1.ndjson").read_bytes() == b"line 1\nline 2\n"


def test_long_lines_are_read_whole(bench: Bench) -> None:
    spool = bench.spool()
    lines = [b"x" * size for size in (1, 300_000, 5, 2_000_000)]
    spool.append(lines)
    assert everything(spool) == lines


def test_what_the_store_has_had_for_a_while_is_removed(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 3))
    spool.acknowledge(3)
    assert (spool.waiting, spool.ring_due, everything(spool)) == (0, False, numbered(1, 3))
    bench.clock.now += RING_S
    assert spool.ring_due
    spool.acknowledge(3)
    assert (spool.ring_due, everything(spool), spool.earliest) == (False, [], 4)
    assert bench.files() == [f"{spool.id}.lock"]


def test_what_the_store_was_not_asked_about_again_stays(bench: Bench) -> None:
    """It may have lost it since."""
    spool = bench.spool()
    spool.append(numbered(1, 3))
    spool.acknowledge(3)
    bench.clock.now += RING_S * 9
    spool.tidy()
    assert everything(spool) == numbered(1, 3)


def test_a_store_that_lost_lines_is_sent_them_again(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 9))
    spool.acknowledge(9)
    bench.clock.now += RING_S
    spool.acknowledge(4)
    assert (spool.waiting, spool.ring_due, spool.read(5, 9)) == (5, False, numbered(5, 9))


def test_positions_go_on_where_all_lines_are_gone(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 3))
    spool.acknowledge(3)
    bench.clock.now += RING_S
    spool.acknowledge(3)
    assert spool.append(numbered(4, 4)) == 4
    assert bench.files() == [f"{spool.id}.4.ndjson", f"{spool.id}.lock"]
    assert everything(spool) == numbered(4, 4)


def test_lines_that_wait_do_not_keep_those_that_do_not(bench: Bench) -> None:
    spool = bench.spool()
    for n in range(1, 4):
        spool.append(numbered(n, n))
        bench.clock.now += RING_S
    spool.acknowledge(2)
    bench.clock.now += RING_S
    spool.acknowledge(2)
    assert (spool.earliest, everything(spool)) == (3, numbered(3, 3))


# What ends a process.

_APPENDS = """
import sys
from contextlib import contextmanager
from pathlib import Path
from adlayout.events.spool import Bounds, Spool
spool = Spool(Path(sys.argv[1]), alarm=print, bounds=Bounds(segment_bytes=4096))
while True:
    print(spool.append([b"line %d" % (spool.last + 1)]), flush=True)
"""


def killed_after(directory: Path, lines: int) -> int:
    """A process that appends and says which line it appended, killed at some moment; returns the last it told of."""
    with subprocess.Popen([sys.executable, "-c", _APPENDS, str(directory)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    return int([line for line in told if line.endswith(b"\n")][-1])


@pytest.mark.parametrize("lines", [1, 200, 2_000])
def test_every_line_that_was_taken_outlives_the_process(lines: int, bench: Bench) -> None:
    last = killed_after(bench.directory, lines)
    (spool,) = bench.adopt()
    assert spool.last in (last, last + 1)
    assert everything(spool, 100) == numbered(1, spool.last)
    assert (spool.waiting, bench.told) == (spool.last, [])


def test_a_spool_is_adopted_by_one(bench: Bench) -> None:
    killed_after(bench.directory, 3)
    assert [len(bench.adopt()), len(bench.adopt())] == [1, 0]


def test_a_spool_whose_owner_lives_is_not_adopted(bench: Bench) -> None:
    bench.spool().append(numbered(1, 1))
    assert bench.adopt() == []
    look = "import sys; from pathlib import Path; from adlayout.events.spool import adopt; "
    look += "print(adopt(Path(sys.argv[1]), alarm=print))"
    assert subprocess.check_output([sys.executable, "-c", look, str(bench.directory)]) == b"[]\n"


def test_an_adopted_spool_ends_with_its_last_line(bench: Bench) -> None:
    killed_after(bench.directory, 500)
    (spool,) = bench.adopt()
    spool.acknowledge(spool.last)
    bench.clock.now += RING_S
    spool.acknowledge(spool.last)
    spool.close()
    assert bench.files() == []


def test_what_was_acknowledged_before_the_owner_ended_is_sent_again(bench: Bench) -> None:
    """Whether the store still has it, only the store can say."""
    spool = bench.spool()
    spool.append(numbered(1, 5))
    spool.acknowledge(4)
    spool.close()
    (found,) = bench.adopt()
    assert (found.id, found.earliest, found.acknowledged, found.last) == (spool.id, 1, 0, 5)


@pytest.mark.parametrize(("acknowledged", "waiting"), [(0, 5), (3, 2), (5, 0)])
def test_after_a_week_only_what_was_never_acknowledged_is_sent(acknowledged: int, waiting: int, bench: Bench) -> None:
    """By then the store may have forgotten where it was."""
    spool = bench.spool()
    spool.append(numbered(1, 5))
    spool.acknowledge(acknowledged)
    spool.close()
    path = bench.directory / f"{spool.id}.1.ndjson"
    (found,) = bench.adopt(now=lambda: path.stat().st_mtime + 7 * 86_400)
    assert (found.acknowledged, found.waiting) == (acknowledged, waiting)


def test_an_empty_spool_leaves_nothing(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 1))
    spool.acknowledge(1)
    bench.clock.now += RING_S
    spool.acknowledge(1)
    spool.close()
    assert (bench.files(), bench.adopt()) == ([], [])


def test_half_a_line_at_the_end_is_dropped_and_told(bench: Bench) -> None:
    (bench.directory).mkdir()
    (bench.directory / "abc.1.ndjson").write_bytes(b"line 1\nline 2\nli")
    (spool,) = bench.adopt()
    assert (spool.id, everything(spool), spool.last) == ("abc", numbered(1, 2), 2)
    assert bench.told == [("spool_torn", {"spool": "abc", "lines": 1})]


@pytest.mark.parametrize("left", [b"", b"li", b"\0" * 5_000])
def test_a_spool_without_a_whole_line_is_removed(left: bytes, bench: Bench) -> None:
    bench.directory.mkdir()
    (bench.directory / "abc.1.ndjson").write_bytes(left)
    assert (bench.adopt(), bench.files()) == ([], [])


def test_what_others_left_in_the_directory_is_left_alone(bench: Bench) -> None:
    bench.directory.mkdir()
    for name in ("notes.txt", "abc.x.ndjson", "abc.٣.ndjson"):
        (bench.directory / name).write_bytes(b"kept\n")
    assert bench.adopt() == []
    assert bench.files() == sorted(["abc.x.ndjson", "abc.٣.ndjson", "notes.txt"])


def test_an_adopted_spool_with_a_hole_goes_on_behind_it_under_another_name(bench: Bench) -> None:
    bench.directory.mkdir()
    (bench.directory / "abc.1.ndjson").write_bytes(b"line 1\nline 2\n")
    (bench.directory / "abc.9.ndjson").write_bytes(b"line 9\n")
    (spool,) = bench.adopt()
    assert (spool.last, spool.read(1, 9), spool.read(3, 9)) == (9, numbered(1, 2), [])
    assert spool.renew(2) == 9
    assert (spool.id != "abc", spool.earliest, spool.waiting, everything(spool)) == (True, 9, 1, numbered(9, 9))
    assert bench.files() == [f"{spool.id}.9.ndjson", f"{spool.id}.lock"]


def test_a_renewed_spool_takes_lines_and_is_adopted_as_any_other(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 3))
    assert spool.renew(0) == 1
    assert spool.append(numbered(4, 4)) == 4
    assert (everything(spool), bench.adopt()) == (numbered(1, 4), [])
    spool.close()
    (found,) = bench.adopt()
    assert (found.id, everything(found)) == (spool.id, numbered(1, 4))


def test_a_directory_that_is_not_there_holds_no_spools(bench: Bench) -> None:
    assert (bench.adopt(), bench.told) == ([], [])


# What the disk does.


def test_a_directory_that_cannot_be_made_costs_nothing_while_memory_lasts(bench: Bench) -> None:
    bench.directory.write_bytes(b"in the way")
    spool = bench.spool()
    assert [spool.append(numbered(1, 2)), spool.append(numbered(3, 3))] == [2, 3]
    assert (bench.events, everything(spool)) == (["spool_unwritable"], numbered(1, 3))
    bench.directory.unlink()
    bench.clock.now += 1
    spool.tidy()
    spool.append(numbered(4, 4))
    assert bench.events == ["spool_unwritable", "spool_back"]
    assert (bench.directory / f"{spool.id}.1.ndjson").read_bytes() == b"line 1\nline 2\nline 3\nline 4\n"


def test_what_waits_in_memory_goes_when_the_store_has_it(bench: Bench) -> None:
    bench.directory.write_bytes(b"in the way")
    spool = bench.spool()
    spool.append(numbered(1, 5))
    spool.acknowledge(3)
    bench.clock.now += RING_S
    spool.acknowledge(4)
    assert (spool.earliest, everything(spool), spool.waiting) == (4, numbered(4, 5), 1)
    bench.directory.unlink()
    spool.tidy()
    assert bench.files() == [f"{spool.id}.4.ndjson", f"{spool.id}.lock"]
    assert everything(spool) == numbered(4, 5)


def test_what_neither_disk_nor_memory_takes_is_counted_as_lost(bench: Bench) -> None:
    bench.directory.write_bytes(b"in the way")
    spool = bench.spool(Bounds(memory_bytes=20))
    assert [spool.append(numbered(n, n)) for n in range(1, 5)] == [1, 2, 2, 2]
    spool.tidy()
    spool.tidy()
    assert (spool.lost, bench.events) == (2, ["spool_unwritable", "spool_lost"])
    assert bench.told[1] == ("spool_lost", {"lines": 2})


def test_what_is_left_in_memory_at_the_end_is_told(bench: Bench) -> None:
    bench.directory.write_bytes(b"in the way")
    spool = bench.spool()
    spool.append(numbered(1, 3))
    spool.close()
    assert bench.told[-1] == ("spool_lost", {"lines": 3})


def test_a_spool_that_is_full_takes_lines_again_when_the_store_has_some(bench: Bench) -> None:
    spool = bench.spool(Bounds(segment_bytes=70, disk_bytes=140, memory_bytes=14))
    for n in range(1, 31):
        spool.append(numbered(n, n))
    kept = spool.last
    assert (bench.events, kept < 30, spool.lost) == (["spool_full"], True, 30 - kept)
    spool.acknowledge(kept)
    bench.clock.now += RING_S
    spool.acknowledge(kept - 1)
    spool.tidy()
    assert spool.append([b"new"]) == kept + 1
    assert everything(spool)[-1:] == [b"new"]


def test_a_write_that_the_disk_takes_half_of_leaves_no_half_line(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 3))
    with file_size(25):
        assert spool.append(numbered(4, 6)) == 6
    assert (bench.directory / f"{spool.id}.1.ndjson").read_bytes() == b"line 1\nline 2\nline 3\n"
    bench.clock.now += 1
    spool.tidy()
    assert everything(spool) == numbered(1, 6)
    assert bench.events == ["spool_full", "spool_back"]


def test_a_file_that_was_taken_away_is_told_and_the_rest_goes_on(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 3))
    (bench.directory / f"{spool.id}.1.ndjson").unlink()
    assert spool.read(1, 9) == []
    assert bench.events == ["spool_unreadable"]
    spool.append(numbered(4, 4))
    assert (spool.renew(0), everything(spool)) == (4, numbered(4, 4))


def test_a_file_that_was_cut_short_is_told(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 3))
    os.truncate(bench.directory / f"{spool.id}.1.ndjson", 7)
    assert (spool.read(3, 9), bench.events) == ([], ["spool_unreadable"])


def test_a_first_line_that_the_disk_does_not_take_leaves_no_file(bench: Bench) -> None:
    spool = bench.spool()
    with file_size(0):
        assert spool.append(numbered(1, 1)) == 1
    assert (bench.files(), everything(spool)) == ([f"{spool.id}.lock"], numbered(1, 1))


def test_a_directory_that_another_process_holds_is_asked_again(bench: Bench) -> None:
    spool = bench.spool()
    bench.directory.mkdir()
    with held(bench.directory):
        spool.append(numbered(1, 2))
        assert (bench.events, bench.adopt()) == (["spool_unwritable"], [])
    bench.clock.now += 1
    spool.tidy()
    assert bench.events == ["spool_unwritable", "spool_back"]
    assert bench.files() == [f"{spool.id}.1.ndjson", f"{spool.id}.lock"]


def test_a_spool_that_cannot_be_renamed_keeps_its_lock(bench: Bench) -> None:
    spool = bench.spool()
    spool.append(numbered(1, 2))
    with held(bench.directory):
        assert spool.renew(0) == 1
    assert (bench.events, everything(spool), bench.adopt()) == (["spool_unwritable"], numbered(1, 2), [])


def test_what_waits_in_memory_can_be_renamed_too(bench: Bench) -> None:
    bench.directory.write_bytes(b"in the way")
    spool = bench.spool()
    spool.append(numbered(1, 3))
    assert spool.renew(1) == 2
    assert (spool.waiting, spool.read(2, 9)) == (2, numbered(2, 3))
    bench.directory.unlink()
    assert spool.renew(2) == 3
    assert (spool.waiting, spool.read(3, 9), bench.files()) == (1, numbered(3, 3), [f"{spool.id}.lock"])


def test_a_spool_that_cannot_be_read_is_left_to_others(bench: Bench) -> None:
    (bench.directory / "abc.1.ndjson").mkdir(parents=True)
    assert (bench.adopt(), bench.events) == ([], ["spool_unreadable"])
    assert bench.files() == ["abc.1.ndjson", "abc.lock"]


def test_what_was_written_is_brought_to_the_disk_once(bench: Bench) -> None:
    spool = bench.spool(Bounds(segment_bytes=10))
    assert spool.unsynced() == []
    spool.append(numbered(1, 2))
    spool.append(numbered(3, 3))
    files = spool.unsynced()
    assert (len(files), sync(files), spool.unsynced()) == (2, None, [])


def test_a_disk_that_fails_to_sync_says_so() -> None:
    reading, writing = os.pipe()
    failed = sync([writing])
    os.close(reading)
    assert failed is not None
    assert failed.errno == errno.EINVAL
