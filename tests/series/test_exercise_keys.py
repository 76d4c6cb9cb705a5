"""Every right answer of lessons 05 to 12, computed again in another way than the lessons' rooms do."""

import csv
import io
import itertools
import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2, shufflenetv2, squeezenet
from torchvision.models._utils import _make_divisible
from torchvision.models.efficientnet import MBConv

from helpers import DATA
from helpers.batches import Batches
from helpers.data import ImageSet
from helpers.exercises import Exercise, every_exercise

EXERCISES = {
    number: one
    for number, one in every_exercise().items()
    if (number[0] in "56789" or number[:3] in ("10.", "11.", "12.")) and isinstance(one, Exercise)
}
V2_IN_TABLES = {
    "mobilenet_v1": "V1",
    "mobilenet_v2": "V2",
    "mobilenet_v3_small": "V3-Small",
    "mobilenet_v3_large": "V3-Large",
}


# 05 · Width and resolution
def rounded_channels():
    return _make_divisible(0.35 * 32, 8)


def images_that_decide():
    a, b = set(range(1560)), {*range(1500), *range(1900, 2000)}
    assert (len(a), len(b), len(a & b)) == (1560, 1600, 1500)
    return len(a ^ b)


def best_published(macs, weight_bytes, bits):
    with open(DATA / "published" / "published_imagenet_results.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [r for r in rows if float(r["mmacs"]) * 1e6 <= macs and float(r["mparams"]) * 1e6 * bits / 8 <= weight_bytes]
    best = sorted(rows, key=lambda row: (-float(row["top1"]), float(row["mmacs"])))[0]
    return f"{V2_IN_TABLES[best['family']]} {float(best['width'])} at {best['resolution']}"


def best_of_our_own():
    scores = defaultdict(list)
    with open(DATA / "results" / "zoo.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if int(row["macs"]) <= 2_000_000:
                scores[f"V2 {float(row['width'])} at {row['resolution']}"].append(float(row["accuracy"]))
    return max(scores, key=lambda name: np.mean(scores[name]))


# 06 · Transfer learning
def changes_that_need_new_features():
    """A frozen network gives the same for the same pixels: which change shows it other pixels in the second epoch?"""
    pixels = torch.randint(0, 256, (8, 32, 32, 3), generator=torch.Generator().manual_seed(0)).byte()
    images = ImageSet(pixels, torch.zeros(8, dtype=torch.long), ("one",), "noise")
    changes = {
        "shuffling": {"shuffle": True},
        "random crops": {"augment": ("crop",)},
        "a larger batch": {"batch_size": 8},
        "random brightness": {"augment": ("brightness",)},
        "a second head": {},
    }
    needed = set()
    for name, change in changes.items():
        batches = Batches(images, **{"batch_size": 4, "seed": 0, **change})
        first, second = (sorted(round(x.sum().item(), 2) for batch, _ in batches for x in batch) for _ in range(2))
        if first != second:
            needed.add(name)
    return frozenset(needed)


def smallest_image_with_three_by_three():
    halve = nn.Sequential(*(nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(5))).to("meta")
    return next(n for n in itertools.count(1) if halve(torch.empty(1, 1, n, n, device="meta")).shape[-1] == 3)


def batches_until_a_twentieth_is_left():
    norm = nn.BatchNorm1d(1)
    for count in itertools.count(1):
        norm(torch.tensor([[9.0], [11.0]]))
        if 10 - norm.running_mean.item() <= 0.05 * 10:
            return count


def repairs_that_make_features_stay():
    """Of the article's repairs, those without which an image has other features in the next epoch."""
    from helpers.lessons.lesson_06.article import STEPS

    torch.manual_seed(0)
    image = torch.rand(4, 3, 8, 8)
    network = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.Flatten()).requires_grad_(False)

    def features_twice(repaired):
        answers = []
        for epoch in range(2):
            network.train("BatchNorm still" not in repaired)
            seen = image if "no augmentation" in repaired else image.roll(epoch, 3)
            pixels = F.interpolate(seen, scale_factor=2) if "larger images" in repaired else seen
            network(pixels + epoch)  # other images come between, from which the statistics move
            with torch.no_grad():
                answers.append(network.eval()(pixels))
        return answers

    repairs = set(STEPS) - {"as printed", "clean test images", "features cached"}
    return frozenset(name for name in repairs if not torch.equal(*features_twice(repairs - {name})))


def newer_weights_gain():
    old, new = (
        one.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        for one in (MobileNet_V2_Weights.IMAGENET1K_V1, MobileNet_V2_Weights.IMAGENET1K_V2)
    )
    return new - old


# 07 · Training
def second_step_with_momentum():
    w = torch.zeros(1, requires_grad=True, dtype=torch.float64)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        ((w - 3) ** 2).sum().backward()
        optimizer.step()
    return w.item()


def learning_rate_at_step_775():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=900)
    for _ in range(775 - 100):
        optimizer.step()
        schedule.step()
    return optimizer.param_groups[0]["lr"]


