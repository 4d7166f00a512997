"""Pages per second of compose beside a bare handler that returns the body it got: same server, same load, one machine.

The rounds alternate, so that whatever else the machine does hits all three alike; the ratios are what to read.

    python benchmarks/compose_bench.py [--seconds 2] [--rounds 5] [--connections 16]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import uvloop

ROOT = Path(__file__).resolve().parent.parent
NUMBER = b"@@@@@@@@@@"
# Our own news prose: about four hundred characters, a link and an emphasis in it, as articles have.
PARAGRAPH = (
    "<p>The river rose on Monday, and the town moved its market to the hill as it had in the years before. "
    'Stalls stood along <a href="https://example.com/lane">the old lane</a> by seven, and by noon the bakers had sold '
    "what they brought. <em>Nobody remembers a spring as wet as this one</em>, said the ferryman, who keeps a book of "
    "the levels since his father left it to him. Day {} of it begins tomorrow.</p>\n"
)
FIGURE = (
    '<figure><img src="/hill.jpg" alt="The hill" width="640" height="360"><figcaption>The hill.</figcaption></figure>\n'
)
HEAD = (
    "POST /v1/compose?output=fragment&layout=article HTTP/1.1\r\n"
    "Host: bench\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n"
)
BARE = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def back(request):
    return Response(await request.body(), media_type="text/html")

async def healthz(request):
    return Response("ok")

app = Starlette(routes=[Route("/v1/compose", back, methods=["POST"]), Route("/healthz", healthz)])
uvicorn.run(
    app, port=int(sys.argv[1]), http="httptools", ws="none", access_log=False, log_level="warning", server_header=False
)
"""


def request(size: int = 16_384) -> bytes:
    """One keep-alive request for a fragment of an article of this size, with room for a number that makes it new."""
    parts = [f"<h1>The market on the hill, part {NUMBER.decode()}</h1>\n"]
    while sum(map(len, parts)) < size:
        heading = f"<h2>Day {len(parts)}</h2>\n" if len(parts) % 8 == 7 else ""
        figure = FIGURE if len(parts) % 12 == 5 else ""
        parts.append(heading + figure + PARAGRAPH.format(len(parts)))
    body = "".join(parts).encode()
    return HEAD.format(len(body)).encode() + body


async def load(port: int, make: Callable[[int], bytes], seconds: float, connections: int) -> float:
    """Answers per second over this many connections; anything but a 200 ends the run."""
    ends = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_one(port, make, ends, at * 10_000_000) for at in range(connections)))
    return sum(counts) / seconds


async def _one(port: int, make: Callable[[int], bytes], ends: float, number: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    done = 0
    while time.perf_counter() < ends:
        writer.write(make(number + done))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"an answer was {head.splitlines()[0]!r}")
        await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        done += 1
    writer.close()
    return done


@contextlib.contextmanager
def server(command: list[str], port: int, directory: Path = ROOT) -> Iterator[int]:
    """A server of one process on this port, until the block ends."""
    # What the service logs is part of its work; where it goes is not.
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, *command], cwd=directory, stdout=quiet, stderr=quiet)  # noqa: S603
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int, within_s: float = 20) -> None:
    ends = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
            return
        if time.monotonic() > ends:
            raise SystemExit(f"nothing answers on port {port}")
        time.sleep(0.05)


def main() -> None:
    """Runs the three cases in turn and prints their medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    args = parser.parse_args()
    same, base = request(), os.getpid() % 10_000 + 20_000
    ours = ["-c", "import sys; from adlayout.cli.main import main; sys.exit(main())", "serve", "--port", str(base + 1)]
    cases: dict[str, tuple[int, Callable[[int], bytes]]] = {
        "bare handler": (base, lambda number: same),
        "same article": (base + 1, lambda number: same),
        "new articles": (base + 1, lambda number: same.replace(NUMBER, b"%010d" % number)),
    }
    rates: dict[str, list[float]] = {name: [] for name in cases}
    with server(["-c", BARE, str(base)], base), server(ours, base + 1):
        sys.stdout.write(f"one article of {len(same) / 1024:.0f} KiB, ads: {_ads(base + 1, same)}\n")
        for _ in range(args.rounds):
            for name, (port, make) in cases.items():
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    rates[name].append(runner.run(load(port, make, args.seconds, args.connections)))
    _report(rates)


def _ads(port: int, sent: bytes) -> str:
    """How many slots of the article were filled, as the service says it."""
    body = sent.partition(b"\r\n\r\n")[2]
    address = f"http://127.0.0.1:{port}/v1/compose?output=fragment&layout=article"
    with urlopen(Request(address, body, {"Content-Type": "text/html"}), timeout=5) as answer:
        return str(answer.headers["Adlayout-Slots"])


def _report(rates: dict[str, list[float]]) -> None:
    bare = rates["bare handler"]
    for name, found in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(found, bare, strict=True)]
        spread = f"{min(found):.0f}-{max(found):.0f}"
        share = f"{statistics.median(ratios):6.1%} of the bare handler"
        sys.stdout.write(f"{name:14} {statistics.median(found):8.0f}/s  ({spread})  {share}\n")


if __name__ == "__main__":
    main()
