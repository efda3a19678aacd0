# ruff: noqa: F401
"""Imported once by the fork server, so that each child starts warm; it opens nothing."""

import alembic.runtime.migration
import psycopg
import pyarrow.dataset
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite
import sqlglot.dialects.sqlite
import sqlglot.generators.sqlite
import sqlglot.parsers.sqlite

import crashes.story
import rowlift.operations.project
import rowlift.sources.sqlite
import rowlift.testing.fake
