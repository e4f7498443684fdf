"""A whole MobileNetV2: everything integer, and the decisions of the simulation."""

import numpy as np
import pytest
import torch
import torchvision

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.export import export_onnx
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.verify import OnnxRunner, Timing, kernels, parity, race, read_expected


@pytest.mark.slow
def test_mobilenet_v2_runs_in_integers_and_decides_as_its_simulation(tmp_path):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(64, 3, 96, 96, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torchvision.models.mobilenet_v2(num_classes=10).train()
        with torch.no_grad():
            model(images)  # statistics of the batch norms
    net = capture(model.eval(), (3, 96, 96))
    folded, folding = fold_batch_norms(net)
    plan = plan_quantizers(folded)
    assert len(folding.folded) == 52 and not folding.refused and not plan.stays_float
    ranges = ranges_of(observe(folded, plan, images[:32]), method="minmax", percentile=100.0)
    simulation = simulate(folded, plan, ranges)
    int8 = export_onnx(simulation, tmp_path / "int8", name="m", preprocess={}, samples_BCHW=images[:2])
    fp32 = export_onnx(net, tmp_path / "fp32", name="m", preprocess={})
    found = kernels(int8.model_path)
    assert found.integer == {"QGemm": 1, "QLinearAdd": 10, "QLinearConv": 52, "QLinearGlobalAveragePool": 1}
    assert not found.stayed_float and found.num_borders == 1  # one QuantizeLinear, at the input
    runner = OnnxRunner(int8.model_path)
    with torch.no_grad():
        want = simulation(images).numpy()
    assert (runner(images.numpy()).argmax(1) == want.argmax(1)).mean() >= 0.995
    rows = parity(int8.model_path, read_expected(int8))
    assert len(rows) == 64 and max(row.mean_steps for row in rows) < 1
    assert max(row.own_max_steps for row in rows) <= 1 and min(row.own_share_equal for row in rows) > 0.999
    assert int8.num_bytes < 0.28 * fp32.num_bytes  # 0.25 of the weights, and scales and biases of 17,000 channels
    one = images[:1].numpy()
    times = race({"int8": runner, "fp32": OnnxRunner(fp32.model_path)}, one, timing=Timing(turns=5, runs=30))
    assert np.isfinite(times.ratio) and times.ratio > 0
