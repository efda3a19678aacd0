"""Files that name people, one in each line."""

from pathlib import Path

from rowlift.core.errors import ConfigError


def names_in(file: Path) -> list[str]:
    """Return the lines of a UTF-8 file that are not blank; raises ConfigError FILE_UNREADABLE."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "FILE_UNREADABLE", f"{file} cannot be read as UTF-8 text.", mend="Check the file."
        ) from error
    if "\0" in text:
        raise ConfigError(
            "FILE_UNREADABLE", f"{file} is not a text: it holds zero bytes.", mend="Check the file."
        )
    return [line.strip() for line in text.splitlines() if line.strip()]
