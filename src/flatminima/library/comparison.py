"""Networks beside each other at one loss: a table, a figure, and what differs in a sentence."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np
from jaxtyping import Float64

from flatminima.errors import quoted
from flatminima.geometry.sampled import Sampled
from flatminima.library import exporting
from flatminima.library.about import About, amount, number
from flatminima.library.result import Result
from flatminima.library.tables import Row, Table

if TYPE_CHECKING:
    from flatminima.figures.studies import Figure

Group = Literal["filter-normalised", "region of functions", "KL ball"]
"""In which units numbers are, and so what moves them besides the network's function."""

GROUPS: dict[Group, str] = {
    "filter-normalised": (
        "Filter-normalised numbers stay when a whole layer is multiplied and the next divided by "
        "it, and move when units are rescaled one by one."
    ),
    "region of functions": (
        "The region of functions, where predictions stay near, is the same under every rescaling; "
        "its volume and mass count weights, and move by the rescaling's determinant and by how "
        "likely the weights were at the start."
    ),
    "KL ball": "Numbers per √KL rest on the function alone, and stay under every rescaling.",
}
assert set(GROUPS) == set(get_args(Group))  # noqa: S101 (a table with a row for each)

ROUNDING = 1e-6
"""Relative error of a number that is exact but for rounding: no difference below it counts."""


@dataclass(frozen=True)
class Quantity:
    """One number of every network.

    Attributes:
        group: see ``GROUPS``.
        title: what it is.
        unit: in what it counts.
        of: the number of each network, with the ends of its 95% interval: infinite where it is a
            lower bound, NaN where nothing is known of its error.
    """

    group: Group
    title: str
    unit: str
    of: tuple[Sampled, ...]

    @property
    def apart(self) -> tuple[int, int] | None:
        """Numbers of the networks with the largest and the smallest value, if these differ.

        That is if their intervals do not meet, each widened by rounding.
        """
        known = [(one.value, place) for place, one in enumerate(self.of) if _judged(one)]
        if len(known) < 2:
            return None
        (_, least), (_, most) = min(known), max(known)
        low, high = self.of[most].low, self.of[least].high
        return (most, least) if low - high > ROUNDING * max(abs(low), abs(high)) else None

    @property
    def judged(self) -> bool:
        """Whether two networks at least have a value with an interval."""
        return sum(map(_judged, self.of)) > 1


