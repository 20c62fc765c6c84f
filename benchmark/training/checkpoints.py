"""What training leaves on disk: checkpoint.safetensors, and resume.pt while it is under way.

Both are written beside their place and renamed into it, so that a kill at any moment leaves the
old file or the new one, never a part. resume.pt holds tensors and plain values alone, so torch
reads it with `weights_only=True` and nothing in it is ever unpickled into code.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from benchmark.runs import replacing
from benchmark.training.distribution import share
from benchmark.training.hedging import ThreeClassHead
from cxr.errors import InputError

CHECKPOINT = "checkpoint.safetensors"
RESUME = "resume.pt"


def save_checkpoint(model: nn.Module, folder: Path, notes: Mapping[str, Any]) -> None:
    """Write the model's tensors and `notes` to checkpoint.safetensors.

    Notes are network, seed, epoch and channels: what its loader has to know.
    """
    tensors = {key: tensor.cpu().contiguous() for key, tensor in _lasting(model).items()}
    # under one key, since safetensors writes several in a random order: equal runs, equal bytes
    metadata = {"cxr-bench": json.dumps(notes, sort_keys=True)}
    content = save(tensors, metadata=metadata)  # bytes first: a full disk is then an OSError
    with replacing(folder / CHECKPOINT) as part:
        part.write_bytes(content)


def _lasting(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's tensors, a head of three classes folded into one of 14 outputs."""
    tensors = dict(model.state_dict())
    for path, module in model.named_modules():
        if isinstance(module, ThreeClassHead):
            tensors |= {f"{path}.{key}": tensor for key, tensor in module.folded().items()}
    return tensors


def checkpoint_notes(folder: Path) -> dict[str, Any]:
    """Return the notes that `folder`'s checkpoint.safetensors was written with."""
    with safe_open(folder / CHECKPOINT, framework="pt") as file:
        notes: dict[str, Any] = json.loads((file.metadata() or {}).get("cxr-bench", "{}"))
    return notes


def save_resume(state: Mapping[str, Any], folder: Path) -> None:
    """Write everything that training needs to go on to resume.pt."""
    content = io.BytesIO()
    torch.save(dict(state), content)
    with replacing(folder / RESUME) as part:
        part.write_bytes(content.getbuffer())


def load_resume(folder: Path) -> dict[str, Any] | None:
    """Return the state in resume.pt; None where there is none. Rank 0 reads it for all.

    Raises:
        InputError: the file is damaged; names it.
    """
    path = folder / RESUME
    content = share(lambda: path.read_bytes() if path.exists() else None)
    if content is None:
        return None
    try:
        state: dict[str, Any] = torch.load(
            io.BytesIO(content), map_location="cpu", weights_only=True
        )
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(
            f"{path} is damaged and training can't go on from it; delete it to start this "
            "network again."
        ) from error
    return state


def weights_digest(model: nn.Module) -> str:
    """Return the SHA-256 of the model's tensors: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for key, tensor in model.state_dict().items():
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
