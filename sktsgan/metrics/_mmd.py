"""Maximum mean discrepancy between real and synthetic signals."""

import numbers
from typing import NamedTuple

import numpy as np
import torch
from sklearn.utils import check_random_state

from sktsgan._arguments import check_whole
from sktsgan._arrays import spread_places, take
from sktsgan.metrics._rows import as_tensor, check_groups, check_pair

# Gamma of the five kernels as multiples of 1 / (2 bandwidth^2). Each is twice the one before,
# so that each kernel is the square of the one before and one exponential serves all five.
_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
# Rows and columns of a tile: small enough for a core's cache, large enough for BLAS.
_N_ROWS, _N_COLUMNS = 1024, 512
# Half the squared, scaled distance from the centre (some 45 bandwidths) beyond which float32 would
# lose the differences between rows.
_FAR = 256
# The same where sums of two would no longer be finite.
_FARTHEST = 1e300
# From there on products of float64 are rounded by more than 1e-10.
_FAR_IN_DOUBLE = 1e5
# Rows of the larger set up to which all pairs are taken by default.
_MAX_EXACT = 20_000
# Rows of a block of the cheaper estimator.
_BLOCK = 1000
# Rows from which the default bandwidth and the centre are taken.
_MAX_ROWS = 2000


class MMDEstimate(NamedTuple):
    """MMD^2 and its standard error."""

    value: float
    standard_error: float


class MMDTest(NamedTuple):
    """MMD^2 and the p-value of a permutation test."""

    statistic: float
    p_value: float


def maximum_mean_discrepancy(
    X_real,
    X_synthetic,
    *,
    biased=False,
    bandwidth=None,
    estimator="auto",
    return_standard_error=False,
):
    r"""Squared maximum mean discrepancy (MMD^2) between real and synthetic signals.

    .. math:: \mathrm{MMD}^2 = \overline{k(x, x')} + \overline{k(y, y')} - 2\,\overline{k(x, y)}

    over pairs of real rows :math:`x` and synthetic rows :math:`y` [1]_. The kernel is the mean
    of five Gaussian kernels :math:`\exp(-c\,d^2 / 2m^2)` with c = 1/4, 1/2, 1, 2, 4, where
    :math:`d` is the Euclidean distance and :math:`m` the bandwidth: by default the median
    distance between the real rows alone. So the figure does not change when both sets are
    multiplied by the same number, and figures for different synthetic sets can be compared. It
    hardly sees a channel whose numbers are far smaller than another's: divide each by its standard
    deviation where they are in different units.

    0 means that no difference was seen, 2 is the largest value possible; lower is better.
    Compare with rows that were held out of training: interpolations between training rows
    come closer to these than new real rows do.

    Parameters
    ----------
    X_real : array-like of shape (n_real, n_features) or (n_real, n_channels, n_timepoints)
        Real rows, the reference: a numpy array, also a memory-mapped one, a Dask or Zarr array, or
        a torch tensor, on whose device the sums are then computed.
    X_synthetic : array-like of shape (n_synthetic, ...)
        Synthetic rows, in the same unit and of the same shape.
    biased : bool, default=False
        False leaves the pairs of a row with itself out (U-statistic): the mean over draws is
        then exact, and a value may be slightly negative. True counts them (V-statistic): the
        value is at least 0, and too high for few rows.
    bandwidth : float, default=None
        The bandwidth m, in the unit of the rows; by default the median distance between rows of
        `X_real`, at most 2,000 drawn by a fixed seed. With one a thousand times as large, values
        are a million times smaller, and those below 1e-8 no more than rounding.
    estimator : {"auto", "exact", "blocks"}, default="auto"
        "exact" takes all pairs, in tiles: memory does not grow with the rows, time with their
        square. "blocks" takes the mean over ten blocks, or more where each would have far above
        1,000 rows of the larger set, with their share of the other, in an order drawn by a fixed
        seed [2]_: time grows with the rows, for millions of them, and the value scatters by the
        standard error around the exact one. A block has at least two rows of the smaller set, so
        that there may be fewer blocks, and no more than 2,000 of the larger. "auto" is exact up to
        20,000 rows, and where `biased` is set.
    return_standard_error : bool, default=False
        Return the standard error too, which is 0 where all pairs were taken.

    Returns
    -------
    float or MMDEstimate
        MMD^2, without unit; with `return_standard_error` a named tuple ``(value,
        standard_error)``.

    Raises
    ------
    ValueError
        If a set has fewer than two rows (one when `biased`), or too few for two blocks, the rows
        differ in shape or are not finite, or an argument has no such value.

    References
    ----------
    .. [1] A. Gretton et al., "A kernel two-sample test", JMLR 13:723-773, 2012.
    .. [2] W. Zaremba, A. Gretton, M. Blaschko, "B-tests: low variance kernel two-sample tests",
       NeurIPS 2013, arXiv:1307.1954.

    Examples
    --------
    >>> import numpy as np
    >>> from sktsgan.metrics import maximum_mean_discrepancy
    >>> rng = np.random.default_rng(0)
    >>> X_real, X_same, X_noisier = (s * rng.normal(size=(300, 50)) for s in (1, 1, 2))
    >>> abs(maximum_mean_discrepancy(X_real, X_same)) < 0.01
    True
    >>> maximum_mean_discrepancy(X_real, X_noisier) > 0.1
    True
    """
    if estimator not in ("auto", "exact", "blocks"):
        raise ValueError(f"'estimator' must be 'auto', 'exact' or 'blocks'. Got {estimator!r}.")
    if biased and estimator == "blocks":
        raise ValueError("'biased' must be False with estimator='blocks'. Got True.")
    X_real, X_synthetic = check_pair(X_real, X_synthetic, min_rows=1 if biased else 2)
    bandwidth = _check_bandwidth(bandwidth, X_real)
    few = biased or max(len(X_real), len(X_synthetic)) <= _MAX_EXACT
    if estimator == "exact" or (estimator == "auto" and few):
        estimate = MMDEstimate(_discrepancy(X_real, X_synthetic, bandwidth, biased), 0.0)
    else:
        estimate = _mean_over_blocks(X_real, X_synthetic, bandwidth)
    return estimate if return_standard_error else estimate.value


