"""The networks: shapes, oracles, and what minibatch discrimination promises."""

import pytest
import torch
from torch.nn import functional

from sktsgan.networks import ConvDiscriminator, LSTMGenerator, MinibatchDiscrimination

SHAPES = [(1, 2, 1), (1, 3, 2), (2, 187, 4), (12, 64, 20), (1, 3000, 2)]


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bidirectional": False, "n_layers": 2, "samples_per_step": 1, "head_channels": 0},
        {"latent_dim": 0, "noise_dim": 1},
        {"noise_dim": 0},
    ],
)
def test_generator_shapes(shape, batch_size, options):
    generator = LSTMGenerator(*shape, hidden_size=6, **options)
    z = torch.randn(batch_size, generator.latent_size)
    X = generator(z, torch.zeros(batch_size, dtype=torch.long))
    assert X.shape == (batch_size, *shape[:2])
    assert torch.isfinite(X).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch_size", [5, 70])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bidirectional": False, "samples_per_step": 5},
        {"latent_dim": 0, "noise_dim": 1},
        {"noise_dim": 0, "head_channels": 0},
    ],
)
def test_signals_are_the_same_without_gradients(shape, batch_size, options):
    generator = LSTMGenerator(*shape, hidden_size=6, **options).double()
    with torch.no_grad():
        for parameter in generator.parameters():  # gates that open and close
            parameter.mul_(5)
    z = torch.randn(batch_size, generator.latent_size, dtype=torch.double)
    y = torch.arange(batch_size) % shape[2]
    expected = generator(z, y).detach()
    with torch.no_grad():
        torch.testing.assert_close(generator(z, y), expected)


class Louder(LSTMGenerator):
    def __init__(self, *shape):
        super().__init__(*shape)
        self.head.append(torch.nn.Softmax(dim=2))


def changed(*shape):
    generator = LSTMGenerator(*shape)
    generator.head.append(torch.nn.Softmax(dim=2))
    return generator


def replaced(*shape):
    generator = LSTMGenerator(*shape, head_channels=0)
    generator.head = torch.nn.Softmax(dim=2)
    return generator


@pytest.mark.parametrize("build", [Louder, changed, replaced])
def test_what_another_generator_changes_counts_without_gradients_too(build):
    generator = build(2, 32, 1)
    z, y = torch.randn(70, generator.latent_size), torch.zeros(70, dtype=torch.long)
    with torch.no_grad():
        torch.testing.assert_close(generator(z, y).sum(2), torch.ones(70, 2))


def hooked(generator):
    generator.head.register_forward_hook(lambda layer, args, signals: torch.tanh(signals))


def normalised(generator):
    torch.nn.utils.spectral_norm(generator.emit)


def dilated(generator):
    generator.head[1] = torch.nn.Conv1d(16, 16, 5, padding=4, dilation=2)


def without_bias(generator):
    generator.emit = torch.nn.Linear(128, 128, bias=False)


def nested(generator):
    generator.head = torch.nn.Sequential(generator.head)


def reflecting(generator):
    generator.head[3] = torch.nn.Conv1d(16, 2, 5, padding=2, padding_mode="reflect")


def recurrent_without_bias(generator):
    generator.lstm = torch.nn.LSTM(132, 64, batch_first=True, bidirectional=True, bias=False)


@pytest.mark.parametrize(
    "change",
    [hooked, normalised, dilated, without_bias, nested, reflecting, recurrent_without_bias],
)
def test_signals_of_changed_layers_are_the_same_without_gradients(change):
    generator = LSTMGenerator(2, 32, 3)
    change(generator)
    # a layer that makes its weight when it is called must be called
    for parameter in generator.parameters():
        parameter.data.mul_(1.5)
    z, y = torch.randn(70, generator.latent_size), torch.arange(70) % 3
    with torch.no_grad():
        drawn = generator(z, y)
    torch.testing.assert_close(drawn, generator.eval()(z, y).detach(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"minibatch_features": 0},
        {"downsample": "max", "channels": (10,), "kernel_size": 3},
        {"downsample": "max", "channels": (10, 10), "kernel_size": 3, "minibatch_features": 5},
    ],
)
def test_discriminator_shapes(shape, batch_size, options):
    discriminator = ConvDiscriminator(*shape, **options)
    scores = discriminator(
        torch.randn(batch_size, *shape[:2]), torch.zeros(batch_size, dtype=torch.long)
    )
    assert scores.shape == (batch_size,)
    assert torch.isfinite(scores).all()


def test_generator_uses_every_part_of_its_input():
    generator = LSTMGenerator(1, 32, 3, latent_dim=2, noise_dim=1)
    z = torch.randn(1, generator.latent_size, requires_grad=True)
    signals = [generator(z, torch.tensor([label])) for label in range(3)]
    signals[0].sum().backward()
    assert (z.grad != 0).all()
    assert not torch.allclose(signals[0], signals[1])


