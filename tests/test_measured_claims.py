"""What the pages claim of committed measurements holds in them."""

import json
from itertools import pairwise, product, takewhile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def result(name):
    return json.loads((ROOT / "benchmarks" / "results" / name).read_text(encoding="utf-8"))


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_an_alexnet_is_35_times_smaller_for_at_most_half_a_point_and_loads_back():
    case = result("deep_compression.json")["cases"]["alexnet28"]
    last = case["stages"][-1]
    assert case["test_images"] == 10_000 and last["drop"] <= 0.5
    assert case["file"]["ratio"] >= 35 and case["file"]["every_bit_came_back"]
    assert f"{last['score']:.2f}" in page("deep-compression.md")


def test_tickets_beat_their_controls_at_80_percent_sparsity():
    case = result("lottery_tickets.json")["cases"][0]
    row = next(each for each in case["rounds"] if each["keep"] <= 0.2)
    for control in ("reinit", "random"):
        difference = row["differences"][control]
        assert difference["num"] == 5 and difference["mean"] > difference["half_width"]
        assert f"{difference['mean']:+.2f} ± {difference['std_error']:.2f}" in page("lottery-tickets.md")


def test_half_of_resnet20_costs_at_most_a_point_after_recovery():
    found = result("prune_full.json")
    last = found["rounds"][-1]
    assert found["keep_macs"] <= 0.5 and found["num_test"] == 1000 and last["drop"] <= 1.0
    assert f"**{last['drop']:.1f} ± {last['drop_std_error']:.1f}**" in page("pruning-scores.md")


def test_a_teacher_and_a_score_help_a_cut_net_to_recover():
    curves = {(each["score"], each["keep"], each["way"]): each for each in result("prune_curves.json")["curves"]}
    scores, keeps = {score for score, *_ in curves}, {keep for _, keep, _ in curves}
    assert len(scores - {"random"}) == 4 and keeps == {0.7, 0.5, 0.3}
    for score in scores:
        for keep in keeps:
            taught, alone = curves[score, keep, "distill"]["top1"], curves[score, keep, "labels"]["top1"]
            assert taught["num"] == alone["num"] == 3 and taught["mean"] > alone["mean"]
            assert f"{taught['mean']:.1f} ({taught['min']:.1f} to {taught['max']:.1f})" in page("pruning-scores.md")
            assert taught["mean"] >= curves["random", keep, "distill"]["top1"]["mean"]


def test_nine_of_ten_library_models_lose_half_of_their_macs():
    content = result("prune_coverage.json")
    for library, asked in {"torchvision": 98, "timm": 191}.items():  # what was not run counts as failed
        told = content["summary"][library]
        assert told["succeed"] >= 0.9 * asked
        assert f"| {library} | {asked} | {told['models']} | **{told['succeed']}** |" in page("pruning.md")
        assert all(name in page("pruning.md") for name in told["failures"])
    good = [row for row in content["models"] if not row.get("failure")]
    assert all(0.49 <= row["keep_macs"] <= 0.5 and row["loads_bit_for_bit"] for row in good)
    ran = {row["model"].partition(":")[2] for row in good}
    assert {"ssdlite320_mobilenet_v3_large", "fasterrcnn_resnet50_fpn", "deeplabv3_resnet50",
            "lraspp_mobilenet_v3_large"} <= ran  # fmt: skip


def test_the_best_distillation_gains_at_least_0_8_points_over_three_seeds():
    found, text = result("distillation_table.json"), page("distillation.md")
    kinds = found["kinds"]
    assert {"none", "soft", "hints", "attention", "born-again", "mutual"} <= set(kinds)
    assert all(each["seeds"] == [0, 1, 2] for each in kinds.values())
    best = max(
        each["gain_jpeg"]["mean"] - 2 * each["gain_jpeg"]["std_error"] for each in kinds.values() if "gain_jpeg" in each
    )
    assert best >= 0.8
    for each in kinds.values():
        score = each["jpeg_10000"]
        assert f"| {score['mean']:.2f} ({score['min']:.2f} to {score['max']:.2f}) |" in text
        if "gain_jpeg" in each:
            gain = f"{each['gain_jpeg']['mean']:+.2f} ± {each['gain_jpeg']['std_error']:.2f}"
            assert f"| {gain.replace('-', '−')} |" in text


