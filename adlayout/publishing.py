"""The story of writing inventory: rows are checked beside those that are there, and written in one step or not at all.

The API and the command line both write through this, and tell of a change what this tells. Never knows HTTP or files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from adlayout.checks import at_key
from adlayout.config.read import validate, validate_json
from adlayout.decision.files import dangling, merged, repeated, to_rows
from adlayout.decision.inventory import read_inventory
from adlayout.decision.schema import CampaignRow, CreativeRow, FlightRow, InventoryFile
from adlayout.errors import Changed, ConfigError, Fault, InputError, StoreError
from adlayout.model import Creative
from adlayout.rows import Rows
from adlayout.store.client import Store

Kind: TypeAlias = Literal["campaigns", "flights", "creatives"]
# Raises ValueError for a creative that must not stand in a page.
Prepare: TypeAlias = Callable[[Creative], object]

KINDS: Final[tuple[Kind, ...]] = ("campaigns", "flights", "creatives")
MODELS: Final[Mapping[Kind, type[CampaignRow | FlightRow | CreativeRow]]] = {
    "campaigns": CampaignRow,
    "flights": FlightRow,
    "creatives": CreativeRow,
}
# Each time somebody else wrote between the look and the change; more often than that it is a struggle.
_ATTEMPTS: Final = 5


class BadInventory(InputError):
    """Rows that do not hold; `by_file` are the faults of each file, at dotted paths in it."""

    status = 422
    title = "The inventory does not hold"

    def __init__(self, by_file: Sequence[Sequence[Fault]]) -> None:
        super().__init__("nothing was written", tuple(fault for faults in by_file for fault in faults))
        self.by_file = tuple(map(tuple, by_file))


class StillNamed(InputError):
    """A campaign or creative that flights still name cannot go."""

    status = 409
    title = "Flights still name it"


class Outdated(InputError):
    """The inventory is not of the revision that the caller saw."""

    status = 412
    title = "The inventory changed"


@dataclass(frozen=True, slots=True)
class Delta:
    """What a change did to one kind of rows, by id; `rows` is how many there are after it."""

    rows: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def touches(self) -> bool:
        """Whether anything is different after it."""
        return bool(self.added or self.changed or self.removed)

    def counts(self) -> dict[str, int]:
        """How many rows there are, and how many were touched in which way."""
        return {
            "rows": self.rows,
            "added": len(self.added),
            "changed": len(self.changed),
            "removed": len(self.removed),
        }


@dataclass(frozen=True, slots=True)
class Published:
    """The inventory after a change, its revision, and what the change did to each kind of rows."""

    revision: int
    rows: Rows
    deltas: Mapping[Kind, Delta]


def inventory_of(data: object) -> InventoryFile:
    """Plain values as inventory; raises BadInventory with every fault that shows without other rows."""
    try:
        return validate(data, InventoryFile)
    except ConfigError as exc:
        raise BadInventory([exc.faults]) from exc


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who writes into a store; `prepare` knows which creatives may stand in a page.

    All of it raises BadInventory where nothing is written because of the rows, and Outdated where `expect` is not the
    revision of the inventory.
    """

    store: Store
    prepare: Prepare

    async def publish(
        self, files: Sequence[InventoryFile], *, replaces: bool = False, expect: int | None = None
    ) -> Published:
        """Writes the rows of all files at once; `replaces` removes the rows that are not among them."""
        rows = to_rows(files)

        def after(before: Rows) -> Rows:
            whole = rows if replaces else merged(before, rows)
            faults = _faults(files, whole, self.prepare)
            if any(faults):
                raise BadInventory(faults)
            return whole

        return await self._change(after, expect)

    async def put(self, kind: Kind, id: str, data: object, *, expect: int | None = None) -> Published:
        """Writes one row, whose id may be left out of it; faults are at paths in the row."""
        try:
            return await self.publish([_file_of(kind, id, data)], expect=expect)
        except BadInventory as bad:
            paths = (fault.at.removeprefix(f"{kind}.0").removeprefix(".") for fault in bad.faults)
            raise BadInventory(
                [[Fault(at, fault.message) for at, fault in zip(paths, bad.faults, strict=True)]]
            ) from bad

    async def remove(self, kind: Kind, id: str, *, expect: int | None = None) -> Published:
        """Removes one row, where there is one; raises StillNamed where flights name it."""

        def after(before: Rows) -> Rows:
            if flights := _naming(before, kind, id):
                raise StillNamed(
                    f'the {kind.removesuffix("s")} "{id}" is named by flights: {", ".join(flights)}',
                    tuple(Fault(f"flights.{flight}", f'names "{id}"') for flight in flights),
                )
            return replace(before, **{kind: {key: text for key, text in _of(before, kind).items() if key != id}})

        return await self._change(after, expect)

    async def _change(self, after: Callable[[Rows], Rows], expect: int | None) -> Published:
        """Writes what differs between the inventory and what `after` makes of it, as of one revision."""
        for _ in range(_ATTEMPTS):
            revision, before = await self.store.load()
            if expect not in (None, revision):
                raise Outdated(f"it is at revision {revision}, not {expect}: read it again")
            # Off the event loop: a large inventory takes longer to check than a page may wait.
            rows = await asyncio.to_thread(after, before)
            deltas = {kind: _delta(_of(before, kind), _of(rows, kind)) for kind in KINDS}
            if revision and not any(delta.touches for delta in deltas.values()):
                return Published(revision, rows, deltas)
            gone = {kind: one.removed for kind, one in deltas.items()}
            try:
                return Published(await self.store.change(_touched(rows, deltas), gone, expect=revision), rows, deltas)
            except Changed:
                continue
        raise StoreError(f"{self.store.where}: others keep changing the inventory: try again")