def left_of_an_idle_weight():
    w = torch.ones(1, requires_grad=True, dtype=torch.float64)
    optimizer = torch.optim.SGD([w], lr=0.05, momentum=0.9, weight_decay=5e-4)
    w.grad = torch.zeros_like(w)
    for _ in range(1000):
        optimizer.step()
    return w.item()


def smoothed_loss_of_the_targets():
    logits = torch.tensor([[0.91] + [0.01] * 9], dtype=torch.float64).log()
    return F.cross_entropy(logits, torch.tensor([0]), label_smoothing=0.1).item()


def what_need_not_be_saved():
    """Take one piece away at a time: without which of them does a run go on to the same weights and averages?"""

    def start():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        return {
            "weights": [p.detach().clone() for p in net.parameters()],
            "velocities": [torch.zeros_like(p) for p in net.parameters()],
            "gradients": [torch.zeros_like(p) for p in net.parameters()],
            "averaged weights": [torch.zeros_like(p) for p in net.parameters()],
            "random state": torch.get_rng_state(),
            "epoch": 0,
        }

    def train(state, epochs):
        torch.set_rng_state(state["random state"])
        net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        torch.set_rng_state(state["random state"])
        for p, value, gradient in zip(net.parameters(), state["weights"], state["gradients"], strict=True):
            p.data, p.grad = value.clone(), gradient.clone()
        velocities, averages = ([v.clone() for v in state[name]] for name in ("velocities", "averaged weights"))
        for epoch in range(state["epoch"], state["epoch"] + epochs):
            net.zero_grad()
            net(torch.arange(8.0).reshape(2, 4)[torch.randperm(2)]).square().mul(
                torch.tensor([[1.0], [2.0]])
            ).sum().backward()
            for p, v, average in zip(net.parameters(), velocities, averages, strict=True):
                v.mul_(0.9).add_(p.grad)
                p.data.sub_(v, alpha=0.001 / (1 + epoch))
                average.lerp_(p.data, 0.1)
        weights, gradients = ([getattr(p, name).clone() for p in net.parameters()] for name in ("data", "grad"))
        return {
            "weights": weights,
            "velocities": velocities,
            "gradients": gradients,
            "averaged weights": averages,
            "random state": torch.get_rng_state(),
            "epoch": epoch + 1,
        }

    saved = train(start(), 3)
    whole = train(saved, 2)
    ends = {name: train({**saved, name: start()[name]}, 2) for name in saved}
    compared = ("weights", "averaged weights")
    return frozenset(
        name
        for name, end in ends.items()
        if all(torch.equal(a, b) for part in compared for a, b in zip(end[part], whole[part], strict=True))
    )


