"""Live through stories: python -m torture.simulation --seeds 100 --seed 20261121.

Prints one line, and for every divergence its seed and its story. Exits 1 if there was any.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("ROWLIFT_THREADS", "1")  # small stories: threads cost more than they bring

from torture.simulation.live import UNDOES, live


def main() -> int:
    """Live through the stories and tell by the exit code whether all held."""
    given = _arguments()
    began, processor = time.monotonic(), time.process_time()
    lived = []
    for seed in range(given.seed, given.seed + given.seeds):
        lived.append(live(seed, steps=given.steps, undoes=given.undoes))
        if lived[-1].failure:
            print(lived[-1].failure, flush=True)
            if given.first:
                break
    failures = sum(1 for one in lived if one.failure)
    print(
        f"seeds {given.seed} to {lived[-1].seed}: {sum(one.runs for one in lived)} runs, "
        f"{sum(one.crashes for one in lived)} crashes, "
        f"{sum(one.messages for one in lived)} messages, "
        f"{sum(one.repeats for one in lived)} repeated, "
        f"why asked {sum(one.asked for one in lived)} times, {failures} diverged; "
        f"{time.monotonic() - began:.0f} s, {time.process_time() - processor:.0f} s of CPU"
    )
    return int(failures > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="torture.simulation")
    parser.add_argument("--seeds", type=int, default=100, help="how many stories")
    today = int(time.strftime("%Y%m%d", time.gmtime()))
    parser.add_argument("--seed", type=int, default=today, help="the first seed; default: the date")
    parser.add_argument("--steps", type=int, default=0, help="steps of each story; 0: drawn")
    share = "in which share of the stories runs are undone"
    parser.add_argument("--undoes", type=float, default=UNDOES, help=share)
    parser.add_argument("--first", action="store_true", help="end with the first divergence")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
