"""Is the map about the network, and does the network use what the map marks?

* Randomization (Adebayo et al. 2018, NeurIPS, arXiv:1810.03292): a map that stays the same when
  the trained weights are replaced by random ones does not explain the trained network.
* Deletion (Petsiuk et al. 2018, BMVC, arXiv:1806.07421): where the map is right, blurring what
  it ranks highest lowers the score more than blurring elsewhere.
* ROAD (Rong et al. 2022, ICML, arXiv:2202.00449): as deletion, but pixels are filled in from
  around them, so that the hole itself tells the network nothing.
* Sufficiency: what the map ranks highest, with all else blurred, keeps the score.
* Stability: a little noise should not move the map.
* Distinctness: one observation's map should not be another's (a fault reported of peers).
"""

import copy
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cxr.heatmaps import is_blank
from cxr.layers import evaluating


def map_correlation(first: np.ndarray, second: np.ndarray) -> NDArray[np.float64]:
    """Return Spearman's rank correlation of maps, cell by cell.

    Args:
        first, second: (n, h, w) float.

    Returns:
        (n,) float in [-1, 1]; NaN where one of the two is blank or flat.

    Raises:
        ValueError: shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"maps of shapes {first.shape} and {second.shape} can't be compared.")
    ranks = []
    for maps in (first, second):
        flat = maps.reshape(len(maps), -1)
        rank = rankdata(flat, axis=1)
        ranks.append(rank - rank.mean(1, keepdims=True))
    covariance = (ranks[0] * ranks[1]).sum(1)
    scale = np.sqrt((ranks[0] ** 2).sum(1) * (ranks[1] ** 2).sum(1))
    known = ~is_blank(first) & ~is_blank(second) & (scale > 0)
    result = np.full(len(first), np.nan)
    result[known] = covariance[known] / scale[known]
    return result


def distinctness(maps: np.ndarray) -> NDArray[np.float64]:
    """Return how alike the maps of different outputs are, per image.

    Args:
        maps: (N, K, h, w) float.

    Returns:
        (N,) mean rank correlation over all pairs of outputs; 1 where all outputs have one map,
        NaN where fewer than two are not blank.
    """
    first, second = np.triu_indices(maps.shape[1], 1)
    pairs = [map_correlation(image[first], image[second]) for image in maps]
    return np.array([np.nanmean(p) if np.isfinite(p).any() else np.nan for p in pairs])


def randomized_copy(
    model: nn.Module, images: Tensor, *, seed: int, only: Sequence[str] | None = None
) -> nn.Module:
    """Return a copy of `model` with random weights, as before training.

    Args:
        model: a network; not altered.
        images: (N, 3, H, W) that the copy's batch norms are set on: with statistics of the
            trained weights the random ones would give nothing but zeros.
        seed: fixes the weights; torch's global random state is left alone.
        only: dotted names of the modules to randomize with all that is in them; None for all.

    Returns:
        A network in evaluation mode.
    """
    device = next(model.parameters()).device
    random = copy.deepcopy(model).cpu()  # the same weights whatever the device
    chosen = [random] if only is None else [random.get_submodule(name) for name in only]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed CUDA too
        for top in chosen:
            for module in top.modules():
                reset = getattr(module, "reset_parameters", None)
                if callable(reset):
                    reset()
    random = random.to(device)
    _settle_batch_norms(random, images)
    return random.eval()


def _settle_batch_norms(model: nn.Module, images: Tensor) -> None:
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of what it sees
        norm.train()
    with torch.no_grad():
        model(images)


def deletion_drops(
    model: nn.Module,
    images: Tensor,
    indices: Sequence[int],
    maps: np.ndarray,
    *,
    shares: Sequence[float] = (0.1, 0.3),
) -> NDArray[np.float64]:
    """Return how far each score falls when what its map ranks highest is blurred away.

    Args:
        model: a network; it is run in evaluation mode and left as it was.
        images: (n, 3, H, W) float on the model's device.
        indices: n outputs, one for each image.
        maps: (n, H, W) float, one for each image; pixels of equal rank go in reading order.
        shares: of the pixels to blur.

    Returns:
        (n,) float; the logit's fall, averaged over `shares`. 0 for a blank map, which ranks
        nothing.
    """
    blurred = _blurred(images)
    rows = torch.arange(len(images))
    with evaluating(model), torch.no_grad():
        before = model(images)[rows, indices]
        falls = []
        for share in shares:
            mask = torch.from_numpy(_highest(maps, share)).to(images.device)[:, None]
            after = model(torch.where(mask, blurred, images))[rows, indices]
            falls.append((before - after).double().cpu().numpy())
    fall: NDArray[np.float64] = np.mean(falls, axis=0)
    return np.where(is_blank(maps), 0.0, fall)


def retained_scores(
    model: nn.Module,
    images: Tensor,
    indices: Sequence[int],
    maps: np.ndarray,
    *,
    share: float = 0.3,
) -> NDArray[np.float64]:
    """Return each logit when all is blurred but what its map ranks highest.

    Args:
        model: a network; it is run in evaluation mode and left as it was.
        images: (n, 3, H, W) float on the model's device.
        indices: n outputs, one for each image.
        maps: (n, H, W) float, one for each image; pixels of equal rank go in reading order.
        share: of the pixels to keep.

    Returns:
        (n,) float; for a blank map, which ranks nothing, that of the wholly blurred image.
    """
    blurred = _blurred(images)
    kept = _highest(maps, share) & ~is_blank(maps)[:, None, None]
    mask = torch.from_numpy(kept).to(images.device)[:, None]
    with evaluating(model), torch.no_grad():
        after = model(torch.where(mask, images, blurred))
    rows = torch.arange(len(images))
    result: NDArray[np.float64] = after[rows, indices].double().cpu().numpy()
    return result


def road_scores(
    model: nn.Module,
    images: Tensor,
    indices: Sequence[int],
    maps: np.ndarray,
    *,
    rng: np.random.Generator,
    shares: Sequence[float] = (0.1, 0.3),
) -> NDArray[np.float64]:
    """Return how much more it costs to lose what a map ranks highest than what it ranks lowest.

    Args:
        model: a network; it is run in evaluation mode and left as it was.
        images: (n, 3, H, W) float on the model's device.
        indices: n outputs, one for each image.
        maps: (n, H, W) float, one for each image; pixels of equal rank go in reading order.
        rng: for the noise of the filling.
        shares: of the pixels to lose.

    Returns:
        (n,) float: half of (logit without the lowest - logit without the highest), averaged
        over `shares`. About 0 where the ranking tells nothing, and 0 for a blank map.

    Source: Rong et al. 2022, ICML; both orders combined, as in section 5.
    """
    rows = torch.arange(len(images))
    gaps = []
    with evaluating(model), torch.no_grad():
        for share in shares:
            left = [
                model(impute(images, _highest(ranking, share), rng=rng))[rows, indices]
                for ranking in (-maps, maps)
            ]
            gaps.append(((left[0] - left[1]) / 2).double().cpu().numpy())
    gap: NDArray[np.float64] = np.mean(gaps, axis=0)
    return np.where(is_blank(maps), 0.0, gap)


def impute(
    images: Tensor, lost: NDArray[np.bool_], *, rng: np.random.Generator, noise: float = 0.01
) -> Tensor:
    """Return images with lost pixels filled in from around them, and a little noise on those.

    Every lost pixel is the mean of its eight neighbours, lost ones too: the four beside it count
    twice as much as the four at its corners.

    Args:
        images: (n, C, H, W) float.
        lost: (n, H, W) bool.
        rng: for the noise.
        noise: its standard deviation; without it a network could tell what was filled in.

    Source: Rong et al. 2022, ICML, section 4.2 (noisy linear imputation).
    """
    filled = images.detach().cpu().double().numpy().copy()
    for image, holes in zip(filled, lost, strict=True):
        if holes.any():
            image[:, holes] = _solved(image, holes)
            image[:, holes] += noise * rng.standard_normal(image[:, holes].shape)
    return torch.from_numpy(filled).to(images)


def _solved(image: NDArray[np.float64], holes: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (C, lost) values that are the weighted means of their neighbours.

    Beyond the edge there is no neighbour, and the others count for more.
    """
    number = np.full(holes.shape, -1)
    number[holes] = np.arange(np.count_nonzero(holes))
    rows, columns = np.nonzero(holes)
    count = len(rows)
    known = np.zeros((count, image.shape[0]))
    total = np.zeros(count)
    entries: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]] = []
    for down, across in itertools.product((-1, 0, 1), repeat=2):
        if not (down or across):
            continue
        weight = 1.0 if down and across else 2.0
        y, x = rows + down, columns + across
        inside = np.flatnonzero((y >= 0) & (y < holes.shape[0]) & (x >= 0) & (x < holes.shape[1]))
        total[inside] += weight
        neighbour = number[y[inside], x[inside]]
        seen = inside[neighbour < 0]
        known[seen] += weight * image[:, y[seen], x[seen]].T
        unseen = inside[neighbour >= 0]
        entries.append((unseen, neighbour[neighbour >= 0], np.full(len(unseen), -weight)))
    entries.append((np.arange(count), np.arange(count), total))
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    system = csc_matrix((value, (row, column)), shape=(count, count))
    solution: NDArray[np.float64] = splu(system).solve(known).T
    return solution


def _highest(maps: np.ndarray, share: float) -> NDArray[np.bool_]:
    flat = maps.reshape(len(maps), -1)
    count = max(1, round(share * flat.shape[1]))
    order = np.argsort(-flat, axis=1, kind="stable")[:, :count]
    chosen = np.zeros(flat.shape, dtype=bool)
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen.reshape(maps.shape)


def _blurred(images: Tensor) -> Tensor:
    """Return images without anything smaller than a lung: sigma is a tenth of the side."""
    planes = images.cpu().numpy().transpose(0, 2, 3, 1)
    spread = images.shape[-1] / 10
    soft = [cv2.GaussianBlur(plane, (0, 0), spread) for plane in planes]
    return torch.from_numpy(np.stack(soft).transpose(0, 3, 1, 2)).to(images)
