"""Lottery tickets against re-initialization, random masks and the dense net: four nets, several seeds each.

    EDGEWRIGHT_TEST_DATA=... OMP_NUM_THREADS=1 python benchmarks/lottery_tickets.py [--only CASE] [--seeds N]
        [--work DIR] [--out FILE.json] [--show]

Every case is one `find_tickets`. All nets of a case take the same number of steps and are scored on the test images by
the weights after the last; differences are paired by seed. What is finished stays in the work folder, so a run that was
cut short goes on when it is started again, and cases can be run one by one. The settings follow Frankle and Carbin
2019, appendix G (Adam, 1.2e-3, batches of 60, no warm-up, no decay), but for the residual net, which is trained with a
large learning rate by SGD, and both from initialization and from an early step.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgewright import zoo
from edgewright.cli.show import table
from edgewright.compress.prune.tickets import Tickets
from edgewright.data import Data, load_data
from edgewright.devices import device
from edgewright.files import read_json, write_json
from edgewright.pipeline import find_tickets
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.report import ticket_rows
from edgewright.tasks import Classify
from edgewright.train import Train
from edgewright.types import RUN_FILE, Job

OUT = Path(__file__).parent / "results" / "lottery_tickets.json"
ADAM = Train(
    epochs=15, batch_size=60, optimizer="adamw", lr=1.2e-3, weight_decay=0.0, warmup_epochs=0, final_lr=1.0,
    augment="none", keep="last",
)  # fmt: skip
FASHION = replace(ADAM, epochs=10, epoch_images=6000)
TWO_AT_ONCE = {"rate": 0.36, "last_rate": 0.19}  # two rounds of the paper in one, for half the time
FAST_SGD = Train(
    epochs=15, batch_size=60, optimizer="sgd", lr=0.1, weight_decay=1e-4, warmup_epochs=0, augment="none", keep="last"
)


def drawn(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A net whose weights follow from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def lenet(seed: int, *, num_inputs: int) -> nn.Module:
    """LeNet-300-100 (LeCun 1998), the paper's fully connected net."""
    return drawn(
        lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(num_inputs, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
        ),
        seed,
    )


def conv_2(seed: int) -> nn.Module:
    """Two convolutions and two linear layers for 8x8 pixels: the paper's Conv-2, narrower."""
    return drawn(
        lambda: nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10),
        ),
        seed,
    )  # fmt: skip


def resnet8(seed: int) -> nn.Module:
    return zoo.resolve("resnet8", num_classes=10, channels=1, image_size=8, seed=seed).model


@dataclass(frozen=True, kw_only=True)
class Case:
    """One table: a net, its data, how it is trained and pruned, and how often."""

    net: Callable[[int], nn.Module]  # of a seed
    data: str
    settings: Tickets
    num_seeds: int


CASES = {
    "digits, LeNet-300-100": Case(
        net=partial(lenet, num_inputs=64), data="digits", num_seeds=5,
        settings=Tickets(rounds=6, train=ADAM, **TWO_AT_ONCE),
    ),
    "digits, Conv-2": Case(
        net=conv_2, data="digits", num_seeds=3, settings=Tickets(rounds=6, train=ADAM, **TWO_AT_ONCE)
    ),
    "fashion-mnist, LeNet-300-100": Case(
        net=partial(lenet, num_inputs=784), data="fashion-mnist", num_seeds=3,
        settings=Tickets(rounds=6, train=FASHION, **TWO_AT_ONCE),
    ),
    **{
        f"digits, resnet8, rewound to step {step}": Case(
            net=resnet8, data="digits", num_seeds=3,
            settings=Tickets(rounds=3, rate=0.5, last_rate=0.25, scope="global", rewind=step, train=FAST_SGD),
        )
        for step in (0, 18)
    },
}  # fmt: skip


def data_of(case: Case) -> Data:
    root = os.environ.get("EDGEWRIGHT_TEST_DATA")
    return load_data(case.data, root=Path(root) / case.data if root and case.data != "digits" else None)


def run(name: str, work: Path, num_seeds: int | None) -> dict[str, Any]:
    """The table of one case; what the work folder holds of it already is not computed again."""
    case, data = CASES[name], data_of(CASES[name])
    job = Job(
        model=case.net(0), task=Classify(num_classes=10), data=data, device=device("generic-x86"),
        model_name=name.split(", ")[1], trained=False,
    )  # fmt: skip
    folder = work / name.replace(", ", "-").replace(" ", "-")
    find_tickets(
        job, case.settings, initial=case.net, num_seeds=num_seeds or case.num_seeds, out=folder,
        resume=True,
    )  # fmt: skip
    return row(name, read_json(folder / RUN_FILE))


def row(name: str, content: dict[str, Any]) -> dict[str, Any]:
    """What the result file keeps of a run."""
    counts = {split: found["num"] for split, found in content["data"]["splits"].items()}
    return {
        "case": name, "settings": content["asked"]["recipe"]["tickets"], "images": counts, **content["tickets"],
    }  # fmt: skip


def show(case: dict[str, Any]) -> None:
    """The table of a case and its sentences, as the command prints them."""
    headings, rows = ticket_rows({"tickets": case})
    print(f"\n{case['case']}, {case['num_seeds']} seeds; dense {case['rounds'][0]['scores']['dense']['mean']:.2f}")
    table(headings, rows, right=headings)
    print(*case["sentences"], sep="\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--seeds", type=int, help="of each case; default: 5 of the first, 3 of the others")
    parser.add_argument("--work", type=Path, default=Path("runs/lottery-tickets"))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--show", action="store_true", help="print what the result file holds, and measure nothing")
    given = parser.parse_args()
    torch.set_num_threads(1)
    known = {each["case"]: each for each in read_json(given.out)["cases"]} if given.out.exists() else {}
    if given.show:
        for case in known.values():
            show(case)
        return
    for name in given.only or CASES:
        known[name] = run(name, given.work, given.seeds)
        cases = [known[each] for each in CASES if each in known]
        facts = {"command": "benchmarks/lottery_tickets.py", "machine": machine_facts(), "versions": version_facts()}
        write_json(given.out, {**facts, "cases": cases})
        show(known[name])


if __name__ == "__main__":
    main()
