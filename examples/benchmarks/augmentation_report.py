"""Turn the results of ``augmentation.py`` into the tables and pictures of the documentation.

Run from the project's root:

    python examples/benchmarks/augmentation_report.py

Prints what it writes beside the CSV file: tables of *scarce*, of all tasks by kind, and of seeds by
which nothing was chosen; mean ranks with a critical-difference picture, paired Wilcoxon tests, and
how many real beats the synthetic ones are worth.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from augmentation import RESULTS, TASKS, WITH_MULTIPLES
from rivals import ALL, MOVED, ORIGINAL_RECIPE, STAGAN, TUNED
from scipy.stats import studentized_range, wilcoxon

FIGURES = ["macro F1", "balanced accuracy"]
# of scores, before a threshold makes classes of them
RANKING = ["macro AUPRC"]
FEW = [task for task in TASKS if task.startswith("few")]
SIMULATED = [task for task in TASKS if task.startswith(("simulated", "sines", "small"))]
# They share beats
ONE_BLOCK = ["scarce", "two leads", *FEW]
# MiniRocket is reported, and left out of the means: it needs a package that is not always there
FOUR = ["random forest", "logistic regression", "1-NN", "CNN"]
# Other means of classifiers, to see what hangs on the choice
MEANS = {
    "these four": FOUR,
    "without 1-NN": ["random forest", "logistic regression", "CNN"],
    "forest and CNN": ["random forest", "CNN"],
    "with MiniRocket": [*FOUR, "MiniRocket"],
}
# For a table with a line for each record
BY_RECORD = ["none", "class weights", MOVED, "SMOTE", STAGAN]
# For a table with a line for each share of a class in the test
BY_SHARE = ["none", "class weights", MOVED, TUNED, "SMOTE", STAGAN]
# How the reasons begin for which a sampler was not given a task; others are failures
NOT_GIVEN = ("It takes one lead", "Elastic distances")
# V among the N and V beats of the database's 44 records without a pacemaker
_SHARE_OF_V = 7008 / (7008 + 90086)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--confirmed-from", type=int, default=5, help="first seed nothing chose by")
    args = parser.parse_args()
    results = pd.read_csv(args.results)
    folder = args.results.parent
    chosen = results[results["seed"] < args.confirmed_from]
    confirmed = results[results["seed"] >= args.confirmed_from]
    for task, table in confirmed.groupby("task"):
        write(tabulate(table), folder, f"{task} confirmed")
    if len(chosen):
        report(chosen, folder)


def report(chosen, folder):
    """Write the tables and pictures of the seeds by which choices were made."""
    write(tabulate(chosen[chosen["task"] == "scarce"]), folder, "scarce")
    complete = with_common_seeds(chosen)
    tasks = {"few": FEW, "simulated": SIMULATED}
    tasks["real"] = [task for task in TASKS if task not in FEW + SIMULATED]
    for name, own in tasks.items():
        write(overview(complete[complete["task"].isin(own)]), folder, f"overview {name}")
    # 1-NN's scores are classes already; moved ones rank the beats of a class as without resampling
    scored = complete.query("classifier != '1-NN' and sampler not in [@MOVED, @TUNED]")
    write(overview(scored[~scored["task"].isin(SIMULATED)], RANKING), folder, "overview ranking")
    write(few_by_share(chosen), folder, "few by share")
    write(by_record(chosen), folder, "inter-patient by record")
    write(against_original(chosen), folder, "original recipe")
    write(compare(chosen), folder, "wilcoxon")
    write(by_mean(chosen), folder, "other means")
    for figure in FIGURES + RANKING:
        ranks = rank(scored if figure in RANKING else complete, figure)
        write(ranks.round(2), folder, f"ranks {figure}")
        draw_ranks(ranks, folder / f"{as_name('ranks ' + figure)}.png", figure)
        print(f"\n== {figure}: mean ranks\n{rank_blocks(ranks).round(2).to_string()}")
    write(worth(chosen), folder, "worth")
    draw_worth(chosen, folder / "worth.png")
    write(costs(chosen), folder, "costs")


def as_name(title):
    return "-".join(title.lower().replace(",", "").split())


def write(table, folder, title):
    if len(table):
        table.to_csv(folder / f"{as_name(title)}.csv")
        print(f"\n== {title}\n{table.to_string()}")


def tabulate(table):
    """Mean figures by sampler and classifier, F1 / balanced accuracy, best mean first."""
    if table.empty:
        return table
    failed = table[table["failed"].notna()]["sampler"].unique()
    mean = table[table["failed"].isna()].groupby(["sampler", "classifier"])[FIGURES].mean()
    four = mean[mean.index.get_level_values("classifier").isin(FOUR)]
    mean_of_four = four.groupby("sampler").mean()
    pairs = as_pairs(mean).unstack().fillna("not run")
    pairs = pairs[[name for name in [*FOUR, "MiniRocket"] if name in pairs]]
    pairs.insert(0, "mean of four", as_pairs(mean_of_four))
    pairs = pairs.loc[mean_of_four.sort_values("macro F1", ascending=False).index]
    for name in failed:  # on one seed is on all: means over others would not compare
        pairs.loc[name] = "failed"
    return pairs


def as_pairs(mean):
    return mean.map("{:.3f}".format).agg(" / ".join, axis=1)


def mean_over(table, keys, figures=FIGURES, classifiers=FOUR):
    """Mean figures by `keys` over classifiers, in the order of the table."""
    return table[table["classifier"].isin(classifiers)].groupby(keys, sort=False)[figures].mean()


def with_common_seeds(table):
    """Keep seeds on which all samplers of a task were run, and all but the original recipe."""
    table = table[table["sampler"] != ORIGINAL_RECIPE]
    n_samplers = table.groupby(["task", "seed"])["sampler"].nunique()
    common = n_samplers[n_samplers == n_samplers.groupby("task").transform("max")].index
    return table[pd.MultiIndex.from_frame(table[["task", "seed"]]).isin(common)]


def against_original(table):
    """Figures of the default and of the original recipe by task, on the seeds that both have."""
    wide = mean_over(table[table["task"].isin(TASKS)], ["task", "seed", "sampler"]).unstack()
    wide = wide.swaplevel(axis=1)
    if not {STAGAN, ORIGINAL_RECIPE} <= set(wide.columns.get_level_values(0)):
        return pd.DataFrame()
    wide = wide[[STAGAN, ORIGINAL_RECIPE]].dropna()
    mean = wide.groupby("task").mean()
    pairs = pd.DataFrame({name: as_pairs(mean[name]) for name in (STAGAN, ORIGINAL_RECIPE)})
    pairs.insert(0, "seeds", wide.groupby("task").size())
    return pairs.loc[[task for task in TASKS if task in pairs.index]]


def overview(table, figures=FIGURES):
    """Mean of the four classifiers by task and sampler, figures one after the other."""
    table = table[table["task"].isin(TASKS)]
    if table.empty:
        return table
    failed = table[table["failed"].notna()]
    pairs = as_pairs(mean_over(table, ["task", "sampler"], figures)).unstack().T
    for cell in failed.itertuples(index=False):
        was_given = not cell.failed.startswith(NOT_GIVEN)
        pairs.loc[cell.sampler, cell.task] = "failed" if was_given else "not run"
    pairs = pairs.loc[[name for name in ALL if name in pairs.index]]
    return pairs[[task for task in TASKS if task in pairs]].fillna("not run")


def few_by_share(table):
    """Macro-F1 and rank on the *few* tasks, were other shares of the test V.

    It follows from the recalls of the two classes.
    """
    table = table[table["classifier"].isin(FOUR) & table["task"].isin(FEW)]
    if table.empty:
        return table
    n_rare = table["task"].str.split(", ").str[1].astype(int)
    shares = {
        "test's own, 27 %": 1500 / 5500,
        "database's, 7 %": _SHARE_OF_V,
        "training's, 0.5 to 4.8 %": n_rare / (4000 + n_rare),
    }
    recall = table["recall"].str.extract(r"N=(?P<N>\S+) V=(?P<V>\S+)").astype(float)
    rows = {}
    for name, share in shares.items():
        missed, false = share * (1 - recall["V"]), (1 - share) * (1 - recall["N"])
        found = {"V": share * recall["V"], "N": (1 - share) * recall["N"]}
        f1 = [2 * right / (2 * right + missed + false) for right in found.values()]
        macro = (sum(f1) / 2).groupby([table["sampler"], table["task"]]).mean().unstack()
        macro = macro[[task for task in FEW if task in macro]]
        ranks = macro.rank(ascending=False, method="min").map("{:.0f}".format)
        pairs = macro.map("{:.3f}".format) + " (" + ranks + ")"
        rows[name] = pairs.loc[[name for name in BY_SHARE if name in pairs.index]]
    return pd.concat(rows, names=["share of V"])


def by_record(table):
    """Mean recall over the classes that a record has, of the four classifiers, by record."""
    table = table[table["classifier"].isin(FOUR) & table["by record"].notna()]
    table = table[table["sampler"].isin(BY_RECORD)]
    if table.empty:
        return table
    recalls = table["by record"].str.split().explode().str.split("=", expand=True)
    recalls.columns = ["record", "recall"]
    recalls = recalls.assign(sampler=table["sampler"], recall=recalls["recall"].astype(float))
    mean = recalls.groupby(["record", "sampler"])["recall"].mean().unstack()
    return mean[BY_RECORD].map("{:.2f}".format)


def costs(table):
    """Median seconds of resampling by task, of the default and of the rivals that take longest."""
    table = table[table["task"].isin(TASKS)]
    seconds = table.groupby(["sampler", "task"], sort=False)["seconds"].median().unstack("sampler")
    names = [name for name in ("SMOTE", "SVMSMOTE", "OHIT", "ESMOTE", STAGAN) if name in seconds]
    cells = seconds[names].map(lambda own: f"{own:.0f}" if own >= 10 else f"{own:.1g}")
    cells = cells.where(seconds[names].notna(), "not run")
    return cells.loc[[task for task in TASKS if task in cells.index]]


def compare(table):
    """Wilcoxon's signed-rank test against every rival, paired by task: means of four over seeds.

    Seeds and classifiers of a task share rows, and would be no pairs of their own.
    """
    table = table[table["task"].isin(TASKS)]
    failed = table[table["failed"].notna()]
    keys = ["task", "sampler"]  # on one seed is on all: means over others would not compare
    is_failed = pd.MultiIndex.from_frame(table[keys]).isin(pd.MultiIndex.from_frame(failed[keys]))
    wide = mean_over(table[~is_failed], ["task", "seed", "sampler"]).unstack()
    if STAGAN not in wide[FIGURES[0]]:
        return pd.DataFrame()
    rows = {}
    for rival in (name for name in ALL if name in wide[FIGURES[0]] and name != STAGAN):
        row = rows.setdefault(rival, {})
        for figure in FIGURES:
            pair = wide[figure][[STAGAN, rival]].dropna()
            gain = (pair[STAGAN] - pair[rival]).groupby("task").mean()
            row["tasks"] = len(gain)
            row[f"{figure}: mean gain"] = f"{gain.mean():.3f}"
            # what the page's three digits call equal is no win
            row[f"{figure}: better, worse"] = f"{(gain >= 5e-4).sum()}, {(gain <= -5e-4).sum()}"
            row[f"{figure}: p"] = row[f"{figure}: Holm"] = wilcoxon(gain).pvalue
    table = pd.DataFrame(rows).T.rename_axis("rival")
    for figure in FIGURES:
        p = table[f"{figure}: p"].astype(float)
        table[f"{figure}: p"] = p.map("{:.4f}".format)
        table[f"{figure}: Holm"] = by_holm(p).map("{:.3f}".format)
    return table


def by_holm(p):
    """Correct p-values for their number by Holm's step-down method."""
    ordered = p.sort_values()
    corrected = ordered * np.arange(len(p), 0, -1)
    return corrected.cummax().clip(upper=1).loc[p.index]


