"""Every worked question: complete in both languages, its numbers computed and right."""

import re
import shlex
import string
from dataclasses import replace

import pytest
from typer.main import get_command

from edgewright.cli import app
from edgewright.lab import all_questions, answer, catalog, themes, write_gallery
from edgewright.lab.finding import Number
from edgewright.lab.question import LANGUAGES, Answered, Words
from edgewright.lab.questions import THEMES

NAMES = list(all_questions())
COMMANDS = [name for name in NAMES if all_questions()[name].code.startswith("edgewright ")]

MUST_EXIST = [
    "adam_against_sgd",
    "adam_and_adagrad",
    "auc_in_n_log_n",
    "batch_norm_in_code",
    "batch_norm_in_training_and_test",
    "batch_norm_on_several_gpus",
    "benefits_of_sparse_parameters",
    "binary_cross_entropy",
    "choosing_an_optimizer",
    "code_and_cost_of_auc",
    "combining_optimizers",
    "common_activations",
    "common_initializers",
    "common_optimizers",
    "confusion_matrix_of_100",
    "convolution_sizes_by_hand",
    "cost_of_top_down_and_bottom_up_poses",
    "deriving_cross_entropy",
    "dropout_in_training_and_test",
    "easing_overfitting",
    "exploding_and_vanishing_gradients",
    "focal_loss_or_cross_entropy",
    "folding_a_batch_norm",
    "four_norms_and_their_axes",
    "gradients_of_one_hidden_layer",
    "is_the_test_set_one_batch",
    "l1_or_l2_loss",
    "l1_or_l2_regularization",
    "large_batches_and_generalization",
    "layer_norm_against_batch_norm",
    "learnables_of_batch_norm",
    "learning_rate_and_its_schedule",
    "limits_of_accuracy",
    "local_minimum_or_saddle",
    "logistic_and_softmax_regression",
    "loss_for_several_labels",
    "most_used_optimizer",
    "norm_or_activation_first",
    "parameters_and_macs_of_a_cnn",
    "properties_of_auc",
    "pruning_is_fast_and_integers_are_free",
    "relu_and_vanishing_gradients",
    "roc_and_precision_recall_curves",
    "roc_map_recall_and_f1",
    "scales_and_zero_points_by_hand",
    "schedules_of_the_learning_rate",
    "separable_convolution_at_112",
    "separable_ratio_at_256",
    "sigmoid_against_relu",
    "sigmoid_in_code",
    "small_cnn_with_pools_of_three",
    "smooth_l1_and_its_merits",
    "softmax_or_sigmoid_outputs",
    "softmax_over_a_hundred_thousand_classes",
    "storage_of_two_of_four",
    "the_softmax_formula",
    "training_a_network_of_100_layers",
    "trapped_in_a_local_minimum",
    "weights_that_start_at_zero",
    "what_momentum_does",
    "what_stochastic_gradient_descent_does",
    "when_zeros_save_time",
    "where_batch_norm_stands",
    "why_adam_can_lose_to_sgd",
    "why_cross_entropy_is_a_loss",
    "why_deep_networks_seldom_stick",
    "why_l1_reaches_zero",
    "why_not_squared_error_for_classes",
    "why_regularization_generalizes",
    "why_soft_losses_are_times_t_squared",
]
"""Questions that have to be answered, one a line, sorted."""

SIMPLIFIED = frozenset("与么优体听圣坏复宁庄异怀怜惊扑扰机构栖气洁离网触赶个从据种极价术几万适胜确柜筑党后于云虫吨晒")
"""Simplified characters that code page 950 holds all the same, as rare forms or as other words."""

MAINLAND = {
    "網絡": "網路", "(?<!演)算法": "演算法", "數據": "資料", "信息": "資訊", "內存": "記憶體", "軟件": "軟體",
    "硬件": "硬體", "概率": "機率", "默認": "預設", "代碼": "程式碼", "變量": "變數", "數組": "陣列",
    "矢量": "向量", "魯棒": "穩健", "緩存": "快取", "視頻": "影片", "二進制": "二進位", "批量": "批次",
    "捲積": "卷積", "優化器": "最佳化器", "圖像": "影像", "線程": "執行緒", "字節": "位元組", "比特": "位元",
    "支持": "支援", "創建": "建立", "文檔": "文件", "運行": "執行", "服務器": "伺服器", "人工智能": "人工智慧",
    "訪問": "存取", "(?<!真)實時": "即時", "分佈": "分布", "裏": "裡", "傅里葉": "傅立葉", "模塊": "模組",
    "接口": "介面",
}  # fmt: skip
"""What is said across the strait, and what in Taiwan."""


