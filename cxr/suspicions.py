"""What is odd about one radiograph: four simple looks at its pixels, to be checked by a person.

None of them is a diagnosis of the file; they rank images by how worth a look they are. The
thresholds were set on frontal films of NIH ChestX-ray14 and on synthetic laterals; what they
find and miss there is in the tests.
"""

from dataclasses import dataclass

import cv2
import numpy as np

SIZE = 512
"""Pixels a side of the image that is looked at: the least at which burned-in text is seen."""

LATERAL, INVERTED, CONSTANT, TEXT = "lateral", "inverted", "constant", "text"

MIRRORED = 0.10
"""Below this correlation with its own mirror image, a chest is not seen from the front."""

NARROW = 0.80
"""Below this width of the body over the height of the film, a chest is seen from the side."""

BRIGHT_LUNGS = -0.04
"""Below this contrast of the midline over the lungs, a frontal chest is shown inverted."""

LETTERS = 8
"""So many characters in line are text; a side marker with its initials has fewer."""


@dataclass(frozen=True)
class Look:
    """What was measured on one image.

    Attributes:
        width: of the body, as a part of the film's height.
        mirrored: correlation of the chest with its mirror image, -1 to 1.
        midline: brightness of the midline less that of the lungs beside it, -1 to 1.
        spread: standard deviation of brightness, 0 to 0.5.
        letters: characters in the longest line of burned-in text.
    """

    width: float
    mirrored: float
    midline: float
    spread: float
    letters: int

    def suspicions(self, view: str) -> tuple[str, ...]:
        """Return what is odd for an image of this view ("PA", "AP", "LATERAL" or "")."""
        frontal = view in ("PA", "AP")
        found = {
            CONSTANT: self.spread < 0.02,
            LATERAL: frontal and (self.mirrored < MIRRORED or self.width < NARROW),
            INVERTED: frontal and self.midline < BRIGHT_LUNGS,
            TEXT: self.letters >= LETTERS,
        }
        return tuple(name for name, holds in found.items() if holds)


def look_at(image: np.ndarray, *, aspect: float = 1.0) -> Look:
    """Measure one image.

    Args:
        image: (SIZE, SIZE) float32 from 0 to 1, squashed as `read_radiograph` gives it.
        aspect: the film's width over its height, before it was squashed.
    """
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    return Look(
        width=body_width(small) * aspect,
        mirrored=mirror_correlation(small),
        midline=midline_contrast(small),
        spread=float(small.std()),
        letters=text_letters(image),
    )


def body_width(small: np.ndarray) -> float:
    """Return the part of the film's width that is not the black beside the body.

    Args:
        small: (64, 64) float.
    """
    profile = small[20:52].mean(axis=0)
    bright = np.flatnonzero(profile > 0.25 * np.percentile(profile, 90))
    return float(bright[-1] - bright[0] + 1) / small.shape[1] if bright.size else 0.0


def mirror_correlation(small: np.ndarray) -> float:
    """Return the best correlation of the chest with its mirror image over small shifts.

    Args:
        small: (64, 64) float.
    """
    middle = cv2.GaussianBlur(small, (0, 0), 1.5)[10:58]
    best = -1.0
    for shift in range(-8, 9):
        left, right = max(0, shift), 64 + min(0, shift)
        part = middle[:, left:right]
        part = part[:, 4:-4]
        flat = part - part.mean()
        scale = float((flat**2).sum())
        if scale > 0:
            best = max(best, float((flat * flat[:, ::-1]).sum()) / scale)
    return best


def midline_contrast(small: np.ndarray) -> float:
    """Return how much brighter the midline is than the darker of the lungs beside it.

    The darker one, because the other may be white with disease.

    Args:
        small: (64, 64) float.
    """
    rows = small[14:40]
    middle = float(rows[:, 28:36].mean())
    darker = min(float(rows[:, 12:24].mean()), float(rows[:, 40:52].mean()))
    return middle - darker


def text_letters(image: np.ndarray) -> int:
    """Return how many characters the longest line of burned-in text has.

    Text is bright or dark against what is around it, of one height, and stands in a row.

    Args:
        image: (SIZE, SIZE) float32 from 0 to 1.
    """
    grey = np.rint(image * 255).astype(np.uint8)
    return max(_longest_line(grey), _longest_line(255 - grey))


def _longest_line(grey: np.ndarray) -> int:
    kernel = np.ones((9, 9), np.uint8)
    raised = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel)
    mask = ((raised > 90) & (grey > 200)).astype(np.uint8)
    _, _, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    width, height, area = stats[1:, 2], stats[1:, 3], stats[1:, 4]
    letter = (height >= 5) & (height <= 24) & (width >= 1) & (width <= 24) & (area >= 6)
    boxes = np.column_stack([centres[1:], width, height])[letter]
    boxes = boxes[np.argsort(boxes[:, 0])]
    longest = 0
    for start in range(len(boxes)):
        x, y, _, tall = boxes[start]
        count = 1
        for other_x, other_y, wide, other_tall in boxes[start + 1 :]:
            near = 0 < other_x - x <= 2.2 * max(tall, wide)
            level = abs(other_y - y) <= 0.35 * tall
            alike = 0.6 <= other_tall / tall <= 1.6
            if near and level and alike:
                count, x, y = count + 1, other_x, other_y
        longest = max(longest, count)
    return longest
