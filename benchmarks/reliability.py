"""What survives: commands killed at random moments, a server's answers, and damage of every kind.

    PYTHONPATH=. python benchmarks/reliability.py [--part kills,answers,damage] [--minutes 60]

Prints a table in Markdown for each part, and ends with status 1 where something was lost, wrong,
silent or from inside. See `reliability_kills.py`, `reliability_answers.py`,
`reliability_damage.py`.
"""

import sys
import tempfile
import time

import reliability_answers
import reliability_damage
import reliability_kills
from absl import app, flags

PARTS = {
    "kills": reliability_kills.measure,
    "answers": reliability_answers.measure,
    "damage": reliability_damage.measure,
}
PART = flags.DEFINE_list("part", list(PARTS), "Which parts.")
MINUTES = flags.DEFINE_float("minutes", 60.0, "Of each part, after which it ends as it is.")


def main(_):
    """Prints everything."""
    is_right = True
    for part in PART.value:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            is_right &= PARTS[part](folder, started + 60.0 * MINUTES.value)
        print(f"\n{part}: {(time.monotonic() - started) / 60.0:.1f} minutes\n", flush=True)
    sys.exit(not is_right)


if __name__ == "__main__":
    app.run(main)
