"""Under which names a reader is known: never their own, the same for as long as a salt lives, and found again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adlayout.counts import Reader
from adlayout.privacy.readers import all_keys, reader, unit_key

SECRET = "a secret of this test"  # noqa: S105 - of this test alone
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAYS = 90


def test_a_reader_has_the_same_keys_for_as_long_as_a_salt_lives() -> None:
    begun = datetime.fromtimestamp(NOW.timestamp() // (DAYS * 86_400) * DAYS * 86_400, UTC)
    last = begun + timedelta(days=DAYS, seconds=-1)
    assert reader("unit", [SECRET], begun, DAYS) == reader("unit", [SECRET], last, DAYS)


def test_the_key_of_the_period_before_is_found_in_the_next_and_gone_after_it() -> None:
    keys = [reader("unit", [SECRET], NOW + timedelta(days=DAYS * after), DAYS) for after in range(3)]
    assert (keys[0].now, keys[1].now) == (keys[1].before, keys[2].before)
    assert keys[0].now not in keys[2]


def test_a_key_is_what_the_secret_makes_of_the_unit() -> None:
    """The keys stand in stores: whoever changes how they are made has every reader begin anew."""
    assert reader("visitor-42", [SECRET], NOW, DAYS) == Reader(
        now="c1e3eb3f3bf53c18575285394007f94d", before="3318a20bc4de665da04d2f7109244af2"
    )


def test_two_readers_and_two_secrets_have_nothing_in_common() -> None:
    found = [*reader("a", [SECRET], NOW, DAYS), *reader("b", [SECRET], NOW, DAYS), *reader("a", ["other"], NOW, DAYS)]
    assert (len(set(found)), {len(key) for key in found}) == (6, {32})


def test_a_secret_that_is_put_before_the_old_one_forgets_nobody() -> None:
    assert reader("a", ["new", SECRET], NOW, DAYS) == reader("a", [SECRET], NOW, DAYS)


def test_who_is_to_be_forgotten_is_looked_for_under_every_salt() -> None:
    """Counts live for 400 days at most, and one salt for 90: the newest, the one before, and five more."""
    periods = [NOW - timedelta(days=DAYS * ago) for ago in range(7)]
    keys = [reader("a", [secret], at, DAYS).now for secret in ("new", SECRET) for at in periods]
    assert all_keys("a", ["new", SECRET], NOW, DAYS) == tuple(keys)


def test_a_unit_of_any_characters_has_keys() -> None:
    assert len(reader("\udc80\0é", [SECRET], NOW, DAYS).now) == 32
    assert len(unit_key("density", "\udc80\0é", [SECRET])) == 32


def test_an_experiment_knows_a_unit_by_one_key_that_stays() -> None:
    """The keys stand in stores: whoever changes how they are made begins every experiment anew."""
    assert unit_key("density", "visitor-42", ["new", SECRET]) == "bd1340db285ffc955eb8b920b42c31eb"


def test_a_units_keys_in_two_experiments_have_nothing_in_common() -> None:
    pairs = [("density", "a"), ("size", "a"), ("density", "b")]
    found = {unit_key(experiment, value, [SECRET]) for experiment, value in pairs}
    assert len(found | set(reader("a", [SECRET], NOW, DAYS))) == len(pairs) + 2
