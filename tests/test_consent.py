"""What a request's consent permits: the table of cases, with strings that are written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adlayout.model import Consent
from adlayout.privacy import gpp, tcf
from adlayout.privacy.consent import Cause, Permissions, permissions

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "consent.yaml").read_text("utf-8"))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
POWERS = ("identify", "personalise", "measure")


def written(bits: str) -> str:
    """Bits as base64url, filled up to whole bytes as most writers do."""
    bits += "0" * (-len(bits) % 8)
    bits += "0" * (-len(bits) % 6)
    return "".join(ALPHABET[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def tcf_string(said: Any) -> str:
    """A string of the framework with these purposes and no vendors; every other field is set to something."""
    if isinstance(said, str):
        return str(said)
    fields: dict[str, Any] = said if isinstance(said, dict) else {"purposes": said}
    purposes = "".join("1" if purpose in fields["purposes"] else "0" for purpose in range(1, 25))
    head = f"{fields.get('version', 2):06b}{1_700_000_000:036b}{1_700_000_001:036b}{7:012b}{3:012b}{1:06b}"
    head += f"{4:06b}{13:06b}{201:012b}{4:06b}" + "10" + "1" * 12
    tail = "1" * 24 + "0" + f"{3:06b}{4:06b}" + "0" * 17 + "0" * 17 + "0" * 12
    return written(head + purposes + tail)[: fields.get("cut")] + str(fields.get("more", ""))


def american_string(fields: dict[str, Any]) -> str:
    """A section of the United States: its opt-outs, and ones in every field that does not matter."""
    notices = "01" * 6
    answers = "".join(f"{fields.get(name, 2):02b}" for name in ("sale", "sharing", "targeted"))
    return written(f"{fields.get('version', 1):06b}{notices}{answers}" + "01" * 18) + str(fields.get("more", ""))


def fibonacci(number: int) -> str:
    numbers = [1, 2]
    while numbers[-1] <= number:
        numbers.append(numbers[-1] + numbers[-2])
    digits = ""
    for one in reversed(numbers[:-1]):
        digits = ("1" if one <= number else "0") + digits
        number -= one if one <= number else 0
    return digits + "1"


def gpp_string(said: Any) -> str | None:
    if not isinstance(said, dict):
        return str(said) if said else None
    steps = [b - a for a, b in zip([0, *sorted(said)], sorted(said), strict=False)]
    header = f"{3:06b}{1:06b}{len(said):012b}" + "".join("0" + fibonacci(step) for step in steps)
    header += "0" * (-len(header) % 6)
    head = "".join(ALPHABET[int(header[at : at + 6], 2)] for at in range(0, len(header), 6))
    return "~".join([head, *(section_string(number, said[number]) for number in sorted(said))])


def section_string(number: int, said: Any) -> str:
    if isinstance(said, str):
        return said
    return american_string(said) if number == 7 else tcf_string(said)


def consent_of(said: dict[str, Any] | None) -> Consent | None:
    if said is None:
        return None
    strings = {
        "tcf": tcf_string(said["tcf"]) if "tcf" in said else None,
        "gpp": gpp_string(said.get("gpp")),
        "gpp_sid": tuple(said.get("gpp_sid", ())),
    }
    return Consent(**(said | strings))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_consent_permits_what_the_case_says(case: dict[str, Any]) -> None:
    denied = POWERS if case["not"] == "all" else case["not"]
    expected = Permissions(
        **{power: power not in denied for power in POWERS}, why=tuple(Cause(cause) for cause in case["because"])
    )
    assert permissions(consent_of(case["consent"]), case.get("default", "granted")) == expected


def test_every_cause_has_a_case() -> None:
    assert {cause for case in CASES for cause in case["because"]} == set(Cause)


@given(st.sets(st.integers(1, 24)))
def test_purposes_are_read_as_they_are_written(purposes: set[int]) -> None:
    assert tcf.purposes(tcf_string(purposes)) == purposes


@given(st.sets(st.integers(1, 4000), max_size=12))
def test_sections_are_found_by_their_numbers(numbers: set[int]) -> None:
    said = {number: f"text-{number}" for number in numbers}
    assert gpp.sections(gpp_string(said) or "DBAA") == said


@given(st.text(alphabet=[*ALPHABET[:6], "~", ".", "=", "é", "\udc80"], max_size=80))
def test_any_text_is_a_string_or_a_no(text: str) -> None:
    permitted = permissions(Consent(gdpr=True, tcf=text, gpp=text, gpp_sid=(2, 7)), "granted")
    assert set(permitted.why) & {Cause.GPP_MALFORMED, Cause.TCF_MALFORMED}


@pytest.mark.parametrize("header", ["D" * 1_000_000, "DBP_" + "A" * 1_000_000, "DBP_" + "r" * 190, "DBAB" + "5" * 190])
def test_a_header_that_names_millions_of_sections_is_none(header: str) -> None:
    permitted = permissions(Consent(gpp_sid=(7,), gpp=f"{header}~{'~' * 100_000}"), "granted")
    assert permitted.why == (Cause.GPP_MALFORMED,)