def slow_minibatch_discrimination(features, weight, n_features):
    """Write the definition down as loops."""
    points = (features @ weight).reshape(len(features), n_features, -1)
    closeness = torch.zeros(len(features), n_features, dtype=features.dtype)
    for i in range(len(features)):
        for j in range(len(features)):
            for b in range(n_features):
                if i != j:
                    distance = (points[i, b] - points[j, b]).abs().mean()
                    closeness[i, b] += torch.exp(-distance) / (len(features) - 1)
    return closeness


def test_minibatch_discrimination_against_loops():
    layer = MinibatchDiscrimination(6, 3, kernel_dim=4).double()
    features = torch.randn(7, 6, dtype=torch.float64)
    expected = slow_minibatch_discrimination(features, layer.weight, 3)
    torch.testing.assert_close(layer(features), expected)


def test_minibatch_discrimination_gradients():
    # the signs are held constant in it, which must not show in either derivative
    layer = MinibatchDiscrimination(4, 2, kernel_dim=3).double()
    features = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, features)
    assert torch.autograd.gradgradcheck(layer, features)
    expected = slow_minibatch_discrimination(features, layer.weight, 2).square().sum()
    by_loops = torch.autograd.grad(expected, [features, layer.weight])
    ours = torch.autograd.grad(layer(features).square().sum(), [features, layer.weight])
    for gradient, oracle in zip(ours, by_loops, strict=True):
        torch.testing.assert_close(gradient, oracle)


def test_minibatch_discrimination_is_alive_at_the_start():
    closeness = MinibatchDiscrimination(128, 16)(torch.randn(64, 128))
    assert 0.1 < closeness.mean() < 0.9
    assert closeness.std() > 0.01


@pytest.mark.parametrize("times", [2, 10])
def test_minibatch_discrimination_does_not_depend_on_batch_size(times):
    layer = MinibatchDiscrimination(8, 4)
    features = torch.randn(400, 8)
    few, many = layer(features[: 400 // times]).mean(0), layer(features).mean(0)
    torch.testing.assert_close(few, many, atol=0.05, rtol=0)


def test_minibatch_discrimination_of_one_row_and_of_equal_rows():
    layer = MinibatchDiscrimination(8, 4)
    row = torch.randn(1, 8)
    assert (layer(row) == 0).all()
    torch.testing.assert_close(layer(row.repeat(5, 1)), torch.ones(5, 4))
    different = layer(torch.randn(5, 8))
    assert (different < 1).all()
    assert (different > 0).all()


def test_max_pooling_is_three_wide():
    (block,) = ConvDiscriminator(1, 9, 1, channels=(4,), kernel_size=3, downsample="max").blocks
    X = torch.randn(2, 1, 9)
    before = torch.relu(block[0](X))
    expected = [before[..., max(2 * i - 1, 0) : 2 * i + 2].amax(2) for i in range(5)]
    torch.testing.assert_close(block(X), torch.stack(expected, dim=2))


@pytest.mark.parametrize("network", [LSTMGenerator, ConvDiscriminator])
def test_every_weight_takes_part(network):
    network = network(1, 32, 3)
    X = torch.randn(6, getattr(network, "latent_size", 32))
    X = X if isinstance(network, LSTMGenerator) else X[:, None]
    network(X, torch.arange(6) % 3).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad != 0).any(), name


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ConvDiscriminator(1, 32, 2, downsample="avg"), "'downsample' must be .* 'avg'"),
        (lambda: LSTMGenerator(1, 32, 2, samples_per_step=0), "'samples_per_step' must be a whole"),
        (lambda: LSTMGenerator(1, 32, 2, latent_dim=-1), "'latent_dim' must be a whole number"),
        (lambda: LSTMGenerator(1, 32, 2, head_channels=-1), "'head_channels' must be a whole"),
    ],
)
def test_sizes_that_cannot_be(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_signals_of_several_layers_are_the_same_without_gradients(seeded):
    generator = LSTMGenerator(1, 20, 2, hidden_size=6, n_layers=2).double()
    z, y = torch.randn(70, generator.latent_size, dtype=torch.double), torch.arange(70) % 2
    expected = generator(z, y).detach()
    with torch.no_grad():
        torch.testing.assert_close(generator(z, y), expected)


def test_scores_by_their_formula(seeded):
    network = ConvDiscriminator(2, 32, 3, channels=(4, 6), minibatch_features=0)
    X, y = torch.randn(5, 2, 32), torch.arange(5) % 3
    blocks = X
    for convolution, _ in network.blocks:
        weight, bias = convolution.weight, convolution.bias
        blocks = functional.conv1d(blocks, weight, bias, stride=2, padding=2)
        blocks = functional.leaky_relu(blocks, 0.2)
    features = functional.leaky_relu(network.features(blocks.flatten(1)), 0.2)
    assert features.shape == (5, 128)
    expected = features @ network.score.weight[0] + network.score.bias
    expected += (features * network.class_vectors.weight[y]).sum(1)
    torch.testing.assert_close(network(X, y), expected)
    vectors = ConvDiscriminator(1, 32, 50).class_vectors.weight
    assert vectors.std().item() == pytest.approx(128**-0.5, rel=0.1)
