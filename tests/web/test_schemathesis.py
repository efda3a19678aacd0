"""Whatever is sent to any route: no server error, and answers as the description says."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jsonschema_rs
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import rowlift
from doors.api import Api, serving
from rowlift.core.rights import Right, Role
from rowlift.web.app import api as api_of
from rowlift.web.app import described
from rowlift.web.office import Office
from world import World

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    world = World(tmp_path_factory.mktemp("schema") / "acme", ("user_id", "email", "plan"))
    world.sync["workspace"] = "write"
    world.rows(("ann", "ann@example.com", "pro"), ("", "bob@example.com", "free"))
    world.run()
    with serving(Path(world.folder)) as api:
        api.project.serving().start()
        yield api


@pytest.fixture(scope="module")
def admin(served: Api) -> Iterator[dict[str, str]]:
    with served.by_token(Role.ADMIN, list(Right)) as client:
        yield {"authorization": client.headers["authorization"]}


document = described(api_of(Office(rowlift.Project)))
schema = schemathesis.openapi.from_dict(document).exclude(path_regex="/(setup|session)$")


@schema.parametrize()
@hypothesis.settings(max_examples=10, suppress_health_check=list(hypothesis.HealthCheck))
def test_S46_no_request_breaks_the_server(
    case: schemathesis.Case, served: Api, admin: dict[str, str]
) -> None:
    case.call_and_validate(base_url=served.url, headers=admin, checks=CHECKS)


def test_every_example_is_valid() -> None:
    schemas = document["components"]["schemas"]
    tried = 0
    for model in schemas.values():
        for part in model.get("properties", {}).values():
            whole = part | {"components": {"schemas": schemas}}
            for example in part.get("examples", ()):
                jsonschema_rs.validate(whole, example)
                tried += 1
    assert tried