def _judged(one: Sampled) -> bool:
    return not any(map(math.isnan, (one.value, one.low, one.high)))


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """Several networks at one loss, see ``library.compare``.

    Attributes:
        names: what the networks are called here.
        networks: what each is, as it is by itself.
        level: the loss that all have, by the temperature of their logits; NaN where the loss has
            no probabilities, and each network stays at its own.
        excess: by how much the loss may rise in the region whose radius is measured.
        divergence: the bound of the divergence in the region of functions, nats.
        temperatures: by which the logits of each were divided; 1 for none.
        groups, titles, units: of each quantity.
        values, low, high: of each quantity and network; see ``Quantity``.
        axis: of the surfaces, in filter norms.
        surfaces: the loss around each network on the same axes, rows along the second direction.
    """

    names: tuple[str, ...]
    networks: tuple[About, ...]
    level: float
    excess: float
    divergence: float
    temperatures: Float64[np.ndarray, " networks"]
    groups: tuple[str, ...]
    titles: tuple[str, ...]
    units: tuple[str, ...]
    values: Float64[np.ndarray, "quantities networks"]
    low: Float64[np.ndarray, "quantities networks"]
    high: Float64[np.ndarray, "quantities networks"]
    axis: Float64[np.ndarray, " grid"]
    surfaces: Float64[np.ndarray, "networks grid grid"]
    kind: ClassVar[str] = "comparison"

    @property
    def name(self) -> str:
        """Of all networks, with which the heading begins."""
        *most, last = (quoted(name, 40) for name in self.names)
        return f"{', '.join(most)} and {last}" if most else last

    @property
    def heading(self) -> str:
        """What was compared, and at which loss."""
        return f"{self.name}: {self.common}"

    @property
    def common(self) -> str:
        """What the networks have in common, in words."""
        unit = self.networks[0].unit
        if math.isnan(self.level):
            return f"each at its own loss, with regions that reach {number(self.excess)} above it"
        return f"all at {amount(self.level, unit)}, by the temperature of their logits"

    @property
    def quantities(self) -> Iterator[Quantity]:
        """Every number of every network."""
        labels = zip(self.groups, self.titles, self.units, strict=True)
        for (group, title, unit), *ends in zip(
            labels, self.values, self.low, self.high, strict=True
        ):
            of = tuple(
                Sampled(float(value), float(low), float(high))
                for value, low, high in zip(*ends, strict=True)
            )
            yield Quantity(next(known for known in GROUPS if known == group), title, unit, of)

    @property
    def differences(self) -> str:
        """What differs beyond its interval, in sentences."""
        found = {"apart": list[str](), "together": list[str]()}
        for each in self.quantities:
            title = f"{each.title} ({each.group})"
            if each.apart is not None:
                most, least = (
                    f"{quoted(self.names[place], 40)} ({number(each.of[place].value)})"
                    for place in each.apart
                )
                found["apart"].append(f"{title} is larger of {most} than of {least}")
            elif each.judged:
                found["together"].append(title)
        beyond = "; ".join(found["apart"]) or "nothing"
        within = "; ".join(found["together"]) or "nothing"
        return f"Beyond their 95% intervals: {beyond}. Within them: {within}."

    def table(self) -> Table:
        """Every quantity of every network with its interval, and what differs."""
        rows = [
            Row(title, float(value), network=name, unit=unit)
            for title, unit, values in (
                ("own loss", self.networks[0].unit, [of.minimum_loss for of in self.networks]),
                ("temperature", "", self.temperatures),
                ("weights that move, n", "", [of.n for of in self.networks]),
            )
            for name, value in zip(self.names, values, strict=True)
        ]
        rows += [
            Row(f"{each.title}, {each.group}", *_plain(one), each.unit, network=name)
            for each in self.quantities
            for name, one in zip(self.names, each.of, strict=True)
        ]
        told = [text for group, text in GROUPS.items() if group in self.groups]
        of_networks = [
            f"{quoted(name, 40)}: {note}"
            for name, about in zip(self.names, self.networks, strict=True)
            for note in (str(about), *about.notes)
        ]
        notes = (self.differences, *self._uneven(), *told, *of_networks)
        return Table(self.heading, tuple(rows), notes)

    def _uneven(self) -> list[str]:
        """What does not go together between the networks."""
        notes = []
        if len({about.n for about in self.networks}) > 1:
            notes.append(
                "The networks differ in n, so volumes and masses are per dimension, log10 V / n."
            )
        if len({about.points for about in self.networks}) > 1:
            notes.append("The networks are on different numbers of points.")
        if len({(about.loss, about.unit) for about in self.networks}) > 1:
            notes.append("The networks have different losses, which do not compare.")
        return notes

    def _gist(self) -> str:
        apart = sum(each.apart is not None for each in self.quantities)
        return f"{apart} of {len(self.titles)} numbers differ beyond their intervals"

    def _figure(self) -> "Figure":
        from flatminima.figures import studies  # noqa: PLC0415 (loads matplotlib)

        words = studies.Words(self.name, self.common, self.networks[0].unit)
        rows = [(f"{each.title}\n{each.group}", each.of, each.unit) for each in self.quantities]
        return studies.comparison(
            [quoted(name, 24) for name in self.names], rows, self.axis, self.surfaces, words
        )

    def _columns(self) -> exporting.Columns:
        count = len(self.names)
        repeated = {
            name: [text for text in texts for _ in range(count)]
            for name, texts in (
                ("group", self.groups), ("quantity", self.titles), ("unit", self.units)
            )
        }  # fmt: skip
        numbers = {name: getattr(self, of).ravel() for name, of in _ENDS.items()}
        return {**repeated, "network": list(self.names) * len(self.titles), **numbers}


_ENDS = {"value": "values", "low": "low", "high": "high"}


def _plain(one: Sampled) -> tuple[float, float, float]:
    return one.value, one.low, one.high
