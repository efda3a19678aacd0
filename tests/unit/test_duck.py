"""The engine's DuckDB, where it differs from one that anybody opens."""

import subprocess
import sys

OPENED = """
import sys
from pathlib import Path
from rowlift.engine.duck import Duck
with Duck(Path(sys.argv[1])) as duck:
    print(duck.one("SELECT current_setting('enable_progress_bar')"))
"""


def test_a_python_without_a_main_file_gets_no_bars_on_its_standard_output(tmp_path):
    words = [sys.executable, "-c", OPENED, str(tmp_path / "scratch")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "(False,)\n"