def by_mean(table):
    """Figures and ranks of the default and of the best other by the mean of other classifiers."""
    complete = with_common_seeds(table)
    rows = {}
    for name, classifiers in MEANS.items():
        left_out = [TUNED, *([MOVED] if "MiniRocket" in classifiers else [])]
        own = complete[~complete["sampler"].isin(left_out)]
        scarce = mean_over(own[own["task"] == "scarce"], "sampler", classifiers=classifiers)
        if STAGAN not in scarce.index or not set(classifiers) <= set(own["classifier"]):
            continue
        for figure in FIGURES:
            rivals = scarce[figure].drop(STAGAN)
            ranks = rank_blocks(rank(own, figure, classifiers))["tasks given to all"]
            others = ranks.drop(STAGAN)
            rows[name, figure] = {
                "scarce": f"{scarce[figure][STAGAN]:.3f}",
                "the best rival on it": f"{rivals.idxmax()} {rivals.max():.3f}",
                "mean rank": f"{ranks[STAGAN]:.2f}",
                "the best other": f"{others.idxmin()} {others.min():.2f}",
            }
    return pd.DataFrame(rows).T.rename_axis(["mean of", "figure"]) if rows else pd.DataFrame()


def rank(table, figure, classifiers=FOUR):
    """Rank samplers by their mean figure within each task; those that failed once come last.

    Samplers that have not been run on all tasks are left out.
    """
    table = table[table["task"].isin(TASKS) & table["classifier"].isin([*classifiers, np.nan])]
    cells = table.groupby(["task", "sampler"])[figure]
    was_run = cells.size().unstack().notna().all()
    failed = table[figure].isna().groupby([table["task"], table["sampler"]]).any().unstack()
    # rounding must not break ties
    mean = cells.mean().unstack().round(9).mask(failed.astype(bool)).loc[:, was_run]
    ranks = mean.rank(axis="columns", ascending=False, na_option="bottom").T
    ranks.insert(0, "mean rank", ranks.mean(axis="columns"))
    return ranks.sort_values("mean rank")


