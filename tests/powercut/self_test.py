"""Whether the tools find what they should: the stand-in is right once, and broken in ten ways.

    python3 tests/powercut/self_test.py
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DURABLE = HERE.parent / "durable"
STAND_IN = DURABLE / "stand_in.py"
CUTS = [HERE / "run.py", "--job", "chain", "--job", "sums", "--recordings", "2", "--cuts", "400", "--kept", "/tmp/powercut-self-test"]
KILLS = [DURABLE / "kill.py", "--job", "chain", "--job", "sums", "--rounds", "60"]
CALLS = [DURABLE / "disk.py", "--part", "calls", "--last", "50"]
DAMAGE = [DURABLE / "damage.py", "--job", "chain", "--rounds", "100"]

CASES = [
    ("", CUTS, True), ("", KILLS, True), ("", CALLS, True), ("", DAMAGE, True),
    ("normal", CUTS, False), ("early", CUTS, False), ("output", CUTS, False), ("folders", CUTS, False), ("meta", CUTS, False),
    ("recovered", CUTS, False), ("torn", KILLS, False), ("panic", CALLS, False), ("again", CALLS, False), ("hang", CALLS, False),
]


def main():
    unexpected = 0
    for broken, (tool, *flags), is_right in CASES:
        command = [sys.executable, str(tool), *flags, "--seed", "1", "--mpms", str(STAND_IN)]
        if tool.name == "disk.py":
            command = [word for word in command if word not in ("--seed", "1")]
        env = {**os.environ, "STAND_IN": broken, "HANG": "5"}
        ended = subprocess.run(command, env=env, capture_output=True, text=True)
        found = [line for line in ended.stdout.splitlines() if line.startswith("VIOLATION")]
        fits = ended.returncode == 0 if is_right else ended.returncode == 1 and found
        unexpected += not fits
        print(f"{'as expected' if fits else 'UNEXPECTED'}: {tool.name} on {broken or 'nothing broken'}: "
              f"{len(found)} violations{', as ' + found[0][:150] if found else ''}", flush=True)
        if not fits:
            print(ended.stdout[-1500:], ended.stderr[-1500:])
    sys.exit(1 if unexpected else 0)


if __name__ == "__main__":
    main()
