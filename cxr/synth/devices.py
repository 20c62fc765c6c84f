"""Support devices: what a radiograph shows of them, along the patient's own landmarks."""

from collections.abc import Callable

import numpy as np

from cxr.synth.raster import Field, Tube, blob, draw_tubes, spline
from cxr.synth.scene import Change, Scene, pick_side
from cxr.synth.truth import Finding

Maker = Callable[[Scene, Finding, np.random.Generator], list[Tube]]


def _device(scene: Scene, metal: Field, strength: float) -> Change:
    seen = metal > 0.04
    return Change(mask=seen & (strength > 0), metal=metal * np.float32(strength))


def _tubes(make: Maker) -> Callable[[Scene, Finding, float, np.random.Generator], Change]:
    def draw(scene: Scene, finding: Finding, strength: float, rng: np.random.Generator) -> Change:
        return _device(scene, draw_tubes(scene.grid, make(scene, finding, rng)), strength)

    draw.__doc__ = make.__doc__
    return draw


def _wander(line: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    """A line with slow bends, its last point kept."""
    steps = np.linspace(0, 1, len(line))
    bend = np.sin(steps[:, None] * rng.uniform(4, 9, 2) + rng.uniform(0, 6, 2))
    return line + amount * bend * (1 - steps[:, None])


def _endotracheal(scene: Scene, finding: Finding, rng: np.random.Generator) -> list[Tube]:
    """A wide tube in the trachea with its radiopaque stripe; the tip above the carina."""
    trachea = scene.landmarks.trachea
    stop = np.searchsorted(trachea[:, 1], trachea[-1, 1] - rng.uniform(2.0, 5.5))
    line = trachea[: max(int(stop), 3)] + np.array([rng.normal(0, 0.12), 0.0])
    side = 0.42 if rng.random() < 0.5 else -0.42
    return [
        Tube(line, 0.55, 0.6),
        Tube(line, 0.42, -0.45),
        Tube(line + np.array([side, 0.0]), 0.13, 7.0),
    ]


def _central(scene: Scene, finding: Finding, rng: np.random.Generator) -> list[Tube]:
    """A line through jugular or subclavian vein to the superior vena cava."""
    side = pick_side(finding.side, rng) if finding.side != "none" else -1.0
    marks = scene.landmarks
    depth = rng.uniform(0.45, 1.0)
    down = marks.cava[: max(int(depth * len(marks.cava)), 4)]
    if rng.random() < 0.5:
        way = np.vstack([marks.arm[side][:-1], down[down[:, 1] > 4.0]])
    else:
        neck = marks.neck[side]
        way = np.vstack([[neck], [(neck[0] * 1.05, -3.0)], [(neck[0] * 0.9, 0.5)], down[3:]])
    line = _wander(spline([(x, y) for x, y in way], 60), rng, 0.18)
    return [Tube(line, 0.15, 5.0)]


def _enteric(scene: Scene, finding: Finding, rng: np.random.Generator) -> list[Tube]:
    """A tube down the oesophagus into the stomach, with a loop to the left."""
    way = scene.landmarks.oesophagus
    x, y = way[-1]
    reach = rng.uniform(0.5, 3.5)
    tail = [(x + 0.5 * reach, y + 0.6), (x + reach, y + 0.3), (x + 1.3 * reach, y - 0.8)]
    line = _wander(spline([*map(tuple, way), *tail], 70), rng, 0.25)
    return [Tube(line, 0.27, 1.4), Tube(line, 0.12, 5.0)]


def _pacemaker(scene: Scene, finding: Finding, rng: np.random.Generator) -> list[Tube]:
    """Leads from the pocket through subclavian vein and cava to atrium and ventricle."""
    side = pick_side(finding.side, rng) if finding.side != "none" else 1.0
    marks = scene.landmarks
    pocket = marks.pocket[side]
    x, y = (float(value) for value in marks.ventricle[0])
    atrium = [(x, y), (x + 0.7, y - 0.2), (x + 1.3, y - 1.4)]
    ventricle = [(float(x), float(y)) for x, y in marks.ventricle[::4]]
    tubes = []
    for number, end in enumerate([ventricle, atrium][: 1 + int(rng.random() < 0.7)]):
        way = [(pocket[0], pocket[1] + 1.5), (pocket[0] + side * 1.2, pocket[1] - 1.0)]
        way += [(float(x), float(y) + 0.2 * number) for x, y in marks.arm[side][8::4]]
        way += [(float(x), float(y)) for x, y in marks.cava[8::5]]
        line = _wander(spline(way + end, 90), rng, 0.15)
        tubes += [Tube(line, 0.1, 5.0), Tube(line[-4:], 0.16, 7.0)]
    return tubes


def pacemaker(scene: Scene, finding: Finding, strength: float, rng: np.random.Generator) -> Change:
    """A generator under the skin below the clavicle, with one or two leads."""
    leads = draw_tubes(scene.grid, _pacemaker(scene, finding, np.random.default_rng(finding.seed)))
    side = pick_side(finding.side, rng) if finding.side != "none" else 1.0
    x, y = scene.landmarks.pocket[side]
    size, turn = rng.uniform(1.9, 2.5), rng.uniform(-0.4, 0.4)
    case = blob(scene.grid, (x, y), (size, size * 0.85), turn=turn, soft=0.06)
    inner = blob(scene.grid, (x, y + 0.2), (size * 0.75, size * 0.5), turn=turn, soft=0.15)
    head = blob(scene.grid, (x - side * 0.4, y - size * 0.85), (size * 0.7, 0.5), soft=0.1)
    return _device(scene, leads + 1.7 * case + 0.9 * inner + 0.7 * head, strength)


def _chest(scene: Scene, finding: Finding, rng: np.random.Generator) -> list[Tube]:
    """A wide drain that enters at the side and runs up (air) or along the base (fluid)."""
    side = pick_side(finding.side, rng)
    base = scene.base_cm[side]
    enter = base - rng.uniform(2.0, 6.0)
    wall = 13.6 * scene.build.width
    if rng.random() < 0.7:
        tip = (side * rng.uniform(4.5, 7.5), rng.uniform(2.0, 4.5))
    else:
        tip = (side * rng.uniform(4.0, 6.5), base - rng.uniform(1.0, 3.0))
    way = [(side * (wall + 5), enter + 3.5), (side * (wall + 0.5), enter + 0.5),
           (side * (wall - 2.2), enter - 1.8), tip]  # fmt: skip
    line, stripe = spline(way, 60), np.array([0.0, 0.2])
    return [
        Tube(line, 0.42, 0.9),
        Tube(line + stripe, 0.1, 6.0),
        Tube(line - stripe, 0.06, 4.0),
    ]


def _wires(scene: Scene, finding: Finding, rng: np.random.Generator) -> list[Tube]:
    """Twisted steel loops down the sternum."""
    sternum = scene.landmarks.sternum
    tubes = []
    for at in np.linspace(0.03, 0.95, int(rng.integers(5, 8))):
        x, y = sternum[int(at * (len(sternum) - 1))]
        turn = np.linspace(0.35, 2 * np.pi + 0.15, 18)
        wide, tall = rng.uniform(0.7, 0.95), rng.uniform(0.45, 0.7)
        loop = np.column_stack([x + wide * np.sin(turn), y + tall * np.cos(turn)])
        tubes.append(Tube(loop, 0.085, 13.0))
        twist = loop[-1] + np.array([[0, 0], [rng.normal(0, 0.12), rng.uniform(0.3, 0.6)]])
        tubes.append(Tube(twist, 0.11, 10.0))
    return tubes


endotracheal_tube = _tubes(_endotracheal)
central_line = _tubes(_central)
enteric_tube = _tubes(_enteric)
chest_tube = _tubes(_chest)
sternal_wires = _tubes(_wires)
