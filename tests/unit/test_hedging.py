"""Uncertain as a class of its own: the head, its loss and its folding."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional

from benchmark.training.hedging import (
    ThreeClassHead,
    build_three_class_loss,
    hedged_observations,
    three_class_loss,
)
from benchmark.training.losses import bce_loss
from cxr.errors import InputError

RANDOM = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 42, generator=RANDOM, dtype=torch.float64)
PRESENT = (torch.rand(6, 14, generator=RANDOM) < 0.5).double()
COUNTED = torch.rand(6, 14, generator=RANDOM) < 0.7
ALL = torch.ones(14, dtype=torch.bool)


def hedged():
    """Targets of which every third is a class of its own."""
    targets = PRESENT.clone()
    targets.view(-1)[::3] = -1
    return targets


def test_loss_is_cross_entropy_over_three_classes():
    """Where all observations have three classes, the loss is torch's cross-entropy."""
    targets = hedged()
    classes = torch.where(targets == -1, 2, 1 - targets).long()
    expected = functional.cross_entropy(
        LOGITS.unflatten(1, (14, 3)).flatten(0, 1), classes.flatten(), reduction="none"
    )[COUNTED.flatten()].mean()
    torch.testing.assert_close(three_class_loss(LOGITS, targets, COUNTED, own=ALL), expected)


def test_two_classes_are_plain_cross_entropy():
    """Where uncertain is no class, the loss is that of present against absent."""
    by_class = LOGITS.unflatten(1, (14, 3))
    expected = bce_loss(by_class[..., 0] - by_class[..., 1], PRESENT, COUNTED)
    torch.testing.assert_close(three_class_loss(LOGITS, PRESENT, COUNTED, own=~ALL), expected)


def test_smoothed_targets_share_present_and_absent():
    """A target between 0 and 1 beside hedged observations is cross-entropy with that share."""
    soft = PRESENT * 0.7
    by_class = LOGITS.unflatten(1, (14, 3))
    expected = bce_loss(by_class[..., 0] - by_class[..., 1], soft, COUNTED)
    torch.testing.assert_close(three_class_loss(LOGITS, soft, COUNTED, own=~ALL), expected)


def test_gradient_is_right():
    """The loss's gradient is that of finite differences."""
    own = torch.arange(14) % 2 == 0
    targets = torch.where(own, hedged(), PRESENT)
    logits = LOGITS.clone().requires_grad_()
    assert gradcheck(lambda x: three_class_loss(x, targets, COUNTED, own=own), (logits,))


def test_validation_leaves_uncertain_cases_out():
    """With 14 logits the loss is that of the certain cases."""
    targets = hedged()
    expected = bce_loss(LOGITS[:, :14], PRESENT, COUNTED & (targets != -1))
    torch.testing.assert_close(
        three_class_loss(LOGITS[:, :14], targets, COUNTED, own=ALL), expected
    )


def test_folded_head_answers_as_the_head_does():
    """In evaluation the head gives the 14 logits that a plain head of its folded tensors gives."""
    torch.manual_seed(0)
    head, plain = ThreeClassHead(5), torch.nn.Linear(5, 14)
    plain.load_state_dict(dict(head.folded()))
    features = torch.randn(4, 5)
    assert head.train()(features).shape == (4, 42)
    torch.testing.assert_close(head.eval()(features), plain(features))


def test_bias_starts_at_the_shares():
    """Before training, softmax over the classes gives their shares among the counted targets."""
    targets = torch.tensor([1.0, 1, 0, 0, 0, 0, 0, 0, -1, 1])[:, None].repeat(1, 14)
    counted = torch.ones(10, 14, dtype=torch.bool)
    counted[9] = False
    head = ThreeClassHead(3)
    head.start_at_shares(targets, counted)
    shares = head.bias.detach().unflatten(0, (14, 3)).softmax(dim=1)
    expected = (torch.tensor([2.0, 6, 1]) + 1 / 3) / 10
    torch.testing.assert_close(shares, expected.repeat(14, 1))


def test_hedged_observations_are_found():
    """An observation with one target of its own class has three classes."""
    targets = PRESENT.clone()
    targets[2, 5] = -1
    assert hedged_observations(targets).nonzero().tolist() == [[5]]


def test_another_loss_is_refused():
    """A loss beside it is named with the mend."""
    with pytest.raises(InputError, match=r'training\.loss is "focal"; set'):
        build_three_class_loss("focal", ALL)
