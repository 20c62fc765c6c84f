"""Words for a finding's place, size and make: the slots of the narrator's sentences."""

import random
from collections.abc import Collection

from cxr.synth.truth import Finding

# (side, zone) -> ways to say it before a noun, and behind it.
_AT: dict[tuple[str, str], tuple[str, ...]] = {
    ("left", "upper"): ("left upper lobe", "left upper lobe", "left apical", "left upper lung"),
    ("left", "middle"): ("left mid lung", "lingular", "left perihilar", "left mid lung"),
    ("left", "lower"): ("left lower lobe", "left basilar", "left lower lobe", "left retrocardiac"),
    ("left", "all"): ("diffuse left lung", "left lung"),
    ("right", "upper"): ("right upper lobe", "right upper lobe", "right apical"),
    ("right", "middle"): ("right middle lobe", "right mid lung", "right perihilar"),
    ("right", "lower"): ("right lower lobe", "right basilar", "right lower lobe", "right basal"),
    ("right", "all"): ("diffuse right lung", "right lung"),
    ("both", "upper"): ("bilateral upper lobe", "biapical", "bilateral upper lung"),
    ("both", "middle"): ("bilateral perihilar", "bilateral mid lung"),
    ("both", "lower"): ("bibasilar", "bibasilar", "bilateral lower lobe", "bibasal"),
    ("both", "all"): ("diffuse bilateral", "bilateral", "multifocal bilateral"),
}
_WHERE: dict[tuple[str, str], tuple[str, ...]] = {
    ("left", "upper"): ("in the left upper lobe", "in the left upper lung", "at the left apex"),
    ("left", "middle"): ("in the lingula", "in the left mid lung", "in the left midlung zone"),
    ("left", "lower"): ("in the left lower lobe", "at the left lung base", "at the left base"),
    ("left", "all"): ("throughout the left lung",),
    ("right", "upper"): ("in the right upper lobe", "in the right upper lung"),
    ("right", "middle"): (
        "in the right middle lobe",
        "in the right mid lung",
        "adjacent to the right heart border",
    ),
    ("right", "lower"): ("in the right lower lobe", "at the right lung base", "at the right base"),
    ("right", "all"): ("throughout the right lung",),
    ("both", "upper"): ("in both upper lobes", "in the upper lungs bilaterally"),
    ("both", "middle"): ("in the mid lungs bilaterally", "in the perihilar regions"),
    ("both", "lower"): ("at the lung bases", "at both lung bases", "in both lower lobes"),
    ("both", "all"): ("throughout both lungs", "bilaterally", "in both lungs"),
}
_LOBES: dict[tuple[str, str], tuple[str, str]] = {
    ("left", "upper"): ("left upper lobe", "LUL"),
    ("left", "middle"): ("lingula", "lingular"),
    ("left", "lower"): ("left lower lobe", "LLL"),
    ("right", "upper"): ("right upper lobe", "RUL"),
    ("right", "middle"): ("right middle lobe", "RML"),
    ("right", "lower"): ("right lower lobe", "RLL"),
}

_ORDINALS = (
    "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
)  # fmt: skip
_DISPLACED = ("", "displaced ", "minimally displaced ", "nondisplaced ")
_ASPECTS = ("posterior", "lateral", "anterolateral", "posterolateral")
_RIBS: dict[str, tuple[int, int]] = {"upper": (0, 2), "middle": (2, 5), "lower": (5, 8)}

_TECHNIQUE = ", allowing for AP technique"
_LATERAL = ", best seen on the lateral view"
_LINES = (
    "internal jugular central venous catheter",
    "internal jugular line",
    "IJ central venous catheter",
    "IJ line",
    "subclavian central venous catheter",
    "subclavian line",
    "PICC",
    "PICC line",
    "PICC",
    "Port-A-Cath",
    "dialysis catheter",
)
_TIPS = (
    "in the mid SVC",
    "in the lower SVC",
    "in the low SVC",
    "at the cavoatrial junction",
    "in the upper right atrium",
    "in the superior vena cava",
)
_PACERS = (  # device, its leads, where they end
    ("dual-lead pacemaker", "leads in the right atrium and right ventricle"),
    ("pacemaker", "leads terminating in the right atrium and right ventricle"),
    ("dual-chamber pacemaker", "leads in the right atrium and right ventricle"),
    ("single-lead pacemaker", "its lead in the right ventricle"),
    ("ICD", "a lead terminating in the right ventricle"),
    ("AICD", "leads in expected position"),
    ("pacer", "leads in standard position"),
)
_CHAMBERS = "in the right atrium and right ventricle"
_FEEDING = ("nasogastric tube", "enteric tube", "NG tube", "orogastric tube", "Dobbhoff tube")
_DRAINS = ("chest tube", "chest tube", "pigtail catheter", "pleural catheter")