def mmd_permutation_test(
    X_real,
    X_synthetic,
    *,
    n_permutations=1000,
    groups=None,
    bandwidth=None,
    random_state=None,
):
    r"""Test whether real and synthetic signals could come from one distribution.

    The labels "real" and "synthetic" are permuted, and MMD^2 is computed anew for each
    permutation. With b of P permutations at least as large as the observed value,
    :math:`p = (1 + b) / (1 + P)`: never 0, and at most the level in that share of tests in
    which both sets do come from one distribution.

    All permutations are computed at once, as products of the kernel matrix with the permuted
    labels; the matrix has (n_real + n_synthetic)^2 entries of 4 bytes, or of 8 where a row lies
    beyond some 45 bandwidths, and three copies of it are needed.

    Parameters
    ----------
    X_real : array-like of shape (n_real, ...)
        Real rows.
    X_synthetic : array-like of shape (n_synthetic, ...)
        Synthetic rows.
    n_permutations : int, default=1000
        Number of permutations P.
    groups : array-like of shape (n_real + n_synthetic,), default=None
        Groups (patients) of the real rows and then of the synthetic ones. Where given, whole
        groups change sides: rows of one patient resemble each other, and permuting them one by
        one would find differences where there are none. A group must be on one side only.
    bandwidth : float, default=None
        As in :func:`maximum_mean_discrepancy`; by default the median distance between the rows
        of *both* sets, so that it does not change with the labels.
    random_state : int, RandomState instance or None, default=None
        Seeds the permutations.

    Returns
    -------
    MMDTest
        Named tuple ``(statistic, p_value)``: the unbiased MMD^2 and p.

    Raises
    ------
    ValueError
        If a set has fewer than two rows, rows differ in shape or are not finite, or an argument
        has no such value.

    Examples
    --------
    >>> import numpy as np
    >>> from sktsgan.metrics import mmd_permutation_test
    >>> rng = np.random.default_rng(0)
    >>> X_real, X_noisier = rng.normal(size=(50, 9)), 3 * rng.normal(size=(60, 9))
    >>> mmd_permutation_test(X_real, X_noisier, n_permutations=99, random_state=0).p_value
    0.01
    """
    X_real, X_synthetic = check_pair(X_real, X_synthetic, min_rows=2)
    options = {"groups": groups, "bandwidth": bandwidth, "rng": check_random_state(random_state)}
    values, size = permuted_discrepancies(X_real, X_synthetic, n_permutations, **options)
    # With few groups many permutations are the given split again, but for the rounding, a share of
    # the kernel. It is less where sums have more terms, and so is what values differ by.
    rounding = 2e-6 * size * min(1.0, 100 / min(len(X_real), len(X_synthetic)))
    b = int((values[1:] >= values[0] - rounding).sum())
    return MMDTest(float(values[0]), (1 + b) / (1 + n_permutations))


