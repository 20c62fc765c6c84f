"""A trained network as one file for other programs: ONNX, or torch's exported program.

The file takes images as `cxr.read_radiograph` gives them and returns probabilities: rounding to
256 greys and ImageNet's normalization are in the graph, and what is not (reading, size, fit) is
told in the metadata, with the operating point and where the network comes from.
"""

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.evaluation.operating import THRESHOLDS
from benchmark.inference.new_images import Trained
from benchmark.runs import read_json, replacing
from cxr import __version__
from cxr.dicom import PREPROCESSING_VERSION
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.tensors import IMAGENET_MEAN, IMAGENET_STD

METADATA = "cxr-bench"
"""The key in ONNX's metadata, and the name of the extra file in torch's."""

INPUT, OUTPUT = "image", "probability"


class WithPreprocessing(nn.Module):
    """From grey images to probabilities.

    Args:
        model: a network of 14 logits, on the CPU.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Return (N, 14) probabilities of (N, size, size) images from 0 (black) to 1 (white)."""
        grey = torch.round(image * 255).unsqueeze(1)
        # as `cxr.tensors.to_input` writes (grey / 255 - mean) / std
        colour = torch.addcmul(-self.mean / self.std, grey, 1 / (255 * self.std))
        return torch.sigmoid(self.model(colour))


def export_network(network: Trained, format: str, output: Path) -> None:
    """Write the network to one file.

    Args:
        network: on the CPU.
        format: a key of `FORMATS`.
        output: the file; whole or not there.

    Raises:
        InputError: ONNX's packages are not installed, or the network can't be exported.
    """
    module = WithPreprocessing(network.model).eval()
    size = network.values["config"]["image"]["size"]
    example = torch.zeros(2, size, size)
    try:
        FORMATS[format](module, example, describe(network), output)
    except ImportError as error:
        raise InputError(
            f"--format {format} needs {error.name or 'ONNX'}; install it with "
            "`pip install 'cxr-bench[export]'`, or use --format torch."
        ) from error


def describe(network: Trained) -> dict[str, Any]:
    """Return what a user of the file has to know, as plain values."""
    values = network.values
    image = values["config"]["image"]
    facts = read_json(network.folder / "training.json")
    return {
        "cxr_bench": __version__,
        "run_id": values["run_id"],
        "network": network.name,
        "seed": network.seed,
        "weights_sha256": facts["weights_sha256"],
        "cohort": values["cohort"]["name"],
        "synthetic": values["cohort"]["synthetic"],
        "note": network.note,
        "observations": list(OBSERVATIONS),
        "operating_points": _operating_points(network),
        "input": {
            "name": INPUT,
            "shape": ["batch", image["size"], image["size"]],
            "range": "float32, 0 black to 1 white, MONOCHROME2 sense",
            "reading": "cxr.read_radiograph: VOI LUT, else the first window, else the range of "
            "the values without padding; MONOCHROME1 inverted; reduced by area average",
            "size": image["size"],
            "fit": image["fit"],
            "preprocessing_version": PREPROCESSING_VERSION,
            "in_the_graph": "rounding to 256 greys, three channels, ImageNet's mean and deviation",
        },
        "output": {"name": OUTPUT, "shape": ["batch", len(OBSERVATIONS)], "range": "0 to 1"},
    }


def _operating_points(network: Trained) -> dict[str, dict[str, float | None]]:
    """Return the run's threshold, and beside it those chosen on its validation images, by rule."""
    points: dict[str, dict[str, float | None]] = {
        f"{network.threshold:g}": dict.fromkeys(OBSERVATIONS, network.threshold)
    }
    chosen = network.folder / THRESHOLDS
    rules = read_json(chosen)["rules"] if chosen.is_file() else {}
    for rule, told in rules.items():
        points[rule] = {name: told["observations"][name]["threshold"] for name in OBSERVATIONS}
    return points


def _write_onnx(module: nn.Module, example: Tensor, about: dict[str, Any], output: Path) -> None:
    import onnx
    import onnxscript  # noqa: F401 - torch's exporter needs it, and says so less plainly

    with _quiet():
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {METADATA: json.dumps(about)})
    with replacing(output) as part:
        part.write_bytes(model.SerializeToString())


def _write_torch(module: nn.Module, example: Tensor, about: dict[str, Any], output: Path) -> None:
    with _quiet():
        program = torch.export.export(
            module, (example,), dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}}
        )
    with _quiet(), replacing(output) as part, part.open("wb") as file:
        torch.export.save(program, file, extra_files={METADATA: json.dumps(about)})


class _quiet(warnings.catch_warnings):
    """Keep the exporters' remarks on their own workings from the user."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
        self._level = logging.getLogger("torch").level
        logging.getLogger("torch").setLevel(logging.ERROR)

    def __exit__(self, *failure: Any) -> None:
        logging.getLogger("torch").setLevel(self._level)
        super().__exit__(*failure)


FORMATS: dict[str, Callable[[nn.Module, Tensor, dict[str, Any], Path], None]] = {
    "onnx": _write_onnx,
    "torch": _write_torch,
}
"""Name -> function of (module, example input, metadata, output)."""
