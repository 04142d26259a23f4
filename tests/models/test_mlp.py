import numpy as np
import pytest
import torch

from flatminima.models.mlp import MLP

MODEL = MLP((2, 5, 4, 3))


def reference(vector: np.ndarray) -> torch.nn.Sequential:
    """The same network from torch's own layers."""
    layers: list[torch.nn.Module] = []
    start = 0
    for fan_in, fan_out in zip(MODEL.widths, MODEL.widths[1:], strict=False):
        layer = torch.nn.Linear(fan_in, fan_out)
        for parameter in (layer.weight, layer.bias):
            stop = start + parameter.numel()
            values = torch.from_numpy(vector[start:stop]).view_as(parameter)
            parameter.data = values
            start = stop
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def test_an_ensemble_equals_torchs_own_networks_one_at_a_time():
    vectors = MODEL.initialise(0, range(4))
    inputs = torch.randn(7, 2)
    together = MODEL.logits(torch.from_numpy(vectors), inputs)
    assert together.shape == (4, 7, 3)
    for vector, logits in zip(vectors, together, strict=True):
        torch.testing.assert_close(logits, reference(vector)(inputs), rtol=1e-5, atol=1e-6)


def test_the_papers_network_has_the_papers_parameter_counts():
    layout = MLP((2, 23, 16, 26, 32, 28, 31, 1)).layout
    assert layout.size == 3614
    assert sum(stop - start for start, stop in layout.filters) == 3457


def test_filters_are_the_incoming_weights_of_each_unit():
    vector = torch.arange(MODEL.layout.size, dtype=torch.float32)[None]
    views = MODEL.layout.views(vector)
    rows = [row for name in ("0.weight", "1.weight", "2.weight") for row in views[name][0]]
    spans = [vector[0, start:stop] for start, stop in MODEL.layout.filters]
    assert [row.tolist() for row in rows] == [span.tolist() for span in spans]


def test_initial_weights_depend_on_the_address_alone():
    np.testing.assert_array_equal(
        MODEL.initialise(5, range(2, 4)), MODEL.initialise(5, range(6))[2:4]
    )
    assert (MODEL.initialise(5, range(1)) != MODEL.initialise(6, range(1))).any()


def test_initial_weights_fill_the_bounds_of_their_layer():
    wide = MLP((16, 400, 1))
    views = wide.layout.views(torch.from_numpy(wide.initialise(0, range(1))))
    for name, fan_in in (("0.weight", 16), ("0.bias", 16), ("1.weight", 400)):
        bound = 1 / np.sqrt(fan_in)
        values = views[name]
        assert bound * 0.98 < values.abs().max() <= bound
        assert values.std().item() == pytest.approx(bound / np.sqrt(3), rel=0.1)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"expected \(networks, 54\)"):
        MODEL.logits(torch.zeros(1, 53), torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"expected \(points, 2\)"):
        MODEL.logits(torch.zeros(1, 54), torch.zeros(3, 4))
