"""MMD against independent oracles, and the laws it must obey."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist
from sklearn.metrics.pairwise import rbf_kernel

from sktsgan.metrics import _mmd, maximum_mean_discrepancy, mmd_permutation_test
from sktsgan.metrics._mmd import median_bandwidth


def slow_mmd(X, Y, bandwidth, biased):
    """Write the definition down as loops."""

    def kernel(a, b):
        square = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
        factors = (0.25, 0.5, 1, 2, 4)
        return sum(math.exp(-c * square / (2 * bandwidth**2)) for c in factors) / 5

    def mean(rows, columns, skip):
        values = [
            kernel(a, b)
            for i, a in enumerate(rows)
            for j, b in enumerate(columns)
            if not (skip and i == j)
        ]
        return sum(values) / len(values)

    return mean(X, X, not biased) + mean(Y, Y, not biased) - 2 * mean(X, Y, False)


@pytest.mark.parametrize("biased", [False, True])
def test_against_loops(rng, biased):
    X, Y = rng.normal(size=(9, 4)), rng.normal(0.5, 2, size=(7, 4))
    bandwidth = float(np.median(pdist(X)))
    expected = slow_mmd(X.tolist(), Y.tolist(), bandwidth, biased)
    assert maximum_mean_discrepancy(X, Y, biased=biased) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n_real", [30, 1500])
def test_against_scikit_learn(rng, n_real):
    # 1500 rows need more than one tile
    X, Y = rng.normal(size=(n_real, 6)), rng.normal(0.3, 1, size=(1200, 6))
    bandwidth = float(np.median(pdist(X)))
    expected = 0.0
    for c in (0.25, 0.5, 1, 2, 4):
        gamma = c / (2 * bandwidth**2)
        within = [
            (rbf_kernel(A, gamma=gamma).sum() - len(A)) / (len(A) * (len(A) - 1)) for A in (X, Y)
        ]
        expected += (sum(within) - 2 * rbf_kernel(X, Y, gamma=gamma).mean()) / 5
    assert maximum_mean_discrepancy(X, Y) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=30)
@given(scale=st.floats(-150, 149), offset=st.floats(-5, 5), seed=st.integers(0, 99))  # below 1e150
def test_scale_offset_and_order_do_not_matter(scale, offset, seed):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(20, 5)), rng.normal(1, 1, size=(15, 5))
    expected = maximum_mean_discrepancy(X, Y)
    factor = 10.0**scale
    moved = maximum_mean_discrepancy(
        factor * (X[::-1] + offset), factor * (rng.permutation(Y) + offset)
    )
    assert moved == pytest.approx(expected, abs=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), bandwidth=st.floats(0.1, 10))
def test_symmetry_and_bounds_for_a_given_bandwidth(seed, bandwidth):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(12, 3)), rng.exponential(size=(8, 3))
    there = maximum_mean_discrepancy(X, Y, bandwidth=bandwidth)
    back = maximum_mean_discrepancy(Y, X, bandwidth=bandwidth)
    assert there == pytest.approx(back, abs=1e-6)
    assert -1e-6 <= maximum_mean_discrepancy(X, Y, bandwidth=bandwidth, biased=True) <= 2


def test_the_unbiased_mean_over_draws_is_zero(rng):
    values = [
        maximum_mean_discrepancy(*rng.normal(size=(2, 20, 3)), bandwidth=2.0) for _ in range(400)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20
    biased = maximum_mean_discrepancy(*rng.normal(size=(2, 20, 3)), biased=True)
    assert biased > 0


def test_grows_with_noise_and_ranks_real_beats_first(beats):
    X, y = beats
    normal, ventricular = X[y == "N"].astype(float), X[y == "V"]
    rng = np.random.default_rng(0)
    reference, held_out = normal[:200], normal[200:]
    noise = rng.normal(size=held_out.shape)
    values = [
        maximum_mean_discrepancy(reference, held_out + level * noise)
        for level in (0, 0.1, 0.3, 1.0)
    ]
    assert values == sorted(values)
    assert values[0] < 0.02
    assert maximum_mean_discrepancy(reference, ventricular) > 0.1
    repeated = np.repeat(held_out[:1], 200, axis=0)
    assert maximum_mean_discrepancy(reference, repeated) > 0.1


def test_three_axes_and_containers(rng):
    X, Y = rng.normal(size=(2, 10, 2, 4))
    flat = maximum_mean_discrepancy(X.reshape(10, 8), Y.reshape(10, 8))
    assert maximum_mean_discrepancy(X, Y) == flat
    assert maximum_mean_discrepancy(X.tolist(), Y.tolist()) == flat


def test_columns_of_two_tables_are_the_same(rng):
    X, Y = (pd.DataFrame(rng.normal(size=(9, 3)), columns=list("abc")) for _ in range(2))
    expected = maximum_mean_discrepancy(X.to_numpy(), Y.to_numpy())
    assert maximum_mean_discrepancy(X, Y) == maximum_mean_discrepancy(X, Y.to_numpy()) == expected
    message = "must have the same columns in the same order. Got 'b' and 'c' in place 1"
    with pytest.raises(ValueError, match=message):
        maximum_mean_discrepancy(X, Y[["a", "c", "b"]])


def test_a_device_without_longer_numbers(rng):
    class OnApple(torch.Tensor):
        device = torch.device("mps")

        def double(self):
            raise TypeError("Cannot convert a MPS Tensor to float64")

        def cpu(self):
            return self.as_subclass(torch.Tensor)

    X, Y = (torch.from_numpy(rng.normal(size=(30, 4)).astype(np.float32)) for _ in range(2))
    moved = X.as_subclass(OnApple), Y.as_subclass(OnApple)
    assert maximum_mean_discrepancy(*moved) == maximum_mean_discrepancy(X, Y)


def test_bandwidth_of_degenerate_sets():
    assert median_bandwidth(np.zeros((5, 3))) == 1.0
    assert median_bandwidth(np.full((5, 4), 3.0)) == pytest.approx(6.0)
    mostly_equal = np.zeros((9, 1))
    mostly_equal[0] = 4.0
    assert 0 < median_bandwidth(mostly_equal) < 4
    same = maximum_mean_discrepancy(np.ones((4, 3)), np.ones((5, 3)))
    assert same == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("X", "Y", "options", "message"),
    [
        (np.ones((3, 4)), np.ones((3, 5)), {}, "same number of timepoints. Got 4 and 5"),
        (np.ones((3, 2, 4)), np.ones((3, 4, 2)), {}, r"channels and .* Got \(2, 4\) and \(4, 2\)"),
        (np.ones((3, 2, 4)), np.ones((3, 2, 5)), {}, r"channels and .* Got \(2, 4\) and \(2, 5\)"),
        (np.ones((1, 4)), np.ones((3, 4)), {}, "'X_real' must have at least 2 rows. Got 1"),
        (np.ones((3, 4)), np.ones((0, 4)), {}, "'X_synthetic' must have at least 2 rows"),
        (np.ones((3, 4)), np.full((3, 4), np.nan), {}, "'X_synthetic' must be finite"),
        (np.ones((3, 4)), np.full((3, 4), 1e160), {}, "'X_synthetic' must hold numbers whose"),
        (np.full((3, 4), 1e-160), np.ones((3, 4)), {}, "'X_real' must hold .* Got smaller ones"),
        (np.ones((3, 0)), np.ones((3, 0)), {}, r"at least one time point. Got \(3, 0\)"),
        (np.ones((3, 0, 5)), np.ones((3, 5)), {}, r"at least one time point. Got \(3, 0, 5\)"),
        (np.ones(4), np.ones((3, 4)), {}, r"'X_real' must be of shape .* Got \(4,\)"),
        (np.ones((3, 4)), np.ones((3, 4)), {"bandwidth": 0}, "'bandwidth' must be .* Got 0"),
        (np.eye(4), np.eye(4), {"bandwidth": 1e-154}, "'bandwidth' must not be .* Got 1e-154"),
        (np.eye(4), np.eye(4), {"bandwidth": 5e-324}, "'bandwidth' must not be .* Got 5e-324"),
        (
            torch.ones(3, 4) + 1j,
            np.ones((3, 4)),
            {},
            "'X_real' must hold real numbers. Got torch.com",
        ),
        (
            np.ones((3, 4)),
            torch.eye(4).to_sparse(),
            {},
            "'X_synthetic' must be dense. Got a sparse",
        ),
        ([[1, 2], [3]], np.ones((3, 2)), {}, "'X_real' must have rows of one length. Row 1 is"),
    ],
)
def test_bad_input(X, Y, options, message):
    with pytest.raises(ValueError, match=message):
        maximum_mean_discrepancy(X, Y, **options)
    with pytest.raises(ValueError, match=message):
        mmd_permutation_test(X, Y, **options)


def test_value_and_error_of_blocks_against_numpy(rng):
    X, Y = rng.normal(size=(2, 20, 3))
    value, error = maximum_mean_discrepancy(
        X, Y, bandwidth=2.0, estimator="blocks", return_standard_error=True
    )
    order = np.random.default_rng(0)
    orders = [order.permutation(20) for _ in range(2)]
    values = [
        maximum_mean_discrepancy(
            *(A[np.sort(o[i::10])] for A, o in zip((X, Y), orders, strict=True)), bandwidth=2.0
        )
        for i in range(10)
    ]
    assert value == pytest.approx(np.mean(values))
    assert error == pytest.approx(np.std(values, ddof=1) / 10**0.5)


def test_blocks_of_very_unequal_sets_are_no_larger(rng, monkeypatch):
    """Two blocks alone of four rows: all pairs of a half of the others would take the square."""
    monkeypatch.setattr(_mmd, "_BLOCK", 10)
    X, Y = rng.normal(size=(400, 3)), rng.normal(size=(4, 3))
    value = maximum_mean_discrepancy(X, Y, bandwidth=2.0, estimator="blocks")
    order = np.random.default_rng(0)
    orders = [order.permutation(n) for n in (400, 4)]
    values = [
        maximum_mean_discrepancy(X[orders[0][i::2][:20]], Y[orders[1][i::2]], bandwidth=2.0)
        for i in range(2)
    ]
    assert value == pytest.approx(np.mean(values))


@pytest.mark.parametrize("sizes", [(4, 4), (9, 4), (4, 9)])
def test_exact_up_to_the_size_that_is_documented(rng, monkeypatch, sizes):
    assert _mmd._MAX_EXACT == 20_000
    monkeypatch.setattr(_mmd, "_MAX_EXACT", 4)
    X, Y = (rng.normal(size=(n, 3)) for n in sizes)
    error = maximum_mean_discrepancy(X, Y, return_standard_error=True).standard_error
    assert (error == 0) == (max(sizes) <= 4)


@pytest.mark.parametrize("spread", [1e-3, 1])
def test_a_set_that_is_far_away(rng, spread):
    """Its own distances are not drowned by the one to the other set."""
    X, Y = rng.normal(size=(60, 20)), spread * rng.normal(size=(40, 20))
    expected = maximum_mean_discrepancy(X, 1e4 + Y, bandwidth=5.0)
    # numbers near 1e8 are a few 1e-8 apart
    assert maximum_mean_discrepancy(X, 1e8 + Y, bandwidth=5.0) == pytest.approx(expected, abs=1e-5)


def test_biased_is_never_below_zero(rng):
    X = rng.normal(size=(300, 128))
    for _ in range(20):
        assert 0 <= maximum_mean_discrepancy(X, rng.permutation(X), biased=True) < 1e-8


@pytest.mark.parametrize("distance", [1e4, 1e7, 1e9])
def test_groups_of_rows_far_from_each_other(rng, distance):
    X, Y = rng.normal(scale=0.5, size=(2, 100, 4))
    X[60:] += distance
    Y[60:] += distance + 0.7

    def kernel(a, b):  # by subtraction
        squares = cdist(a, b, "sqeuclidean")
        return sum(np.exp(-c * squares / 2) for c in (0.25, 0.5, 1, 2, 4)).sum() / 5

    expected = (kernel(X, X) + kernel(Y, Y) - 200) / 9900 - 2 * kernel(X, Y) / 10000
    assert maximum_mean_discrepancy(X, Y, bandwidth=1.0) == pytest.approx(expected, abs=1e-8)


def test_ten_blocks(rng, monkeypatch):
    sizes = []
    monkeypatch.setattr(_mmd, "_discrepancy", lambda X, *args, **_: sizes.append(len(X)) or 0.0)
    maximum_mean_discrepancy(*rng.normal(size=(2, 400, 3)), estimator="blocks")
    assert sizes == [40] * 10


def test_sums_do_not_hang_on_the_number_of_threads():
    kernels = torch.rand((20, 300, 400), generator=torch.Generator().manual_seed(0))
    before, sums = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            sums.append([float(_mmd._sum_of_powers(kernel.clone())) for kernel in kernels])
    finally:
        torch.set_num_threads(before)
    assert sums[0] == sums[1] == sums[2]


def test_what_is_biased_is_exact_however_many_rows_there_are(rng, monkeypatch):
    monkeypatch.setattr(_mmd, "_MAX_EXACT", 4)
    X, Y = rng.normal(size=(2, 30, 3))
    expected = maximum_mean_discrepancy(X, Y, biased=True, estimator="exact")
    assert maximum_mean_discrepancy(X, Y, biased=True) == expected


def test_two_groups_a_hundred_bandwidths_apart(rng):
    def mean_kernel(X, Y):
        squares = cdist(X, Y, "sqeuclidean")
        return sum(np.exp(-factor * squares / 2) for factor in (0.25, 0.5, 1, 2, 4)).sum() / 5

    X, Y = rng.normal(scale=0.5, size=(2, 100, 4))
    X[60:] += 100
    Y[60:] += 100.7
    expected = (mean_kernel(X, X) + mean_kernel(Y, Y) - 200) / 9900 - mean_kernel(X, Y) / 5000
    assert maximum_mean_discrepancy(X, Y, bandwidth=1.0) == pytest.approx(expected, abs=1e-8)
