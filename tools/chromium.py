"""Which Chromium opens pages: the one without windows, which needs half the CPU, or the whole."""

import shutil

ARGUMENTS = ("--no-sandbox",)  # it is refused to root


def program() -> str:
    """Return the browser's path; raises FileNotFoundError."""
    for name in ("chromium-headless-shell", "chromium"):
        if path := shutil.which(name):
            return path
    raise FileNotFoundError("There is no Chromium: `make system` installs one.")
