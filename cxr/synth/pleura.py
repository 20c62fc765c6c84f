"""Findings of the pleura and the chest wall: pneumothorax, effusion, thickening."""

import numpy as np

from cxr.synth.raster import Field, cloud, smooth_step
from cxr.synth.scene import PURE_AIR, Change, Scene, pick_side, pick_sides
from cxr.synth.truth import Finding


def pneumothorax(
    scene: Scene, finding: Finding, strength: float, rng: np.random.Generator
) -> Change:
    """Air between lung and wall: a thin pleural line, darker and without vessels beyond it."""
    side = pick_side(finding.side, rng)
    grid = scene.grid
    gap = 1.3 + 4.0 * finding.severity
    height = np.clip(grid.y / np.float32(scene.base_cm[side]), 0, 1)
    lower = np.float32(0.4 + 0.6 * finding.severity)  # a large one reaches down to the base
    width = np.float32(gap) * (1 - (1 - lower) * height) * (1 + 0.05 * cloud(grid, rng, scale_cm=4))
    inward = scene.wall - width
    free = smooth_step(-inward / np.float32(0.12) + np.float32(0.5)) * scene.on_side(side)
    rim = np.exp(-((inward / np.float32(max(0.09, 0.6 * grid.pitch))) ** 2)) * scene.on_side(side)
    collapse = np.float32(0.25 + 0.4 * finding.severity) * strength
    behind = (1 - free) * scene.on_side(side) * collapse
    line = np.float32(0.12 * min(strength, 1.0)) * rim
    emptied = 1 + np.float32((PURE_AIR - 1) * min(strength, 1.0)) * free
    return Change(
        mask=(free > 0.5) & (strength > 0),
        aeration=emptied * (1 - behind * 0.6) * (1 - line),
        vessels=1 - np.float32(min(strength, 1.0)) * free,
    )


def effusion(scene: Scene, finding: Finding, strength: float, rng: np.random.Generator) -> Change:
    """Fluid: a meniscus that rises along the wall (upright), a veil over the lung (supine)."""
    fluid = scene.grid.zeros()
    for side in pick_sides(finding.side, rng):
        size = finding.severity * rng.uniform(0.85, 1.15)
        fluid = np.maximum(fluid, _meniscus(scene, side, size))
        if scene.pose.view == "AP":
            veil = smooth_step((scene.grid.y - np.float32(3)) / np.float32(18))
            fluid = np.maximum(fluid, veil * np.float32(0.2 + 0.35 * size) * scene.on_side(side))
    share = fluid * np.float32(min(1.25 * strength, 0.97))
    return Change(
        mask=(fluid > 0.4) & (scene.lung > 1.5) & (strength > 0),
        aeration=1 - share,
        vessels=1 - share,
    )


def _meniscus(scene: Scene, side: float, size: float) -> Field:
    """Return the share of the lung's depth that is fluid, 0 to 1."""
    level = scene.base_cm[side] + 2.2 - 9.0 * size
    rise = (1.6 + 2.4 * size) * np.exp(-np.maximum(scene.wall, 0) / np.float32(1.3 + 1.2 * size))
    surface = np.float32(level) - rise
    depth = scene.grid.y - surface
    share = smooth_step(depth / np.float32(2.4) + np.float32(0.35))
    # the recess behind and beside the dome fills first
    recess = smooth_step((np.float32(1.4 + 1.5 * size) - scene.wall) / np.float32(1.6))
    recess *= smooth_step((scene.grid.y - np.float32(level - 1.0)) / np.float32(2))
    return np.maximum(share, recess) * scene.on_side(side)


def pleural_thickening(
    scene: Scene, finding: Finding, strength: float, rng: np.random.Generator
) -> Change:
    """A rind along the inner wall: an apical cap, or a lateral band with a blunted angle."""
    share, calcium = scene.grid.zeros(), scene.grid.zeros()
    for side in pick_sides(finding.side, rng):
        uneven = 1 + 0.35 * cloud(scene.grid, rng, scale_cm=1.8)
        thick = np.float32(0.9 + 1.5 * finding.severity) * uneven
        low, high = {
            "upper": (-1.0, 7.0), "middle": (5.0, 15.0), "lower": (11.0, 25.0)
        }.get(finding.zone, (2.0, 24.0))  # fmt: skip
        y = scene.grid.y
        along = smooth_step((y - low) / np.float32(2)) * smooth_step((high - y) / np.float32(2))
        rind = smooth_step((thick - scene.wall) / np.float32(0.25)) * along * scene.on_side(side)
        share = np.maximum(share, rind)
        if rng.random() < 0.4:
            flecks = smooth_step(cloud(scene.grid, rng, scale_cm=0.7) - np.float32(0.5))
            calcium += rind * flecks * np.float32(0.35 * strength)
    filled = share * np.float32(min(1.1 * strength, 0.95))
    return Change(
        mask=(share > 0.5) & (strength > 0), aeration=1 - filled, vessels=1 - filled, bone=calcium
    )
