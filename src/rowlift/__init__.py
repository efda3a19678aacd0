"""Reverse ETL: from a query on a database to people in a workspace and delivered changes."""

__version__ = "0.1.0"
