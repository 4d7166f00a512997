"""The shipped templates and sample ads: pages for every script, on paper and in the dark, that ask for nothing."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from adlayout.assemble import assemble
from adlayout.decision.inventory import read_inventory
from adlayout.rendering.page import PageContext, Templates

SHIPPED = Path(__file__).parent.parent / "config"
LOADED = re.compile(r"\s(?:src|srcset|poster|data|background)=[\"']([^\"']*)|url\(([^)]*)\)|@import\s*([^;]*)")


def head(language: str) -> str:
    """The shipped page up to its body."""
    frame = Templates.load(SHIPPED / "templates").frame("article", PageContext("Site", language=language))
    return str(frame.parts[0]).partition("<body>")[0]


@pytest.mark.parametrize(
    ("language", "opening"),
    [
        ("ar", '<html lang="ar" dir="rtl">'),
        ("AR_eg", '<html lang="AR_eg" dir="rtl">'),
        ("he-IL", '<html lang="he-IL" dir="rtl">'),
        ("ckb", '<html lang="ckb" dir="rtl">'),
        ("pa-Arab-PK", '<html lang="pa-Arab-PK" dir="rtl">'),
        ("ug-Latn", '<html lang="ug-Latn">'),
        ("arn", '<html lang="arn">'),
        ("kk", '<html lang="kk">'),
    ],
)
def test_a_page_runs_in_the_direction_of_its_language(language: str, opening: str) -> None:
    assert head(language).splitlines()[:2] == ["<!doctype html>", opening]


def test_the_dark_is_for_screens_only() -> None:
    assert re.findall(r"@media [^{]*dark[^{]*", head("en")) == ["@media screen and (prefers-color-scheme: dark) "]


def test_the_page_loads_nothing() -> None:
    assert LOADED.findall(head("en")) == []


def test_no_sample_ad_loads_anything() -> None:
    edition = assemble(SHIPPED, {})
    inventory, bad_rows = read_inventory(edition.house_rows)
    ads = [ad for one in inventory.creatives.values() for ad in edition.prepare(one).samples()]
    loaded = {"".join(found).strip("\"'")[:11] for ad in ads for found in LOADED.findall(unescape(ad))}
    assert (bad_rows, loaded) == ((), {"data:image/"})


@pytest.mark.parametrize("sample", sorted((SHIPPED / "samples").glob("*.html")), ids=lambda path: path.stem)
def test_no_sample_article_loads_anything(sample: Path) -> None:
    loaded = {"".join(found)[:11] for found in LOADED.findall(sample.read_text("utf-8"))}
    assert loaded <= {"data:image/"}
