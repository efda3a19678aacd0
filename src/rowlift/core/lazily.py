"""Modules of a package that are imported when somebody first asks for them."""

from collections.abc import Callable
from importlib import import_module


def modules_of(package: str) -> Callable[[str], object]:
    """Return what a package has as `__getattr__`, so that `package.module` reads as it is."""

    def found(name: str) -> object:
        path = f"{package}.{name}"
        try:
            return import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:
                raise
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message) from None

    return found