def how_much_more_slowly_the_weights_turn():
    """The angle of a small step of scale-free weights, over that at half the rate and three times the norm."""

    def turned(norm, lr):
        scale = norm / math.sqrt(2)
        w = torch.tensor([scale, scale], dtype=torch.float64, requires_grad=True)
        (w / w.norm())[0].backward()  # what comes out depends on the direction alone
        after = w.detach() - lr * w.grad
        return abs(math.atan2(*after.tolist()) - math.pi / 4)

    return round(turned(1, 1e-4) / turned(3, 0.5e-4), 3)


def step_at_which_the_average_is_as_slow_as_it_gets():
    decays = (min(Fraction(998, 1000), Fraction(1 + step, 10 + step)) for step in itertools.count())
    return next(step for step, decay in enumerate(decays) if decay == Fraction(998, 1000))


# 08 · Evaluation
def images_for_half_the_width():
    return next(n for n in itertools.count(1) if math.sqrt(0.16 / n) <= math.sqrt(0.16 / 2000) / 2 * (1 + 1e-12))


def precision_and_recall_of_cat():
    table = {"cat": (6, 3, 1), "dog": (2, 8, 0), "frog": (0, 1, 4)}
    said = [
        (true, called)
        for true, counts in table.items()
        for called, n in zip(table, counts, strict=True)
        for _ in range(n)
    ]
    both = said.count(("cat", "cat"))
    return both / sum(called == "cat" for _, called in said), both / sum(true == "cat" for true, _ in said)


def precision_of_rare_cats():
    """Two thousand images, counted: 20 cats and 1,980 others."""
    images = [("cat", i < 18) for i in range(20)] + [("other", i < 99) for i in range(1980)]
    called = [what for what, said_cat in images if said_cat]
    return called.count("cat") / len(called)


def calibration_error():
    confidence = np.array([0.94] * 150 + [0.72] * 50)
    right = np.array([1] * 141 + [0] * 9 + [1] * 45 + [0] * 5)
    error = 0
    for value in np.unique(confidence):
        inside = confidence == value
        error += inside.mean() * abs(right[inside].mean() - value)
    return error


def chance_of_nine_to_one():
    rows = [sum(row) for row in itertools.product((0, 1), repeat=10)]
    return sum(abs(heads - 5) >= 4 for heads in rows) / len(rows)


def mean_of_means_too_high():
    right = np.concatenate([np.tile([1] * 80 + [0] * 20, 10), np.ones(10)])
    batches = np.split(right, range(100, 1001, 100))
    assert len(batches) == 11 and len(batches[-1]) == 10
    return 100 * (np.mean([batch.mean() for batch in batches]) - right.mean())


# 09 · Other lightweight networks
def parameters_of_torchvisions_fire():
    return sum(parameter.numel() for parameter in squeezenet.Fire(128, 32, 128, 128).parameters())


def macs_of_torchvisions_shuffle_unit():
    unit, counter = shufflenetv2.InvertedResidual(116, 116, 1).to("meta"), FlopCounterMode(display=False)
    with counter:
        unit(torch.empty(1, 116, 28, 28, device="meta"))
    return counter.get_total_flops() // 2


def blocks_of_torchvisions_b1():
    with torch.device("meta"):
        return sum(isinstance(part, MBConv) for part in torchvision.models.efficientnet_b1().modules())


def how_many_times_as_many_macs_a_second():
    return float(Fraction(1814, 51) / Fraction(301, 21))


def most_accurate_small_download():
    """By torchvision's own numbers alone; the two networks that it lacks break a budget (385M and 569M MACs)."""
    named = {"mnasnet1_0": "MNASNet 1.0"}
    found = []
    for builder in torchvision.models.list_models(module=torchvision.models):
        for weights in torchvision.models.get_model_weights(builder):
            meta = weights.meta
            if weights.name == "IMAGENET1K_V1" and meta["_ops"] <= 0.32 and 4 * meta["num_params"] <= 20e6:
                found.append((meta["_metrics"]["ImageNet-1K"]["acc@1"], builder))
    return named[max(found)[1]]