def test_of_the_layers_on_sparse_tensor_cores_only_the_largest_gains():
    rows = result("sparse_tensor_cores.json")["rows"]
    speeds = {row["layer"]: row["forms"]["cusparselt"] for row in rows}
    assert [name for name, each in speeds.items() if each["times_as_fast"] > 1] == ["8192 to 8192, 8192 rows"]
    assert min(each["median_us"] for each in speeds.values()) >= 600
    for name, each in speeds.items():
        dense = next(row for row in rows if row["layer"] == name)["forms"]["dense"]["median_us"]
        line = f"| {name} | {dense:,.0f} | {each['median_us']:,.0f} | {each['times_as_fast']:.2f}× |"
        assert line in page("sparsity.md")


# -- tables of the quantization pages: every row is what the file says, and no other row stands there -----------------
def shown(name, header):
    """The rows of the page's table under `header`."""
    lines = page(name).splitlines()
    return list(takewhile(lambda line: line.startswith("|"), lines[lines.index(header) + 2 :]))


def line(*cells):
    return f"| {' | '.join(cells)} |"


def pair(found):
    return f"{found['top1']:.1f} / {round(found['sqnr_db'], 1) + 0:.1f}"  # 0 without a sign


def quantized(table):
    return result("quantize_tables.json")["tables"][table]


RANGES = {"minmax": "minmax", "moving-average": "moving-average", "percentile": "percentile 99.99", "mse": "mse",
          "kl": "kl", "aciq": "aciq", "best": "best"}  # fmt: skip
WEIGHTS = ("minmax", "mse", "gain", "aciq")


def ranges_lines():
    rows = quantized("ranges")

    def cell(method, bits):
        found = rows[f"resnet20 {bits} {method}"]
        return pair(found) + (f" ({found['chosen']})" if "chosen" in found else "")

    return [line(shown_as, *(cell(method, bits) for bits in (8, 6, 4))) for method, shown_as in RANGES.items()]


def weights_lines(net):
    rows = quantized("weights")
    cases = {bits: [rows[f"{net} {bits} {method}"] for method in WEIGHTS] for bits in (8, 6, 4, 3, 2)}
    return [line(str(bits), *(f"{pair(each['nearest'])}, {pair(each['corrected'])}" for each in found))
            for bits, found in cases.items()]  # fmt: skip


def test_the_tables_of_ranges_are_those_of_the_file():
    assert shown("ranges.md", "| method | 8 | 6 | 4 |") == ranges_lines()
    for net in ("resnet20", "resnet32"):
        assert shown("ranges.md", f"| `{net}`, bits | minmax | mse | gain | aciq |") == weights_lines(net)


def test_a_clip_pays_at_4_bits_and_best_has_the_least_noise_at_each():
    rows, clips = quantized("ranges"), ("moving-average", "percentile", "mse", "kl", "aciq")
    assert min(rows[f"resnet20 4 {each}"]["top1"] for each in clips) - rows["resnet20 4 minmax"]["top1"] >= 5
    for bits in (8, 6, 4):
        noise = [rows[f"resnet20 {bits} {each}"]["sqnr_db"] for each in ("minmax", *clips)]
        assert rows[f"resnet20 {bits} best"]["sqnr_db"] >= max(noise)


def test_gain_is_the_best_scale_of_weights_at_3_and_2_bits():
    rows = quantized("weights")
    for net, bits, part in product(("resnet20", "resnet32"), (3, 2), ("nearest", "corrected")):
        scores = {each: rows[f"{net} {bits} {each}"][part]["top1"] for each in WEIGHTS}
        assert max(scores, key=scores.get) == "gain"


