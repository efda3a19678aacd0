"""Queries to begin with: one TOML file for the tables of each vendor, or of one shape.

`tables` gives our names of tables and columns, with their types. The SQL, in PostgreSQL's words,
uses those alone, each column behind its table's alias. A layout says what a loader calls them; what
it leaves out has our name. A name may be a list, of which the first that is there counts, or an
expression of columns in braces; `latest` keeps the last version of each id by that column. Each
`sample` is what follows from `seed`; a time there is "N days ago", and "null" is none.
"""
