"""Whether units came in the shares they should have, and each in one variation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from adlayout.experiments.srm import Health, Multiple, multiple_exposures, sample_ratio

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "stats.yaml").read_text())


def why(case: dict[str, Any]) -> str:
    return str(case["why"])


@pytest.mark.parametrize("case", CASES["shares"], ids=why)
def test_shares_are_held_against_the_weights(case: dict[str, Any]) -> None:
    found = sample_ratio(case["users"], case["weights"])
    assert (round(found.p, 9), found.health) == (case["p"], Health(case["health"]))


@pytest.mark.parametrize("case", CASES["multiple"], ids=why)
def test_units_in_two_variations_are_held_against_all(case: dict[str, Any]) -> None:
    found = multiple_exposures(case["units"], case["users"])
    assert found == Multiple(case["units"], case["share"], Health(case["health"]))


def test_weights_need_no_sum_of_one() -> None:
    assert sample_ratio([310, 98], [3, 1]) == sample_ratio([310, 98], [0.75, 0.25])
