"""Connectors speak of keys; a form speaks of its labels."""

import pytest

from rowlift.operations.kinds import KINDS
from rowlift.project.connections import ROLES
from rowlift.web.pages.labels import in_labels

SAID = [
    ("postgres", "Set sslmode: verify-full.", "Set “TLS mode” to verify-full."),
    ("postgres", "With the authority as sslrootcert.", "With the authority as “TLS authority”."),
    ("postgres", "or set allow_unsafe_user: true here.", "or tick “Allow unsafe user” here."),
    ("postgres", 'The key "database" is missing.', "The field “Database” is missing."),
    ("postgres", "GRANT SELECT ON sslmode TO bob;", "GRANT SELECT ON sslmode TO bob;"),
    ("postgres", "host: unknown; my_sslmode", "host: unknown; my_sslmode"),
    ("mysql", "Check ssl_ca and ssl_cert.", "Check “TLS authority” and “TLS cert”."),
    (
        "sqlserver",
        "Set encrypt: yes and trust_server_certificate: false.",
        "Set “Encrypt” to yes and untick “Trust server certificate”.",
    ),
]


@pytest.mark.parametrize(("type_", "said", "told"), SAID)
def test_keys_are_told_as_labels(type_: str, said: str, told: str) -> None:
    config = KINDS.of(ROLES["source"])[type_]
    assert in_labels(config, said) == told
    assert in_labels(None, said) == said