def rank_blocks(ranks):
    """Mean ranks, were the tasks that share beats one, and without those that some were not given.

    *Told* says whom Nemenyi's test tells from the default, with the tasks that share beats as one.
    """
    one = [task for task in ONE_BLOCK if task in ranks]
    own = ranks.drop(columns=["mean rank", *one]).assign(block=ranks[one].mean(axis="columns"))
    mean = own.mean(axis="columns")
    given = ranks.drop(columns=["mean rank", "two leads", "inter-patient"], errors="ignore")
    return pd.DataFrame(
        {
            "one block": mean,
            "told": mean > mean.get(STAGAN, np.nan) + critical_difference(*own.shape),
            "tasks given to all": given.mean(axis="columns"),
        }
    ).sort_values("one block")


def critical_difference(n_samplers, n_tasks):
    """By how much mean ranks differ that Nemenyi's test tells from each other, at 5 %."""
    quantile = studentized_range.ppf(0.95, n_samplers, np.inf) / np.sqrt(2)
    return quantile * np.sqrt(n_samplers * (n_samplers + 1) / (6 * n_tasks))


def draw_ranks(ranks, path, figure):
    """Draw mean ranks, and shade those that Nemenyi's test does not tell from the best."""
    mean = ranks["mean rank"]
    k, n_tasks = len(mean), ranks.shape[1] - 1
    critical = critical_difference(k, n_tasks)
    fig, ax = plt.subplots(figsize=(7, 0.32 * k + 1.2), layout="constrained")
    places = np.arange(k)
    colors = ["#d55e00" if name == STAGAN else "#4d4d4d" for name in mean.index]
    ax.scatter(mean, places, c=colors, zorder=3)
    ax.plot([mean.iloc[0], mean.iloc[0] + critical], [-0.7, -0.7], color="black", lw=3)
    ax.annotate(f"critical difference {critical:.1f}", (mean.iloc[0], -1.0), fontsize=9)
    ax.axvspan(mean.iloc[0], mean.iloc[0] + critical, color="0.93", zorder=0)
    ax.set_yticks(places, mean.index)
    ax.set_ylim(k - 0.4, -1.7)
    ax.set_xlabel(f"mean rank by {figure} over {n_tasks} tasks (1 is best)")
    ax.grid(axis="x", color="0.85", zorder=0)
    fig.savefig(path, dpi=120)
    plt.close(fig)


