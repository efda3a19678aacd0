# ruff: noqa: F401
"""Imported once by the fork server, so that each child starts warm; it opens nothing."""

from importlib import import_module
from pkgutil import iter_modules

import alembic.runtime.migration
import psycopg
import pyarrow.dataset
import pydantic.dataclasses
import rich.progress
import rich.table
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite
import sqlglot.dialects.sqlite
import sqlglot.generators.sqlite
import sqlglot.parsers.sqlite
import typer._adapters
import uvicorn.protocols.http.auto

import rowlift.cli.app
import rowlift.cli.check
import rowlift.cli.debug
import rowlift.cli.ls
import rowlift.cli.plan
import rowlift.cli.preview
import rowlift.cli.run
import rowlift.cli.runs
import rowlift.cli.state
import rowlift.destinations.files
import rowlift.destinations.segment
import rowlift.destinations.webhook
import rowlift.operations
import rowlift.sources.duckdb
import rowlift.sources.files
import rowlift.sources.mysql
import rowlift.sources.postgres
import rowlift.sources.sqlite
import rowlift.testing.clock
import rowlift.testing.fake
import rowlift.web.ingest.app
import rowlift.workers.ingesting

for _one in iter_modules(rowlift.operations.__path__):
    import_module(f"{rowlift.operations.__name__}.{_one.name}")
