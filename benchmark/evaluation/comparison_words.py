"""What a comparison says in words; the words follow the numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LEVEL = 0.05
"""A difference is shown where Holm's p lies below this."""
SIGHT = 0.02
"""The difference in AUROC that the words say how many positives would show."""
NEEDED = f"positives_to_see_{SIGHT}"
BETTER = " better"


def outcome(entry: Mapping[str, Any], first: str, second: str, margin: float) -> str:
    """Return the verdict on one difference, as "resnet50 better" or "no difference shown".

    Args:
        entry: a difference as in comparison.json; Holm's p counts where it is there.
        first, second: the networks; the difference is the second less the first.
        margin: what counts as too small to matter.
    """
    difference = entry["difference"]
    if difference["estimate"] is None:
        return f"not estimable: {difference['reason']}"
    if entry.get("p_holm", entry["p"]) < LEVEL:
        return (second if difference["estimate"] > 0 else first) + BETTER
    words = "no difference shown"
    if entry.get("p_equivalent_holm", entry["p_equivalent"]) < LEVEL:
        words += f", and none beyond {margin:g}"
    needed = entry.get(NEEDED)
    return f"{words} (needs about {needed} positives to see {SIGHT})" if needed else words


def pair_words(
    macro: Mapping[str, Any],
    observations: Mapping[str, Any],
    first: str,
    second: str,
    *,
    architectures: bool,
) -> str:
    """Return what a comparison of two networks shows, in sentences.

    Args:
        macro: the difference in macro AUROC.
        observations: observation -> metric -> difference.
        first, second: the networks.
        architectures: whether each has several seeds, so that more than checkpoints is compared.
    """
    what = "networks as trained here, over their seeds" if architectures else "checkpoints"
    if macro["difference"]["estimate"] is None:
        return f"No observation has enough patients to compare these two {what}."
    gap = macro["difference"]
    spread = f"{gap['estimate']:+.3f} (95 % interval {gap['low']:+.3f} to {gap['high']:+.3f})"
    words = (
        f"Between these two {what}, macro AUROC differs by {spread}, {second} minus {first}, over "
        f"{macro['over']} observations: {macro['verdict']}. "
    )
    shown = [
        f"{name} ({entry['auroc']['verdict']})"
        for name, entry in observations.items()
        if entry["auroc"]["verdict"].endswith(BETTER)
    ]
    if shown:
        words += "After Holm's adjustment a difference is shown for " + ", ".join(shown) + ". "
    else:
        words += "After Holm's adjustment no single observation shows a difference. "
    if architectures:
        return words + (
            "The interval holds the spread over training seeds beside that over patients, so this "
            "speaks of the two architectures under this recipe."
        )
    return words + "One training seed each: this says nothing about the two architectures."


def ranking_words(
    order: Sequence[str], groups: Sequence[Sequence[str]], over: int, *, architectures: bool
) -> str:
    """Return what a ranking shows: who is first, and who is not apart."""
    if not over:
        return "No observation is estimable for all networks, so they have no order."
    words = f"By macro AUROC over {over} observations: {', '.join(order)}. "
    if groups:
        told = "; ".join(_listed(group) for group in groups)
        words += f"Not shown to differ: {told}."
    else:
        words += "Every two of them are shown to differ."
    if architectures:
        return words
    return words + " One training seed each: these are checkpoints, not architectures."


def left_out_words(given: Mapping[str, Iterable[int]], used: Mapping[str, Iterable[int]]) -> str:
    """Return which seeds a comparison does not count, or nothing where it counts all.

    Args:
        given: network -> its seeds.
        used: network -> those that count.
    """
    seeds = [
        f"{name} seed {seed}" for name in given for seed in given[name] if seed not in used[name]
    ]
    if not seeds:
        return ""
    kept = ", ".join(f"{name} seed {seed}" for name in used for seed in used[name])
    return (
        f" Compared are {kept}; left out, because not every network has several seeds: "
        f"{', '.join(seeds)}."
    )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
