"""Sphinx configuration."""

from importlib.metadata import version as installed_version

project = "sktsgan"
author = "the sktsgan developers"
copyright = "2026, the sktsgan developers"
version = release = installed_version("sktsgan")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
# pages without pages below them have nothing to show at their side
html_sidebars = {
    page: []
    for page in ("index", "user_guide", "judging", "benchmark", "whats_new", "contributing")
}
templates_path = ["_templates"]
exclude_patterns = ["_build"]
autosummary_generate = True
numpydoc_show_class_members = False
# types in docstrings are prose; links to other projects come with the gallery
nitpick_ignore_regex = [
    ("py:(class|meth|func|mod|obj)", "(?!sktsgan).*"),
    ("py:class", "sktsgan._.*"),
]
