"""The presets that ship: each says where its numbers are from, and places the same where another layout extends it."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from adlayout.assemble import Edition, assemble
from adlayout.model import Device
from adlayout.plans import judge

CONFIG = Path(__file__).parents[1] / "config"
TABLE = yaml.safe_load((Path(__file__).parent / "cases" / "presets.yaml").read_text("utf-8"))
PRESETS = sorted(path.stem for path in (CONFIG / "layouts").glob("*.yaml") if path.stem != "article")
FEWEST_CASES = 3
TOKEN = re.compile(r"(?:(?P<times>\d+)x)?(?P<letter>[a-zA-Z])(?P<chars>\d*)")
MARKUP = {
    "p": "<p>{}</p>",
    "B": "<p><b>{}</b></p>",
    "c": "<p>{}:</p>",
    "s": "<p data-adl-stop>{}</p>",
    "H": "<h2>{}</h2>",
    "f": '<figure><img src="/i.jpg" alt=""></figure>',
    "T": '<figure class="alignleft"><img src="/t.jpg" alt=""></figure>',
    "t": '<figure data-spacefinder-role="thumbnail"><img src="/t.jpg" alt=""></figure>',
    "S": '<figure data-spacefinder-role="supporting"><img src="/t.jpg" alt=""></figure>',
    "W": '<figure data-spacefinder-role="fullWidth"><img src="/w.jpg" alt=""></figure>',
    "i": '<p><img src="/j.jpg" alt=""></p>',
    "v": '<video src="/v.mp4"></video>',
    "b": "<aside>{}</aside>",
    "q": "<blockquote><p>{}</p></blockquote>",
    "l": "<ul><li>{}</li></ul>",
    "a": '<div class="ad">{}</div>',
}
USUAL_CHARS = {"p": 100, "B": 60, "c": 100, "s": 100, "H": 20, "b": 20, "q": 100, "l": 100, "a": 10}
# Nine letters and a space: ten characters are a word.
WORD = "newspaper "


@dataclass(frozen=True)
class Case:
    """One row of the table: blocks of an article, and the gaps where ads stand."""

    preset: str
    why: str
    blocks: str
    gaps: tuple[int, ...]
    device: Device


CASES = [
    Case(preset, row["why"], row["blocks"], tuple(row["gaps"]), Device(row.get("device", "mobile")))
    for preset, rows in TABLE.items()
    for row in rows
]


def article_of(blocks: str) -> str:
    return "\n".join(block for token in blocks.split() for block in blocks_of(token))


def blocks_of(token: str) -> list[str]:
    said = TOKEN.fullmatch(token)
    assert said, token
    text = text_of(int(said["chars"] or USUAL_CHARS.get(said["letter"], 0)))
    return [MARKUP[said["letter"]].format(text)] * int(said["times"] or 1)


def text_of(chars: int) -> str:
    return (WORD * (chars // len(WORD) + 1))[:chars].rstrip().ljust(chars, "s")


def gaps_of(edition: Edition, layout: str, case: Case) -> tuple[int | None, ...]:
    planned = judge(article_of(case.blocks), edition.layouts[layout][case.device])
    return tuple(slot.gap for slot in planned.plan.slots)


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Edition:
    """The shipped config, with a layout `own-NAME` for each preset that does no more than extend it."""
    directory = tmp_path_factory.mktemp("presets") / "config"
    shutil.copytree(CONFIG, directory)
    for name in PRESETS:
        text = f"version: 1\nname: own-{name}\nextends: {name}\n"
        (directory / "layouts" / f"own-{name}.yaml").write_text(text, "utf-8")
    return assemble(directory, {})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.preset}: {case.why}")
def test_ads_stand_where_the_preset_puts_them(edition: Edition, case: Case) -> None:
    assert gaps_of(edition, case.preset, case) == case.gaps, case.why


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.preset}: {case.why}")
def test_a_layout_that_extends_a_preset_places_the_same(edition: Edition, case: Case) -> None:
    assert gaps_of(edition, f"own-{case.preset}", case) == case.gaps, case.why


def test_every_preset_has_its_cases() -> None:
    counted = Counter(case.preset for case in CASES)
    assert set(counted) == set(PRESETS)
    assert {name: count for name, count in counted.items() if count < FEWEST_CASES} == {}


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "every-2"])
def test_a_preset_names_the_source_of_its_numbers(name: str) -> None:
    file = yaml.safe_load((CONFIG / "layouts" / f"{name}.yaml").read_text("utf-8"))
    assert re.search(r"\bSource: \S+", file["description"]), file["description"]


def test_the_document_has_a_row_for_every_preset() -> None:
    document = (CONFIG.parent / "docs" / "presets.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| `([a-z0-9-]+)` \|", document, re.MULTILINE)) == PRESETS
