"""The processes of a simulation: one that takes too long, fails or dies costs one article, and none is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from multiprocessing import active_children
from pathlib import Path

from adlayout.crew import Lost, each

SHIPPED = Path(__file__).parent.parent / "config"
PROGRAM = (sys.executable, "-c", "import sys; from adlayout.cli.main import main; sys.exit(main())", "simulate")
LONG = "<p>The ferry left at six with nobody on it.</p>\n" * 7


def nap(name: str) -> str:
    """A duty that is never done for some, fails for others, and ends the process of others."""
    match name:
        case "endless":
            signal.pause()
        case "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wrong":
            raise ValueError("not this one")
    return name.upper()


def test_what_takes_too_long_fails_or_kills_its_process_costs_only_itself() -> None:
    done = [*each(("a", "endless", "b", "deadly", "wrong", "c"), nap, jobs=2, patience_s=1)]
    lost = {one.name: re.sub(r" \(.*", "", one.cause) for one in done if isinstance(one, Lost)}
    assert sorted(one for one in done if isinstance(one, str)) == ["A", "B", "C"]
    assert lost == {
        "endless": "took longer than 1 s",
        "deadly": "the process that worked on it ended with -9",
        "wrong": "ValueError: not this one",
    }
    assert active_children() == []


def test_who_stops_asking_leaves_no_process_behind() -> None:
    answers = each(("a", "endless", "endless"), nap, jobs=2, patience_s=30)
    assert next(answers) == "A"
    answers.close()
    assert active_children() == []


def test_ctrl_c_ends_it_without_a_word(tmp_path: Path) -> None:
    for number in range(4_000):
        (tmp_path / f"{number}.html").write_text(LONG)
    command = [*PROGRAM, str(tmp_path), "--layout", "every-2", "--config", str(SHIPPED), "--jobs", "2"]
    env = os.environ | {"PYTHONPATH": str(SHIPPED.parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, process_group=0) as program:
        wait_for_children(program.pid, 2)
        os.killpg(program.pid, signal.SIGINT)
        told = program.communicate(timeout=30)
    assert (told, program.returncode) == ((b"", b""), 130)


def wait_for_children(pid: int, count: int) -> None:
    """Returns when a process has so many children that do the work of a crew."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while sum(b"spawn_main" in command(child) for child in children.read_text().split()) < count:
        pass


def command(pid: str) -> bytes:
    """How a process was started; nothing where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
