"""Imported once by the fork server, so that each child starts warm; it opens nothing."""

import crashes.story  # noqa: F401
import rowlift.operations.project
import rowlift.sources.sqlite
import rowlift.testing.fake  # noqa: F401
