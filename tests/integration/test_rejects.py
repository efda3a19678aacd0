"""A rejected row is listed with its values where they are asked for, and nowhere else."""

import csv
import io

import pytest

from doors.cli import run_cli
from school import PEOPLE, School, project

BAD = (" ", '=1+1\\x "quoted"', "Nobody")
TAKEN = ("3", "ann@x.org", "Cid")


@pytest.fixture
def school(tmp_path):
    school = School(tmp_path, f"sqlite:///{tmp_path / '.rowlift' / 'state.db'}")
    school.destination(reject=["2"])
    school.tables(people=PEOPLE[:2], everyone=[*PEOPLE, TAKEN, BAD])
    school.sync("first", sql="SELECT * FROM people")
    sql = "SELECT *, length(name) AS letters, [name]::JSON AS names FROM everyone"
    school.sync("people", sql=sql, destinations=[school.crm], empty_values="delete")
    school.run(project, "first")
    return school


def by_target(found):
    return {(one["target"], one["identifier"]): one["row"] for one in found}


@pytest.mark.door("cli")
def test_B22_rejected_rows_come_with_their_values_where_asked_for(school):
    def cli(*words: str):
        return run_cli(*words, cwd=school.folder)

    assert cli("run", "people").code == 1
    plain = cli("runs", "2", "--errors", "-o", "json").json["rejects"]
    assert not [one for one in plain if "row" in one]
    found = cli("runs", "2", "--rows", "-o", "json").json["rejects"]
    given = {
        "id": BAD[0], "email": BAD[1], "name": BAD[2], "letters": 6, "names": [BAD[2]]
    }  # fmt: skip
    cid = {"email": TAKEN[1], "name": "Cid", "letters": 3, "names": ["Cid"]}
    assert by_target(found) == {
        ("", BAD[0]): given,
        ("workspace", "3"): cid,
        ("crm", "2"): {"email": "bob@x.org", "name": "Bob", "letters": 3, "names": ["Bob"]},
    }
    table = cli("runs", "2", "--rows", "--csv").stdout
    cells = [cell for row in csv.reader(io.StringIO(table)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert '"name": "Nobody"' in table.replace('""', '"')
    assert '"letters": 6' in cli("runs", "2", "--errors", "--rows").stdout
    assert cli("runs", "--rows").code == 2
