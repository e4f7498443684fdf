"""How the two families of pose estimation grow with the number of people."""

from collections.abc import Mapping
from functools import cache

from ...analyze import profile
from ...zoo import resolve
from ..finding import Number
from ..question import Question, Words
from ..statistics import slope_of

PEOPLE = (1, 2, 4, 8, 16, 32)


@cache
def numbers() -> Mapping[str, Number]:
    net = resolve("ds_cnn", num_classes=17).model
    crop, image = (profile(net, input_shape=(1, size, size)).macs for size in (64, 192))
    down = slope_of(PEOPLE, [image + n * crop for n in PEOPLE], "top-down", expected=crop, tolerance=1e-6 * crop)
    up = slope_of(PEOPLE, [image] * len(PEOPLE), "bottom-up", expected=0.0)
    pairs = {n: 17 * n * n for n in (2, 32)}
    return {
        "crop": Number(name="MACs of one crop", value=crop),
        "image": Number(name="MACs of the whole image", value=image),
        "down": Number(name="top-down, MACs per person", value=down.value, expected=crop, tolerance=1e-6 * crop),
        "up": Number(name="bottom-up, MACs of the network per person", value=up.value, expected=0.0),
        "pairs2": Number(name="pairs to compare, 2 people", value=pairs[2], expected=68),
        "pairs32": Number(name="pairs to compare, 32 people", value=pairs[32], expected=17_408),
    }


QUESTION = Question(
    theme="pose",
    en=Words(
        question="How do top-down and bottom-up pose estimation differ in cost?",
        answer="""
            Top-down finds the people first and then runs a pose network on each crop: T_det + N · T_pose, a straight
            line in the number of people N. Bottom-up runs one network on the whole image, whoever is in it, and then
            joins points to people: T_net + T_group(N).

            With one small network as both, an image takes {image:,.0f} MACs and a crop {crop:,.0f}. A line fitted
            through 1 to 32 people rises by {down:,.0f} MACs per person top-down, one crop, and by {up:.0f} bottom-up.

            "Bottom-up is constant" is true of its network alone. Grouping compares ends of limbs: with 17 limbs
            {pairs2:.0f} pairs for 2 people and {pairs32:,.0f} for 32, which grows with N². The best grouping of all
            points at once is NP-hard; what is used is a greedy or bipartite relaxation, limb by limb. For few people
            in small images top-down is often cheaper and more accurate, for crowds bottom-up.
        """,
    ),
    zh=Words(
        question="自上而下與自下而上的姿態估計，計算量有什麼差別？",
        answer="""
            自上而下先找出每個人，再對每個裁切區跑一次姿態網路：T_det + N · T_pose，隨人數 N 呈直線成長。
            自下而上則對整張影像只跑一次網路，不管裡面有幾個人，再把關節點分組成人：T_net + T_group(N)。

            拿同一個小網路來算，整張影像要 {image:,.0f} 次乘加，一個裁切區要 {crop:,.0f} 次。對 1 到 32 人擬合直線，
            自上而下每多一人增加 {down:,.0f} 次，正好一個裁切區；自下而上則是 {up:.0f}。

            「自下而上的成本固定」只對網路的部分成立。分組要比對肢段的兩端：17 條肢段，2 個人要比 {pairs2:.0f} 對，
            32 個人要比 {pairs32:,.0f} 對，隨 N² 成長。一次求所有點的最佳分組是 NP 困難問題，
            實務上逐條肢段做貪婪或二分圖配對。人少、影像小時，自上而下往往更省也更準；人多時則輪到自下而上。
        """,
        names={
            "crop": "一個裁切區的乘加次數",
            "image": "整張影像的乘加次數",
            "down": "自上而下：每人增加的乘加次數",
            "up": "自下而上：網路每人增加的乘加次數",
            "pairs2": "2 人要比對的組數",
            "pairs32": "32 人要比對的組數",
        },
    ),
    formula="top-down: T(N) = T_det + N·T_pose\nbottom-up: T(N) = T_net + T_group(N),  T_group ∝ limbs · N²",
    numbers=numbers,
    code="edgewright lab run top_down_grows_with_the_crowd --fast",
    experiments=(
        "top_down_grows_with_the_crowd",
        "heat_map_cells_cost_precision",
        "missed_detections_cannot_be_recovered",
    ),
)
