"""The network registry and where weights come from."""

import pickle
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from cxr.errors import InputError
from cxr.networks import (
    NETWORKS,
    build_network,
    check_weights,
    find_network,
    make_grey,
    parameter_count,
    recompute_activations,
    set_prior_bias,
    target_layer,
    weights_mb,
)


@pytest.fixture
def densenet():
    torch.manual_seed(0)
    return build_network("densenet121").eval()


@pytest.mark.parametrize(
    ("name", "parameters", "megabytes"),
    [("densenet121", 6_968_206, 27.87), ("resnet50", 23_536_718, 94.15)],
)
def test_network_has_14_outputs_and_the_published_size(name, parameters, megabytes):
    """Each network gives 14 logits; its size is the paper's with the head replaced."""
    model = build_network(name).eval()
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 14)
    assert parameter_count(model) == parameters
    assert weights_mb(model) == pytest.approx(megabytes, abs=0.01)


@pytest.mark.parametrize("name", NETWORKS)
def test_target_layer_gives_maps_with_height_and_width(name):
    """Grad-CAM's layer is the last one whose output has a height and a width."""
    model = build_network(name).eval()
    shapes = []
    target_layer(name, model).register_forward_hook(lambda _m, _i, out: shapes.append(out.shape))
    model(torch.zeros(1, 3, 64, 64))
    assert [tuple(shape[2:]) for shape in shapes] == [(2, 2)]


def test_random_weights_follow_torch_seed():
    """Weights "none" are drawn from torch's random state, so a seed fixes them."""
    heads = []
    for _ in range(2):
        torch.manual_seed(3)
        heads.append(build_network("resnet50").fc.weight)
    assert torch.equal(*heads)


def test_unknown_network_names_the_nearest():
    """A misspelt network is answered with the nearest known name."""
    with pytest.raises(InputError, match="'densnet121' is unknown; did you mean 'densenet121'"):
        build_network("densnet121")


def test_unknown_network_without_a_near_name_lists_all():
    """A name like no other is answered with the list."""
    with pytest.raises(InputError, match="choose from densenet121, resnet50"):
        check_weights("xyz", "none")


def test_file_of_our_own_loads_whole(densenet, tmp_path):
    """A safetensors file with a 14-row head is loaded, head included."""
    path = tmp_path / "w.safetensors"
    save_file(densenet.state_dict(), path)
    loaded = build_network("densenet121", weights=path)
    for key, tensor in densenet.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)


def test_imagenet_file_keeps_body_and_renews_head(tmp_path):
    """torchvision's own file, old key names and 1,000-class head included, is a way out."""
    torch.manual_seed(1)
    original = models.densenet121()
    old = {
        key.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): tensor
        for key, tensor in original.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    path = tmp_path / "densenet121.pth"
    torch.save(old, path)
    loaded = build_network("densenet121", weights=path)
    key = "features.denseblock4.denselayer16.conv2.weight"
    assert torch.equal(loaded.state_dict()[key], original.state_dict()[key])
    assert loaded.classifier.out_features == 14


def test_torch_file_may_nest_and_prefix_its_tensors(densenet, tmp_path):
    """A state_dict under "state_dict", with DataParallel's "module." prefix, is found."""
    path = tmp_path / "w.pt"
    prefixed = {f"module.{key}": tensor for key, tensor in densenet.state_dict().items()}
    torch.save({"state_dict": prefixed}, path)
    check_weights("densenet121", path)


def test_pickle_is_refused_with_the_reason(tmp_path):
    """A file with pickled objects is refused, because unpickling could run any code."""
    path = tmp_path / "w.pt"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(InputError, match=r"w\.pt holds pickled objects.*could run any code"):
        check_weights("densenet121", path)


def test_plain_pickle_is_never_run(tmp_path):
    """A hostile pickle with a torch suffix is refused and not executed."""

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps({"weight": Trap()}, protocol=2))
    with pytest.raises(InputError, match=r"w\.pth"):
        check_weights("densenet121", path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_damaged_file_is_named(tmp_path, suffix):
    """A file of noise is named as unreadable."""
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError, match=f"noise{suffix}"):
        check_weights("densenet121", path)


def test_missing_file_says_what_may_stand_there(tmp_path):
    """A path without a file is answered with the choices."""
    with pytest.raises(InputError, match=r'there is no file .*"imagenet" or "none"'):
        check_weights("resnet50", tmp_path / "none.pt")


def test_file_without_tensors_is_refused(tmp_path):
    """A torch file of numbers holds no state_dict."""
    path = tmp_path / "w.pt"
    torch.save({"epoch": 3}, path)
    with pytest.raises(InputError, match="holds no state_dict"):
        check_weights("densenet121", path)


def test_misfit_names_the_tensors(densenet, tmp_path):
    """Weights with another head, channels or names are refused by tensor."""
    tensors = dict(densenet.state_dict())
    tensors["classifier.weight"] = torch.zeros(5, 1024)
    tensors["features.conv0.weight"] = torch.zeros(64, 1, 7, 7)
    del tensors["features.norm5.bias"]
    tensors["extra"] = torch.zeros(1)
    path = tmp_path / "w.safetensors"
    save_file(tensors, path)
    with pytest.raises(InputError) as caught:
        build_network("densenet121", weights=path)
    message = str(caught.value)
    assert "classifier.weight is (5, 1024), expected (14, 1024)" in message
    assert "features.conv0.weight is (64, 1, 7, 7), expected (64, 3, 7, 7)" in message
    assert "features.norm5.bias is missing" in message
    assert "extra is unknown" in message


