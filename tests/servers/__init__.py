"""Real database servers for tests: private, on a free loopback port, with verified TLS.

They are started when the first test asks, shared by all workers of one pytest run, and gone
when it ends, even when pytest was killed.
"""

from servers.bigquery import BigQueryDataset, BigQueryServer
from servers.mariadb import MariaDbDatabase, MariaDbServer
from servers.postgres import PostgresDatabase, PostgresServer
from servers.redshift import RedshiftDatabase, RedshiftServer
from servers.snowflake import SnowflakeDatabase, SnowflakeServer
from servers.sqlserver import TdsDatabase, TdsServer

__all__ = [
    "BigQueryDataset",
    "BigQueryServer",
    "MariaDbDatabase",
    "MariaDbServer",
    "PostgresDatabase",
    "PostgresServer",
    "RedshiftDatabase",
    "RedshiftServer",
    "SnowflakeDatabase",
    "SnowflakeServer",
    "TdsDatabase",
    "TdsServer",
]
