"""Packages that are installed by those who need them."""

from importlib import import_module


def import_extra(module, extra, needed_by):
    """Import a module that comes with an extra of this package.

    Parameters
    ----------
    module : str
        Name of the module.
    extra : str
        Name of the extra.
    needed_by : str
        What the caller asked for, as it is told to them.

    Returns
    -------
    module
        The module.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{needed_by} needs {module.partition('.')[0]}. Install the extra {extra!r}: "
            f"pip install 'sktsgan[{extra}]'."
        ) from error
