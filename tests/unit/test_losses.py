"""Losses: against PyTorch's own, at their limit cases, and by numerical gradients."""

from functools import partial

import pytest
import torch
from torch.nn import functional

from benchmark.training.losses import (
    LOSSES,
    asymmetric_loss,
    bce_loss,
    build_loss,
    class_balanced_loss,
    effective_weights,
    focal_loss,
    prevalence,
)


@pytest.fixture
def batch():
    """Logits, targets and counted of 6 cases, in double precision."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(6, 14, generator=generator, dtype=torch.double)
    targets = (torch.rand(6, 14, generator=generator) < 0.3).double()
    counted = torch.rand(6, 14, generator=generator) < 0.8
    return logits, targets, counted


def test_bce_is_the_studys_loss(batch):
    """Where every target counts, bce is PyTorch's BCEWithLogitsLoss."""
    logits, targets, _ = batch
    ours = bce_loss(logits, targets, torch.ones_like(targets, dtype=torch.bool))
    torch.testing.assert_close(ours, torch.nn.BCEWithLogitsLoss()(logits, targets))


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_right(batch, name):
    """Each loss's gradient agrees with finite differences in double precision."""
    logits, targets, counted = batch
    loss = build_loss(name, targets, counted)
    assert torch.autograd.gradcheck(
        lambda values: loss(values, targets, counted), logits.requires_grad_()
    )


@pytest.mark.parametrize("name", LOSSES)
def test_uncounted_targets_have_no_part(batch, name):
    """What does not count changes neither the loss nor any gradient."""
    logits, targets, counted = batch
    loss = build_loss(name, targets, counted)
    flipped = torch.where(counted, targets, 1 - targets)
    torch.testing.assert_close(loss(logits, targets, counted), loss(logits, flipped, counted))
    logits.requires_grad_()
    loss(logits, targets, counted).backward()
    assert logits.grad is not None
    assert (logits.grad[~counted] == 0).all()
    assert (logits.grad[counted] != 0).any()


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_counted_is_zero(batch, name):
    """A batch in which nothing counts has loss zero and moves nothing."""
    logits, targets, counted = batch
    none = torch.zeros_like(counted)
    assert build_loss(name, targets, counted)(logits, targets, none) == 0


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_stay_finite(name):
    """Logits of +-80 in single precision give a finite loss and gradient."""
    logits = torch.tensor([[80.0, -80.0, 80.0, -80.0]], requires_grad=True)
    targets = torch.tensor([[1.0, 0.0, 0.0, 1.0]])
    counted = torch.ones(1, 4, dtype=torch.bool)
    loss = build_loss(name, targets, counted)(logits, targets, counted)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    "limit",
    [
        partial(focal_loss, gamma=0.0),
        partial(asymmetric_loss, gammas=(0.0, 0.0), margin=0.0),
        partial(bce_loss, positive_weight=torch.ones(14, dtype=torch.double)),
        partial(class_balanced_loss, positive=torch.ones(14), negative=torch.ones(14)),
    ],
)
def test_limit_case_is_bce(batch, limit):
    """Without its remedy, each loss is binary cross-entropy."""
    torch.testing.assert_close(limit(*batch), bce_loss(*batch))


def test_focal_is_the_papers_formula(batch):
    """Focal loss is -(1 - p_t)^2 log p_t."""
    logits, targets, _ = batch
    right = torch.where(targets == 1, logits.sigmoid(), 1 - logits.sigmoid())
    expected = (-((1 - right) ** 2) * right.log()).mean()
    counted = torch.ones_like(targets, dtype=torch.bool)
    torch.testing.assert_close(focal_loss(logits, targets, counted), expected)


def test_asymmetric_is_the_papers_formula(batch):
    """Asymmetric loss: positives -log p, negatives -p_m^4 log(1 - p_m), p_m = max(p - m, 0)."""
    logits, targets, _ = batch
    p = logits.sigmoid()
    shifted = (p - 0.05).clamp(min=0)
    expected = torch.where(targets == 1, -p.log(), -(shifted**4) * (1 - shifted).log()).mean()
    counted = torch.ones_like(targets, dtype=torch.bool)
    torch.testing.assert_close(asymmetric_loss(logits, targets, counted), expected)


def test_weighted_gives_both_classes_one_weight_in_all():
    """With positive weights, an ignorant network's best probability is one half."""
    targets = torch.zeros(10, 1)
    targets[0] = 1
    counted = torch.ones(10, 1, dtype=torch.bool)
    logits = torch.zeros(10, 1, requires_grad=True)
    build_loss("weighted", targets, counted)(logits, targets, counted).backward()
    assert logits.grad is not None
    assert logits.grad.sum().abs() < 1e-6
    flat = functional.binary_cross_entropy_with_logits(torch.zeros(10, 1), targets)
    assert flat > 0


def test_effective_weights_run_from_even_to_inverse():
    """beta 0 weighs all counts alike; beta near 1 weighs nearly by 1 / count."""
    counts = torch.tensor([1.0, 10.0, 1000.0], dtype=torch.double)
    torch.testing.assert_close(effective_weights(counts, beta=0.0), torch.ones(3).double())
    near = effective_weights(counts, beta=1 - 1e-9)
    torch.testing.assert_close(near, 1 / counts, rtol=1e-5, atol=0)
    assert torch.isfinite(effective_weights(torch.zeros(1))).all()


def test_class_balanced_weighs_the_rare_class_more():
    """The rarer of an observation's classes gets the larger weight."""
    targets = torch.zeros(200, 2)
    targets[:5, 0] = 1
    targets[5:, 1] = 1
    loss = build_loss("class-balanced", targets, torch.ones(200, 2, dtype=torch.bool))
    weights = loss.keywords
    assert weights["positive"][0] > 10 * weights["negative"][0]
    assert weights["negative"][1] > 10 * weights["positive"][1]


def test_prevalence_counts_what_counts_and_is_never_certain():
    """Prevalence is of counted cases; an observation that never occurs is rare, not impossible."""
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    counted = torch.tensor([[True, True], [True, True], [True, False]])
    expected = torch.tensor([2.5 / 4, 0.5 / 3])
    torch.testing.assert_close(prevalence(targets, counted), expected)