# 10 · On the device
def middle_and_mean_of_ten_calls():
    calls = np.array([5, 45, 5, 5, 6, 5, 5, 5, 5, 5])
    return float(np.median(calls)), float(calls.mean())


def whole_number_of_zero():
    """256 values spread evenly from the low end to the high one: which of them is nearest to 0?"""
    low, high = -1.0, 3.0
    grid = torch.linspace(low, high, 256, dtype=torch.float64)
    return int(torch.argmin(grid.abs())) - 128


def whole_numbers_of_the_small_channel():
    weights = np.concatenate([[12.7], np.linspace(-0.2, 0.2, 4001)])
    return len(np.unique(np.rint(weights[1:] * 127 / weights.max()).astype(int)))


def bytes_of_a_depthwise_layer_in_int8():
    layer = nn.Conv2d(64, 64, 3, groups=64)
    weight = layer.weight.detach().to(torch.int8)
    return weight.nbytes + layer.bias.nbytes + torch.ones(64).nbytes


def macs_of_a_block_without_twelve():
    """Three layers of torch's, counted for one position by its own counter."""
    x, counter = torch.zeros(1, 8, 1, 1), FlopCounterMode(display=False)
    layers = nn.Sequential(nn.Conv2d(8, 36, 1), nn.Conv2d(36, 36, 3, padding=1, groups=36), nn.Conv2d(36, 8, 1))
    with counter:
        layers(x)
    return counter.get_total_flops() // 2


def share_of_dog():
    cat, dog = np.exp(np.array([4.0, 0.0]) / 4)
    return float(dog / (cat + dog))


