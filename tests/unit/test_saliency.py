import copy
import doctest
from dataclasses import replace

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchvision import models

from cxr import saliency
from cxr.dilation import dense_copy
from cxr.heatmaps import centre_map, is_blank, mean_lesion_map
from cxr.layers import Target, find_target
from cxr.saliency import METHODS, Explainer, explain, resize_maps


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["densenet121", "resnet50"])
def network(request) -> nn.Module:
    torch.manual_seed(3)
    return getattr(models, request.param)(num_classes=14).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))


class TwoBlobs(nn.Module):
    """Output k is the mean of channel k's brightness: the map of k is channel k itself."""

    def __init__(self, bias: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 3, 1, bias=True)
        self.fc = nn.Linear(3, 3)
        with torch.no_grad():
            self.body.weight.copy_(torch.eye(3)[:, :, None, None])
            self.body.bias.zero_()
            self.fc.weight.copy_(torch.diag(torch.tensor([1.0, 2.0, -1.0])))
            self.fc.bias.fill_(bias)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.body(images).mean((2, 3)))


def pooled_network(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The same weights with the pooled tensor as a module's output, ReLU out of place."""
    if isinstance(network, models.DenseNet):
        layer: nn.Module = nn.ReLU(inplace=False)
        body, head = [network.features, layer], network.classifier
    else:
        layer = network.layer4
        body, head = list(network.children())[:-2], network.fc
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head), layer


def test_all_outputs_at_once_equal_pytorch_grad_cam_one_at_a_time(network, images):
    """Grad-CAM of all 14 outputs from one forward pass equals pytorch-grad-cam's at that tensor."""
    images = images[:1]
    ours = explain(network, images, range(14))
    reference_network, layer = pooled_network(network)
    with GradCAM(model=reference_network, target_layers=[layer]) as cam:
        for index in range(14):
            theirs = cam(images, [ClassifierOutputTarget(index)])
            stretched = scale_cam_image(ours[:, index], target_size=(64, 64))
            np.testing.assert_allclose(stretched, theirs, atol=1e-4)


def test_raw_scale_equals_the_hand_computed_gradient(network, images):
    """The exact maps carry the gradient's own scale, not one stretched to 0..1."""
    ours = explain(network, images, [4])
    reference_network, layer = pooled_network(network)
    kept = []
    layer.register_forward_hook(lambda module, given, output: kept.append(output))
    score = reference_network(images)[:, 4].sum()
    (gradient,) = torch.autograd.grad(score, kept[0])
    alpha = gradient.mean((2, 3), keepdim=True)
    expected = (alpha * kept[0]).sum(1).clamp(min=0).detach().numpy()
    np.testing.assert_allclose(ours[:, 0], expected, atol=1e-4, rtol=1e-4)


def test_the_example_in_the_documentation_runs():
    """What the docstring of `explain` shows is what happens."""
    assert doctest.testmod(saliency).attempted > 0
    assert doctest.testmod(saliency).failed == 0


def test_a_plain_hook_on_densenet_sees_other_values():
    """torchvision's in-place ReLU makes the usual hook explain another tensor than ours does."""
    torch.manual_seed(3)
    network = models.densenet121(num_classes=14).eval()
    kept = []
    network.features.register_forward_hook(lambda module, given, output: kept.append(output))
    with torch.no_grad():
        network(torch.randn(1, 3, 64, 64))
    assert kept[0].min() >= 0, "norm5 puts out negative values; the ReLU after it removed them"
    assert find_target(network, torch.randn(1, 3, 64, 64)).rectified


def test_the_target_is_found_by_rule_and_named():
    """DenseNet-121 is explained at its rectified features, ResNet-50 at layer4."""
    image = torch.randn(1, 3, 64, 64)
    dense = find_target(models.densenet121(num_classes=14).eval(), image)
    assert dense == Target("features", "classifier", True, 32.0, 14.0)
    assert dense.describe() == "features, after its ReLU"
    residual = find_target(models.resnet50(num_classes=14).eval(), image)
    assert residual == Target("layer4", "fc", False, 32.0, 0.0)


