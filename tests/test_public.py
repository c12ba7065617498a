"""The public surface, and what an import costs."""

import subprocess
import sys

import pytest

import sktsgan
from sktsgan import datasets, losses, metrics, networks, plotting


@pytest.mark.parametrize("module", [sktsgan, datasets, losses, metrics, networks, plotting])
def test_every_public_name_is_there_and_documented(module):
    for name in module.__all__:
        thing = getattr(module, name)
        if name != "__version__":
            assert ">>>" in thing.__doc__, name


@pytest.mark.parametrize("heavy", ["matplotlib", "wfdb"])
def test_what_is_not_needed_is_not_imported(heavy):
    code = (
        f"import sys, sktsgan, sktsgan.datasets, sktsgan.plotting; print({heavy!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
