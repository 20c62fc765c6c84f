"""From a source to the `Number` that the card shows."""

from collections.abc import Callable

from benchmark.card import words
from benchmark.card.model import Fact, Number
from benchmark.evidence import Evidence
from cxr.estimates import Estimate

Form = Callable[[float], str]


def number(evidence: Evidence, source: str, form: Form = words.count) -> Number:
    """Return the plain number at `source`, written by `form`."""
    value = evidence.value(source)
    if not words.is_number(value):
        return Number("", source, reason=words.NOT_PROVIDED)
    return Number(form(value), source, float(value))


def share(evidence: Evidence, part: str, whole: str) -> Number:
    """Return `part` of `whole`, two sources, as a percentage."""
    above, below = evidence.value(part), evidence.value(whole)
    if above is None or below is None:
        return Number("", f"{part} / {whole}", reason=words.NOT_PROVIDED)
    if not below:
        return Number("", f"{part} / {whole}", reason="not estimable (there are none)")
    return Number(words.percent(above, below), f"{part} / {whole}", above / below)


def estimate(evidence: Evidence, source: str, *, difference: bool = False) -> Number:
    """Return the estimate at `source` with its interval, or why there is none."""
    found = evidence.value(source)
    if not isinstance(found, dict) or "estimate" not in found:
        return Number("", source, reason=words.NOT_PROVIDED)
    values = Estimate.from_json(found)
    if not values.known:
        return Number("", f"{source}.estimate", reason=_why(values.reason))
    places = words.decimals(values)
    form = words.signed if difference else words.ratio
    ends = [
        None if end != end else Number(words.ratio(end, places), f"{source}.{name}", end)
        for name, end in (("low", values.low), ("high", values.high))
    ]
    return Number(
        form(values.estimate, places),
        f"{source}.estimate",
        values.estimate,
        low=ends[0],
        high=ends[1],
        reason="" if all(ends) else f"no interval ({values.reason or words.NOT_PROVIDED})",
    )


def fact(evidence: Evidence, name: str, source: str, *, note: str = "") -> Fact:
    """Return the text or number at `source` as a named fact."""
    value = evidence.value(source)
    if isinstance(value, bool):
        return Fact(name, "yes" if value else "no", note)
    if words.is_number(value):
        return Fact(name, Number(words.count(value), source, float(value)), note)
    if isinstance(value, list | tuple):
        return Fact(name, ", ".join(str(item) for item in value) or "none", note)
    return Fact(
        name, words.term(str(value)) if value not in (None, "") else words.NOT_PROVIDED, note
    )


def published(value: float | None) -> Number:
    """Return a published value, which stands in no run folder."""
    if value is None:
        return Number("", reason="not published")
    return Number(words.ratio(value, 3), value=value)


def _why(reason: str | None) -> str:
    return f"not estimable ({reason})" if reason else "not estimable (no reason given)"
