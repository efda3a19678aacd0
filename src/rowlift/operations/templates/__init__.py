"""Queries to begin with, one YAML file each: what it finds, and its text as PostgreSQL's SQL."""