def by_multiple(table):
    """Mean figures by sampler and multiple of the real rare beats of *scarce*, on common seeds."""
    table = table[table["task"].str.startswith("scarce")]
    seeds = [set(part["seed"]) for _, part in table.groupby("task")]
    table = table[table["seed"].isin(set.intersection(*seeds) if seeds else [])]
    multiple = table["task"].str.extract(r" x(\d+)$")[0].fillna("1").astype(int)
    mean = mean_over(table.assign(multiple=multiple), ["sampler", "multiple"])
    if (STAGAN, 1) not in mean.index:
        return pd.DataFrame()
    return mean.unstack().sort_index(axis="columns")


def worth(table):
    """At which multiple of the real rare beats the best rival reaches our mean figure."""
    mean = by_multiple(table)
    if mean.empty:
        return mean
    rows = {}
    for figure in FIGURES:
        values = mean[figure]
        lines = values.loc[[name for name in WITH_MULTIPLES if name in values.index]]
        lines.loc["best that adds rows"] = lines.drop(index=["none", MOVED], errors="ignore").max()
        lines.loc["best rival"] = lines.max()
        own = values.loc[STAGAN, 1]
        for rival, line in lines.iterrows():
            cells = line.map("{:.4f}".format).where(line.notna(), "not run")
            row = {f"x{multiple}": cell for multiple, cell in cells.items()}
            row["ours at x1"] = f"{own:.4f}"
            row["worth"] = _reached(line.index, line.to_numpy(), own)
            rows[figure, rival] = row
    return pd.DataFrame(rows).T


