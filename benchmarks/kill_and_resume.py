"""Kill a `fit` at random instants, resume it, and compare with an uninterrupted one, byte for byte.

    python benchmarks/kill_and_resume.py [--kills 10] [--seed 0] [--out benchmarks/results/kill_and_resume.json]

Each trial starts `edgewright fit` in a process group of its own, sends SIGKILL to the whole group after a random share
of the uninterrupted run's time, checks that every finished stage on the disk can be read, resumes, and compares the
weights of all stages, the artifacts and all scores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = ("fit", "simple_cnn", "--data", "digits", "--device", "stm32f746", "--max-drop", "1.0", "--epochs", "12")
COMPARED = ("stages/*/weights.safetensors", "stages/*/graph.json", "artifact*/model.onnx")


def start(out: Path, *extra: str) -> subprocess.Popen[bytes]:
    """A `fit` into `out`, in a process group of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "edgewright", *COMMAND, "--out", str(out), *extra]
    log = out.with_suffix(".log").open("ab")
    return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)


def finish(process: subprocess.Popen[bytes]) -> float:
    """Wait for a run; the seconds it took. 0 and 1 are proper ends: proven, or honestly over a limit."""
    began = time.perf_counter()
    code = process.wait()
    if code not in (0, 1):
        raise SystemExit(f"fit ended with exit code {code}")
    return time.perf_counter() - began


def outcome(out: Path) -> dict[str, object]:
    """Hashes of all that a run made, and its scores."""
    files = sorted(path for pattern in COMPARED for path in out.glob(pattern))
    run = json.loads((out / "run.json").read_text())
    return {
        "files": {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "scores": [stage["score"] for stage in run["stages"]],
        "rounds": [[each["keep_macs"], each["score_val"], each["accepted"]] for each in run["rounds"]],
        "passed": run["verdict"]["passed"],
    }


def kill_after(out: Path, seconds: float) -> int:
    """Start a run, kill its whole group after `seconds`; the number of stages that were finished by then."""
    process = start(out)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = list(out.glob("stages/[0-9]*/stage.json"))
    for path in finished:
        json.loads(path.read_text())  # a half-written one would raise
    return len(finished)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = finish(start(Path(folder) / "whole"))
        want = outcome(Path(folder) / "whole")
        record = json.loads((Path(folder) / "whole" / "run.json").read_text())
        setting = {name: record[name] for name in ("machine", "versions")}
        trials = [trial(Path(folder) / f"kill-{number}", draw.uniform(0.05, 0.95), whole, want)
                  for number in range(options.kills)]  # fmt: skip
    result = {
        "command": " ".join(COMMAND),
        **setting,
        "seed": options.seed,
        "uninterrupted_s": round(whole, 1),
        "files_compared": len(want["files"]),  # type: ignore[arg-type]
        "trials": trials,
        "equal": sum(each["equal"] for each in trials),
    }
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    raise SystemExit(result["equal"] != options.kills)


def trial(out: Path, share: float, whole: float, want: dict[str, object]) -> dict[str, object]:
    """One kill at `share` of the uninterrupted time, and the resumed run against the uninterrupted one."""
    finished = kill_after(out, share * whole)
    seconds = finish(start(out, "--resume"))
    equal = outcome(out) == want
    verdict = "equal" if equal else "DIFFERENT"
    print(f"killed at {share:.0%} with {finished} stages done; resumed in {seconds:.1f} s: {verdict}")
    return {"share": round(share, 3), "stages_done": finished, "resume_s": round(seconds, 1), "equal": equal}


if __name__ == "__main__":
    main()
