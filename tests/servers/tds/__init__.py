"""A stand-in for SQL Server: TDS 7.4 from pysqlbridge, T-SQL put into DuckDB's SQL by sqlglot.

Run as a program: python -m servers.tds PORT FOLDER CERTIFICATE KEY. It is set up through a socket
`control` in the folder, by `servers.sqlserver`.
"""