def test_weights_of_another_network_name_five_tensors_and_count_the_rest(densenet, tmp_path):
    """A wholly different file does not flood the screen."""
    path = tmp_path / "w.safetensors"
    save_file(densenet.state_dict(), path)
    with pytest.raises(InputError, match=r"and \d+ more"):
        build_network("resnet50", weights=path)


def test_failed_download_tells_the_ways_out(monkeypatch):
    """Where ImageNet weights can't be downloaded, the message tells both ways out."""

    def offline(*_args, **_kwargs):
        raise URLError("no route")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(InputError) as caught:
        check_weights("resnet50", "imagenet")
    message = str(caught.value)
    assert "https://download.pytorch.org/models/resnet50-0676ba61.pth" in message
    assert "set training.weights to its path" in message
    assert 'training.weights = "none"' in message


def test_prior_bias_makes_the_head_answer_with_the_prevalence(densenet):
    """With its bias set, a head whose weights are zero answers with each prevalence."""
    prevalence = torch.linspace(0.01, 0.9, 14)
    torch.nn.init.zeros_(densenet.classifier.weight)
    set_prior_bias("densenet121", densenet, prevalence)
    answers = densenet(torch.zeros(1, 3, 32, 32)).sigmoid()[0]
    torch.testing.assert_close(answers, prevalence)


def test_torchvision_network_goes_by_name():
    """A network outside the registry gets its head replaced and its last map found."""
    model = build_network("shufflenet_v2_x0_5").eval()
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 14)
    assert target_layer("shufflenet_v2_x0_5", model) is model.conv5


def test_timm_network_goes_by_name():
    """timm's networks go by "timm:" and their name."""
    pytest.importorskip("timm")
    model = build_network("timm:resnet10t").eval()
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 14)
    with pytest.raises(InputError, match=r"timm knows no 'resnet10tt'; did you mean"):
        build_network("timm:resnet10tt")


def test_own_network_goes_by_its_import_path(tmp_path, monkeypatch):
    """A user's function is named as package.module:function."""
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def small():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),\n"
        "                         nn.Linear(4, 7))\n"
        "def headless():\n"
        "    return nn.Conv2d(3, 4, 3)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = build_network("mine:small")
    assert model(torch.zeros(2, 3, 9, 9)).shape == (2, 14)
    assert target_layer("mine:small", model) is model[0]
    with pytest.raises(InputError, match="has no linear layer"):
        build_network("mine:headless")
    with pytest.raises(InputError, match="can't be imported"):
        build_network("mine:large")
    with pytest.raises(InputError, match="mine:small has no ImageNet weights"):
        check_weights("mine:small", "imagenet")


def test_looking_at_a_network_draws_nothing_from_torch():
    """Finding head and target layer leaves torch's random state alone."""
    torch.manual_seed(4)
    find_network("shufflenet_v2_x0_5")
    after = torch.rand(1)
    torch.manual_seed(4)
    assert torch.equal(after, torch.rand(1))


@pytest.mark.parametrize("name", ["densenet121", "resnet50", "convnext_tiny"])
def test_one_channel_is_the_sum_of_three(name):
    """On a grey image the summed convolution gives what the three channels gave."""
    torch.manual_seed(0)
    model = build_network(name).eval()
    stem = next(m for m in model.modules() if isinstance(m, torch.nn.Conv2d))
    grey_image = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        expected = stem(grey_image.expand(-1, 3, -1, -1))
        key = make_grey(name, model)
        grey = next(m for m in model.modules() if isinstance(m, torch.nn.Conv2d))
        torch.testing.assert_close(grey(grey_image), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            model(grey_image), model(grey_image.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5
        )
    assert model.get_parameter(key).shape[1] == 1


def test_one_channel_takes_weights_of_three_and_its_own(densenet, tmp_path):
    """A file of three channels is summed; a checkpoint of one channel loads as it is."""
    colour, grey = tmp_path / "colour.safetensors", tmp_path / "grey.safetensors"
    save_file(densenet.state_dict(), colour)
    model = build_network("densenet121", weights=colour, channels=1)
    key = "features.conv0.weight"
    torch.testing.assert_close(
        model.state_dict()[key], densenet.state_dict()[key].sum(dim=1, keepdim=True)
    )
    save_file(model.state_dict(), grey)
    again = build_network("densenet121", weights=grey, channels=1)
    assert torch.equal(again.state_dict()[key], model.state_dict()[key])
    with pytest.raises(InputError, match=r"features\.conv0\.weight is \(64, 1, 7, 7\), expected"):
        build_network("densenet121", weights=grey)


def test_recomputing_gives_the_same_gradient():
    """Gradient checkpointing changes memory, not the gradient."""
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        model = build_network("densenet121").train()
        if recompute:
            recompute_activations("densenet121", model)
        model(torch.ones(2, 3, 32, 32) * torch.arange(2).view(2, 1, 1, 1)).sum().backward()
        gradients.append(model.get_parameter("features.conv0.weight").grad)
    torch.testing.assert_close(*gradients)


def test_recomputing_is_refused_where_a_network_can_not():
    """ResNet-50 keeps its activations, and says what else saves memory."""
    with pytest.raises(InputError, match=r"'resnet50' can't recompute .* training.accumulate"):
        recompute_activations("resnet50", build_network("resnet50"))