@pytest.mark.parametrize("build", [models.mobilenet_v3_small, models.convnext_tiny])
def test_a_head_that_is_not_linear_after_pooling_is_noticed(build):
    """Networks with more than a linear layer behind the pooling are explained by gradients."""
    torch.manual_seed(0)
    network = build(num_classes=14).eval()
    target = find_target(network, torch.randn(1, 3, 64, 64))
    assert not target.exact
    assert explain(network, torch.randn(1, 3, 64, 64), [3]).shape == (1, 1, 2, 2)


def test_a_network_without_a_spatial_output_is_refused():
    """A network without any spatial output is refused in one sentence."""
    with pytest.raises(ValueError, match="no module of this network has a spatial output"):
        find_target(
            nn.Sequential(nn.Flatten(), nn.Linear(3 * 128**2, 2)), torch.randn(1, 3, 128, 128)
        )


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_maps_of_one_shape(method):
    """Each method gives a finite (N, K, h, w) map of zero or more."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 4),
    )
    maps = explain(network, torch.randn(2, 3, 8, 8), [0, 3], method=method)
    assert maps.shape == (2, 2, 4, 4)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert maps.min() >= 0


def test_hirescam_and_xgradcam_are_gradcam_behind_average_pooling(network, images):
    """Behind average pooling and a linear head, HiRes-CAM and XGrad-CAM equal Grad-CAM."""
    plain = explain(network, images, [2, 7])
    for method in ("hirescam", "xgradcam"):
        np.testing.assert_allclose(
            explain(network, images, [2, 7], method=method), plain, atol=1e-4, rtol=1e-3
        )


def test_the_map_points_where_the_evidence_is():
    """A network that reads one channel is explained by that channel."""
    images = torch.zeros(1, 3, 8, 8)
    images[0, 0, 1, 2] = 4.0
    images[0, 1, 6, 5] = 4.0
    maps = explain(TwoBlobs(), images, [0, 1])
    assert np.unravel_index(maps[0, 0].argmax(), (8, 8)) == (1, 2)
    assert np.unravel_index(maps[0, 1].argmax(), (8, 8)) == (6, 5)
    assert maps[0, 0].sum() == pytest.approx(4 / 64)


def test_a_map_without_evidence_stays_zero():
    """Where all evidence speaks against an output its map is blank, not stretched noise."""
    images = torch.rand(1, 3, 8, 8)
    maps = explain(TwoBlobs(), images, [0, 2], size=16)
    assert is_blank(maps).tolist() == [[False, True]]
    assert maps[0, 1].max() == 0


def test_the_network_is_left_as_it_was():
    """Explaining keeps each module's mode, takes no gradient along and leaves no hook."""
    network = TwoBlobs().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    explain(network, torch.rand(1, 3, 8, 8), [0])
    explain(network, torch.rand(1, 3, 8, 8), [0], method="layercam")
    assert network.training
    assert network.body.training
    assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("shape", "indices", "method", "message"),
    [
        ((1, 1, 8, 8), [0], "gradcam", r"images have shape \(1, 1, 8, 8\)"),
        ((0, 3, 8, 8), [0], "gradcam", r"images have shape \(0, 3, 8, 8\)"),
        ((1, 3, 8, 8), [3], "gradcam", "output 3 was asked for; the network has 0 to 2"),
        ((1, 3, 8, 8), [3], "layercam", "output 3 was asked for; the network has 0 to 2"),
        ((1, 3, 8, 8), [0], "lime", "method is 'lime'; expected one of gradcam"),
    ],
)
def test_senseless_arguments_are_refused(shape, indices, method, message):
    """A wrong shape, output or method is refused in one sentence."""
    with pytest.raises(ValueError, match=message):
        explain(TwoBlobs(), torch.rand(shape), indices, method=method)


