"""The builder with times by a known law instead of a clock: what it finds, what it keeps, what it refuses."""

import shutil

import pytest

from edgewright.analyze import profile
from edgewright.calibrate import Calibration, NodeTime, Sample, build, calibrate, model_latency
from edgewright.calibrate.nets import Layer, MicroNet
from edgewright.devices import device
from edgewright.errors import ConfigError
from edgewright.files import write_json
from edgewright.model import capture
from edgewright.types import plain
from edgewright.zoo import resolve

GUARD = Layer(build="guard", numbers=(3, 16, 1), is_guard=True)
CALL_S, NODE_S, RATE = 5e-6, 1e-6, 20e9
WHOLE = "simple_cnn"
SETTINGS = Calibration(name="a-machine", turns=2, models=(WHOLE,))
BASE = device("generic-x86")


def conv(channels_in, channels_out, kernel):
    return Layer(build="conv", numbers=(channels_in, channels_out, kernel, kernel))


NETS = (
    MicroNet(name="nothing", input_shape=(3, 1, 1), layers=(Layer(build="relu"),)),
    MicroNet(name="chain 10", input_shape=(8, 2, 2), layers=(conv(8, 8, 1),) * 2),
    MicroNet(name="chain 40", input_shape=(8, 2, 2), layers=(conv(8, 8, 1),) * 3),
    MicroNet(
        name="squares", input_shape=(3, 14, 14),
        layers=(GUARD, conv(16, 8, 5), conv(8, 16, 3), conv(16, 32, 3), conv(32, 8, 5), conv(8, 8, 3)),
    ),
)  # fmt: skip


def seconds_of(row):
    return row.macs / RATE + NODE_S


def law(subject):
    """5 us a call, 1 us an operator, 20 G MACs a second; each node is seen 2 us too long, as by a profiler."""
    rows = [row for row in subject.rows if row.fused_into is None]
    nodes = tuple(
        NodeTime(name=row.layer or f"t00/{row.name}", type="", seconds=seconds_of(row) + 2e-6) for row in rows
    )
    total_s = CALL_S + sum(map(seconds_of, rows)) * (subject.name != "nothing")
    return Sample(total_s=total_s, nodes=nodes if subject.net else ())


@pytest.fixture(autouse=True)
def known_bandwidth(monkeypatch):
    monkeypatch.setattr(build, "copy_bandwidth", lambda: 1e10)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The networks, exported once; each test starts from a copy, as a resumed calibration does."""
    folder = tmp_path_factory.mktemp("calibration")

    def stop(subject):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate(folder / "box.toml", base=BASE, settings=SETTINGS, nets=NETS, measure=stop)
    return folder / "box.toml.parts"


def start(tmp_path, prepared):
    shutil.copytree(prepared, tmp_path / "box.toml.parts")
    return tmp_path / "box.toml"


def run(out, measure=law, **changes):
    return calibrate(
        out, base=BASE, **({"settings": SETTINGS, "nets": NETS, "measure": measure, "resume": True} | changes)
    )


@pytest.mark.slow
def test_the_law_is_found_and_the_file_is_the_device(tmp_path, prepared):
    out = start(tmp_path, prepared)
    found = run(out)
    table = found.latency_table
    assert device(out) == found
    assert not (tmp_path / "box.toml.parts").exists()
    assert table.call_overhead_s == pytest.approx(CALL_S)
    assert set(table.points["float32"]) == {"conv"}
    for work, *_, seconds in table.points["float32"]["conv"]:
        assert seconds == pytest.approx(work / RATE + NODE_S, rel=1e-3)
    assert found.bandwidth_bytes_s == 1e10
    assert found.pj_per_mac == BASE.pj_per_mac
    assert found.sources["pj_per_byte"].startswith("taken from generic-x86: ")


@pytest.mark.slow
def test_the_validation_is_what_the_table_says_of_a_model_it_has_not_seen(tmp_path, prepared):
    found = run(start(tmp_path, prepared))
    (seen,) = found.latency_table.validation
    model = resolve(WHOLE, num_classes=None)
    net = capture(model.model, model.input_shape)
    rows = profile(net).rows
    assert seen.name == WHOLE
    assert profile(net, device=found).cost.latency_s == pytest.approx(model_latency(rows, found))
    assert seen.predicted_s == pytest.approx(model_latency(rows, found), rel=1e-4)
    assert seen.measured_s == pytest.approx(
        CALL_S + sum(seconds_of(row) for row in rows if not row.fused_into), rel=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [0, 1, 4, 9])
def test_an_interrupted_calibration_resumes_to_the_same_file(tmp_path, prepared, stop_after):
    whole = start(tmp_path / "whole", prepared)
    run(whole)
    out = start(tmp_path / "interrupted", prepared)
    calls = []

    def interrupted(subject):
        if len(calls) == stop_after:
            raise KeyboardInterrupt
        calls.append(subject.name)
        return law(subject)

    with pytest.raises(KeyboardInterrupt):
        run(out, interrupted)
    assert not out.exists()
    again = []
    run(out, lambda subject: again.append(subject.name) or law(subject))
    assert out.read_bytes() == whole.read_bytes()
    assert len(calls) + len(again) == 2 * (len(NETS) + 1)


@pytest.mark.slow
def test_the_least_disturbed_turn_counts(tmp_path, prepared):
    turns = iter(range(100))

    def disturbed(subject):
        sample = law(subject)
        factor = 3 if next(turns) < len(NETS) + 1 else 1
        nodes = tuple(NodeTime(name=n.name, type=n.type, seconds=factor * n.seconds) for n in sample.nodes)
        return Sample(total_s=factor * sample.total_s, nodes=nodes)

    undisturbed = run(start(tmp_path / "a", prepared))
    assert run(start(tmp_path / "b", prepared), disturbed) == undisturbed


def test_other_settings_are_not_resumed(tmp_path):
    (tmp_path / "box.toml.parts").mkdir()
    write_json(tmp_path / "box.toml.parts" / "asked.json", plain(SETTINGS))
    with pytest.raises(ConfigError, match=r"other settings: repeat those, or leave out --resume"):
        run(tmp_path / "box.toml", settings=Calibration(name="another", models=(WHOLE,)))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"The folder .*nowhere does not exist"):
        run(tmp_path / "nowhere" / "box.toml")


@pytest.mark.parametrize(
    ("changes", "message"), [({"threads": 0}, "threads must be 1 or more"), ({"name": ""}, "name must not be empty")]
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        Calibration(**changes)


@pytest.mark.slow
def test_a_real_measurement_gives_a_table_of_the_same_build(tmp_path, prepared):
    """Real times, of which nothing is claimed but that they are there."""
    found = run(start(tmp_path, prepared), None)
    table = found.latency_table
    assert {kind: len(rows) for kind, rows in table.points["float32"].items()} == {"conv": 5}
    assert all(seconds > 0 for rows in table.points["float32"].values() for *_, seconds in rows)
    assert [each.name for each in table.validation] == [WHOLE]
    assert table.runtime.startswith("onnxruntime ")
    assert device(tmp_path / "box.toml") == found