def _file_of(kind: Kind, id: str, data: object) -> InventoryFile:
    """The file that holds just this row."""
    if not isinstance(data, Mapping):
        raise BadInventory([(Fault("", "expected an object with the fields of the row"),)])
    if (said := data.get("id", id)) != id:
        raise BadInventory([(Fault("id", f'expected "{id}", as the address says (got {said!r})'),)])
    return inventory_of({kind: [{**data, "id": id}]})


def _of(rows: Rows, kind: Kind) -> Mapping[str, str]:
    texts: Mapping[str, str] = getattr(rows, kind)
    return texts


def _touched(rows: Rows, deltas: Mapping[Kind, Delta]) -> Rows:
    """Those of the rows that are new or different."""
    return Rows(
        **{kind: {id: _of(rows, kind)[id] for id in (*one.added, *one.changed)} for kind, one in deltas.items()}
    )


def _delta(old: Mapping[str, str], new: Mapping[str, str]) -> Delta:
    return Delta(
        rows=len(new),
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(id for id in new.keys() & old.keys() if old[id] != new[id])),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


def _faults(files: Sequence[InventoryFile], whole: Rows, prepare: Prepare) -> tuple[tuple[Fault, ...], ...]:
    """Per file what it does not show by itself: ids said twice, names of what is not there, markup that fails."""
    return tuple(
        (*twice, *dangling(file, whole), *_bad_markup(file, prepare))
        for file, twice in zip(files, repeated(files), strict=True)
    )


def _bad_markup(file: InventoryFile, prepare: Prepare) -> Iterator[Fault]:
    creatives = read_inventory(to_rows([file]))[0].creatives
    for at, row in enumerate(file.creatives):
        try:
            prepare(creatives[row.id])
        except ValueError as exc:
            yield at_key(f"creatives.{at}", row, str(exc))


def _naming(rows: Rows, kind: Kind, id: str) -> list[str]:
    """The flights that name this campaign or creative; those that do not hold name nothing."""
    if kind == "flights":
        return []
    return [flight.id for flight in _flights(rows) if id in _named(flight, kind)]


def _flights(rows: Rows) -> Iterator[FlightRow]:
    for _, text in sorted(rows.flights.items()):
        try:
            yield validate_json(text, FlightRow)
        except ConfigError:
            continue


def _named(flight: FlightRow, kind: Kind) -> set[str]:
    return {flight.campaign} if kind == "campaigns" else {share.id for share in flight.creatives}
