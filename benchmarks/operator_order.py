"""How much less RAM the best order of operators needs than the given one, on library models at int8, batch 1.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/operator_order.py [--only WORD] [--out FILE.json]

Every classification and segmentation model of torchvision, and the models of timm below: one of each architecture that
branches, and some that do not. Peaks are liveness bounds, exact and repeatable; the search is timed in processor time.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from edgewright import zoo
from edgewright.analyze import best_order, record, schedule
from edgewright.errors import EdgewrightError
from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.zoo.torchvision_models import families

OUT = Path(__file__).parent / "results" / "operator_order.json"
DTYPE = "int8"
TIMM = (
    "coat_tiny", "coatnet_0_224", "convmixer_768_32", "convnext_atto", "cspresnet50", "darknet53", "dla34",
    "dla60_res2net", "dpn68", "edgenext_xx_small", "efficientformer_l1", "efficientnet_lite0", "fastvit_t8", "gernet_s",
    "ghostnet_050", "hardcorenas_a", "hgnet_tiny", "hrnet_w18_small", "inception_next_atto", "inception_v4",
    "levit_128s", "mambaout_tiny", "mixer_s32_224", "mobilenetv4_conv_small", "mobileone_s0", "mobilevit_xxs",
    "nasnetalarge", "pnasnet5large", "poolformer_s12", "regnetx_002", "repghostnet_050", "repvgg_a0",
    "res2net50_14w_8s", "resnest14d", "selecsls42", "skresnet18", "tinynet_e", "tresnet_m",
    "vit_tiny_patch16_224", "vovnet39a", "xception41", "xcit_nano_12_p16_224",
)  # fmt: skip


def specs() -> list[str]:
    ours = [f"torchvision:{name}" for name, family in families().items() if family != "detection"]
    return [*ours, *(f"timm:{name}" for name in TIMM)]


def measured(spec: str) -> dict[str, Any]:
    """One model, or why it has no figures."""
    try:
        built = zoo.resolve(spec, num_classes=None)
        plan = schedule(record(built.model, built.input_shape))
    except EdgewrightError as error:
        return {"model": spec, "failure": str(error)}
    began = time.process_time()
    found = best_order(plan, DTYPE)
    return {
        "model": spec,
        "input": list(built.input_shape),
        "operators": sum(each.fused_into is None for each in plan.operators),
        "given_bytes": found.given.num_bytes,
        "best_bytes": found.peak.num_bytes,
        "saved_share": 1 - found.peak.num_bytes / found.given.num_bytes,
        "is_optimal": found.is_optimal,
        "sets": found.num_states,
        "search_s": round(time.process_time() - began, 3),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    known = [row for row in rows if "failure" not in row]
    gains = [row["saved_share"] for row in known if row["saved_share"] > 0]
    return {
        "models": len(rows),
        "failed": [row["model"] for row in rows if "failure" in row],
        "gain": len(gains),
        "gain_one_percent": sum(share >= 0.01 for share in gains),
        "largest_gain": max(gains, default=0.0),
        "proven_optimal": sum(bool(row["is_optimal"]) for row in known),
        "longest_search_s": max((row["search_s"] for row in known), default=None),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    rows = []
    for spec in (each for each in specs() if given.only in each):
        rows.append(measured(spec))
        print(rows[-1], file=sys.stderr)
    rows.sort(key=lambda row: -row.get("saved_share", -1))
    command = "benchmarks/operator_order.py"
    facts = {"command": command, "machine": machine_facts(), "versions": version_facts(), "dtype": DTYPE}
    write_json(given.out, {**facts, "summary": summary(rows), "models": rows})
    print(summary(rows))


if __name__ == "__main__":
    main()