def test_scores_by_method_and_bits_are_those_of_the_page_and_hold_its_claims():
    rows = {}
    for row in result("quantize_methods.json")["rows"]:
        rows[row["net"], f"{row['weight_bits']}/{row['activation_bits']}", row["way"]] = row["score_all"]
    score = rows.__getitem__
    floats = {net: each["score_all"] for net, each in result("quantize_methods.json")["float"].items()}
    assert floats["resnet20"] - score(("resnet20", "8/8", "best")) <= 0.3
    assert floats["mobilenet_v2"] - score(("mobilenet_v2", "8/8", "best + equalize")) <= 1.0
    assert all(floats[net] - score((net, "4/8", "best + rounding")) <= 2.0 for net in ("resnet20", "resnet8"))
    assert score(("resnet20", "4/4", "best + longer training")) > score(("resnet20", "4/4", "best + rounding"))
    tables = page("quantization.md").split("## Score by method and bits")[1].split("\n## ")[0].split("| way |")[1:]
    told = set()
    for net, text in zip(("resnet20", "resnet8", "mobilenet_v2"), tables, strict=True):
        head, _, *lines = text.split("\n\n")[0].splitlines()
        widths = [cell.strip() for cell in head.split("|")[:-1]]
        for line in lines:
            way, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            told |= {(net, width, way, cell) for width, cell in zip(widths, cells, strict=True) if cell}
    assert told == {(*key, f"{value:.1f}") for key, value in rows.items()}


TRAINED = {
    "rounding alone": "rounding alone", "Qat()": "`Qat()`", "lr 0.01": "lr 0.01",
    "lr 0.01, steps fixed": 'lr 0.01, `steps="fixed"`', "lr 0.01, steps observed": 'lr 0.01, `steps="observed"`',
    "lr 0.01, gradient plain": 'lr 0.01, `gradient="plain"`',
    "lr 0.01, batch_norm folded": 'lr 0.01, `batch_norm="folded"`',
    "lr 0.01, alpha 1": "lr 0.01, `alpha=1` (labels only)",
    "lr 0.01, alpha 0": "lr 0.01, `alpha=0` (float model only)",
}  # fmt: skip


def test_training_wins_back_points_at_2_bits_and_the_page_shows_each_way():
    scores = {name: each["top1"] for name, each in quantized("qat").items()}
    rows = [line(told, *(f"{scores[f'{bits} {way}']:.2f}" for bits in (4, 3, 2))) for way, told in TRAINED.items()]
    assert shown("qat.md", "| top-1 on test | 4 bits | 3 bits | 2 bits |") == rows
    gains = [scores[f"2 {way}"] - scores["2 rounding alone"] for way in TRAINED if way != "rounding alone"]
    assert f"{min(gains):.1f} to {max(gains):.1f} of the {scores['float'] - scores['2 rounding alone']:.1f}" in page(
        "qat.md"
    )
    assert min(gains) > 4 and max(gains) == scores["2 Qat()"] - scores["2 rounding alone"]


def test_scores_of_cuts_are_those_of_the_pages_and_contribution_beats_chance():
    found = {}
    for row in result("prune_scores.json")["rows"]:
        found.setdefault((row["ranking"], row["score"]), []).append(list(row["top1"].values()))
    assert len(found["planned", "contribution"]) == len(found["planned", "random"]) == 3

    def told(rows):
        columns = [[row[place] for row in rows] for place in range(len(rows[0]))]
        return [f"{min(each):.1f}" + (f" to {max(each):.1f}" if len(each) > 1 else "") for each in columns]

    for (ranking, score), rows in found.items():
        text = page("pruning.md" if ranking == "planned" else "pruning-scores.md")
        assert f"| {' | '.join(told(rows))} |" in text, (ranking, score)
    for place in range(3):
        ours, chance = ([row[place] for row in found["planned", score]] for score in ("contribution", "random"))
        assert min(ours) > max(chance)


def test_the_tables_of_tickets_are_on_their_page():
    text = page("lottery-tickets.md")
    for case in result("lottery_tickets.json")["cases"]:
        assert case["case"] in text and all(sentence in text for sentence in case["sentences"])


def mixed_lines():
    tables = result("quantize_mixed.json")["tables"]
    ways = (("uniform, auto", "{}"), ("mixed, auto", "{} mse"), ("mixed, auto", "{} hessian"))

    def cells(bits):
        found = [tables[table].get(row.format(bits)) for table, row in ways]
        return ("" if each is None else pair(each) for each in found)

    widths = ("8", "6", "5", "4", "3.5", "3", "2.5", "2")
    return [line(bits, f"{int(268_336 * float(bits) / 8):,}", *cells(bits)) for bits in widths]


