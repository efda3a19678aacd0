"""The version of this release; the wheel takes it from here."""

VERSION = "0.1.0"