@pytest.mark.parametrize("stride", [16, 8])
def test_a_dense_copy_contains_the_networks_own_cells(network, images, stride):
    """Finer maps hold the network's own map at every second or fourth cell, unaltered."""
    factor = 32 // stride
    own = explain(network, images, range(14))
    fine = explain(network, images, range(14), stride=stride)
    assert fine.shape == (2, 14, 2 * factor, 2 * factor)
    # A cell's share of the logit shrinks with the number of cells.
    np.testing.assert_allclose(
        fine[:, :, ::factor, ::factor] * factor**2, own, atol=1e-4, rtol=1e-4
    )


def test_a_dense_copy_is_the_network_on_shifted_images():
    """A cell between two is what the network finds there when the image is shifted."""
    torch.manual_seed(3)
    network = models.resnet18(num_classes=3).eval()
    wide = torch.randn(1, 3, 384, 384)
    fine = explain(network, wide, [1], stride=16)[0, 0] * 4
    shifted = explain(network, torch.roll(wide, -16, dims=3), [1])[0, 0]
    inner = slice(4, 8)  # away from the borders, where padding differs
    np.testing.assert_allclose(
        fine[::2, 1::2][inner, inner], shifted[inner, inner], atol=2e-2 * shifted.max()
    )


def test_a_dense_copy_leaves_the_original_alone(network, images):
    """The original network's scores are the same after a dense copy was made."""
    with torch.no_grad():
        before = network(images)
        dense_copy(network, 8)
        assert torch.equal(network(images), before)


def test_an_unknown_stride_is_refused(network):
    """A stride that is no power of two from 4 to 32 is refused."""
    with pytest.raises(ValueError, match="stride is 12; expected 4, 8, 16 or 32"):
        dense_copy(network, 12)


def test_cells_lie_where_they_look():
    """The centre of a cell found by rule is where the network's response is centred."""
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(3, 2, 7, stride=2, padding=3),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.AvgPool2d(2),
        nn.Conv2d(2, 2, 3, padding=1),
    )
    network = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)).eval()
    target = find_target(network, torch.randn(1, 3, 64, 64))
    with torch.no_grad():
        for module in body:
            if isinstance(module, nn.Conv2d):
                module.weight.fill_(1.0)
    image = torch.linspace(0, 1, 64 * 64 * 3).reshape(1, 3, 64, 64).requires_grad_()
    body(image)[0, 0, 4, 4].backward()
    weight = image.grad.sum((0, 1)).numpy()
    rows = (weight.sum(1) * np.arange(64)).sum() / weight.sum()
    assert target.stride == 8
    assert target.offset == 2
    # The image grows along its rows, so the max pool always takes its last column and row.
    assert rows == pytest.approx(target.offset + 4 * target.stride, abs=2.1)


def test_resized_maps_put_each_cell_at_its_own_pixel():
    """Interpolation peaks at the pixel that the cell is centred on and keeps the raw scale."""
    target = Target("layer", "head", False, stride=16.0, offset=6.0)
    maps = np.zeros((1, 1, 4, 4), np.float32)
    maps[0, 0, 1, 2] = 3.0
    large = resize_maps(maps, 64, target=target, field=(64, 64))[0, 0]
    assert large.shape == (64, 64)
    assert np.unravel_index(large.argmax(), large.shape) == (22, 38)
    assert large.max() == pytest.approx(3.0)
    double = resize_maps(maps, (128, 64), target=target, field=(64, 64))[0, 0]
    assert double.shape == (128, 64)
    assert np.unravel_index(double.argmax(), double.shape)[0] in (44, 45)


def test_the_centre_map_peaks_in_the_middle():
    """The centre baseline is symmetric and highest in the middle."""
    middle = centre_map((9, 5))
    assert np.unravel_index(middle.argmax(), middle.shape) == (4, 2)
    np.testing.assert_allclose(middle, middle[::-1, ::-1])


def test_the_mean_lesion_map_is_the_share_of_masks():
    """The mean lesion map tells at each place how often a lesion lay there."""
    first, second = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    first[0, 0], second[0, :2] = True, True
    mean = mean_lesion_map([first, second], (4, 4))
    assert mean[0, :3].tolist() == [1.0, 0.5, 0.0]
    assert is_blank(mean_lesion_map([], (4, 4)))