def draw_worth(table, path):
    """Draw rivals on multiples of the real rare beats in the plane of both figures, and ours."""
    mean = by_multiple(table)
    if mean.empty:
        return
    fig, ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
    markers = dict(zip(mean["macro F1"], "o^sD", strict=False))
    for i, name in enumerate(name for name in WITH_MULTIPLES if name in mean.index):
        points = mean.loc[name].unstack(level=0).dropna()
        places = points["balanced accuracy"], points["macro F1"]
        ax.plot(*places, color=f"C{i}", zorder=1, label=name)
        for multiple, x, y in zip(points.index, *places, strict=True):
            ax.scatter(x, y, color=f"C{i}", marker=markers[multiple], s=28)
    for multiple, marker in markers.items():
        label = "real rare beats as they are" if multiple == 1 else f"{multiple} times as many"
        ax.scatter([], [], color="#4d4d4d", marker=marker, s=28, label=label)
    own = mean.loc[STAGAN]
    style = {"color": "black", "marker": "*", "s": 260, "zorder": 3}
    ax.scatter(own["balanced accuracy", 1], own["macro F1", 1], **style, label=STAGAN)
    ax.set_xlabel("balanced accuracy")
    ax.set_ylabel("macro-F1")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small", loc="lower right")
    fig.savefig(path, dpi=110)
    plt.close(fig)


def _reached(multiples, values, own):
    """Where the rising line through the values reaches our own, in the logarithm of multiples."""
    multiples = np.array(multiples)[~np.isnan(values)]
    values = np.maximum.accumulate(values[~np.isnan(values)])
    if own > values[-1]:
        return f"more than {multiples[-1]}"
    values, first = np.unique(values, return_index=True)  # where it first reached each
    multiples = multiples[first]
    return round(float(np.exp(np.interp(own, values, np.log(multiples)))), 2)


if __name__ == "__main__":
    main()
