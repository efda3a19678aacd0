"""The demo's warehouse: a shop, its Zendesk and its billing, with faults planted on purpose."""

from pathlib import Path

import duckdb

PEOPLE = 20_000
TICKETS = 9_000
FORMER = 100

# Everything follows from row numbers through hash(): the same warehouse on every machine.
_SEED = """
CREATE SCHEMA shop; CREATE SCHEMA zendesk; CREATE SCHEMA billing;

CREATE TABLE shop.customers AS
SELECT
    'c' || lpad((i)::VARCHAR, {width}, '0') AS customer_id,
    lower(first) || '.' || lower(last) || i || '@example.com' AS email,
    first || ' ' || last AS name,
    ['DE', 'AT', 'CH', 'FR', 'NL', 'PL'][1 + (hash(i * 7) % 6)::INTEGER] AS country,
    DATE '2021-01-01' + (hash(i * 11) % 1900)::INTEGER AS signed_up_on
FROM (
    SELECT i,
        ['Ada', 'Ben', 'Cleo', 'Dora', 'Emil', 'Fay', 'Gus', 'Hana', 'Ivo', 'Jana', 'Kai', 'Lea']
            [1 + (hash(i) % 12)::INTEGER] AS first,
        ['Abel', 'Berg', 'Conti', 'Dahl', 'Engel', 'Falk', 'Graf', 'Hahn', 'Ito', 'Jansen']
            [1 + (hash(i * 3) % 10)::INTEGER] AS last
    FROM range(1, {people} + 1) AS numbers(i)
);

CREATE TABLE shop.orders AS
SELECT i AS order_id,
    'c' || lpad((1 + (hash(i * 13) % {people}))::VARCHAR, {width}, '0') AS customer_id,
    ((500 + (hash(i * 17) % 20000)) / 100)::DECIMAL(12, 2) AS total
FROM range(1, 3 * {people} + 1) AS numbers(i);

CREATE TABLE billing.subscriptions AS
SELECT customer_id, ['free', 'plus', 'pro'][1 + (hash(customer_id) % 3)::INTEGER] AS plan
FROM shop.customers WHERE hash(customer_id || 'plan') % 4 > 0;

-- One user in fifty was never linked to a customer, and a few to customers the shop forgot.
CREATE TABLE zendesk.users AS
SELECT 100000 + i AS id,
    CASE WHEN i % 50 = 0 THEN NULL WHEN i > {people} THEN 'former' || i
        ELSE 'c' || lpad(i::VARCHAR, {width}, '0') END AS external_id
FROM range(1, {people} + {former} + 1) AS numbers(i);

-- Many people have more than one ticket.
CREATE TABLE zendesk.tickets AS
SELECT i AS id, 100001 + (hash(i * 19) % ({people} + {former}))::BIGINT AS requester_id,
    ['new', 'open', 'pending', 'hold', 'solved', 'closed']
        [1 + (hash(i * 23) % 6)::INTEGER] AS status
FROM range(1, {tickets} + 1) AS numbers(i);
"""

# The faults of the customers: no id, one id twice, addresses that are none, addresses in use.
_FAULTS = """
INSERT INTO shop.customers VALUES
    (NULL, 'nobody.1@example.com', 'No Id', 'DE', DATE '2024-05-01'),
    (NULL, 'nobody.2@example.com', 'No Id Either', 'AT', DATE '2024-05-02'),
    ('c90001', 'twice.1@example.com', 'Twice One', 'DE', DATE '2024-05-03'),
    ('c90001', 'twice.2@example.com', 'Twice Two', 'DE', DATE '2024-05-03'),
    ('c90002', 'not an address', 'Bad Address', 'FR', DATE '2024-05-04'),
    ('c90003', 'missing-at.example.com', 'Bad Address Too', 'NL', DATE '2024-05-04'),
    ('c90004', 'two@@example.com', 'Bad Address Again', 'PL', DATE '2024-05-04'),
    ('c90005', 'shared@example.com', 'First Of Two', 'CH', DATE '2024-05-05'),
    ('c90006', 'Shared@example.com', 'Second Of Two', 'CH', DATE '2024-05-05');
"""

# A day later: a plan was changed, a ticket was opened, a ticket was solved, somebody signed up.
_NEXT_DAY = """
UPDATE billing.subscriptions SET plan = 'pro plus' WHERE customer_id IN
    (SELECT customer_id FROM billing.subscriptions ORDER BY customer_id LIMIT 3);
INSERT INTO shop.customers VALUES
    ('c20001', 'nora.newcomer@example.com', 'Nora Newcomer', 'DE', DATE '2026-11-20'),
    ('c20002', 'otto.newcomer@example.com', 'Otto Newcomer', 'AT', DATE '2026-11-20');
INSERT INTO zendesk.users VALUES (900000001, 'c20001');
INSERT INTO zendesk.tickets VALUES (900000001, 900000001, 'new');
UPDATE zendesk.tickets SET status = 'solved' WHERE requester_id = (
    SELECT t.requester_id FROM zendesk.tickets t JOIN zendesk.users u ON u.id = t.requester_id
    WHERE u.external_id IS NOT NULL AND t.status IN ('new', 'open', 'pending', 'hold')
    ORDER BY t.requester_id LIMIT 1
);
"""


_COUNTED = {
    "customers": "shop.customers",
    "orders": "shop.orders",
    "subscriptions": "billing.subscriptions",
    "Zendesk tickets": "zendesk.tickets",
}


def seed(path: Path, people: int = PEOPLE, tickets: int = TICKETS) -> dict[str, int]:
    """Write the warehouse into a new DuckDB file; returns how many rows there are of what."""
    with duckdb.connect(path) as warehouse:
        width = max(5, len(str(people)))
        warehouse.execute(_SEED.format(people=people, tickets=tickets, former=FORMER, width=width))
        warehouse.execute(_FAULTS)
        return {name: _count(warehouse, table) for name, table in _COUNTED.items()}


def next_day(path: Path) -> None:
    """Let a day pass in the warehouse: a few rows change, two people are new."""
    with duckdb.connect(path) as warehouse:
        warehouse.execute(_NEXT_DAY)


def _count(warehouse: duckdb.DuckDBPyConnection, table: str) -> int:
    (count,) = warehouse.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
    return int(count)
