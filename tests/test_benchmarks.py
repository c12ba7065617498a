"""The benchmark's own parts: splits without leaks, figures, ranks, what beats are worth."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "benchmarks"))

import ablation
import augmentation
import augmentation_report
import privacy
import rivals
import shares
import tasks

from sktsgan import StaGANSampler

SIMULATED = [
    name for name in augmentation.TASKS if name.startswith(("simulated", "sines", "small"))
]


def check(split):
    train, test = ({row.tobytes() for row in X} for X in (split.X_train, split.X_test))
    assert not train & test
    assert set(split.y_train) == set(split.y_test)
    assert np.isfinite(split.X_train).all()
    assert split.X_train.shape[1] % split.n_channels == 0


@pytest.mark.parametrize("task", SIMULATED)
def test_simulated_tasks(task):
    split = augmentation.TASKS[task](0)
    check(split)
    for again, array in zip(augmentation.TASKS[task](0)[:4], split[:4], strict=True):
        np.testing.assert_array_equal(again, array)
    assert not np.array_equal(augmentation.TASKS[task](1).X_train, split.X_train)


@pytest.mark.records
@pytest.mark.parametrize("task", ["scarce", "few, 20", "inter-patient", "Kaggle-like"])
def test_tasks_on_records(records, task):
    check(augmentation.TASKS[task](0))


@pytest.mark.records
def test_more_real_beats_hold_the_fewer(records):
    one, two = tasks.scarce(3), tasks.scarce(3, multiple=2)
    rows, more = ({row.tobytes() for row in split.X_train} for split in (one, two))
    assert rows < more
    rows, more = ({row.tobytes() for row in split.X_test} for split in (one, two))
    assert rows == more
    assert (two.y_train == "F").sum() == 80


@pytest.mark.records
def test_inter_patient_has_other_patients(records):
    split = tasks.inter_patient(0)
    assert "100" in split.record  # of DS2
    assert "101" not in split.record  # of DS1


@pytest.fixture
def split():
    return augmentation.TASKS["small, hard, 150 x 128"](0)


@pytest.mark.parametrize("name", ["none", *rivals.IMBALANCED_LEARN])
def test_rivals_balance(split, name):
    _, y = rivals.resample(name, split, seed=0)
    counts = np.unique(y, return_counts=True)[1]
    assert counts[0] == 140
    assert counts[1] == 10 if name == "none" else counts[1] > 120  # ADASYN: about


def test_every_classifier_learns(split):
    models = rivals.classifiers("class weights", len(split.y_train), split, seed=0)
    models["CNN"].set_params(neuralnetclassifier__max_epochs=30)
    for name, model in models.items():
        if name != "MiniRocket":  # compiles for a minute
            figures = augmentation.judge(model, split.X_train, split.y_train, split)
            assert figures["balanced accuracy"] > 0.6, name


def test_figures(split):
    model = DummyClassifier(strategy="constant", constant=1)
    figures = augmentation.judge(model, split.X_train, split.y_train, split)
    predicted = np.full(len(split.y_test), "V")
    assert figures["macro F1"] == pytest.approx(
        f1_score(split.y_test, predicted, average="macro"), abs=1e-5
    )
    assert figures["balanced accuracy"] == 0.5
    assert figures["recall"] == "N=0.000000 V=1.000000"
    assert figures["macro AUPRC"] == pytest.approx(0.5)  # each class's own share


def test_moved_scores_are_lower_thresholds(split):
    model = LogisticRegression()
    figures = augmentation.judge(model, split.X_train, split.y_train, split, moved=True)
    share = (split.y_train == "V").mean()
    scores = model.fit(split.X_train, split.y_train).predict_proba(split.X_test)[:, 1]
    lower = np.sqrt(share) / (np.sqrt(share) + np.sqrt(1 - share))
    predicted = np.where(scores > lower, "V", "N")
    assert np.any(predicted != np.where(scores > 0.5, "V", "N"))
    expected = f1_score(split.y_test, predicted, average="macro")
    assert figures["macro F1"] == pytest.approx(expected, abs=1e-5)


def test_worth_is_read_off_the_rivals_line():
    reached = augmentation_report._reached
    assert reached([1, 2, 4], np.array([0.5, 0.6, 0.7]), 0.6) == 2
    assert reached([1, 2, 4], np.array([0.5, 0.6, 0.7]), 0.55) == pytest.approx(2**0.5, abs=0.01)
    assert reached([1, 2, 4], np.array([0.5, 0.6, 0.7]), 0.8) == "more than 4"
    assert reached([1, 2, 4], np.array([0.5, 0.6, 0.7]), 0.4) == 1


def test_worth_by_table_and_picture(tmp_path):
    figures = {"SMOTE": (0.5, 0.6), augmentation_report.STAGAN: (0.55, np.nan)}
    rows = [
        {"task": task, "seed": seed, "sampler": name, "classifier": "CNN"}
        | dict.fromkeys(augmentation_report.FIGURES, value)
        for name, values in figures.items()
        for task, value in zip(("scarce", "scarce x2"), values, strict=True)
        for seed in range(2)
    ]
    table = pd.DataFrame(rows).dropna()
    alone = table.iloc[:1].assign(seed=2)  # a seed that not all multiples have
    table = pd.concat([table, alone.assign(**dict.fromkeys(augmentation_report.FIGURES, 1.0))])
    worth = augmentation_report.worth(table).loc["macro F1"]
    assert worth.loc["SMOTE", ["x1", "x2", "ours at x1"]].tolist() == ["0.5000", "0.6000", "0.5500"]
    assert (worth["worth"] == round(2**0.5, 2)).all()
    augmentation_report.draw_worth(table, tmp_path / "worth.png")
    assert (tmp_path / "worth.png").exists()


def test_macro_f1_at_other_shares():
    y = np.repeat(["N", "V"], [4000, 1500])
    predicted = np.where(np.arange(5500) % 10 == 0, np.where(y == "N", "V", "N"), y)
    row = {"task": "few, 20", "sampler": "none", "classifier": "CNN", "recall": "N=0.900 V=0.900"}
    cells = augmentation_report.few_by_share(pd.DataFrame([row]))["few, 20"]
    assert cells.iloc[0] == f"{f1_score(y, predicted, average='macro'):.3f} (1)"
    weights = np.where(y == "V", 20 / 1500, 1)  # as many V as in training
    expected = f1_score(y, predicted, average="macro", sample_weight=weights)
    assert cells.iloc[2] == f"{expected:.3f} (1)"


def test_macro_f1_where_rare_beats_stay_rare(split):
    y_train, y_test = np.repeat(["N", "V"], [90, 10]), np.repeat(["N", "V"], [30, 10])
    predicted = np.arange(40) % 7 < 2
    split = split._replace(y_train=y_train, y_test=y_test)
    figures = shares.judge(predicted.astype(int), split, in_use=np.array([0.9, 0.1]))
    again = np.repeat(np.arange(40), np.where(y_test == "N", 3, 1))  # nine N to one V
    expected = f1_score(y_test[again] == "V", predicted[again], average="macro")
    assert figures["macro F1"] == pytest.approx(expected)


class Fixed:
    """Gives these scores whatever it is trained on."""

    def __init__(self, scores):
        self.scores = scores

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.column_stack([1 - self.scores, self.scores])


@pytest.mark.parametrize(("power", "threshold"), [(-0.5, 0.25), (0, 0.5), (0.5, 0.75), (1, 0.9)])
def test_scores_are_multiplied_by_shares(split, monkeypatch, power, threshold):
    scores = np.linspace(0.01, 0.99, 40)
    models = dict.fromkeys(augmentation_report.FOUR, Fixed(scores))
    monkeypatch.setattr(rivals, "classifiers", lambda *args: models)
    y_test = np.repeat(["N", "V"], [20, 20])
    split = split._replace(y_train=np.repeat(["N", "V"], [90, 10]), y_test=y_test)
    balanced = np.repeat(["N", "V"], [90, 90])
    at_test = np.array([0.5, 0.5])
    rows = shares.judge_all(
        split, 0, at_test, balanced[:, None], balanced, ("SMOTE", "100%"), (power,)
    )
    found = scores > threshold
    expected = balanced_accuracy_score(y_test == "V", found)
    assert [row["balanced accuracy"] for row in rows] == pytest.approx([expected] * 4)
    expected = f1_score(y_test == "V", found, average="macro")
    assert [row["macro F1"] for row in rows] == pytest.approx([expected] * 4)
    assert rows[0]["power"] == power


def test_rare_classes_are_filled_up():
    y = np.repeat(["N", "S", "V"], [100, 30, 5])
    assert shares.fill_up(y, 0.2) == {"N": 100, "S": 30, "V": 20}


def test_shares_are_told_apart(tmp_path):
    balanced = [("SMOTE", "100%", power) for power in shares.POWERS]
    names = [("none", "", 0), ("SMOTE", "10%", 0), (rivals.STAGAN, "10%", 0), *balanced]
    keys = ("sampler", "filled up to", "power")
    rows = [
        {"task": task, "classifier": "CNN"}
        | dict(zip(keys, name, strict=True))
        | dict.fromkeys(augmentation_report.FIGURES, i / 10 + j / 100)
        for j, task in enumerate(("scarce", "few, 20"))
        for i, name in enumerate(names)
    ]
    table = shares.tabulate(pd.DataFrame(rows))
    assert table.index.tolist() == names
    assert table["few, 20"].tolist() == [
        f"{i / 10 + 0.01:.3f} / {i / 10 + 0.01:.3f}" for i in range(len(names))
    ]
    shares.draw(table, tmp_path / "shares.png", "macro-F1")
    assert (tmp_path / "shares.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("task", "seed", "name", "written"),
    [
        ("scarce", 0, rivals.STAGAN, "scarce"),
        ("scarce", 5, rivals.STAGAN, "scarce-confirmed"),
        ("scarce", 0, "none", "scarce"),
        ("sines", 0, rivals.STAGAN, "overview-simulated"),
        ("few, 20", 0, "none", "overview-few"),
    ],
)
def test_a_report_of_few_cells(tmp_path, monkeypatch, task, seed, name, written):
    rows = [
        {
            "task": task,
            "seed": seed,
            "sampler": name,
            "classifier": classifier,
            "by record": np.nan,
        }
        | {"failed": np.nan, "seconds": 1.0, "peak MB": 1.0, "recall": "N=0.8 V=0.8"}
        | dict.fromkeys(augmentation_report.FIGURES + augmentation_report.RANKING, value)
        for name, value in ((name, 0.8), ("SMOTE", 0.7))
        for classifier in augmentation_report.FOUR
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "few.csv", index=False)
    monkeypatch.setattr("sys.argv", ["report", "--results", str(tmp_path / "few.csv")])
    augmentation_report.main()
    table = pd.read_csv(tmp_path / f"{written}.csv", index_col=0)
    column = "mean of four" if task == "scarce" else task
    assert table[column][[name, "SMOTE"]].tolist() == ["0.800 / 0.800", "0.700 / 0.700"]
    assert task != "scarce" or table.index.tolist() == [name, "SMOTE"]  # best first


def test_results_that_were_cut_off_are_not_appended_to(tmp_path):
    path = tmp_path / "cut.csv"
    path.write_text(",".join(augmentation.COLUMNS) + "\nsines,0,SMOTE,CNN,0.98")
    with pytest.raises(SystemExit, match="within a line; remove"):
        augmentation.read_results(path)


@pytest.mark.parametrize("has_aeon", [False, True])
def test_results_with_and_without_aeon_are_not_mixed(tmp_path, monkeypatch, has_aeon):
    row = dict.fromkeys(augmentation.COLUMNS) | {"sampler": "SMOTE", "classifier": "CNN"}
    rows = [row, row | {"classifier": "MiniRocket"}] if not has_aeon else [row]
    pd.DataFrame(rows).to_csv(tmp_path / "r.csv", index=False)
    monkeypatch.setattr(rivals, "has_aeon", lambda: has_aeon)
    with pytest.raises(SystemExit, match=r"with(out)? aeon .* name another file"):
        augmentation.read_results(tmp_path / "r.csv")
    monkeypatch.setattr(rivals, "has_aeon", lambda: not has_aeon)
    assert len(augmentation.read_results(tmp_path / "r.csv")) == len(rows)


def test_the_recipe_needs_the_seconds_of_the_default(tmp_path):
    with pytest.raises(SystemExit, match="run that first"):
        augmentation.run_cells([("sines", 0, rivals.ORIGINAL_RECIPE)], tmp_path / "none.csv", 1)


def test_ranks_put_failures_last():
    rows = [
        {"task": task, "sampler": name, "classifier": "CNN", "macro F1": value}
        for task, values in {"scarce": (0.9, 0.8, 0.7), "sines": (0.5, 0.6, np.nan)}.items()
        for name, value in zip((rivals.STAGAN, "SMOTE", "ADASYN"), values, strict=True)
    ]
    rows.append(rows[0] | {"sampler": "OHIT"})  # on one task alone, so it has no rank
    ranks = augmentation_report.rank(pd.DataFrame(rows), "macro F1")
    assert ranks["mean rank"].to_dict() == {rivals.STAGAN: 1.5, "SMOTE": 1.5, "ADASYN": 3.0}


def test_worth_where_a_rival_was_not_run_on_every_multiple():
    assert augmentation_report._reached([1, 2, 4], np.array([0.5, np.nan, 0.7]), 0.7) == 4
    assert augmentation_report._reached([1, 2, 4], np.array([0.5, 0.7, 0.7]), 0.7) == 2
    assert augmentation_report._reached([1, 2, 4, 8], np.array([0.5, 0.7, 0.6, 0.9]), 0.7) == 2


def test_samplers_are_compared_on_the_same_seeds():
    cells = [("scarce", seed, name) for seed in (0, 1) for name in (rivals.STAGAN, "SMOTE")]
    cells += [("scarce", 0, rivals.ORIGINAL_RECIPE), ("scarce", 2, "SMOTE"), ("sines", 0, "SMOTE")]
    table = pd.DataFrame(cells, columns=["task", "seed", "sampler"])
    kept = augmentation_report.with_common_seeds(table)
    assert list(kept.itertuples(index=False, name=None)) == [*cells[:4], cells[-1]]


def test_what_a_rival_cannot_do_is_said(split):
    with pytest.raises(ValueError, match="one lead"):
        rivals.resample("OHIT", split._replace(n_channels=2), seed=0)
    many = split._replace(y_train=np.repeat(["N", "V"], 2100))
    with pytest.raises(ValueError, match="pairs of 2100 rows"):
        rivals.resample("ESMOTE", many, seed=0)


def test_against_the_original_recipe():
    rows = [
        {"task": "sines", "seed": seed, "sampler": name, "classifier": "CNN"}
        | dict.fromkeys(augmentation_report.FIGURES, value)
        for seed, name, value in [
            (0, rivals.STAGAN, 0.9),
            (0, rivals.ORIGINAL_RECIPE, 0.7),
            (1, rivals.STAGAN, 0.1),  # the recipe was not run on this seed
        ]
    ]
    table = augmentation_report.against_original(pd.DataFrame(rows))
    assert table.loc["sines"].tolist() == [1, "0.900 / 0.900", "0.700 / 0.700"]


def test_the_original_recipe_gives_what_its_generator_draws():
    parameters = rivals.StaGANSampler(**rivals.recipe(1.0)).get_params()
    assert parameters["selection"] is None
    for part in ("interpolation", "detail", "replicate"):
        assert parameters[f"{part}_fraction"] == 0
    assert parameters["variation"] == 0


@pytest.mark.records
def test_attacked_beats_are_apart_and_alike(records):
    members, same, other, shadow = privacy.draw_sets(np.random.default_rng(0))
    rows = [{row.tobytes() for row in part[0]} for part in (members, same, other, shadow)]
    assert not rows[0] & rows[1]
    assert (members[1] == "V").sum() == (same[1] == "V").sum() == 800
    patients = [set(part[2]) for part in (members, same, other, shadow)]
    assert len(patients[0] & patients[1]) > 15
    assert not patients[0] & (patients[2] | patients[3])
    assert not patients[2] & patients[3]


def test_cells_of_attacks_hold_their_intervals():
    names = ("auc", "tpr_at_1%", "tpr_at_0.1%")
    figures = {f"{name}{end}": [0.5] for name in names for end in ("", "_low", "_high")}
    row = {"sampler": ["SMOTE"], "attack": ["distance"]}
    table = privacy.as_table(pd.DataFrame(row | figures | {"memorization ratio": [1.0]}))
    assert table["AUC"].tolist() == ["0.500 (0.500 to 0.500)"]


@pytest.mark.filterwarnings("ignore:Only")  # two steps teach little
def test_parts_after_training_share_one():
    split = tasks.small(0, n_rows=120, n_timepoints=40, n_rare=30, noise=0.1)
    trained = StaGANSampler(max_epochs=1, steps_per_epoch=2, random_state=0)
    trained.fit(split.X_train, split.y_train)
    weights = {name: value.clone() for name, value in trained.net_.module_.state_dict().items()}
    reused = ablation.Reused(interpolation_fraction=0, random_state=0).take(trained)
    _, y = reused.fit_resample(split.X_train, split.y_train)
    assert len(set(np.unique(y, return_counts=True)[1])) == 1
    assert reused.interpolation_fraction == 0
    assert reused.net_ is trained.net_
    for name, value in reused.net_.module_.state_dict().items():
        assert value.equal(weights[name])


def test_p_values_by_holm():
    p = pd.Series({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5})
    # 0.01 * 4, then 0.03 * 3, and 0.04 * 2 = 0.08 is no less than the one before
    assert augmentation_report.by_holm(p).round(10).to_dict() == {
        "a": 0.04,
        "b": 0.09,
        "c": 0.09,
        "d": 0.5,
    }


def test_what_was_not_given_is_no_failure():
    figures = augmentation_report.FIGURES
    columns = ["task", "seed", "sampler", "classifier", *figures, "failed"]
    rows = [
        ["two leads", 0, "SMOTE", "CNN", 0.5, 0.5, None],
        ["two leads", 0, "OHIT", None, np.nan, np.nan, "It takes one lead."],
        ["two leads", 0, "ADASYN", None, np.nan, np.nan, "No neighbours."],
    ]
    table = augmentation_report.overview(pd.DataFrame(rows, columns=columns))
    assert table["two leads"].to_dict() == {
        "SMOTE": "0.500 / 0.500",
        "OHIT": "not run",
        "ADASYN": "failed",
    }
    reasons = "|".join(augmentation_report.NOT_GIVEN)
    for n_channels, n_rare in ((2, 10), (1, 3000)):
        with pytest.raises(ValueError, match=f"^({reasons})"):
            rivals._check_possible("ESMOTE", n_channels, n_rare)


def test_what_failed_on_one_seed_has_no_mean():
    rows = [
        {"sampler": sampler, "classifier": name} | dict.fromkeys(augmentation_report.FIGURES, 0.5)
        for sampler in ("SMOTE", "ADASYN")
        for name in augmentation_report.FOUR
    ]
    table = pd.DataFrame(
        [{**rows[0], "failed": None}, *rows, {"sampler": "ADASYN", "failed": "no"}]
    )
    table = augmentation_report.tabulate(table)
    assert set(table.loc["ADASYN"]) == {"failed"}
    assert table.loc["SMOTE", "mean of four"] == "0.500 / 0.500"
