"""Maximum mean discrepancy between real and synthetic signals."""

import numbers

import numpy as np
from scipy.spatial.distance import pdist

# Widths of the five kernels as multiples of the median distance: gamma = c / (2 median^2).
_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
_TILE = 1024


def maximum_mean_discrepancy(X_real, X_synthetic, *, biased=False, bandwidth=None):
    r"""Squared maximum mean discrepancy (MMD^2) between real and synthetic signals.

    .. math:: \mathrm{MMD}^2 = \overline{k(x, x')} + \overline{k(y, y')} - 2\,\overline{k(x, y)}

    over pairs of real rows :math:`x` and synthetic rows :math:`y` [1]_. The kernel is the mean
    of five Gaussian kernels :math:`\exp(-c\,d^2 / 2m^2)` with c = 1/4, 1/2, 1, 2, 4, where
    :math:`d` is the Euclidean distance and :math:`m` the bandwidth: by default the median
    distance between the real rows alone. So the figure does not change when both sets are
    multiplied by the same number, and figures for different synthetic sets can be compared.

    0 means that no difference was seen, 2 is the largest value possible; lower is better.
    Compare with rows that were held out of training: interpolations between training rows
    come closer to these than new real rows do.

    Parameters
    ----------
    X_real : array-like of shape (n_real, n_features) or (n_real, n_channels, n_timepoints)
        Real rows, the reference.
    X_synthetic : array-like of shape (n_synthetic, ...)
        Synthetic rows, in the same unit and of the same shape.
    biased : bool, default=False
        False leaves the pairs of a row with itself out (U-statistic): the mean over draws is
        then exact, and a value may be slightly negative. True counts them (V-statistic): the
        value is at least 0, and too high for few rows.
    bandwidth : float, default=None
        The bandwidth m, in the unit of the rows; by default :func:`median_bandwidth` of
        `X_real`.

    Returns
    -------
    float
        MMD^2, without unit.

    Raises
    ------
    ValueError
        If a set has fewer than two rows (one when `biased`), the rows differ in shape or are
        not finite, or the bandwidth is not above 0.

    References
    ----------
    .. [1] A. Gretton et al., "A kernel two-sample test", JMLR 13:723-773, 2012.

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
    X_real, X_synthetic = check_pair(X_real, X_synthetic, min_rows=1 if biased else 2)
    if bandwidth is None:
        bandwidth = median_bandwidth(X_real)
    elif not (isinstance(bandwidth, numbers.Real) and 0 < bandwidth < np.inf):
        raise ValueError(f"'bandwidth' must be a finite number above 0. Got {bandwidth!r}.")
    # centred, distances lose no digits to a common offset; in units of the bandwidth,
    # squares neither overflow nor vanish
    center = X_real.mean(axis=0)
    X_real = (X_real - center) / bandwidth
    X_synthetic = (X_synthetic - center) / bandwidth
    within_real = _mean_kernel(X_real, X_real, diagonal=biased)
    within_synthetic = _mean_kernel(X_synthetic, X_synthetic, diagonal=biased)
    between = _mean_kernel(X_real, X_synthetic, diagonal=True)
    return float(within_real + within_synthetic - 2 * between)


def median_bandwidth(X_real, *, max_rows=2000):
    """Median Euclidean distance between real rows, the kernel's bandwidth.

    Parameters
    ----------
    X_real : array-like of shape (n_real, n_features) or (n_real, n_channels, n_timepoints)
        Real rows.
    max_rows : int, default=2000
        Of more rows, this many evenly spaced ones are used.

    Returns
    -------
    float
        The median; where it is 0, the mean distance; where all rows are equal, the norm of a
        row, or 1 where that is 0 too. Always above 0, and in proportion to the rows' scale.
    """
    rows = _as_rows(X_real, "X_real")
    if len(rows) > max_rows:
        rows = rows[np.linspace(0, len(rows) - 1, max_rows).astype(int)]
    # norms scaled by the largest value, so that squares neither overflow nor vanish
    largest = np.abs(rows).max() or 1.0
    rows = rows / largest
    distances = pdist(rows) if len(rows) > 1 else np.zeros(1)
    return float(
        largest * (np.median(distances) or distances.mean() or np.linalg.norm(rows[0]) or 1.0)
    )


def check_pair(X_real, X_synthetic, *, min_rows=1):
    """Return both sets as 2-D float64 arrays, or say what is wrong with them.

    Parameters
    ----------
    X_real, X_synthetic : array-like
        Rows of equal shape, 2-D or 3-D.
    min_rows : int, default=1
        Rows that each set needs.

    Returns
    -------
    X_real, X_synthetic : ndarray of shape (n, n_features)
        The same numbers.
    """
    X_real = _as_rows(X_real, "X_real", min_rows)
    X_synthetic = _as_rows(X_synthetic, "X_synthetic", min_rows)
    if X_real.shape[1] != X_synthetic.shape[1]:
        raise ValueError(
            "'X_real' and 'X_synthetic' must have the same number of timepoints. "
            f"Got {X_real.shape[1]} and {X_synthetic.shape[1]}."
        )
    return X_real, X_synthetic


def _as_rows(X, name, min_rows=1):
    X = np.asarray(X, dtype=np.float64)
    if X.ndim not in (2, 3):
        raise ValueError(
            f"'{name}' must be of shape (n_samples, n_timepoints) or "
            f"(n_samples, n_channels, n_timepoints). Got {X.shape}."
        )
    if len(X) < min_rows:
        raise ValueError(f"'{name}' must have at least {min_rows} rows. Got {len(X)}.")
    if not np.isfinite(X).all():
        raise ValueError(f"'{name}' must be finite. Got NaN or infinity; drop such rows.")
    return X.reshape(len(X), -1)


def _mean_kernel(rows, columns, *, diagonal):
    """Mean of the kernel over all pairs, tile by tile, with or without a row and itself."""
    row_norms = np.einsum("ij,ij->i", rows, rows)
    column_norms = np.einsum("ij,ij->i", columns, columns)
    total = 0.0
    for start in range(0, len(rows), _TILE):
        tile = slice(start, start + _TILE)
        squares = row_norms[tile, None] + column_norms - 2 * rows[tile] @ columns.T
        np.maximum(squares, 0, out=squares)
        kernel = np.exp(-_FACTORS[0] / 2 * squares)
        # each factor doubles the one before, so each kernel is the square of the one before
        for _ in _FACTORS:
            total += kernel.sum()
            kernel *= kernel
    total /= len(_FACTORS)
    if diagonal:
        return total / (len(rows) * len(columns))
    return (total - len(rows)) / (len(rows) * (len(rows) - 1))
