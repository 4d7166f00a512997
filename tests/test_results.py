"""From what the store counted to results and a verdict, in the words that product people read."""

from __future__ import annotations

from dataclasses import astuple, replace
from datetime import date

import pytest

from adlayout.experiments.assign import Experiment
from adlayout.experiments.findings import Arm, Comparison, Day, Direction, Findings, Progress, Reading, Verdict
from adlayout.experiments.findings import Status as S
from adlayout.experiments.metrics import METRICS
from adlayout.experiments.results import results
from adlayout.experiments.srm import Health, Multiple, Ratio
from adlayout.experiments.stats import Prior

DENSITY = Experiment(
    "density",
    "default",
    "running",
    ("every-2", "every-3"),
    ("control", "every-3"),
    ("", ""),
    (0.5, 0.5),
    ((0.0, 0.5), (0.5, 1.0)),
    metrics=("views_per_user", "ctr"),
    guardrails=("layout_shift",),
)
THREE = replace(
    DENSITY,
    variations=("every-2", "every-3", "every-4"),
    variation_keys=("control", "every-3", "every-4"),
    weights=(0.4, 0.3, 0.3),
    guardrails=(),
)
TODAY = date(2026, 11, 24)


def days(at: int, users: int, since: int = 5) -> dict[str, int]:
    """A variation's units, who came evenly on the days before today."""
    fields = {f"{at}:n:202611{24 - back}": users // since for back in range(1, since + 1)}
    return {**fields, f"{at}:n": users}


def arm(at: int, users: int, *, since: int = 5, **per_unit: float) -> dict[str, int]:
    """A variation whose units look at so many ads and click so often on average, with a shift on their one page."""
    views, clicks, shift = (
        per_unit.get(name, usual) for name, usual in (("views", 2.0), ("clicks", 0.2), ("shift", 500))
    )
    v, c, shifts = round(users * views), round(users * clicks), round(users * shift)
    return {
        **days(at, users, since),
        f"{at}:V": v, f"{at}:VV": round(2 * v * views), f"{at}:C": c, f"{at}:CC": 2 * c, f"{at}:CV": round(c * views),
        f"{at}:P": users, f"{at}:PP": users, f"{at}:L": shifts, f"{at}:LL": round(2 * shifts * shift),
        f"{at}:LP": shifts,
    }  # fmt: skip


def verdict(experiment: Experiment, *fields: dict[str, int], today: date = TODAY) -> Verdict:
    """What is made of these counts."""
    counted = {name: count for part in fields for name, count in part.items()}
    return results(experiment, counted, today=today).verdict


RUNNING = (arm(0, 10_000), arm(1, 10_000))
BETTER = (arm(0, 10_000), arm(1, 10_000, views=2.4, clicks=0.24))
WORSE = (arm(0, 10_000), arm(1, 10_000, views=1.7))


def test_a_draft_has_nobody() -> None:
    assert verdict(replace(DENSITY, status="draft")) == Verdict(S.DRAFT, "A draft: nobody takes part yet.")


def test_nothing_was_counted() -> None:
    assert verdict(DENSITY) == Verdict(S.NO_DATA, "No data: none of the readers who take part was counted yet.")


def test_nothing_is_said_in_the_first_days() -> None:
    assert verdict(DENSITY, arm(0, 10_000, since=2), arm(1, 10_000, views=2.4, clicks=0.24, since=2)) == Verdict(
        S.RUNNING, "Running: 20,000 readers in 2 days. No winner is named in the first 3 days, nor of so few."
    )


def test_nothing_is_said_of_fewer_than_can_be_checked() -> None:
    assert verdict(DENSITY, days(0, 10), days(1, 5)).status is S.RUNNING


def test_a_test_that_was_stopped_too_early() -> None:
    stopped = replace(DENSITY, status="stopped")
    assert verdict(stopped, arm(0, 10_000, since=1), arm(1, 10_000, views=2.4, clicks=0.24, since=1)) == Verdict(
        S.REVIEW, "Stopped too early to say anything: 20,000 readers in 1 day."
    )


def test_there_is_no_winner_while_units_come_in_wrong_shares() -> None:
    assert verdict(DENSITY, arm(0, 10_500), arm(1, 9_500, views=2.4, clicks=0.24)) == Verdict(
        S.UNHEALTHY,
        "Do not use these numbers: the readers did not come in the shares they should have (control 10,500 instead of "
        "10,000; every-3 9,500 instead of 10,000; by chance in 1.54e-10 %). One variation loses or doubles some: look "
        "at caches, redirects and the page script.",
    )


def test_there_is_no_winner_while_units_see_two_variations() -> None:
    assert verdict(DENSITY, *BETTER, {"multi": 200}) == Verdict(
        S.UNHEALTHY,
        "Do not use these numbers: 200 of the readers (1 %) saw more than one variation. Look for a changed seed or "
        "weights, and for pages cached without their variation.",
    )


def test_days_are_left_while_nothing_is_clear() -> None:
    assert verdict(DENSITY, *RUNNING) == Verdict(
        S.DAYS_LEFT,
        "About 3 days left: 20,000 of about 28,000 readers, with which a change of 5 % on views_per_user would show.",
    )


def test_a_variation_that_is_better_ships() -> None:
    assert verdict(DENSITY, *BETTER) == Verdict(
        S.SHIP, "Ship every-3: views_per_user +20 % (+14.7 to +25.3 %). Nothing that is watched got worse.", "every-3"
    )


def test_a_variation_that_is_worse_goes() -> None:
    assert verdict(DENSITY, *WORSE) == Verdict(
        S.ROLL_BACK, "Keep control: with every-3 views_per_user -15 % (-18.8 to -11.2 %)."
    )


def test_a_guardrail_alone_sends_a_variation_back() -> None:
    assert verdict(DENSITY, arm(0, 10_000), arm(1, 10_000, shift=700)) == Verdict(
        S.ROLL_BACK, "Keep control: with every-3 layout_shift +40 % (+33.8 to +46.2 %)."
    )


def test_what_is_better_and_worse_is_for_people_to_weigh() -> None:
    assert verdict(DENSITY, arm(0, 10_000), arm(1, 10_000, views=2.4, clicks=0.24, shift=700)) == Verdict(
        S.REVIEW,
        "Weigh it yourselves: with every-3 views_per_user +20 % (+14.7 to +25.3 %), but layout_shift +40 % (+33.8 to "
        "+46.2 %).",
    )


def test_the_other_metrics_can_stop_a_winner_too() -> None:
    assert verdict(DENSITY, arm(0, 40_000), arm(1, 40_000, views=2.4, clicks=0.1)).status is S.REVIEW


def test_enough_came_and_nothing_is_clear() -> None:
    assert verdict(DENSITY, arm(0, 40_000), arm(1, 40_000, views=2.01, clicks=0.201)) == Verdict(
        S.REVIEW,
        "No clear difference for every-3: a change of 5 % on views_per_user would most likely have shown by now "
        "(views_per_user +0.5 % (-1.85 to +2.85 %)).",
    )


def test_a_test_that_was_stopped_without_a_difference() -> None:
    assert verdict(replace(DENSITY, status="stopped"), *RUNNING) == Verdict(
        S.REVIEW, "Stopped without a clear difference for every-3: views_per_user +0 % (-4.42 to +4.42 %)."
    )


def test_where_nothing_varies_nothing_can_be_told() -> None:
    stopped = replace(DENSITY, status="stopped", metrics=("bounce",), guardrails=())
    assert verdict(stopped, days(0, 10_000), days(1, 10_000)) == Verdict(
        S.REVIEW, "Stopped without a clear difference for every-3: bounce cannot be told."
    )


def test_a_test_that_was_stopped_still_has_its_winner() -> None:
    stopped = verdict(replace(DENSITY, status="stopped"), *BETTER, today=date(2027, 3, 1))
    assert (stopped.status, stopped.winner) == (S.SHIP, "every-3")


def test_nobody_comes_any_more() -> None:
    assert verdict(DENSITY, *RUNNING, today=date(2026, 12, 24)) == Verdict(
        S.RUNNING,
        "Running, but none of the readers came in the last days: 20,000 of about 28,000 readers, with which a change "
        "of 5 % on views_per_user would show.",
    )


def test_too_little_happened_to_say_how_long() -> None:
    assert verdict(DENSITY, days(0, 10_000), days(1, 10_000)) == Verdict(
        S.RUNNING, "Running: 20,000 readers, too little happened yet to say how long."
    )


def test_without_a_metric_only_guardrails_speak() -> None:
    bare = replace(DENSITY, metrics=())
    assert verdict(bare, *RUNNING).status is S.RUNNING
    assert verdict(bare, arm(0, 10_000), arm(1, 10_000, shift=700)).status is S.ROLL_BACK


def test_the_best_of_several_ships() -> None:
    found = verdict(
        THREE, arm(0, 40_000), arm(1, 30_000, views=2.4, clicks=0.24), arm(2, 30_000, views=2.8, clicks=0.28)
    )
    assert (found.status, found.winner) == (S.SHIP, "every-4")


def test_one_that_is_worse_does_not_end_what_is_open_for_another() -> None:
    assert verdict(THREE, arm(0, 4_000), arm(1, 3_000, views=1.5, clicks=0.15), arm(2, 3_000)) == Verdict(
        S.DAYS_LEFT,
        "About 19 days left: 10,000 of about 47,000 readers, with which a change of 5 % on views_per_user would show. "
        "every-3 can be taken out: views_per_user -25 % (-31 to -19 %).",
    )


def test_a_variation_of_no_weight_is_not_waited_for() -> None:
    retired = replace(THREE, weights=(0.5, 0.5, 0.0))
    assert verdict(retired, arm(0, 10_000), arm(1, 10_000, views=2.4, clicks=0.24)).winner == "every-3"


@pytest.mark.parametrize(
    ("experiment", "units"),
    [
        (DENSITY, "readers"),
        (replace(DENSITY, hash_attribute="url"), "articles"),
        (replace(DENSITY, fallback_attribute="url"), "readers and articles"),
    ],
)
def test_units_are_called_what_they_are(experiment: Experiment, units: str) -> None:
    assert verdict(experiment).words == f"No data: none of the {units} who take part was counted yet."


def test_a_difference_is_told_where_a_lift_cannot_be() -> None:
    """Nobody in the baseline clicked, so nothing can be divided by it."""
    clicks = replace(DENSITY, metrics=("conversions:buy",), guardrails=())
    bought = {"1:K:buy": 400, "1:K:buyK:buy": 400}
    assert verdict(clicks, days(0, 10_000), days(1, 10_000), bought) == Verdict(
        S.SHIP,
        "Ship every-3: conversions:buy +0.04 conversions (+0.0339 to +0.0461 conversions). Nothing that is watched got "
        "worse.",
        "every-3",
    )


def test_a_test_that_would_take_years_says_so() -> None:
    assert verdict(replace(DENSITY, lift=0.001), *RUNNING) == Verdict(
        S.DAYS_LEFT,
        "More than a year left: 20,000 of about 100,000,000 readers, with which a change of 0.1 % on views_per_user "
        "would show. Take more in, or look for a larger change.",
    )


BOUNCES = replace(DENSITY, metrics=("bounce",), guardrails=())
BOUNCED = {**days(0, 50), **days(1, 40), "0:B": 10, "0:BB": 10, "1:B": 16, "1:BB": 16, "1:bad": 3, "multi": 2}


def test_findings_are_whole() -> None:
    """Ten of fifty bounced in one, sixteen of forty in the other: too few for a lift, so their difference is told."""
    found = results(BOUNCES, BOUNCED, today=TODAY).findings
    comparison = found.metrics[0].of("every-3")
    assert found == Findings(
        level=0.05,
        arms=(Arm("control", 50, 5 / 9, 45.0, 0.5, 0), Arm("every-3", 40, 4 / 9, 45.0, 0.5, 3)),
        ratio=Ratio(found.ratio.p, Health.HEALTHY),
        multiple=Multiple(2, 2 / 90, Health.TOO_FEW),
        metrics=(Reading(METRICS["bounce"], 0.2, (comparison,)),),
        guardrails=(),
        progress=Progress(days=5, users=90, wanted=121_062, days_left=6721),
        daily=tuple(Day(f"2026-11-{day}", (10, 8), found.daily[0].p) for day in range(19, 24)),
        devices=(),
    )


def test_shares_are_told_by_device_so_that_a_loss_is_found_where_it_is() -> None:
    counted = {**BOUNCED, "0:n:mobile": 40, "1:n:mobile": 12, "0:n:desktop": 10, "1:n:desktop": 10}
    mobile, desktop = results(BOUNCES, counted, today=TODAY).findings.devices
    assert (mobile.device, mobile.users, mobile.p < 0.001) == ("mobile", (40, 12), True)
    assert (desktop.device, desktop.users, desktop.p) == ("desktop", (10, 10), 1.0)


def test_a_comparison_is_whole() -> None:
    found = results(BOUNCES, BOUNCED, today=TODAY).findings.metrics[0].of("every-3")
    assert found.difference
    assert found == Comparison("every-3", 0.4, found.difference, None, found.chance_to_win, Direction.UNCLEAR)
    assert (found.difference.value, *astuple(found.difference.fixed.interval)) == pytest.approx(
        (0.2, 0.008914, 0.391086), abs=1e-6
    )
    assert found.chance_to_win == pytest.approx(1 - found.difference.bayesian.chance)


def test_of_nobody_there_is_no_comparison() -> None:
    found = results(BOUNCES, {"0:n": 50, "0:B": 10, "0:BB": 10}, today=TODAY).findings.metrics[0]
    assert found == Reading(METRICS["bounce"], 0.2, (Comparison("every-3", None, None, None, None, Direction.UNCLEAR),))


def test_today_tells_the_pace_where_there_is_no_whole_day() -> None:
    counted = {**arm(0, 100, since=1), **arm(1, 100, since=1)}
    today = {name.replace("20261123", "20261124"): count for name, count in counted.items()}
    found = results(DENSITY, today, today=TODAY).findings.progress
    assert found == Progress(days=0, users=200, wanted=found.wanted, days_left=-(-((found.wanted or 0) - 200) // 200))


def test_what_is_believed_beforehand_is_of_lifts() -> None:
    counted = {name: count for part in BETTER for name, count in part.items()}
    flat, believed = (
        results(DENSITY, counted, today=TODAY, prior=prior).findings.metrics[0].of("every-3")
        for prior in (None, Prior(0.0, 0.01))
    )
    assert flat.lift
    assert believed.lift
    assert flat.difference == believed.difference
    assert flat.lift.sequential == believed.lift.sequential
    assert believed.lift.bayesian.interval.high < flat.lift.bayesian.interval.low


def test_a_metric_that_nobody_knows_is_a_mistake_of_ours() -> None:
    with pytest.raises(LookupError, match="clicks: no such metric"):
        results(replace(DENSITY, metrics=("clicks",)), {}, today=TODAY)
