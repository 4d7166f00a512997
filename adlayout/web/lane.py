"""The side lane: articles that take long to plan are planned beside the event loop, so that no other request waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar

from adlayout.compose import Composer, Work
from adlayout.deciding import Receipt
from adlayout.model import Degraded, Page, Request
from adlayout.web.limits import Deadline

T = TypeVar("T")

# An article with more than this takes longer to plan than other requests should wait.
_LONG_CHARS = 256_000
_LONG_TAGS = 2_000
# One at a time: two would only take turns on the same core. Those behind this many would not be served in time.
_MOST_WAITING = 8


class Lane:
    """Composes pages, each in the place where it holds nobody up."""

    def __init__(self, composer: Composer) -> None:
        self._composer = composer
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="adlayout-lane")
        # People who ask for plans wait for each other, and no reader waits for them.
        self._desk = ThreadPoolExecutor(1, thread_name_prefix="adlayout-desk")
        self._waiting = 0

    async def compose(self, request: Request, now: datetime, deadline: Deadline) -> tuple[Page, Receipt | None]:
        """The page of the request, and what to count when it leaves; the page without ads where time runs out.

        The work goes on all the same, so that the next reader of the article finds its plan.
        """
        composer = self._composer
        work = composer.begin(request)
        if work.known is not None or not _is_long(request.html):
            composer.draft(work, now=now, expired=deadline.passed)
        elif self._waiting >= _MOST_WAITING:
            return composer.bare(request, Degraded.SHED, now=now), None
        elif not await self._drafted(work, now, deadline):
            return composer.bare(request, Degraded.DEADLINE, now=now), None
        await composer.reserve(work, now=now, within_s=deadline.left_s)
        return composer.finish(work, now=now), work.receipt

    async def _drafted(self, work: Work, now: datetime, deadline: Deadline) -> bool:
        """Whether a long article was laid out in time."""
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, partial(self._composer.draft, work, now=now))
        future.add_done_callback(self._finished)
        done, _ = await asyncio.wait({future}, timeout=deadline.left_s)
        for one in done:
            one.result()
        return bool(done)

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """What `work` returns, beside the event loop where the article takes long; nobody looks at the time."""
        if not _is_long(request.html):
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._desk, work)

    def close(self) -> None:
        """Lets go of the threads; what waits is not begun."""
        for pool in (self._pool, self._desk):
            pool.shutdown(wait=False, cancel_futures=True)

    def _finished(self, future: asyncio.Future[None]) -> None:
        self._waiting -= 1
        # An answer that nobody waits for any more may have failed; it must not be told as unheard of.
        if not future.cancelled():
            future.exception()


def _is_long(html: str) -> bool:
    return len(html) > _LONG_CHARS or html.count("<") > _LONG_TAGS
