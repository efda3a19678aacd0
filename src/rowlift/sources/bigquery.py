"""Google BigQuery: rows through the Storage Read API where it is permitted, else over REST."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, Field, SecretStr, StringConstraints, model_validator

from rowlift.kit.config import ConnectorConfig, LocalPath
from rowlift.kit.drivers import load
from rowlift.kit.served import Informed

HOST = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"
PROJECT = r"^[a-z][a-z0-9.:-]*[a-z0-9]$"
LEAST_BILLED = 10_485_760  # bytes; a query is billed for no less
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,63}$")]


class BigQueryConfig(ConnectorConfig):
    """Which project pays, who reads, and what a query may cost; always over verified HTTPS."""

    keyfile: LocalPath | None = Field(
        default=None, description="File of the service account's key (JSON)"
    )
    keyfile_json: SecretStr | None = Field(
        default=None, description="That file's text, instead of the file"
    )
    project: str | None = Field(
        default=None, pattern=PROJECT, description="Project that runs and pays; else the key's own"
    )
    dataset: str | None = Field(
        default=None, pattern=r"^\w+$", description="Dataset of unqualified table names"
    )
    location: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
        description="Where queries run, such as EU; else where the tables are",
    )
    maximum_bytes_billed: int | None = Field(
        default=None, ge=LEAST_BILLED, description="Refuse a query that would read more bytes"
    )
    labels: Mapping[LabelName, LabelValue] = Field(
        default_factory=dict, max_length=64, description="Labels of every job, for the bill"
    )
    connect_timeout: float = Field(
        default=10, gt=0, le=3600, description="Seconds to connect, and to try again for"
    )
    statement_timeout: float = Field(
        default=3600, gt=0, le=21_600, description="Seconds a query may take, reading included"
    )
    reader: Literal["auto", "rest", "storage"] = Field(
        default="auto", description="How large results come; auto streams them where it may"
    )
    host: str = Field(
        default="bigquery.googleapis.com", pattern=HOST, description="Host of the REST API"
    )
    port: int = Field(default=443, ge=1, le=65535, description="Port of the REST API")
    storage_host: str = Field(
        default="bigquerystorage.googleapis.com",
        pattern=HOST,
        description="Host of the Storage Read API",
    )
    storage_port: int = Field(default=443, ge=1, le=65535, description="Port of that API")
    ssl_ca: LocalPath | None = Field(
        default=None, description="File of trusted authorities; else those of the driver"
    )

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if (self.keyfile is None) == (self.keyfile_json is None):
            raise ValueError("give either keyfile or keyfile_json")
        return self


class BigQuery(Informed):
    """A project of BigQuery; what a query is and reads is asked of the service before it runs.

    Arrays and structs travel as JSON, BIGNUMERIC, TIME, INTERVAL, RANGE and GEOGRAPHY as text.
    """

    Config: ClassVar[type[BaseModel]] = BigQueryConfig
    dialect: ClassVar[str] = "bigquery"

    def __init__(self, config: BigQueryConfig) -> None:
        """Raise SourceError DRIVER_MISSING without the driver; connect when first asked."""
        module = load("rowlift.sources.dialects.bigquery_warehouse", extra="bigquery")
        super().__init__(module.Warehouse(config))
