"""Time and memory of the MMD against scikit-learn's kernels and a permutation loop.

    python examples/benchmarks/mmd.py

Everything that is compared is timed in one run, in turn, and the medians of five are compared, or,
of the blocks, of three.
Times are those of this machine; the ratios are what counts.
"""

import resource
import subprocess
import sys
import time

import numpy as np
import torch
from sklearn.metrics.pairwise import rbf_kernel

from sktsgan.metrics import maximum_mean_discrepancy, mmd_permutation_test

N_FEATURES = 187


def main():
    print(f"{torch.get_num_threads()} threads; medians of 5")
    compare_with_scikit_learn(5000)
    compare_sizes(5000, 20_000)
    script = [sys.executable, __file__, "memory", "20000"]
    print(subprocess.run(script, capture_output=True, text=True, check=True).stdout.strip())
    compare_permutations(500, 1000)
    compare_with_blocks(20_000)
    print_share_of_limit(5000)


def make(n_rows):
    X = np.random.default_rng(0).normal(size=(2 * n_rows, N_FEATURES)).astype(np.float32)
    return X[:n_rows], X[n_rows:]


def in_turn(*functions, repeats=5):
    """Return the median seconds of each function."""
    seconds = np.empty((repeats, len(functions)))
    for row in seconds:
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            row[i] = time.perf_counter() - start
    return np.median(seconds, axis=0)


def compare_with_scikit_learn(n_rows):
    X, Y = make(n_rows)

    def theirs():  # one bandwidth instead of five, given instead of measured
        return [rbf_kernel(A, B, gamma=1 / N_FEATURES).mean() for A, B in ((X, X), (Y, Y), (X, Y))]

    def theirs_in_float64():
        A, B = X.astype(np.float64), Y.astype(np.float64)
        return [rbf_kernel(P, Q, gamma=1 / N_FEATURES).mean() for P, Q in ((A, A), (B, B), (A, B))]

    ours, single, double = in_turn(
        lambda: maximum_mean_discrepancy(X, Y), theirs, theirs_in_float64
    )
    print(
        f"n = m = {n_rows}: ours, five bandwidths {ours:.2f} s; scikit-learn's three kernel means, "
        f"one bandwidth {single:.2f} s in float32 (ratio {ours / single:.2f}), {double:.2f} s in "
        f"float64 (ratio {ours / double:.2f})"
    )


def compare_sizes(few, many):
    sets = make(few), make(many)
    small, large = in_turn(
        lambda: maximum_mean_discrepancy(*sets[0]), lambda: maximum_mean_discrepancy(*sets[1])
    )
    print(
        f"n = m = {many} against {few}: {large:.1f} s and {small:.2f} s, {large / small:.1f} times"
    )


def measure_memory(n_rows):
    X, Y = make(n_rows)
    maximum_mean_discrepancy(X[:3000], Y[:3000])  # what the libraries take once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    maximum_mean_discrepancy(X, Y)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"n = m = {n_rows}: {(after - before) / 1024:.0f} MB above its inputs")


def compare_permutations(n_rows, n_permutations):
    X, Y = make(n_rows)
    kernel = rbf_kernel(np.concatenate([X, Y]), gamma=1 / N_FEATURES)

    rows = kernel.tolist()

    def loop():  # one permutation in Python, pair by pair
        side = (np.random.default_rng(0).permutation(2 * n_rows) < n_rows).tolist()
        sums = [0.0, 0.0, 0.0]
        for i in range(2 * n_rows):
            for j in range(i):
                sums[side[i] + side[j]] += rows[i][j]
        return sums

    def by_arrays():  # one permutation by numpy's indexing
        order = np.random.default_rng(0).permutation(2 * n_rows)
        permuted = kernel[np.ix_(order, order)]
        return permuted[:n_rows, :n_rows].sum(), permuted[n_rows:, n_rows:].sum(), permuted.sum()

    ours, slow, arrays = in_turn(
        lambda: mmd_permutation_test(X, Y, n_permutations=n_permutations, random_state=0),
        loop,
        by_arrays,
    )
    print(
        f"{n_permutations} permutations at n = m = {n_rows}: {ours:.3f} s; a Python loop over "
        f"pairs {slow * n_permutations:.0f} s ({slow * n_permutations / ours:.0f} times), a loop "
        f"of numpy's indexing {arrays * n_permutations:.1f} s "
        f"({arrays * n_permutations / ours:.0f} times), both scaled from one permutation"
    )


def compare_with_blocks(n_rows):
    X, Y = make(n_rows)
    Y = 1.02 * Y
    exact, blocks = in_turn(
        lambda: maximum_mean_discrepancy(X, Y),
        lambda: maximum_mean_discrepancy(X, Y, estimator="blocks"),
        repeats=3,
    )
    estimate = maximum_mean_discrepancy(X, Y, estimator="blocks", return_standard_error=True)
    print(
        f"n = m = {n_rows}: exact {maximum_mean_discrepancy(X, Y):.6f} in {exact:.1f} s, blocks "
        f"{estimate.value:.6f} +- {estimate.standard_error:.6f} in {blocks:.2f} s"
    )


def print_share_of_limit(n_rows):
    """Compare with the time of the matrix products alone, the least that must be done."""
    X, Y = (torch.from_numpy(part) for part in make(n_rows))
    X2, Y2 = X[: n_rows // 2].contiguous(), Y.T.contiguous()

    def products():  # half of two symmetric ones, and the whole of one: 2 n^2 entries
        for _ in range(4):
            torch.mm(X2, Y2)

    ours, limit = in_turn(lambda: maximum_mean_discrepancy(X.numpy(), Y.numpy()), products)
    print(f"n = m = {n_rows}: {ours / limit:.2f} times the matrix products alone ({limit:.2f} s)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        measure_memory(int(sys.argv[2]))
    else:
        main()