def finding_words(
    finding: Finding, rng: random.Random, views: Collection[str] = ()
) -> dict[str, str]:
    """Return the slots of one finding; adjectives that end in a space may be empty.

    `views` are the study's: a lateral may show a finding best, an AP view enlarges the heart.
    """
    side, zone, severity = finding.side, finding.zone, finding.severity
    degree = _degree(severity) if rng.random() > 0.2 else ""
    words = {
        "side": side,
        "sd": {"left": "L", "right": "R"}.get(side, ""),
        "size": _size(finding.kind, severity) if rng.random() > 0.15 else "",
        "degree": degree,
        "degreely": degree.replace("l ", "lly ").replace("d ", "dly ").replace("e ", "ely "),
        "lateral": _LATERAL if "LATERAL" in views and rng.random() < 0.1 else "",
        "technique": _TECHNIQUE if "AP" in views and rng.random() < 0.4 else "",
        "line": "",
        "feeding": "",
    }
    if (side, zone) in _AT:
        words |= {
            "at": _one_of(_AT[side, zone], rng),
            "where": _one_of(_WHERE[side, zone], rng),
            "texture": _texture(finding, rng),
            "apical": "apical " if zone == "upper" else "basilar ",
            "at_pleura": f"at the {side} {'apex' if zone == 'upper' else 'base'}",
        }
        words["lobe"], words["code"] = _LOBES.get((side, zone), (f"{side} lung", f"{side} lung"))
    return words | _make(finding)


def _make(finding: Finding) -> dict[str, str]:
    """Return what the finding's own seed decides, so that it stays the same over studies."""
    seed, kind = finding.seed, finding.kind
    if kind == "endotracheal_tube":
        return {"carina": f"{2.5 + seed % 40 / 10:.1f}"}
    if kind == "central_line":
        return {"line": _LINES[seed % len(_LINES)], "tip": _TIPS[seed // 16 % len(_TIPS)]}
    if kind == "enteric_tube":
        tube = _FEEDING[seed % len(_FEEDING)]
        article = "an" if tube[0] in "eo" or tube.startswith("NG") else "a"
        return {"feeding": tube, "a_feeding": f"{article} {tube}"}
    if kind == "pacemaker":
        pacer, leads = _PACERS[seed % len(_PACERS)]
        return {"pacer": pacer, "leads": leads, "chambers": _CHAMBERS}
    if kind == "chest_tube":
        return {"drain": _DRAINS[seed % len(_DRAINS)]}
    if kind == "rib_fracture":
        first, last = _RIBS.get(finding.zone, (2, 5))
        rib = first + seed % (last - first)
        return {
            "rib": _ORDINALS[rib],
            "rib2": _ORDINALS[rib + 1],
            "displaced": _DISPLACED[seed // 8 % len(_DISPLACED)],
            "aspect": _ASPECTS[seed // 64 % len(_ASPECTS)],
        }
    if kind == "nodule":
        return {"mm": str(4 + round(22 * finding.severity))}
    if kind == "mass":
        size = 3.1 + 4 * finding.severity
        return {"cm": f"{size:.1f}", "cm2": f"{0.8 * size:.1f}"}
    return {}


def _size(kind: str, severity: float) -> str:
    if severity < 0.18:
        return "tiny " if kind == "pneumothorax" else "trace "
    if severity < 0.46:
        return "small "
    if severity < 0.54:
        return "small to moderate "
    return "moderate " if severity < 0.78 else "large "


def _degree(severity: float) -> str:
    if severity < 0.15:
        return "minimal "
    if severity < 0.48:
        return "mild "
    if severity < 0.54:
        return "mild to moderate "
    return "moderate " if severity < 0.78 else "severe "


def _texture(finding: Finding, rng: random.Random) -> str:
    if finding.subtlety > 0.6:
        return _one_of(("faint ", "subtle ", "vague ", "hazy ", "ill-defined "), rng)
    if finding.severity > 0.7:
        return _one_of(("dense ", "confluent ", "patchy ", "extensive ", ""), rng)
    return _one_of(("patchy ", "patchy ", "hazy ", "ill-defined ", "heterogeneous ", "", ""), rng)


def _one_of(options: tuple[str, ...], rng: random.Random) -> str:
    return options[int(rng.random() * len(options))]
