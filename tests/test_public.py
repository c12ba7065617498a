"""The public surface, and what an import costs."""

import doctest
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from imblearn.pipeline import Pipeline
from sklearn.utils import estimator_html_repr

import sktsgan
from sktsgan import datasets, losses, metrics, networks, plotting
from sktsgan._extras import import_extra


@pytest.mark.parametrize("module", [sktsgan, datasets, losses, metrics, networks, plotting])
def test_every_public_name_is_documented(module):
    """With an example, which the suite runs as a doctest, and a line in the API page."""
    page = (Path(__file__).parent.parent / "docs" / "api.rst").read_text("utf-8")
    sections = page.split(".. currentmodule:: ")[1:]
    listed = {section.split()[0]: section.split() for section in sections}
    for name in set(module.__all__) - {"__version__"}:
        thing = getattr(module, name)
        examples = doctest.DocTestFinder(recurse=False).find(thing, name)
        assert examples, name
        assert any(line.source for line in examples[0].examples), name
        home = "sktsgan" if hasattr(sktsgan, name) else module.__name__
        assert name in listed[home], name


@pytest.mark.parametrize("thing", [sktsgan.StaGANSampler(max_epochs=7), sktsgan.MMDScorer()])
def test_diagrams_link_to_the_documentation(thing):
    name = type(thing).__name__
    for shown in (thing, Pipeline([("step", thing)])) if hasattr(thing, "fit") else (thing,):
        page = estimator_html_repr(shown)
        assert f"/generated/sktsgan.{name}.html" in page
        assert ("max_epochs" if name == "StaGANSampler" else "average") in page


def test_what_is_not_needed_is_not_imported():
    code = (
        "import sys, sktsgan, sktsgan.datasets, sktsgan.plotting; "
        "print({'matplotlib', 'wfdb'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_extra_that_lacks_something_itself_says_so(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import what_it_needs")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'what_it_needs'"):
        import_extra("half_there", "ecg", "fetch_mitbih")
    with pytest.raises(ImportError, match="fetch_mitbih needs not_there. Install the extra 'ecg'"):
        import_extra("not_there.part", "ecg", "fetch_mitbih")
    (tmp_path / "nameless.py").write_text("raise ModuleNotFoundError('no C library here')")
    with pytest.raises(ModuleNotFoundError, match="no C library here"):
        import_extra("nameless", "ecg", "fetch_mitbih")


def test_the_version_is_that_of_the_package():
    assert sktsgan.__version__ == importlib.metadata.version("sktsgan")