def permuted_discrepancies(
    X_real, X_synthetic, n_permutations, *, groups=None, bandwidth=None, rng
):
    """Compute MMD^2 for the true labels and for permuted ones.

    Parameters
    ----------
    X_real : ndarray of shape (n_real, n_features)
        Real rows.
    X_synthetic : ndarray of shape (n_synthetic, n_features)
        Synthetic rows.
    n_permutations : int
        Number of permutations.
    groups : array-like of shape (n_real + n_synthetic,), default=None
        As in :func:`mmd_permutation_test`.
    bandwidth : float, default=None
        By default the median distance between the rows of both sets.
    rng : numpy.random.RandomState
        Permutes.

    Returns
    -------
    values : ndarray of shape (1 + n_permutations,)
        MMD^2, that of the true labels first.
    size : float
        Mean size of what is added up for them.

    Raises
    ------
    ValueError
        If an argument has no such value.
    """
    check_whole("n_permutations", n_permutations)
    rows = torch.cat([as_tensor(X) for X in (X_real, X_synthetic)])
    bandwidth = _check_bandwidth(bandwidth, rows)
    is_real = np.arange(len(rows)) < len(X_real)
    labels = _permute(is_real, groups, n_permutations, rng)
    kernel = _kernel_matrix(rows, bandwidth)
    return _discrepancies(kernel, labels).numpy(), float(kernel.mean(dtype=torch.float64).abs())


def median_bandwidth(X_real):
    """Median Euclidean distance between real rows, the kernel's bandwidth.

    Parameters
    ----------
    X_real : ndarray or Tensor of shape (n_real, n_features) or (n_real, n_channels, n_timepoints)
        Real rows, checked; of more than 2,000, one of each of this many equal parts is used, drawn
        by a fixed seed.

    Returns
    -------
    float
        The median; where it is 0, the mean distance; where all rows are equal, the norm of a
        row, or 1 where that is 0 too. Always above 0, and in proportion to the rows' scale.
    """
    rows = _some_rows(X_real).flatten(1)
    # in units of the largest value, squares neither overflow nor vanish
    largest = float(rows.abs().max()) or 1.0
    rows = rows / largest
    distances = torch.nn.functional.pdist(rows) if len(rows) > 1 else torch.zeros(1)
    median, mean = float(np.median(distances.cpu())), float(distances.mean())
    return largest * (median or mean or float(rows[0].norm()) or 1.0)


def _some_rows(X):
    """Return all rows, or one at random of each of 2,000 equal parts, in float64."""
    return as_tensor(take(X, spread_places(len(X), _MAX_ROWS)))


