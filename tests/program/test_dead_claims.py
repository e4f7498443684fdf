"""What docs/firmware.md says of dead channels is what was measured."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_half_of_the_macs_of_the_visual_wake_words_model_go_and_no_code_changes():
    models = json.loads((ROOT / "benchmarks" / "results" / "dead_channels.json").read_text())["models"]
    found, other = models["visual_wake_words"], models["image_classification"]
    page = (ROOT / "docs" / "firmware.md").read_text()
    assert found["macs_removed"] >= found["expected"]["macs_removed"]
    assert found["convolution_weights"] == found["expected"]["weights"]
    assert found["convolution_weights_removed"] >= found["expected"]["weights_removed"]
    assert other["macs_removed"] == other["weights_removed"] == 0
    for what in ("macs", "weights"):
        share = 100 * found[f"{what}_removed"] / found[what]
        assert f"{found[what]:,} | **{found[f'{what}_removed']:,} ({share:.1f} %)**" in page
        assert f"{other[what]:,} | 0" in page
    assert found["codes_different"] == other["codes_different"] == 0 and found["images"] == 12
    assert f"{found['codes_compared'] + other['codes_compared']:,} codes" in page
    assert f"{found['convolution_weights_removed']:,} of them" in page
