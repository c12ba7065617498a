"""What attacks find in the rows of several samplers, and what differential privacy costs.

    python examples/benchmarks/privacy.py attacks
    python examples/benchmarks/privacy.py closest
    python examples/benchmarks/privacy.py price

``attacks`` writes ``docs/benchmark/attacks.csv``, by other beats of the same patients, and
``attacks-others.csv``, by those of others, ``closest`` a picture of the pairs of a synthetic beat
and a member that are closest to each other, ``price`` writes ``privacy-price.csv`` and its picture,
one line or point at a time; both take minutes to an hour on one core. ``$SKTSGAN_DATA`` names the
folder that holds ``mitdb/``.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import tasks
from imblearn.over_sampling import SMOTE, RandomOverSampler
from matplotlib import pyplot as plt
from rivals import STAGAN, recipe
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from sktsgan import StaGANSampler
from sktsgan.metrics import (
    discriminator_scores,
    maximum_mean_discrepancy,
    privacy_report,
    train_shadows,
)

FOLDER = Path(__file__).parents[2] / "docs" / "benchmark"
RARE = ("S", "V", "F")
RECIPE = "original recipe"
# Beats of each class that a sampler is trained on.
N_ROWS = {"N": 4000, "S": 200, "V": 800, "F": 100}
# A private training: a small discriminator, so that little noise is needed, and large batches.
PRIVATE = {
    "dp_bounds": (-2, 2),
    "discriminator_channels": (16,) * 5,
    "lr": 3e-3,
    "max_epochs": 4,
    "validation_fraction": 0,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["attacks", "closest", "price"])
    what = parser.parse_args().what
    warnings.simplefilter("ignore")
    {"attacks": attack_all, "closest": draw_closest, "price": measure_price}[what]()


def build_samplers():
    return {
        "copies": RandomOverSampler(random_state=0),
        "SMOTE": SMOTE(random_state=0),
        STAGAN: StaGANSampler(random_state=0),
        RECIPE: StaGANSampler(**recipe(20), random_state=0),
    }


def attack_all():
    """Attack each sampler, whose training rows are beats of DS1."""
    members, same, other, shadow = draw_sets(np.random.default_rng(0))
    sides = {  # other patients have two F beats here
        "attacks.csv": (same, RARE),
        "attacks-others.csv": (other, ("S", "V")),
    }
    rows = {file: [] for file in sides}
    for name, sampler in build_samplers().items():
        start = time.perf_counter()
        X_resampled, _ = sampler.fit_resample(*members[:2])
        X_synthetic = X_resampled[len(members[0]) :]
        fitted = sampler if hasattr(sampler, "sample") else None
        shadows = train_shadows(sampler, *shadow[:2], n_shadows=2)
        for file, (others, labels) in sides.items():
            report = attack(members, others, X_synthetic, shadows, fitted, labels)
            table = report.attacks.reset_index()
            table.insert(0, "sampler", name)
            table["memorization ratio"] = report.memorization_ratio
            rows[file].append(table)
            as_table(pd.concat(rows[file])).to_csv(FOLDER / file, index=False)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    for file in sides:
        print(as_table(pd.concat(rows[file])).to_string(), flush=True)


def draw_closest(n_pairs=5):
    """Draw the beats of each sampler that are closest to members, of one member each."""
    members, same, *_ = draw_sets(np.random.default_rng(0))
    rare = members[0][np.isin(members[1], RARE)]
    times = np.arange(members[0].shape[1]) / 180 - 0.3
    samplers = build_samplers()
    samplers.pop(RECIPE)  # its beats are all closest to one
    figure, axes = plt.subplots(
        len(samplers), n_pairs, figsize=(10, 6.5), sharex=True, sharey=True, layout="constrained"
    )
    for (name, sampler), row in zip(samplers.items(), axes, strict=True):
        X_resampled, _ = sampler.fit_resample(*members[:2])
        X_synthetic = X_resampled[len(members[0]) :]
        closest = attack(members, same, X_synthetic, None, None, RARE).closest
        pairs = closest.drop_duplicates("member").head(n_pairs)
        for ax, pair in zip(row, pairs.itertuples(), strict=True):
            ax.plot(times, rare[pair.member], lw=3, color="0.75", label="member")
            ax.plot(times, X_synthetic[pair.synthetic], "C1--", lw=1.2, label="synthetic")
            text = f"{pair.distance:.2f} mV, to others {pair.to_non_member:.2f} mV"
            ax.set_title(text, fontsize="small")
        row[0].set_ylabel(f"{name}\namplitude (mV)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    figure.savefig(FOLDER / "attacks-closest.png", dpi=110)


def attack(members, others, X_synthetic, shadows, fitted, labels):
    """Attack beats of these classes, for which there are synthetic rows."""
    sides = [
        [part[np.isin(y, labels)] for part in (X, y, record)] for X, y, record in (members, others)
    ]
    scores = None
    if fitted is not None:
        scores = [discriminator_scores(fitted, X, y) for X, y, _ in sides]
    return privacy_report(
        sides[0][0],
        sides[1][0],
        X_synthetic,
        groups_members=sides[0][2],
        groups_non_members=sides[1][2],
        shadows=shadows,
        scores=scores,
    )


def draw_sets(rng):
    """Draw members and others of the same patients from DS1, others and shadow rows from DS2.

    The patients of the shadow rows are not among the others.
    """
    parts = [tasks.centred(subset=subset) for subset in ("DS1", "DS2")]
    members = draw(parts[0], np.arange(len(parts[0][1])), rng)
    same = draw(parts[0], np.setdiff1d(np.arange(len(parts[0][1])), members), rng)
    records = np.unique(parts[1][2])
    first = np.isin(parts[1][2], records[1::2])
    other, shadow = (
        draw(parts[1], np.flatnonzero(side), rng, multiple)
        for side, multiple in ((first, 1), (~first, 2))
    )
    rows = [(parts[0], members), (parts[0], same), (parts[1], other), (parts[1], shadow)]
    return [tuple(array[places] for array in part) for part, places in rows]


def draw(part, places, rng, multiple=1):
    """Draw beats of each class from these places, as many as there are to be, or all."""
    shuffled = rng.permutation(places)
    y = part[1][shuffled]
    return np.concatenate([shuffled[y == label][: multiple * n] for label, n in N_ROWS.items()])


def measure_price():
    """Train with several budgets; say what the beats are worth, and what attacks find."""
    rows = []
    # 1,000 is nearly no noise: what is lost there is not lost to privacy
    for task, split, budgets in (
        ("scarce", tasks.scarce(0), (None, 10, 3, 1)),
        ("ten times scarce", tasks.many(0), (None, 1000, 10, 3, 1)),
    ):
        real = split.X_train, split.y_train
        score = f1(*real, split)
        rows.append({"task": task, "epsilon": "real rows", "F1, alone": score})
        for epsilon in budgets:
            start = time.perf_counter()
            sampler = StaGANSampler(random_state=0)
            if epsilon:
                n_rows = 256 if len(split.y_train) < 10_000 else 512
                sampler.set_params(dp_epsilon=epsilon, batch_size=n_rows, **PRIVATE)
            sampler.fit(*real)
            seconds = time.perf_counter() - start
            rows.append({"task": task, "epsilon": epsilon or "none"} | price(sampler, split))
            print(f"{rows[-1]}, {seconds:.0f} s", flush=True)
            table = pd.DataFrame(rows)
            table.to_csv(FOLDER / "privacy-price.csv", index=False, float_format="%.3f")
    draw_price(table)


def price(sampler, split):
    """Judge beats that a fitted sampler draws, 1,000 of each class."""
    y = np.repeat(tasks.CLASSES, 1000)
    X, y = sampler.sample(y=y)
    both = np.concatenate([split.X_train, X]), np.concatenate([split.y_train, y])
    sides = []
    n_rows = {"S": 600, "V": 1500, "F": 200}  # shares of classes, the same on both sides
    for X_side, y_side in ((split.X_train, split.y_train), (split.X_test, split.y_test)):
        share = min((y_side == label).sum() / n for label, n in n_rows.items())
        places = np.concatenate(
            [np.flatnonzero(y_side == c)[: int(min(share, 1) * n)] for c, n in n_rows.items()]
        )
        sides.append((X_side[places], y_side[places]))
    scores = [discriminator_scores(sampler, *side) for side in sides]
    attacks = privacy_report(
        sides[0][0], sides[1][0], X[y != "N"], scores=scores, n_bootstraps=200
    ).attacks
    figures = {"F1, alone": f1(X, y, split), "F1, with real": f1(*both, split)}
    for label in tasks.CLASSES:
        real = split.X_test[split.y_test == label][:500]
        figures[f"MMD {label}"] = maximum_mean_discrepancy(real, X[y == label])
    for name in attacks.index:
        auc = attacks.loc[name, ["auc", "auc_low", "auc_high"]]
        figures[f"AUC, {name}"] = _with_interval(*auc)
    return figures


def f1(X, y, split):
    forest = RandomForestClassifier(class_weight="balanced", random_state=0).fit(X, y)
    return f1_score(split.y_test, forest.predict(split.X_test), average="macro")


def draw_price(table):
    """Draw macro-F1 and the attacks' AUC against the budget."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    names = ["1", "3", "10", "none"]
    for i, (task, rows) in enumerate(table.groupby("task", sort=False)):
        rows = rows.set_index(rows["epsilon"].astype(str))
        ours, real = rows.loc[names], rows.loc["real rows", "F1, alone"]
        colors = (("C0", "C9"), ("C1", "C3"))[i]
        axes[0].plot(names, ours["F1, alone"], "o-", color=colors[0], label=f"{task}, synthetic")
        axes[0].axhline(real, ls=":", lw=1, color=colors[0], label=f"{task}, real")
        for j, name in enumerate(("distance", "discriminator")):
            values = ours[f"AUC, {name}"].str.extract(r"(.+) \((.+) to (.+)\)").astype(float)
            auc, low, high = values.to_numpy().T
            # side by side, so that the intervals do not hide each other
            places = np.arange(len(names)) + 0.12 * (2 * i + j - 1.5)
            label = f"{task}, {name}"
            axes[1].errorbar(
                places, auc, (auc - low, high - auc), fmt="o", ms=4, color=colors[j], label=label
            )
    axes[0].set(ylabel="macro-F1 of a forest", ylim=(0, 1))
    axes[1].axhline(0.5, color="0.5", lw=1, zorder=0)
    axes[1].set(ylabel="AUC of the attack", title="0.5: nothing is learned")
    axes[1].set_xticks(range(len(names)), names)
    for ax, place in zip(axes, ("center left", "upper left"), strict=True):
        ax.set_xlabel("epsilon")
        ax.legend(fontsize="x-small", loc=place)
        ax.grid(alpha=0.3)
    figure.savefig(FOLDER / "privacy-price.png", dpi=120)


def as_table(figures):
    """Put each figure and its interval into one cell."""
    table = figures[["sampler", "attack"]].copy()
    for name, title in (
        ("auc", "AUC"),
        ("tpr_at_1%", "found at 1 % false alarms"),
        ("tpr_at_0.1%", "at 0.1 %"),
    ):
        cells = figures[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
        table[title] = [_with_interval(*cell) for cell in cells]
    table["memorization ratio"] = figures["memorization ratio"].map("{:.3f}".format)
    return table


def _with_interval(value, low, high):
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