def _check_bandwidth(bandwidth, X):
    if bandwidth is None:
        return median_bandwidth(X)
    if not (isinstance(bandwidth, numbers.Real) and 0 < bandwidth < np.inf):
        raise ValueError(f"'bandwidth' must be a finite number above 0. Got {bandwidth!r}.")
    return float(bandwidth)


def _discrepancy(X_real, X_synthetic, bandwidth, biased):
    """Compute MMD^2 from all pairs."""
    # Each set around its own middle, as where they are far apart squares would drown distances.
    # The median row is one that an outlier does not move away from all others.
    center = _some_rows(X_real).median(0).values
    other = _some_rows(X_synthetic).median(0).values.to(center.device)
    means = []
    for X, own in ((X_real, center), (X_synthetic, other)):
        total, n = _sum_of_kernel(X, None, (own, bandwidth)), len(X)
        means.append((total + n) / n**2 if biased else total / (n * (n - 1)))
    between = _sum_of_kernel(X_real, X_synthetic, (center, bandwidth))
    value = sum(means) - 2 * between / (len(X_real) * len(X_synthetic))
    return float(max(value, 0.0) if biased else value)  # but for rounding it is no less


def _mean_over_blocks(X_real, X_synthetic, bandwidth):
    n_blocks = max(len(X_real), len(X_synthetic)) // _BLOCK
    n_blocks = min(max(n_blocks, 10), len(X_real) // 2, len(X_synthetic) // 2)
    if n_blocks < 2:
        raise ValueError(
            "'X_real' and 'X_synthetic' must have at least 4 rows each with estimator='blocks', or "
            f"where one has more than {_MAX_EXACT:,}. Got {len(X_real)} and {len(X_synthetic)}; "
            "set estimator='exact'."
        )
    rng, values = np.random.default_rng(0), []
    orders = [rng.permutation(len(X)) for X in (X_real, X_synthetic)]
    for i in range(n_blocks):
        block = (
            take(X, np.sort(order[i::n_blocks][: 2 * _BLOCK]))
            for X, order in zip((X_real, X_synthetic), orders, strict=True)
        )
        values.append(_discrepancy(*block, bandwidth, biased=False))
    return MMDEstimate(float(np.mean(values)), float(np.std(values, ddof=1) / n_blocks**0.5))


def _sum_of_kernel(X, Y, scaling):
    """Sum the kernel over all pairs of rows, or, without `Y`, of two different rows of `X`.

    Within one set the kernel is symmetric: what is above the diagonal counts twice.
    """
    within = Y is None
    Y = X if within else Y
    total = torch.zeros((), dtype=torch.float64, device=scaling[0].device)
    for i in range(0, len(X), _N_ROWS):
        rows = _prepare(X[i : i + _N_ROWS], *scaling)
        for j in range(i if within else 0, len(Y), _N_COLUMNS):
            columns = _prepare(Y[j : j + _N_COLUMNS], *scaling, flip=True)
            kernel = _exponents(rows, columns).exp_()
            if within and j < i + _N_ROWS:  # the diagonal crosses this tile
                kernel.triu_(i - j + 1)
            total += (2 if within else 1) * _sum_of_powers(kernel)
    return float(total) / len(_FACTORS)


def _prepare(X, center, bandwidth, *, flip=False):
    """Return rows such that the product of two of them is an exponent of the first kernel.

    With x scaled by the square root of its gamma, -|x - y|^2 / 2 = x y - |x|^2 / 2 - |y|^2 / 2;
    the two norms ride along as two more columns, in the other order where `flip` is set.
    """
    rows = (as_tensor(X).to(center.device) - center) * (_FACTORS[0] ** 0.5 / bandwidth)
    norms = rows.square().sum(1, keepdim=True) / -2
    ones = torch.ones_like(norms)
    rows = torch.cat([rows, *([ones, norms] if flip else [norms, ones])], dim=1)
    farthest = float(norms.min())
    if not farthest > -_FARTHEST:
        raise ValueError(
            "'bandwidth' must not be so small that squares of rows over it are infinite. "
            f"Got {bandwidth!r}, by default the median distance; leave out rows that are far off."
        )
    return rows if farthest < -_FAR else rows.float()


def _exponents(rows, columns):
    if rows.dtype != columns.dtype:
        rows, columns = rows.double(), columns.double()
    with torch.autocast(rows.device.type, enabled=False):  # as a caller may be in one
        if rows.dtype == torch.float64:
            farthest = min(float(rows[:, -2].min()), float(columns[:, -1].min()))
            if farthest < -_FAR_IN_DOUBLE:
                subtracted = "donot_use_mm_for_euclid_dist"
                distances = torch.cdist(rows[:, :-2], columns[:, :-2], compute_mode=subtracted)
                return distances.square_().div_(-2)
        return torch.mm(rows, columns.T).clamp_max_(0)


def _sum_of_powers(kernel):
    """Sum the five kernels, each the square of the one before; changes its input."""
    # row by row, as threads share out a whole tile, and with it the order of the sum
    total = kernel.sum(1, dtype=torch.float64)
    for _ in _FACTORS[1:]:
        total += kernel.mul_(kernel).sum(1, dtype=torch.float64)
    return total.sum()


def _kernel_matrix(rows, bandwidth):
    """Return the kernel between all rows, or the kernel less 1, with a diagonal of 0.

    MMD^2 does not change with the 1. Without it small differences between rows that are near for
    the bandwidth are not rounded away, and with it small kernels of rows that are far.
    """
    scaling = rows.median(0).values, bandwidth
    power = _exponents(_prepare(rows, *scaling), _prepare(rows, *scaling, flip=True))
    far = float(power.diagonal(len(rows) // 2).median()) < -1
    power = power.exp_() if far else power.expm1_()
    kernel = power.clone()
    for _ in _FACTORS[1:]:
        power.mul_(power if far else power + 2)
        kernel += power
    return kernel.fill_diagonal_(0).div_(len(_FACTORS))


def _permute(is_real, groups, n_permutations, rng):
    """Return the true labels and permuted ones, (n_rows, 1 + n_permutations)."""
    if groups is None:
        members = np.arange(len(is_real))
        sides = is_real
    else:
        groups = check_groups(groups, len(is_real), "X_real and X_synthetic together")
        names, first, members = np.unique(groups, return_index=True, return_inverse=True)
        sides = is_real[first]
        mixed = names[np.bincount(members, is_real != sides[members]) > 0]
        if len(mixed):
            raise ValueError(
                "'groups' must not be on both sides. Got real and synthetic rows of group "
                f"{mixed.tolist()[0]!r}."
            )
        if sides.sum() < 2 or (~sides).sum() < 2:
            raise ValueError(
                "'groups' must have at least 2 groups on each side. "
                f"Got {sides.sum()} real and {(~sides).sum()} synthetic ones."
            )
    permuted = [sides] + [rng.permutation(sides) for _ in range(n_permutations)]
    return np.stack(permuted, axis=1)[members]


def _discrepancies(kernel, labels):
    """Compute the unbiased MMD^2 for each column of labels, in matrix form."""
    if 2 * labels[:, 0].sum() > len(labels):  # what is left of large sums is precise for the larger
        labels = ~labels
    labels = torch.from_numpy(labels).to(kernel)
    n_real = labels.sum(0).double()
    n_synthetic = len(labels) - n_real
    with torch.autocast(kernel.device.type, enabled=False):
        product = kernel @ labels
    row_sums = kernel.sum(1, dtype=torch.float64)
    real = (labels * product).sum(0, dtype=torch.float64)
    between = row_sums @ labels.double() - real
    synthetic = row_sums.sum() - real - 2 * between
    return (
        real / (n_real * (n_real - 1))
        + synthetic / (n_synthetic * (n_synthetic - 1))
        - 2 * between / (n_real * n_synthetic)
    ).cpu()