def test_gradients_give_the_exact_maps_too(images):
    """Going back from each output gives the maps that the head's weights give."""
    torch.manual_seed(3)
    network = models.resnet18(num_classes=14).eval()
    exact = Explainer(network, images)
    by_gradient = Explainer(network, images)
    by_gradient.target = replace(exact.target, head="")
    np.testing.assert_allclose(
        by_gradient.maps(images, range(14)), exact.maps(images, range(14)), atol=1e-5, rtol=1e-4
    )


def test_a_network_with_a_deeper_head_equals_pytorch_grad_cam():
    """Where the head is more than a linear layer, maps equal pytorch-grad-cam's."""
    torch.manual_seed(0)
    network = models.mobilenet_v3_small(num_classes=5).eval()
    with torch.no_grad():  # far above the 1e-7 that pytorch-grad-cam adds to what it divides by
        network.classifier[-1].weight.mul_(1e9)
    image = torch.randn(1, 3, 64, 64)
    explainer = Explainer(network, image)
    ours = explainer.maps(image, [2])
    layer = network.get_submodule(explainer.target.layer)
    with GradCAM(model=network, target_layers=[layer]) as cam:
        theirs = cam(image, [ClassifierOutputTarget(2)])
    np.testing.assert_allclose(scale_cam_image(ours[:, 0], (64, 64)), theirs, atol=1e-4)


def test_contrast_shows_what_is_more_than_usual():
    """A bright place that is bright in every image is no evidence; a new one is."""
    usual = torch.zeros(4, 3, 8, 8)
    usual[:, 0, 1, 1] = 4.0
    image = usual[:1].clone()
    image[0, 0, 5, 6] = 3.0
    explainer = Explainer(TwoBlobs(), image)
    assert np.unravel_index(explainer.maps(image, [0])[0, 0].argmax(), (8, 8)) == (1, 1)
    explainer.contrast_with([usual[:2], usual[2:]], outputs=3)
    assert explainer.reference == 4
    contrasted = explainer.maps(image, [0])[0, 0]
    assert np.unravel_index(contrasted.argmax(), (8, 8)) == (5, 6)
    assert contrasted[1, 1] == 0
    assert is_blank(explainer.maps(usual[:1], [0, 1, 2])).all()


def test_contrast_adds_up_to_the_distance_from_the_mean(network, images):
    """Signed cells of a contrasted map add up to how far the logit is from the mean one."""
    explainer = Explainer(network, images)
    explainer.contrast_with([images], outputs=14)
    with torch.no_grad():
        logits = network(images).numpy()
    up = explainer.maps(images, range(14)).sum((-1, -2))
    against = Explainer(negated(network), images)
    against.contrast_with([images], outputs=14)
    down = against.maps(images, range(14)).sum((-1, -2))
    np.testing.assert_allclose(up - down, logits - logits.mean(0), atol=2e-3, rtol=1e-3)


def negated(network: nn.Module) -> nn.Module:
    """The same network with every logit's sign turned."""
    other = copy.deepcopy(network)
    head = other.classifier if isinstance(other, models.DenseNet) else other.fc
    with torch.no_grad():
        head.weight.neg_()
        head.bias.neg_()
    return other


def test_only_gradcam_has_a_contrast():
    """A method without a sign can't be contrasted, and there must be images to do it with."""
    image = torch.rand(1, 3, 8, 8)
    with pytest.raises(ValueError, match="maps by layercam have no sign"):
        Explainer(TwoBlobs(), image, method="layercam").contrast_with([image], outputs=3)
    with pytest.raises(ValueError, match="no images to contrast with"):
        Explainer(TwoBlobs(), image).contrast_with([], outputs=3)


def test_an_enlarged_image_gives_more_cells_over_the_same_field(network, images):
    """Explaining a larger copy of the image gives finer cells, and maps of the same field."""
    fine = Explainer(network, images, stride=16, enlarge=1.5)
    maps = fine.maps(images, [0])
    assert maps.shape == (2, 1, 6, 6)
    assert fine.spacing == pytest.approx(16 / 1.5)
    assert fine.resize(maps, 64).shape == (2, 1, 64, 64)
