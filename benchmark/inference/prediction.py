"""From a network and images to scores: one row of 14 logits for each image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmark.config import TrainingConfig
from benchmark.events import Events
from benchmark.training.checkpoints import CHECKPOINT, checkpoint_notes
from benchmark.training.devices import autocast, place, resolve_device
from cxr.errors import InputError
from cxr.networks import build_network
from cxr.observations import OBSERVATIONS
from cxr.tensors import to_input


def predict(
    model: nn.Module,
    pixels: np.ndarray,
    rows: np.ndarray,
    *,
    batch_size: int,
    device: torch.device,
    precision: str = "fp32",
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return the logits of the images `rows` of `pixels`.

    Args:
        model: a network on `device`; it is put into evaluation mode.
        pixels: (N, H, W) uint8, may be a memory map.
        rows: (n,) int, which images and in what order.
        batch_size: images at a time; changes results by rounding alone.
        device: where the network is.
        precision: "fp32", "bf16" or "fp16".
        progress: called with the number of images just done.

    Returns:
        (n, 14) float32 logits.
    """
    model.eval()
    logits = [torch.empty(0, len(OBSERVATIONS), device=device)]
    with torch.inference_mode(), autocast(device, precision):
        for start in range(0, len(rows), batch_size):
            batch = load_batch(pixels, rows[start : start + batch_size], device)
            logits.append(model(to_input(batch)).float())
            if progress:
                progress(len(batch))
    return torch.cat(logits).cpu().numpy()


def predict_split(
    name: str,
    folder: Path,
    cases: pd.DataFrame,
    pixels: np.ndarray,
    settings: TrainingConfig,
    events: Events,
) -> pd.DataFrame:
    """Return the scores of the validation and test images under a folder's checkpoint.

    Args:
        name: the network.
        folder: where its checkpoint.safetensors lies.
        cases: one row per image of `pixels`, with image_id and split.
        pixels: (N, H, W) uint8.
        settings: batch size, device, precision and memory format.
        events: told the progress.

    Returns:
        Columns image_id, split ("validate" or "test") and 14 float32 logits, in the cases'
        order: what scores.parquet holds.
    """
    device = resolve_device(settings.device)
    model = load_network(name, folder, settings, device)
    rows = np.flatnonzero(cases["split"].isin(("validate", "test")))
    events.stage(f"Scoring with {name}", total=len(rows), unit="images")
    logits = predict(
        model,
        pixels,
        rows,
        batch_size=settings.batch_size,
        device=device,
        precision=settings.precision,
        progress=events.advance,
    )
    chosen = cases.iloc[rows][["image_id", "split"]].reset_index(drop=True)
    return pd.concat([chosen, pd.DataFrame(logits, columns=list(OBSERVATIONS))], axis=1)


def load_network(
    name: str, folder: Path, settings: TrainingConfig, device: torch.device
) -> nn.Module:
    """Return the network of a folder's checkpoint, on `device`, in evaluation mode."""
    channels = checkpoint_notes(folder).get("channels", 3)
    model = build_network(name, weights=folder / CHECKPOINT, channels=channels)
    return place(model, device, channels_last=settings.channels_last).eval()


def read_scores(path: Path) -> pd.DataFrame:
    """Return the table in a scores.parquet.

    Raises:
        InputError: it is missing, or is no table of scores.
    """
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read as a table of scores: {error}.") from error
    missing = [name for name in ("image_id", "split", *OBSERVATIONS) if name not in table]
    if missing:
        raise InputError(f"{path} lacks the column(s) {', '.join(missing)}.")
    return table


def load_batch(pixels: np.ndarray, rows: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return the images `rows` as a uint8 tensor (n, H, W) on `device`."""
    batch = torch.from_numpy(np.ascontiguousarray(pixels[rows]))
    if device.type == "cuda":  # pinned, the copy overlaps with the computation before it
        batch = batch.pin_memory()
    return batch.to(device, non_blocking=True)
