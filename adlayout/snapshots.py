"""The last good inventory on the local disk, so that a start without the store still has ads; knows nothing of rows."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from adlayout.rows import Rows


def save(path: Path, revision: int, rows: Rows) -> None:
    """Writes the inventory in one step, readable by this user alone; raises OSError."""
    draft = path.with_suffix(f".{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump({"revision": revision, **asdict(rows)}, file)
    draft.replace(path)


def load(path: Path) -> tuple[int, Rows] | None:
    """What was saved; None where there is nothing, or nothing that can be read."""
    try:
        said = json.loads(path.read_text("utf-8"))
        kinds = (said["campaigns"], said["flights"], said["creatives"])
        if all(isinstance(kind, dict) for kind in kinds):
            return int(said["revision"]), Rows(*kinds)
    except (OSError, ValueError, TypeError, LookupError):
        pass
    return None