def test_bits_layer_by_layer_beat_one_width_from_4_bits_down():
    front = result("quantize_mixed.json")["tables"]["front"]["auto"]
    assert f"({front['points']:,} points for `resnet20` in {front['seconds']} s)" in page("mixed-precision.md")
    assert shown("mixed-precision.md", "| average bits | limit, bytes | uniform | `mse` | `hessian` |") == mixed_lines()
    tables = result("quantize_mixed.json")["tables"]
    uniform, mixed = tables["uniform, auto"], tables["mixed, auto"]
    for measure in ("mse", "hessian"):
        assert mixed[f"3 {measure}"]["top1"] - uniform["3"]["top1"] > 5
        assert all(mixed[f"{bits} {measure}"]["sqnr_db"] > uniform[bits]["sqnr_db"] for bits in ("6", "5", "4", "3"))
    assert mixed["2.5 mse"]["top1"] > uniform["3"]["top1"]
    assert all(each["weight_bytes"] <= 268_336 * float(name.split()[0]) / 8 for name, each in mixed.items())


def schemes_lines():
    return [
        line(
            name,
            f"{each['top1']:.1f}",
            "" if each["sqnr_db"] is None else f"{each['sqnr_db']:.1f}",
            *(f"{each['file_bytes']:,}", f"{each['agree']:.1f}") if "agree" in each else ("simulated", ""),
        )
        for name, each in sorted(quantized("schemes").items(), key=lambda item: item[0] != "fp32")
    ]


FORMS = ("per tensor", "per channel", "per channel, affine", "groups of 32", "groups of 32, affine",
         "groups of 16, affine")  # fmt: skip


def stored_lines():
    rows = quantized("stored")

    def cell(name):
        return f"{rows[name]['top1']:.1f} ({rows[name]['file_bytes']:,})" if name in rows else ""

    return [line(form, *(cell(f"{bits} {form}") for bits in (8, 4, 3, 2))) for form in FORMS]


def test_the_tables_of_schemes_are_those_of_the_file():
    assert shown("schemes.md", "| scheme | top-1 | SQNR, dB | file bytes | file decides alike, % |") == schemes_lines()
    assert shown("schemes.md", "| top-1 (file bytes) | 8 bits | 4 bits | 3 bits | 2 bits |") == stored_lines()
    files = [each for table in ("schemes", "stored") for each in quantized(table).values() if "agree" in each]
    assert min(each["agree"] for each in files) >= 99.8


REPAIR_SCALES = ("8 minmax", "4 minmax", "4 gain", "3 minmax", "3 gain", "3 mse", "2 gain")
REPAIRS = ("nearest", "bias", "analytic", "re-measured", "equalize alone", "equalize with bias", "split 5 % alone",
           "split 5 % with bias", "learned alone", "learned with bias")  # fmt: skip


def repaired():
    """(scales, repair) -> top-1, for every row of the file."""
    for name, found in {**quantized("repairs"), **quantized("learned")}.items():
        bits, method, repair = name.split(maxsplit=2)
        for part, each in {"": found}.items() if "top1" in found else {" " + k: v for k, v in found.items()}.items():
            if isinstance(each, dict):
                yield (f"{bits} {method}", repair + part), each["top1"]


def repairs_lines():
    scores = dict(repaired())
    return [
        line(*scales.split(), *(f"{scores[scales, each]:.1f}" if (scales, each) in scores else "" for each in REPAIRS))
        for scales in REPAIR_SCALES
    ]


def test_the_table_of_repairs_is_that_of_the_file():
    header = line(
        "bits", "scales", "nearest", "bias", "analytic", "re-measured", "equalize", "equalize, bias", "split",
        "split, bias", "learned", "learned, bias",
    )  # fmt: skip
    assert shown("repairs.md", header) == repairs_lines()
    scores = dict(repaired())
    assert scores["3 mse", "bias"] < scores["3 mse", "nearest"] < scores["3 mse", "analytic"]
    for scales in ("3 minmax", "3 gain", "3 mse", "2 gain"):
        assert scores[scales, "re-measured"] - scores[scales, "nearest"] > 5
        assert scores[scales, "re-measured"] > max(scores[scales, "bias"], scores[scales, "analytic"])


