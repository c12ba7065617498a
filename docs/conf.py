"""Sphinx configuration."""

import os
from importlib.metadata import version as installed_version
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

project = "sktsgan"
author = "the sktsgan developers"
copyright = "2026, the sktsgan developers"
version = release = installed_version("sktsgan")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
autosummary_generate = True
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_title = "sktsgan"
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
# in the bar at the right there is no room for the class before each method
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
}
# pages without pages below them have nothing to show at their side
html_sidebars = {
    page: []
    for page in (
        "index",
        "install",
        "user_guide",
        "judging",
        "benchmark",
        "speed",
        "scaling",
        "privacy",
        "promises",
        "whats_new",
        "contributing",
    )
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# The second place is for machines without network: what this documentation links to, and no more.
intersphinx_mapping = {
    name: (url, (None, f"_inventories/{name}.inv"))
    for name, url in {
        "sklearn": "https://scikit-learn.org/stable/",
        "imblearn": "https://imbalanced-learn.org/stable/",
        "skorch": "https://skorch.readthedocs.io/en/stable/",
        "torch": "https://docs.pytorch.org/docs/stable/",
        "dask": "https://docs.dask.org/en/stable/",
        "joblib": "https://joblib.readthedocs.io/en/stable/",
    }.items()
}
intersphinx_timeout = 5
# names in Raises and See Also sections of numpydoc, of projects that are not linked
nitpick_ignore_regex = [
    ("py:(class|meth|func|mod|obj)", "(?!sktsgan|sklearn|imblearn|skorch|torch|dask|joblib).*"),
    ("py:class", "sktsgan._.*"),
]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"benchmarks",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": "sktsgan",
    "backreferences_dir": "generated/backreferences",
    "reference_url": {"sktsgan": None},
    "remove_config_comments": True,
    "show_signature": False,
    "matplotlib_animations": False,
    "min_reported_time": 1,
    "write_computation_times": False,
    # the diagram of a pipeline is shown, the name of a display is not
    "capture_repr": ("_repr_html_",),
    # a page whose example fails is no page
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "default_thumb_file": str(Path(__file__).parent / "_static" / "quickstart.png"),
}
