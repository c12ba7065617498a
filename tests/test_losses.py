"""The losses against their closed forms, and what every one of them must reward."""

import math

import pytest
import torch

from sktsgan import losses

ALL = ["relativistic", "bce", "hinge", "wasserstein", "least_squares"]


@pytest.mark.parametrize("name", ALL)
def test_loss_rewards_the_right_player(name):
    loss = getattr(losses, name)
    good_discriminator = loss(torch.full((8,), 0.5), torch.full((8,), -0.5))
    bad_discriminator = loss(torch.full((8,), -0.5), torch.full((8,), 0.5))
    assert good_discriminator[0] < bad_discriminator[0]
    assert good_discriminator[1] > bad_discriminator[1]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_loss_is_finite(name, value):
    for part in getattr(losses, name)(torch.full((1,), value), torch.full((1,), -value)):
        assert part.shape == ()
        assert torch.isfinite(part)


def test_closed_forms():
    real, fake = torch.tensor([0.3, -1.2]), torch.tensor([0.9, 0.4])

    def mean(function):
        pairs = zip(real.tolist(), fake.tolist(), strict=True)
        return sum(function(r, f) for r, f in pairs) / 2

    def log1pexp(value):
        return math.log(1 + math.exp(value))

    expected = {
        "relativistic": (mean(lambda r, f: log1pexp(f - r)), mean(lambda r, f: log1pexp(r - f))),
        "bce": (
            mean(lambda r, f: (log1pexp(-r) + log1pexp(f)) / 2),
            mean(lambda r, f: log1pexp(-f)),
        ),
        "hinge": (mean(lambda r, f: max(0, 1 - r) + max(0, 1 + f)), mean(lambda r, f: -f)),
        "wasserstein": (mean(lambda r, f: f - r), mean(lambda r, f: -f)),
        "least_squares": (
            mean(lambda r, f: ((r - 1) ** 2 + f**2) / 2),
            mean(lambda r, f: (f - 1) ** 2 / 2),
        ),
    }
    for name, values in expected.items():
        ours = [float(part) for part in getattr(losses, name)(real, fake)]
        assert ours == pytest.approx(values, rel=1e-5), name


def test_gradient_penalty_of_a_quadratic():
    # D(x) = |x|^2 has the gradient 2 x
    X = torch.randn(6, 2, 5, requires_grad=True)
    penalty = losses.gradient_penalty(X.square().sum((1, 2)), X)
    torch.testing.assert_close(penalty, 4 * X.square().sum((1, 2)).mean())


def test_gradient_penalty_can_be_differentiated():
    weight = torch.tensor([2.0, 3.0], requires_grad=True)
    X = torch.randn(4, 2, requires_grad=True)
    penalty = losses.gradient_penalty(X @ weight, X)
    penalty.backward()
    assert penalty.item() == pytest.approx(13)
    torch.testing.assert_close(weight.grad, 2 * weight.detach())
