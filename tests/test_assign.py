"""From a page to a variation: the order of the questions, GrowthBook's own code as the judge, what holds for all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from growthbook.common_types import EvaluationContext, GlobalContext, Options, StackContext, UserContext
from growthbook.common_types import Experiment as TheirExperiment
from growthbook.core import getQueryStringOverride, run_experiment
from hypothesis import given
from hypothesis import strategies as st

from adlayout.config.settings import When
from adlayout.experiments.assign import Assignment, Experiment, Sieve, Space, assign, experiments_of, first_assignment
from adlayout.experiments.schema import ExperimentsFile

READER: dict[str, Any] = {
    "id": "reader-330",
    "url": "https://example.com/a",
    "section": "politics",
    "tags": ["vote"],
    "device": "mobile",
    "country": "DE",
}
ROW: dict[str, Any] = {"key": "density", "status": "running", "variations": ["every-2", "every-3"]}


def experiment(**keys: Any) -> Experiment:
    """The one experiment of a file that says this."""
    (found,) = experiments_of(ExperimentsFile.model_validate({"version": 1, "experiments": [ROW | keys]}))
    return found


def counted(variation: int, bucket: float, unit: str = "reader-330") -> Assignment:
    return Assignment("density", variation, str(variation), True, True, bucket, unit)


def forced(variation: int, unit: str = "reader-330") -> Assignment:
    return Assignment("density", variation, str(variation), True, False, None, unit)


OUT = Assignment("density", 0, "0", False, False, None, "reader-330")
NOBODY = replace(OUT, unit="")
# Where reader-330 falls under the seed "density", in each version, and article a.
HERE, OLD, ARTICLE = 0.173, 0.323, 0.4071


@pytest.mark.parametrize(
    ("keys", "attributes", "expected"),
    [
        pytest.param({}, {}, counted(0, HERE), id="the hash decides"),
        pytest.param({"hashVersion": 1}, {}, counted(0, OLD), id="in the version that is said"),
        pytest.param({"seed": "other"}, {}, counted(1, 0.6132), id="under the seed that is said"),
        pytest.param({"hashAttribute": "url"}, {}, counted(0, ARTICLE, READER["url"]), id="of the article"),
        pytest.param({"weights": [0.1, 0.9]}, {}, counted(1, HERE), id="by the weights"),
        pytest.param({"coverage": 0.3}, {}, OUT, id="out of the coverage"),
        pytest.param({"coverage": 0.4}, {}, counted(0, HERE), id="within the coverage"),
        pytest.param({"coverage": 0}, {}, OUT, id="no coverage"),
        pytest.param({"ranges": [[0, 0.1], [0.1, 0.2]]}, {}, counted(1, HERE), id="by the stretches"),
        pytest.param({"ranges": [[0, 0.1], [0.2, 1]], "coverage": 1}, {}, OUT, id="between the stretches"),
        pytest.param({"status": "draft"}, {}, OUT, id="a draft"),
        pytest.param({"status": "stopped"}, {}, OUT, id="stopped"),
        pytest.param({}, {"id": None}, NOBODY, id="no reader"),
        pytest.param({}, {"id": ""}, NOBODY, id="an empty reader"),
        pytest.param({}, {"id": True}, NOBODY, id="a switch is no reader"),
        pytest.param({}, {"id": 7.0}, counted(0, 0.2897, "7"), id="a number is one"),
        pytest.param(
            {"fallbackAttribute": "url"}, {"id": ""}, counted(0, ARTICLE, READER["url"]), id="the article instead"
        ),
        pytest.param({"fallbackAttribute": "url"}, {"id": "", "url": ""}, NOBODY, id="nor the article"),
        pytest.param({"forcedVariations": {"reader-330": 1}}, {}, forced(1), id="forced"),
        pytest.param({"forcedVariations": {"7": 1}}, {"id": 7}, forced(1, "7"), id="a number is forced"),
        pytest.param({"forcedVariations": {"x": 1}}, {}, counted(0, HERE), id="somebody else is forced"),
        pytest.param({"forcedVariations": {"reader-330": 1}, "status": "draft"}, {}, forced(1), id="forced in a draft"),
        pytest.param({"force": 1}, {}, forced(1), id="everybody is forced"),
        pytest.param({"force": 1, "status": "stopped"}, {}, forced(1), id="the winner of a stopped test"),
        pytest.param({"force": 1, "coverage": 0.3}, {}, OUT, id="forced are only those within"),
        pytest.param({"force": 1, "status": "draft"}, {}, OUT, id="a draft forces nobody"),
        pytest.param({"namespace": ["layouts", 0, 0.5]}, {}, OUT, id="out of the namespace"),
        pytest.param({"namespace": ["layouts", 0.5, 1]}, {}, counted(0, HERE), id="within the namespace"),
        pytest.param(
            {"namespace": ["layouts", 0, 0.5], "filters": [{"seed": "layouts", "ranges": [[0, 1]]}]},
            {},
            counted(0, HERE),
            id="filters in place of the namespace",
        ),
        pytest.param({"filters": [{"ranges": [[0, 0.1], [0.3, 0.4]]}]}, {}, OUT, id="filtered out"),
        pytest.param({"filters": [{"ranges": [[0, 1]]}] * 2}, {}, counted(0, HERE), id="through all filters"),
        pytest.param({"filters": [{"ranges": [[0, 1]]}, {"ranges": [[0, 0]]}]}, {}, OUT, id="out by the last filter"),
        pytest.param({"filters": [{"ranges": [[0, 1]], "attribute": "url"}]}, {"url": ""}, OUT, id="no such attribute"),
        pytest.param({"condition": {"country": "DE"}}, {}, counted(0, HERE), id="the condition holds"),
        pytest.param({"condition": {"country": "FR"}}, {}, OUT, id="the condition does not hold"),
        pytest.param({"condition": {}}, {}, counted(0, HERE), id="no condition"),
        pytest.param({"when": {"section": ["Politics"]}}, {}, counted(0, HERE), id="an article that is meant"),
        pytest.param({"when": {"section": ["sport"]}}, {}, OUT, id="another section"),
        pytest.param({"when": {"section": ["sport"]}}, {"section": None}, OUT, id="no section"),
        pytest.param({"when": {"tags": ["VOTE"]}}, {}, counted(0, HERE), id="a tag that is meant"),
        pytest.param({"when": {"tags": ["vote"]}}, {"tags": None}, OUT, id="no tags"),
        pytest.param({"when": {"device": ["desktop"]}}, {}, OUT, id="another device"),
        pytest.param({"when": {"device": ["mobile"]}}, {"device": None}, counted(0, HERE), id="nobody says which"),
    ],
)  # fmt: skip
def test_who_sees_what(keys: dict[str, Any], attributes: dict[str, Any], expected: Assignment) -> None:
    assert assign(experiment(**keys), READER | attributes) == expected


@pytest.mark.parametrize("keys", [{}, {"status": "draft"}, {"forcedVariations": {"reader-330": 0}}, {"coverage": 0}])
def test_what_the_address_asks_for_comes_first(keys: dict[str, Any]) -> None:
    assert assign(experiment(**keys), READER, forced=1) == forced(1)
    assert assign(experiment(**keys), READER | {"id": ""}, forced=1).hash_used is False


@pytest.mark.parametrize("number", [-1, 2])
def test_a_variation_that_is_not_there_is_seen_by_nobody(number: int) -> None:
    assert assign(experiment(), READER, forced=number) == OUT


def test_variations_have_the_keys_that_are_said() -> None:
    named = experiment(meta=[{"key": "control", "name": "As ever"}, {}])
    assert (named.variation_keys, named.variation_names) == (("control", "1"), ("As ever", "1"))
    assert [assign(named, READER, forced=at).variation_key for at in range(2)] == ["control", "1"]


def test_a_unit_is_not_printed() -> None:
    assert "reader-330" not in repr(assign(experiment(), READER))


def test_everything_that_is_said_is_kept() -> None:
    said = {
        "site": "sport",
        "weights": [0.2, 0.8],
        "coverage": 0.5,
        "hashVersion": 1,
        "fallbackAttribute": "url",
        "seed": "s",
        "phase": "2",
        "meta": [{"key": "a", "name": "A"}, {"key": "b"}],
        "metrics": ["ctr"],
        "guardrails": ["bounce"],
        "when": {"tags": ["x"]},
        "namespace": {"name": "n", "range": [0.1, 0.2]},
        "filters": [{"seed": "f", "ranges": [[0, 0.5]], "attribute": "url", "hashVersion": 1}],
        "condition": {"a": 1},
        "forcedVariations": {"u": 1},
        "force": 0,
        "minimum_days": 7,
        "power": 0.9,
        "lift": 0.1,
    }
    assert experiment(**said) == Experiment(
        key="density",
        site="sport",
        status="running",
        variations=("every-2", "every-3"),
        variation_keys=("a", "b"),
        variation_names=("A", "b"),
        weights=(0.2, 0.8),
        ranges=((0, 0.1), (0.2, 0.2 + 0.5 * 0.8)),
        hash_attribute="id",
        fallback_attribute="url",
        hash_version=1,
        seed="s",
        phase="2",
        when=When(tags=("x",)),
        condition={"a": 1},
        namespace=Space("n", (0.1, 0.2)),
        filters=(Sieve("f", "url", 1, ((0, 0.5),)),),
        forced_units={"u": 1},
        force=0,
        metrics=("ctr",),
        guardrails=("bounce",),
        minimum_days=7,
        power=0.9,
        lift=0.1,
    )


@pytest.mark.parametrize(
    ("ranges", "weights"), [([[0, 0.1], [0.5, 0.8]], (0.25, 0.75)), ([[0, 0], [0.5, 0.5]], (0.0, 0.0))]
)
def test_the_shares_of_stretches_are_what_is_expected_of_them(
    ranges: list[list[float]], weights: tuple[float, ...]
) -> None:
    assert experiment(ranges=ranges).weights == pytest.approx(weights)


def test_the_first_that_takes_the_page_decides() -> None:
    draft, mobile, everybody = (
        experiment(key="draft", status="draft"),
        experiment(key="mobile", condition={"device": "mobile"}),
        experiment(key="everybody"),
    )
    asked = [draft, mobile, everybody]
    assert first_assignment(asked, READER) == (mobile, assign(mobile, READER))
    assert first_assignment(asked, READER | {"device": "tablet"}) == (everybody, assign(everybody, READER))
    assert first_assignment(asked, READER, forced={"draft": 1}) == (draft, assign(draft, READER, forced=1))
    assert first_assignment(asked, {}) is None


# GrowthBook's own code as the judge.

UNIT = st.sampled_from(["", "reader-330", "é😀", 7, 7.5, 1e21, 0, True, None, ["a"]]) | st.text(max_size=8)
STRETCH = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)
CONDITION = st.sampled_from([{}, {"country": "DE"}, {"device": {"$ne": "mobile"}}, {"tags": {"$in": ["vote", "x"]}}])
STATUS = st.sampled_from(["draft", "running", "running", "running", "stopped"])


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """An experiment as it may stand in the file, without what GrowthBook does not have."""
    count = draw(st.integers(2, 4))
    number = st.integers(0, count - 1)
    row = {"key": "density", "status": draw(STATUS), "variations": [f"layout-{at}" for at in range(count)]}
    keys = {
        "weights": st.just([1 - 0.1 * (count - 1), *[0.1] * (count - 1)]),
        "coverage": st.floats(0, 1),
        "hashAttribute": st.sampled_from(["id", "url"]),
        "hashVersion": st.sampled_from([1, 2]),
        "seed": st.text(min_size=1, max_size=5).filter(str.strip).map(str.strip),
        "meta": st.just([{"key": f"v{at}"} for at in range(count)]),
        "namespace": STRETCH.map(lambda span: ["layouts", *span]),
        "filters": st.lists(
            st.fixed_dictionaries(
                {"ranges": st.lists(STRETCH, min_size=1, max_size=3)},
                optional={
                    "seed": st.just("x"),
                    "attribute": st.sampled_from(["id", "url"]),
                    "hashVersion": st.sampled_from([1, 2]),
                },
            ),
            max_size=2,
        ),
        "ranges": st.lists(STRETCH, min_size=count, max_size=count),
        "condition": CONDITION,
        "force": number,
        "forcedVariations": st.fixed_dictionaries({"reader-330": number}),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(keys)), max_size=4))
    return row | {key: draw(keys[key]) for key in sorted(chosen)}


def theirs(row: dict[str, Any], attributes: dict[str, Any], url: str) -> Assignment:
    """What GrowthBook's own code makes of the same, where nobody else is forced than the one reader."""
    unit = attributes.get(row.get("hashAttribute", "id"))
    theirs_forced = (
        {"density": row["forcedVariations"][unit]} if unit == "reader-330" and "forcedVariations" in row else {}
    )
    result = run_experiment(
        TheirExperiment(**{"hashVersion": 2, **row}),
        evalContext=EvaluationContext(
            user=UserContext(url=url, attributes=attributes, forced_variations=theirs_forced),
            global_ctx=GlobalContext(options=Options()),
            stack=StackContext(),
        ),
    )
    return Assignment("density", result.variationId, result.key, result.inExperiment, result.hashUsed, result.bucket)


@given(rows(), UNIT, UNIT, st.sampled_from(["", "?density=1", "?density=9"]))
def test_whole_runs_are_growthbooks(row: dict[str, Any], reader: object, article: object, query: str) -> None:
    attributes = READER | {"id": reader, "url": article}
    url = f"https://example.com/{query}"
    asked = getQueryStringOverride("density", url, len(row["variations"]))
    ours = assign(experiment(**row), attributes, forced=asked)
    assert replace(ours, unit="") == theirs(row, attributes, url)


@given(rows(), st.floats(0, 1), st.floats(0, 1), UNIT)
def test_more_coverage_moves_nobody_who_was_in(row: dict[str, Any], one: float, other: float, reader: object) -> None:
    attributes = READER | {"id": reader}
    less, more = (assign(experiment(**row | {"coverage": share}), attributes) for share in sorted((one, other)))
    assert less in (more, replace(OUT, variation_key=experiment(**row).variation_keys[0], unit=less.unit))


def test_who_is_dealt_twice_is_dealt_alike() -> None:
    everybody = [{**READER, "id": f"reader-{at}"} for at in range(200)]
    assert [assign(experiment(), one) for one in everybody] == [assign(experiment(), one) for one in everybody]
