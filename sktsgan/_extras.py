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
        If it is not installed, or something that it needs is not.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ImportError(
            f"{needed_by} needs {package}. Install the extra {extra!r}: "
            f"pip install 'sktsgan[{extra}]'."
        ) from error
