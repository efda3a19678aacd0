"""What Snowflake and its driver say, and what we make of it; the texts are the service's own."""

import pytest

from rowlift.sources.dialects.snowflake_words import Place

PLACE = Place(
    where="acme.snowflakecomputing.com",
    user="ROWLIFT",
    role="Reader of people",
    warehouse="WH",
    database="ANALYTICS",
    schema="PUBLIC",
    secrets=("c4nary",),
)


@pytest.mark.parametrize(
    ("number", "said", "code"),
    [
        (606, "No active warehouse selected in the current session.", "WAREHOUSE_UNAVAILABLE"),
        (1, "Warehouse 'WH' is suspended.", "WAREHOUSE_UNAVAILABLE"),
        (1, "Warehouse 'WH' cannot be resumed because its owner left.", "WAREHOUSE_UNAVAILABLE"),
        (1, "Warehouse 'WH' cannot be resumed: monitor 'M' has exceeded its quota.",
         "QUOTA_EXCEEDED"),
        (630, "Statement reached its statement or warehouse timeout of 1 second(s).",
         "QUERY_TIMEOUT"),
        (604, "SQL execution canceled", "QUERY_CANCELLED"),
        (390112, "Your session has expired. Please login again.", "SOURCE_DROPPED"),
        (252005, "The total number of nanoseconds overflows int64 range.", "QUERY_FAILED"),
        (100038, "Numeric value 'certificate' is not recognized", "QUERY_FAILED"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_query(number, said, code):
    error = PLACE.running(number, said)
    assert (error.code, said in error.message) == (code, True)
    assert error.mend


def test_a_moment_that_arrow_cannot_hold_comes_with_its_cast():
    assert "TIMESTAMP_NTZ(6)" in PLACE.running(252005, "-1 overflows int64 range").mend


@pytest.mark.parametrize(
    ("number", "said", "code"),
    [
        (390100, "Incorrect username or password was specified.", "LOGIN_FAILED"),
        (390422, "Incoming request with IP 192.0.2.1 is not allowed.", "LOGIN_FAILED"),
        (390201, "The requested warehouse does not exist or not authorized.",
         "WAREHOUSE_UNAVAILABLE"),
        (390201, "The requested database does not exist or not authorized.", "DATABASE_UNKNOWN"),
        (250001, "invalid peer certificate: UnknownIssuer", "TLS_FAILED"),
        (250001, "Connection refused (os error 111)", "CONNECT_FAILED"),
        (14, "login timed out", "CONNECT_FAILED"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_login(number, said, code):
    assert PLACE.connecting(number, said).code == code


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("Role 'R' specified in the connect string is not granted to this user.",
         'GRANT ROLE "Reader of people" TO USER ROWLIFT;'),
        ("JWT token is invalid.", "ALTER USER ROWLIFT SET RSA_PUBLIC_KEY"),
        ("Incorrect username or password was specified.", "Check user and password."),
    ],
)  # fmt: skip
def test_a_refused_login_is_mended(said, mend):
    assert mend in PLACE.connecting(390100, said).mend


def test_no_secret_is_repeated():
    assert "c4nary" not in str(PLACE.running(1, "wrong token c4nary"))


def test_names_are_quoted_where_they_must_be():
    (usage, select) = PLACE.running(2003, "?", [("crm", "People")]).mend.splitlines()[-2:]
    assert usage == 'GRANT USAGE ON SCHEMA ANALYTICS."crm" TO ROLE "Reader of people";'
    grant = 'GRANT SELECT ON TABLE ANALYTICS."crm"."People" TO ROLE "Reader of people";'
    assert select.startswith(grant)
