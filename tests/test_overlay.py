"""Layouts laid over layouts: what `extends` and `devices` make of the keys as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from adlayout.assemble import assemble
from adlayout.errors import ConfigError
from adlayout.model import Device
from adlayout.placement.distance import Plain, Unit
from adlayout.placement.layout import compile_layout
from adlayout.placement.overlay import extended, overlaid
from adlayout.placement.schema import LayoutFile

LAYOUTS: dict[str, object] = {
    "base": {
        "version": 1,
        "name": "base",
        "description": "The base.",
        "inline": {"every": "4 paragraphs", "no_after": ["h2"], "on_conflict": {"move": "after", "limit": 2}},
        "page_slots": {"top": {"formats": ["fluid"]}},
    },
    "child": {"extends": "base", "inline": {"on_conflict": {"move": "before"}, "no_after": None}},
    "a": {"extends": "b"},
    "b": {"extends": "a"},
}


@pytest.mark.parametrize(("base", "over", "laid"), [
    ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 4}, "e": 5}, {"a": 1, "b": {"c": 4, "d": 3}, "e": 5}),
    ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
    ({"a": {"b": 1}}, {"a": "drop"}, {"a": "drop"}),
    ({"a": "drop"}, {"a": {"move": "after"}}, {"a": {"move": "after"}}),
    ({"a": {"all": ["1 word"]}}, {"a": {"any": ["2 words"]}}, {"a": {"any": ["2 words"]}}),
    ({}, {"a": {}}, {"a": {}}),
])  # fmt: skip
def test_maps_merge_lists_replace_and_null_restores_the_default(base: object, over: object, laid: object) -> None:
    assert overlaid(base, over) == laid


def test_a_layout_has_what_it_says_and_the_rest_from_what_it_extends() -> None:
    assert extended({"name": "mine", "extends": "child", "inline": {"max_ads": 2}}, LAYOUTS) == {
        "name": "mine",
        "extends": "child",
        "inline": {"every": "4 paragraphs", "on_conflict": {"move": "before", "limit": 2}, "max_ads": 2},
        "page_slots": {"top": {"formats": ["fluid"]}},
    }


@pytest.mark.parametrize(("data", "told"), [
    ({"extends": "bsae"}, 'extends: no layout "bsae", did you mean "base"?'),
    ({"extends": "a"}, "extends: leads back to itself: a extends b extends a"),
])  # fmt: skip
def test_what_cannot_be_extended_is_told(data: object, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        extended(data, LAYOUTS)
    assert str(caught.value) == told


@pytest.mark.parametrize("data", [["a list"], None, {"extends": 3, "inline": {}}])
def test_what_extends_nothing_is_left_as_it_is(data: object) -> None:
    assert extended(data, LAYOUTS) == data


def test_faults_of_layouts_that_extend_others_stand_in_their_own_files(tmp_path: Path) -> None:
    for name, text in {
        "adlayout.yaml": "version: 1\nsites: {default: {name: News, layout: news}}\n",
        "templates/article.html.j2": "{{ article }}",
        "layouts/news.yaml": "version: 1\nname: news\ninline: {first: 2 words, every: 9 words}\n",
        "layouts/grid.yaml": "version: 1\nname: grid\nextends: news\ninline:\n  anchor: grid\n  every: null\n",
        "layouts/lost.yaml": "version: 1\nname: lost\nextends: nwes\n",
        "layouts/round.yaml": "version: 1\nname: round\nextends: round\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        assemble(tmp_path, {})
    assert str(caught.value).replace(f"{tmp_path}/layouts/", "").splitlines() == [
        'grid.yaml:5:3: inline: anchor: grid needs `first` and `every` in one unit, such as "2 paragraphs"'
        ' (got "2 words" and "3 paragraphs")',
        'lost.yaml:3:10: extends: no layout "nwes", did you mean "news"?',
        "round.yaml:3:10: extends: leads back to itself: round extends round",
    ]


def test_a_device_has_rules_of_its_own() -> None:
    text = """
    inline:
      every: 4 paragraphs
      max_ads: 3
      devices:
        mobile: {every: 900 px, max_ads: null}
        desktop: {label: Anzeige}
    """
    file = LayoutFile.model_validate(yaml.safe_load(text))
    layouts = {device: compile_layout(file, "news", device) for device in Device}
    assert {device: (one.schedule.every, one.schedule.max_ads, one.styles[0].label, one.needs.heights is not None)
            for device, one in layouts.items()} == {
        Device.MOBILE: (Plain(900, Unit.PX), 8, "Advertisement", True),
        Device.TABLET: (Plain(4, Unit.PARAGRAPHS), 3, "Advertisement", False),
        Device.DESKTOP: (Plain(4, Unit.PARAGRAPHS), 3, "Anzeige", False),
    }  # fmt: skip
