"""Plots as inline SVG. Colours are classes of the page's style, so that they follow light and dark.

All texts are escaped: :class:`markupsafe.Markup` does it where values are put in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from markupsafe import Markup

from schemas.records import DISPOSITIONS
from stores.figures import Arrival, Months, Result

_WIDE, _HIGH = 720, 170
_LEFT, _BELOW, _ABOVE = 56, 20, 8
_SPARK_WIDE, _SPARK_HIGH = 200, 44
_STRIP_WIDE, _STRIP_HIGH = 180, 34


def arrivals_chart(arrivals: Sequence[Arrival]) -> Markup:
    """Bars by day of load, stacked by disposition, with an axis of rows."""
    top = _round_up(max((sum(one.counts.values()) for one in arrivals), default=1))
    room = _WIDE - _LEFT
    step = min(48.0, room / max(len(arrivals), 1))
    parts = [_axis(top)]
    for i, one in enumerate(arrivals):
        left, base = _LEFT + i * step, float(_HIGH - _BELOW)
        for name in DISPOSITIONS:
            rows = one.counts[name]
            high = rows / top * (_HIGH - _BELOW - _ABOVE)
            if not rows:
                continue
            high = max(high, 1.0)
            base -= high
            parts.append(
                Markup(
                    '<rect class="d-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
                ).format(name, left + 1, base, max(step - 2, 1), high, f"{one.day}: {rows:,} {name}")
            )
    for i in _some(len(arrivals), 6):
        anchor, at = ("middle", step / 2) if i else ("start", 0.0)
        parts.append(_label(_LEFT + i * step + at, _HIGH - 5, str(arrivals[i].day), anchor))
    return _svg(_WIDE, _HIGH, Markup().join(parts), "Lines by day of load and what became of them")


def months_chart(months: Months) -> Markup:
    """A small area of rows by month."""
    top = max(*months.counts, 1)
    step = _SPARK_WIDE / len(months.counts)
    bars = Markup().join(
        Markup(
            '<rect class="bar" x="{:.2f}" y="{:.1f}" width="{:.2f}" height="{:.1f}"><title>{}</title></rect>'
        ).format(
            i * step,
            _SPARK_HIGH - max(rows / top * _SPARK_HIGH, 1.0),
            max(step * 0.85, 0.8),
            max(rows / top * _SPARK_HIGH, 1.0),
            f"{_month(months.first, i)}: {rows:,}",
        )
        for i, rows in enumerate(months.counts)
        if rows
    )
    return _svg(_SPARK_WIDE, _SPARK_HIGH, bars, f"Rows of {months.table} by month")


def last_month(months: Months) -> str:
    """The last month of the plot."""
    return _month(months.first, len(months.counts) - 1)


def histogram(result: Result) -> Markup:
    """The spread of harmonised values between their 1 % and 99 % quantiles, the median marked."""
    top = max(*result.bins, 1)
    step = _STRIP_WIDE / len(result.bins)
    low, high = result.quantiles[0], result.quantiles[-1]
    parts = [
        Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"></rect>').format(
            i * step, _STRIP_HIGH - rows / top * _STRIP_HIGH, step - 0.6, rows / top * _STRIP_HIGH
        )
        for i, rows in enumerate(result.bins)
        if rows
    ]
    if high > low:
        at = (result.quantiles[3] - low) / (high - low) * _STRIP_WIDE
        parts.append(
            Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"></line>').format(at, _STRIP_HIGH)
        )
    return _svg(_STRIP_WIDE, _STRIP_HIGH, Markup().join(parts), f"Spread of {result.code}")


def share_bar(share: float) -> Markup:
    """A bar of a share between 0 and 1."""
    return Markup('<span class="share"><span style="width:{:.1f}%"></span></span>').format(100 * share)


def stacked_bar(counts: Mapping[str, int]) -> Markup:
    """Dispositions side by side."""
    total = sum(counts.values())
    parts = [
        Markup('<span class="d-{}" style="width:{:.2f}%" title="{}"></span>').format(
            name, 100 * counts[name] / total, f"{counts[name]:,} {name}"
        )
        for name in DISPOSITIONS
        if total and counts[name]
    ]
    return Markup('<span class="stack">{}</span>').format(Markup().join(parts))


def _axis(top: int) -> Markup:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _HIGH - _BELOW - share * (_HIGH - _BELOW - _ABOVE)
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"></line>').format(_LEFT, _WIDE, y, y)
        )
        parts.append(_label(_LEFT - 6, y + 4, f"{round(top * share):,}", "end"))
    return Markup().join(parts)


def _label(x: float, y: float, said: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, said)


def _svg(wide: int, high: int, inside: Markup, title: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(wide, high, title, inside)


def _some(number: int, most: int) -> list[int]:
    """At most about ``most`` positions, evenly, the first among them."""
    return list(range(0, number, max(1, -(-number // most))))


def _round_up(value: int) -> int:
    """The next number with one or two leading digits and zeros."""
    unit = int(10 ** max(0, len(str(value)) - 2))
    return max(2, -(-value // unit) * unit)


def _month(first: date, later: int) -> str:
    at = first.year * 12 + first.month - 1 + later
    return f"{at // 12}-{at % 12 + 1:02d}"
