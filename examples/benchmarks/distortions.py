"""What each judge sees: real beats against real beats that were spoilt in known ways.

    python examples/benchmarks/distortions.py

Normal beats of DS1, 1,000 as reference and 1,000 others that are distorted; records mixed. Prints
the table of the page on judging. ``$SKTSGAN_DATA`` names the folder that holds ``mitdb/``.
"""

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from tasks import centred

from sktsgan.metrics import (
    classifier_two_sample_score,
    density_coverage,
    maximum_mean_discrepancy,
    membership_inference_auc,
    memorization_ratio,
    mmd_permutation_test,
)

N_ROWS = 1000


def main():
    X, y, _ = centred(subset="DS1")
    rng = np.random.default_rng(0)
    normal = rng.permutation(X[y == "N"])
    train, held_out, new = np.split(normal[: 3 * N_ROWS], 3)
    ventricular = rng.permutation(X[y == "V"])[:N_ROWS]
    rows = {
        name: judge(train, held_out, spoilt)
        for name, spoilt in distort(train, new, ventricular, rng).items()
    }
    print(pd.DataFrame.from_dict(rows, orient="index").to_string(float_format="%.3f"))


def distort(train, new, ventricular, rng):
    noise = rng.standard_normal(new.shape)
    modes = KMeans(10, random_state=0).fit_predict(new)
    common = np.flatnonzero(np.isin(modes, np.argsort(np.bincount(modes))[-3:]))
    return {
        "other real beats": new,
        "with noise of 0.05 mV": new + 0.05 * noise,
        "with noise of 0.2 mV": new + 0.2 * noise,
        "3 of 10 shapes only": new[rng.choice(common, N_ROWS)],
        "one beat repeated": np.repeat(new[:1], N_ROWS, axis=0),
        "shifted by 17 ms": np.roll(new, 3, axis=1),
        "training beats, copied": train,
        "means of two neighbours": midpoints(train),
        "ventricular beats": ventricular,
        "white noise": new.std() * noise,
    }


def midpoints(X):
    distances = ((X[:, None, ::4] - X[None, :, ::4]) ** 2).sum(2)
    np.fill_diagonal(distances, np.inf)
    return (X + X[distances.argmin(axis=1)]) / 2


def judge(train, held_out, spoilt):
    test = mmd_permutation_test(held_out[:300], spoilt[:300], n_permutations=999, random_state=0)
    density, coverage = density_coverage(held_out, spoilt)
    return {
        "MMD^2": maximum_mean_discrepancy(held_out, spoilt),
        "p": test.p_value,
        "density": density,
        "coverage": coverage,
        "two-sample AUC": classifier_two_sample_score(held_out, spoilt),
        "memorization": memorization_ratio(train, spoilt, X_held_out=held_out),
        "membership AUC": membership_inference_auc(train, held_out, spoilt),
    }


if __name__ == "__main__":
    main()
