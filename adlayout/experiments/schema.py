"""What ops may write in `experiments.yaml`, key by key, with the defaults. Knows no reader and chooses nothing.

The names are those of GrowthBook, so that a test can be carried over as it is. The text below a key is what editors
show of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import fsum
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from adlayout.config.fields import Number, Text, Whole
from adlayout.config.settings import When
from adlayout.experiments.condition import Wrong, condition_faults
from adlayout.experiments.metrics import CONVERSIONS, METRICS, metric

# A third and a third and a third may be written 0.333, and 0.33 is a mistake: each hundredth is a reader in a hundred.
WEIGHTS_MISS: Final = 0.001

_METRIC_NAMES: Final = ", ".join((*METRICS, f"{CONVERSIONS}<name>"))


def _refused(title: str, found: Iterable[Wrong]) -> None:
    """Raises a ValidationError with everything that was found, each at its own key."""
    lines = [
        InitErrorDetails(
            type=PydanticCustomError("told", "{told}", {"told": wrong.message}),
            loc=(*wrong.trail, "[key]") if wrong.at_key else wrong.trail,
            input=wrong.value,
        )
        for wrong in found
    ]
    if lines:
        raise ValidationError.from_exception_data(title, lines)


def _condition(said: dict[str, object]) -> dict[str, object]:
    _refused("condition", condition_faults(said))
    return said


def _ascending(span: tuple[float, ...]) -> tuple[float, ...]:
    if span[0] > span[1]:
        raise ValueError("expected the start before the end, as [0, 0.5]")
    return span


def _metric(name: str) -> str:
    if metric(name) is None:
        raise ValueError(f"no such metric, there are: {_METRIC_NAMES}")
    return name


def _named_span(said: object) -> object:
    """GrowthBook writes a namespace as `[name, start, end]`."""
    if isinstance(said, list | tuple) and len(said) == 3:
        return {"name": said[0], "range": list(said[1:])}
    return said


# It stands in addresses, headers and keys of the store.
Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Share = Annotated[Number, Field(ge=0, le=1, allow_inf_nan=False)]
Span = Annotated[tuple[Share, ...], Field(min_length=2, max_length=2), AfterValidator(_ascending)]
MetricName = Annotated[
    Text,
    AfterValidator(_metric),
    WithJsonSchema({"anyOf": [{"enum": list(METRICS)}, {"type": "string", "pattern": f"^{CONVERSIONS}."}]}),
]
Attribute = Literal["id", "url"]
HashVersion = Literal[1, 2]
ConditionSaid = Annotated[dict[str, object], AfterValidator(_condition)]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Meta(_Keys):
    """What a variation is called."""

    key: Name | None = None
    """Its key in answers, rows and reports; without one it is its number, from 0."""
    name: Text | None = None
    """Its name for people."""


class Namespace(_Keys):
    """The stretch of a namespace whose readers a test takes; tests in stretches apart never share a reader."""

    name: Text
    """The name that those tests share."""
    range: Span
    """From where to where, between 0 and 1: [0, 0.5]."""


class Filter(_Keys):
    """Some readers, by a hash of their own, which is what GrowthBook makes of its namespaces now."""

    seed: str = ""
    """What is hashed with the attribute; tests that share it can be kept apart."""
    ranges: Annotated[tuple[Span, ...], Field(min_length=1)]
    """Those who fall into one of these stretches are taken: [[0, 0.5]]."""
    attribute: Attribute = "id"
    """What is hashed: the reader (id) or the article (url)."""
    hashVersion: HashVersion = 2
    """The version of the hash."""


class ExperimentRow(_Keys):
    """One test: the layouts it compares, for whom, and what it is judged by."""

    key: Name
    """The name of the test in answers, headers, reports and the store."""
    site: Text = "default"
    """The site whose pages it is for, one of `sites` in adlayout.yaml."""
    status: Literal["draft", "running", "stopped"] = "draft"
    """draft: nobody is in it; running; stopped: nobody is in it any more, unless `force` names the winner."""
    variations: Annotated[tuple[Text, ...], Field(min_length=2, max_length=100)]
    """The layouts that are compared, two at least; the first is what the others are held against."""
    weights: tuple[Share, ...] | None = None
    """The share of each variation, in their order; the sum is 1. Without it all are equal."""
    coverage: Share = 1.0
    """The share of readers who take part. More of it later adds readers and moves nobody."""
    hashAttribute: Attribute = "id"
    """Who is one unit: id, the reader; url, the article, so that everybody sees it alike and a cache may keep it."""
    fallbackAttribute: Literal["url"] | None = None
    """url: for a reader who may not be told from others, the article is the unit. Without it they take no part."""
    hashVersion: HashVersion = 2
    """The version of the hash: 2; 1 only to go on with an old test of GrowthBook's, as it ties tests to each other."""
    seed: Text | None = None
    """What is hashed with the unit; another one deals everybody anew. Without it the key."""
    phase: Text | None = None
    """The phase of the test, for people."""
    meta: tuple[Meta, ...] | None = None
    """What the variations are called, in their order: [{key: control}, {key: wider}]."""
    metrics: tuple[MetricName, ...] = ("views_per_user", "revenue_per_user")
    """What the test is judged by."""
    guardrails: tuple[MetricName, ...] = ("engaged_seconds", "layout_shift")
    """What must not get worse."""
    minimum_days: Annotated[Whole, Field(ge=1, le=365)] = 3
    """For so many days there is no winner, whatever the numbers say."""
    power: Annotated[Number, Field(ge=0.5, lt=1, allow_inf_nan=False)] = 0.8
    """How probably a change of `lift` shall be found, for the plan."""
    lift: Annotated[Number, Field(gt=0, le=10, allow_inf_nan=False)] = 0.05
    """The least change that matters, for the plan: 0.05 is 5 %."""
    when: When | None = None
    """Which articles it is for: section, tags and device, at least one of them."""
    condition: ConditionSaid | None = None
    """Whom it is for, in GrowthBook's language: {country: {$in: [DE, AT]}, device: mobile}."""
    namespace: (
        Annotated[
            Namespace,
            BeforeValidator(_named_span, json_schema_input_type=Namespace | list[Text | Number]),
        ]
        | None
    ) = None
    """The part of the readers that it takes: {name: layouts, range: [0, 0.5]}, or [layouts, 0, 0.5]."""
    filters: tuple[Filter, ...] = ()
    """The same in GrowthBook's newer form; all have to let a reader in."""
    ranges: tuple[Span, ...] | None = None
    """Instead of weights and coverage: the stretch of each variation, in their order: [[0, 0.2], [0.5, 0.7]]."""
    forcedVariations: dict[Text, Annotated[Whole, Field(ge=0)]] = Field(default_factory=dict)
    """Units that see one variation and are not counted: {editor-7: 1}."""
    force: Annotated[Whole, Field(ge=0)] | None = None
    """Everybody who takes part sees this variation, and nobody is counted."""

    @model_validator(mode="after")
    def _agrees(self) -> ExperimentRow:
        _refused("experiment", self._contradictions())
        return self

    def _contradictions(self) -> Iterator[Wrong]:
        """Where two keys do not go together, each at the one to change."""
        count = len(self.variations)
        for key in ("weights", "ranges", "meta"):
            said = getattr(self, key)
            if said is not None and len(said) != count:
                yield Wrong((key,), f"expected {count} of them, one for each variation (got {len(said)})", said)
        total = fsum(self.weights or (1,))
        if abs(total - 1) > WEIGHTS_MISS + 1e-9:
            yield Wrong(("weights",), f"expected a sum of 1 (got {total:.6g})", self.weights)
        for unit, number in self.forcedVariations.items():
            if number >= count:
                yield Wrong(("forcedVariations", unit), f"expected at most {count - 1}, the last variation", number)
        if self.force is not None and self.force >= count:
            yield Wrong(("force",), f"expected at most {count - 1}, the last variation", self.force)
        if self.fallbackAttribute == self.hashAttribute:
            yield Wrong(("fallbackAttribute",), "is what hashAttribute is: leave it away", self.fallbackAttribute)
        yield from self._twice()

    def _twice(self) -> Iterator[Wrong]:
        keys = [one.key or str(at) for at, one in enumerate(self.meta or ())]
        for at, key in enumerate(keys):
            if key in keys[:at]:
                yield Wrong(("meta", at, "key"), "is the key of another variation", key)
        for kind, names in (("metrics", self.metrics), ("guardrails", (*self.metrics, *self.guardrails))):
            start = len(names) - len(getattr(self, kind))
            for at, name in enumerate(names[start:], start):
                if name in names[:at]:
                    yield Wrong((kind, at - start), "is there before", name)


class ExperimentsFile(_Keys):
    """The whole of `experiments.yaml`."""

    version: Literal[1]
    """The form of this file, always 1."""
    experiments: Annotated[tuple[ExperimentRow, ...], BeforeValidator(lambda said: () if said is None else said)] = ()
    """The tests; of those that run on a site, the first that takes a page decides its layout."""

    @model_validator(mode="after")
    def _each_once(self) -> ExperimentsFile:
        keys = [row.key for row in self.experiments]
        twice = ((at, key) for at, key in enumerate(keys) if key in keys[:at])
        _refused("experiments", (Wrong(("experiments", at, "key"), "is there before", key) for at, key in twice))
        return self