def test_the_table_of_packed_weights_is_that_of_the_file():
    rows = {bits: quantized("packed")[bits] for bits in "8765432"}
    lines = [
        line(
            f"{bits} bits",
            f"{each['file_bytes']:,}",
            f"{each['weight_bytes']:,}",
            f"{each['top1']:.1f}",
            f"{each['agree']:.1f}",
        )
        for bits, each in rows.items()
    ]
    assert (
        shown(
            "mixed-precision.md",
            "| `resnet20` | file, bytes | weights by the formula | top-1 | file decides alike, % |",
        )
        == lines
    )
    for wide, narrow in pairwise(rows.values()):
        assert narrow["file_bytes"] < wide["file_bytes"] and narrow["agree"] >= 99.5


def test_scores_of_zeros_are_those_of_the_page():
    text, summary = page("sparsity.md"), result("sparse_scores.json")["summary"]
    ways: dict[str, list[str]] = {}
    for name, found in summary.items():
        way, _, share = name.rpartition(" ")
        if share.endswith("%"):
            ways.setdefault(way, []).append(f"{found['mean']:.1f} ± {found['std']:.1f}")
    assert len(ways) >= 11
    for way, cells in ways.items():
        assert f"| {way} | {' | '.join(cells)} |" in text
    assert summary["one-shot, magnitude 95%"]["mean"] >= summary["cubic, magnitude 95%"]["mean"]  # no schedule pays


def test_every_stage_of_a_coded_net_is_on_the_page():
    text = page("deep-compression.md")
    for case in result("deep_compression.json")["cases"].values():
        for stage in case["stages"]:
            score = f"{stage['score']:.2f} ± {stage['std_error']:.2f}"
            drop = f"{stage['drop']:+.2f} ± {stage['drop_std_error']:.2f}"
            line = next(each for each in text.splitlines() if score in each and f"{stage['coded_bytes']:,}" in each)
            assert drop in line and f"{stage['ratio']:.1f}x" in line


def test_cuts_in_steps_end_in_the_band_and_are_those_of_the_page():
    found, text = result("prune_schedules.json"), page("pruning.md")
    assert all(0.98 * found["keep_macs"] <= row["keep_macs"] <= found["keep_macs"] for row in found["rows"])
    for each in found["table"]:
        line = next(line for line in text.splitlines() if line.startswith(f"| {each['way']} |"))
        assert f"| {each['mean']:.2f} | {each['deviation']:.2f} | {each['drop']:.2f} |" in line
        if not each["way"].startswith("one-shot"):
            assert f"{each['over_one_shot']:+.2f} ± {each['over_one_shot_deviation']:.2f}" in line


def test_every_cut_uses_98_percent_of_its_share():
    found = result("prune_targets.json")
    assert len(found["rows"]) == 90 and all(0.98 <= row["keep"] / row["share"] <= 1 for row in found["rows"])
    lowest = 100 * min(row["keep"] / row["share"] for row in found["rows"])
    assert f"all 90 cuts are in the band, the lowest at {lowest:.2f} %" in page("pruning.md")


def test_resnet8_scores_what_the_page_says_beside_the_weights_of_mlperf_tiny():
    found, text = result("cifar10_resnet8.json"), page("training.md")
    jpeg, exact = found["scores"]["jpeg_10000"], found["scores"]["lossless_1000"]
    gain = f"{jpeg['difference']:+.2f} ± {jpeg['difference_std_error']:.2f}"
    assert f"| {jpeg['ours']:.2f} | {jpeg['mlperf_tiny']:.2f} | {gain} |" in text
    assert f"| {exact['ours']:.1f} | {exact['mlperf_tiny']:.1f} | −{-exact['difference']:.1f} ± " in text
    taught = found["taught"]["scores"]
    assert f"{taught['jpeg_10000']['ours']:.2f}\nand {taught['lossless_1000']['ours']:.1f}" in text


def test_trainings_of_resnet20_at_2_bits_are_those_of_the_page():
    rows = result("quantize_tables.json")["tables"]["qat-resnet20"]
    for name, row in rows.items():
        assert f"| {name.removeprefix('2 ')} | {row['top1']:.1f} |" in page("qat.md")
    assert rows["2 live"]["top1"] > rows["2 live, alpha 1"]["top1"] > rows["2 folded"]["top1"]
