"""What commands write: as wide as there is room, in the charset there is, and nothing that a terminal obeys."""

from __future__ import annotations

import io
import json

import pytest

from adlayout.cli.terminal import complain, print_json, shown, warn, width


class Terminal(io.StringIO):
    """A stream at which a person looks."""

    def isatty(self) -> bool:
        return True


def stream(charset: str) -> io.TextIOWrapper:
    """A stream that writes in a charset."""
    return io.TextIOWrapper(io.BytesIO(), charset)


@pytest.mark.parametrize(
    ("said", "columns"),
    [("60", 60), ("120", 120), ("200", 120), ("", 80), ("0", 80), ("-1", 80), ("wide", 80), ("9" * 5000, 80)],
)
def test_where_nobody_looks_the_width_is_the_one_that_is_said(said: str, columns: int) -> None:
    assert width(stream("utf-8"), {"COLUMNS": said}) == columns


@pytest.mark.parametrize(("terminal", "columns"), [("60", 60), ("200", 120)])
def test_a_terminal_is_used_to_its_width_but_for_a_very_wide_one(
    terminal: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", terminal)
    assert width(Terminal(), {}) == columns


def test_where_nobody_says_a_width_it_is_the_usual_one() -> None:
    assert width(stream("utf-8"), {}) == 80


@pytest.mark.parametrize(
    ("charset", "drawn"),
    [
        ("utf-8", "▶ ✗ · ━ … ¶ é"),
        ("ascii", "> x . = ~ # é"),
        ("latin-1", "> x . = ~ # é"),
    ],
)
def test_marks_are_drawn_with_what_the_charset_has(charset: str, drawn: str) -> None:
    assert shown("▶ ✗ · ━ … ¶ é", stream(charset)) == drawn


def test_marks_are_plain_where_the_charset_is_not_known() -> None:
    assert shown("▶", io.StringIO()) == ">"


def test_what_goes_wrong_is_told_without_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    complain("no \x1b[31mlayout\x9b\nand é \u202eno more")
    warn("a\x07b\x7f")
    assert capsys.readouterr().err.splitlines() == [
        r"error no \x1b[31mlayout\x9b",
        r"error and é \u202eno more",
        r"warning a\x07b\x7f",
    ]


def test_json_keeps_every_character_and_shows_none_that_a_terminal_obeys(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    value = {"html": "é\x1b[31m\x7f\x9b31m\u202e\n\t\ud800"}
    print_json(value)
    out = capsysbinary.readouterr().out.decode()
    assert json.loads(out) == value
    assert out == '{\n  "html": "é\\u001b[31m\\u007f\\u009b31m\\u202e\\n\\t\\ud800"\n}\n'