def test_every_question_that_must_exist_does():
    assert sorted(MUST_EXIST) == MUST_EXIST
    assert not set(MUST_EXIST) - set(NAMES)


def test_questions_have_the_themes_of_experiments():
    assert tuple(THEMES) == tuple(themes())


@pytest.mark.parametrize("name", NAMES)
def test_a_question_is_answered_with_numbers_that_are_right(name):
    answered = answer(name)
    question = answered.question
    assert question.theme in THEMES and question.formula and question.code and answered.numbers
    assert set(question.experiments) <= set(catalog())
    for key, number in answered.numbers.items():
        assert number.agrees is not False, f"{name}, {key}: {number.value}, expected {number.expected}"
    assert any(number.expected is not None for number in answered.numbers.values()), "nothing says what is right"


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_say_the_same_numbers(name):
    said = {}
    for language in LANGUAGES:
        words = all_questions()[name].words(language)
        said[language] = {field.partition(".")[0] for _, field, _, _ in string.Formatter().parse(words.answer) if field}
        assert words.question.rstrip()[-1] in "?？" and len(words.answer) > 40
    assert said["en"] == said["zh-Hant"], "an answer leaves out a number that the other has"


@pytest.mark.parametrize("name", NAMES)
def test_the_chinese_is_that_of_taiwan(name):
    words = all_questions()[name].zh
    text = " ".join((words.question, words.answer, *words.names.values()))
    assert re.search(r"[\u4e00-\u9fff]{4}", words.question) and re.search(r"[\u4e00-\u9fff]{4}", words.answer)
    assert not foreign_characters(text), "simplified characters"
    found = {word: better for word, better in MAINLAND.items() if re.search(word, text)}
    assert not found, "not the words of Taiwan"


def test_simplified_characters_are_told_from_traditional_ones():
    assert foreign_characters("过拟合与学习率：这个网络的损失函数") == set("过拟与习学这个网络损数")
    assert not foreign_characters(
        "過擬合與學習率：這個網路的損失函數 ŷ = Σ w·x，誤差 ≤ 0.5；並、裡、才、台、面、只、準"
    )


def foreign_characters(text: str) -> set[str]:
    """Chinese characters that code page 950, which is Big5 as used in Taiwan, does not hold, and `SIMPLIFIED`."""
    return {each for each in text if "\u4e00" <= each <= "\u9fff" and (each in SIMPLIFIED or not _in_big5(each))}


def _in_big5(character: str) -> bool:
    try:
        character.encode("cp950")
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize("name", [name for name in NAMES if name not in COMMANDS])
def test_the_code_of_a_question_runs_and_prints(name, capsys):
    exec(compile(all_questions()[name].code, name, "exec"), {})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_of_a_question_has_these_options(name):
    words = shlex.split(all_questions()[name].code)[1:]
    command = get_command(app)
    context = command.make_context("edgewright", list(words), resilient_parsing=True)
    while hasattr(command, "resolve_command"):  # a group
        found, command, words = command.resolve_command(context, words)
        context = command.make_context(found, list(words), parent=context)
    assert not context.args


def test_the_gallery_links_only_to_pages_that_it_wrote(tmp_path, find):
    from edgewright.lab import Outcome

    first = next(iter(catalog()))
    outcome = Outcome(experiment=first, seed=0, fast=True, seconds=0.1, code="c", finding=find(first))
    answers = [answer("confusion_matrix_of_100")]  # its experiments have no pages here
    index = write_gallery(tmp_path, [outcome], answers)
    assert answers[0].question.experiments and first not in answers[0].question.experiments
    for page in tmp_path.glob("*.html"):
        for link in re.findall(r'<a href="([^"#]+)"', page.read_text()):
            assert (tmp_path / link).exists(), f"{page.name} links to {link}"
    assert f'href="{first}.html"' in index.read_text() and "http" not in index.read_text().replace("http-equiv", "")


def test_numbers_of_an_answer_are_set_as_mathematics():
    words = Words(question="?", answer="From {low:.0e} to {high:.1f},\n  then {huge:.1e}; one-2 stays.")
    question = replace(all_questions()["confusion_matrix_of_100"], en=words)
    values = {"low": 9e-9, "high": -0.5, "huge": 2.5e11}
    numbers = {key: Number(name=key, value=value) for key, value in values.items()}
    told = Answered(name="x", question=question, numbers=numbers).paragraphs("en")
    assert told == ["From 9·10⁻⁹ to −0.5, then 2.5·10¹¹; one-2 stays."]