# 11 · Your own images
def files_that_are_set_aside():
    """Written and opened by Pillow alone."""
    picture, names = Image.new("RGB", (40, 40), "red"), {}
    for name, kind, more in (
        ("a PNG called photo", "PNG", {}),
        ("a moving GIF", "GIF", {"save_all": True, "append_images": [Image.new("RGB", (40, 40))]}),
        ("a CMYK JPEG", "JPEG", {}),
    ):
        file = io.BytesIO()
        (picture.convert("CMYK") if "CMYK" in name else picture).save(file, kind, **more)
        names[name] = file.getvalue()
    names["half a JPEG"] = names["a CMYK JPEG"][: len(names["a CMYK JPEG"]) // 2]
    names["Thumbs.db"] = b"\xd0\xcf\x11\xe0" + bytes(500)
    names["a HEIC"] = b"\0\0\0\x18ftypheic" + bytes(500)

    def opens(blob):
        try:
            Image.open(io.BytesIO(blob)).load()
        except Exception:
            return False
        return True

    return frozenset(name for name, blob in names.items() if not opens(blob))


def pairs_parted_by_chance():
    """By the hypergeometric chances that both, or neither, of a pair are among the 30."""
    both, neither = (math.comb(98, 28) / math.comb(100, 30), math.comb(98, 30) / math.comb(100, 30))
    return 10 * (1 - both - neither)


def photos_to_judge_by():
    return next(n for n in itertools.count(1) if 1.96 * np.sqrt(0.9 * 0.1 / n) <= 0.05)


def probability_from_which_to_call():
    grid = np.arange(1, 420_000) / 420_000
    return float(grid[np.argmax(1 * (1 - grid) <= 20 * grid)])


# 12 · Scaling out
def gigabytes_of_a_buffer():
    return 10_000 * np.zeros((256, 256, 3), dtype=np.uint8).nbytes / 1e9


def megabytes_each_sends_in_a_ring():
    """Play the ring with eight pieces of one number each, until all hold the sum; count what each passes on."""
    size, passed = 8, [0] * 8
    pieces = [[Fraction(10 * rank + piece) for piece in range(size)] for rank in range(size)]
    wanted = [sum(rows) for rows in zip(*pieces, strict=True)]
    for turn in range(2 * (size - 1)):
        sent = [((rank - turn) % size if turn < size - 1 else (rank + 1 - turn + size - 1) % size) for rank in range(8)]
        values = [pieces[rank][sent[rank]] for rank in range(size)]
        for rank in range(size):
            goal = (rank + 1) % size
            pieces[goal][sent[rank]] = values[rank] + (pieces[goal][sent[rank]] if turn < size - 1 else 0)
            passed[rank] += 1
    assert all(mine == wanted for mine in pieces)
    (each,) = set(passed)
    parameters = sum(p.numel() for p in mobilenet_v2().parameters())
    return each * torch.zeros(1).nbytes * parameters / size / 1e6


def failures_to_expect():
    daily = Fraction(1, 1000)
    return float(sum(daily for _ in range(1024) for _ in range(10)))


def times_as_many_images_a_second():
    alone, together = 32 / 0.200, 64 * 32 / (0.200 + 0.050)
    return together / alone


KEYS = {
    "5.1": rounded_channels,
    "5.3": images_that_decide,
    "5.5": lambda: best_published(100e6, 2.5e6, 8),
    "5.6": lambda: best_published(300e6, 12e6, 32),
    "5.7": best_of_our_own,
    "6.2": lambda: 50_000 * torch.zeros(1280, dtype=torch.float32).nbytes / 1e6,
    "6.3": changes_that_need_new_features,
    "6.4": smallest_image_with_three_by_three,
    "6.6": batches_until_a_twentieth_is_left,
    "6.9": repairs_that_make_features_stay,
    "6.11": newer_weights_gain,
    "7.1": second_step_with_momentum,
    "7.3": learning_rate_at_step_775,
    "7.4": left_of_an_idle_weight,
    "7.6": smoothed_loss_of_the_targets,
    "7.7": what_need_not_be_saved,
    "7.9": how_much_more_slowly_the_weights_turn,
    "7.10": step_at_which_the_average_is_as_slow_as_it_gets,
    "8.1": images_for_half_the_width,
    "8.3": precision_and_recall_of_cat,
    "8.4": precision_of_rare_cats,
    "8.5": calibration_error,
    "8.7": chance_of_nine_to_one,
    "8.10": mean_of_means_too_high,
    "9.1": parameters_of_torchvisions_fire,
    "9.3": macs_of_torchvisions_shuffle_unit,
    "9.4": blocks_of_torchvisions_b1,
    "9.9": how_many_times_as_many_macs_a_second,
    "9.10": most_accurate_small_download,
    "10.1": middle_and_mean_of_ten_calls,
    "10.3": whole_number_of_zero,
    "10.4": whole_numbers_of_the_small_channel,
    "10.6": bytes_of_a_depthwise_layer_in_int8,
    "10.8": macs_of_a_block_without_twelve,
    "10.10": share_of_dog,
    "11.1": files_that_are_set_aside,
    "11.4": pairs_parted_by_chance,
    "11.5": photos_to_judge_by,
    "11.8": probability_from_which_to_call,
    "12.1": gigabytes_of_a_buffer,
    "12.3": megabytes_each_sends_in_a_ring,
    "12.6": failures_to_expect,
    "12.8": times_as_many_images_a_second,
}


def test_every_exercise_has_a_second_computation():
    assert sorted(KEYS) == sorted(EXERCISES)


@pytest.mark.parametrize("number", KEYS)
def test_the_key_is_what_another_computation_gives(number):
    one, computed = EXERCISES[number], KEYS[number]()
    assert type(computed) is type(one.answer) or isinstance(computed, float)
    if isinstance(one.answer, (str, frozenset)):
        assert one.answer == computed
    else:
        assert one.answer == pytest.approx(computed, rel=1e-6)
    assert one.judge(computed)[0]
