"""The training loop: it learns, it resumes to the same bits, its checkpoints are whole or refused."""

import copy
import math
import os
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import training
from helpers.batches import Batches
from helpers.checkpoints import History, load_checkpoint
from helpers.data import CLASSES, ImageSet
from helpers.models import Pretrained
from helpers.training import cache_features, cosine_with_warmup, fit

pytestmark = pytest.mark.usefixtures("one_thread")


def blobs(count: int = 256, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Two clouds of points in the plane, far apart, in batches of 32."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=generator)
    points = torch.randn(count, 2, generator=generator) + 3.0 * (2 * labels[:, None] - 1)
    return list(zip(points.split(32), labels.split(32), strict=True))


def small(seed: int = 1) -> nn.Sequential:
    """A network with everything that makes resuming hard: BatchNorm, dropout, biases."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3),
        nn.Flatten(), nn.Linear(4 * 3 * 3, 10),
    )  # fmt: skip


def images(count: int = 48) -> ImageSet:
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randint(0, 256, (count, 8, 8, 3), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % 10, CLASSES, "made up")


def batches() -> Batches:
    return Batches(images(), 16, augment=("crop", "flip"), shuffle=True, seed=5)


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


# -------------------------------------------------------------------------------- learning


def test_fit_learns_two_clouds_and_says_so():
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))  # starts with everything wrong
    history = fit(model, blobs(), epochs=5, lr=0.1, validation=blobs(seed=1))
    assert history.validation_accuracy[-1] > 0.98 and history.validation_loss[-1] < 0.1
    assert history.loss[0] > history.loss[-1] and history.loss[-1] < 0.1
    assert len(history) == len(history.lr) == len(history.seconds) == 5
    assert not model.training
    assert history.lr == sorted(history.lr, reverse=True) and 0 < history.lr[-1] < 0.001


def test_history_holds_the_mean_loss_of_the_epoch():
    model, data = nn.Linear(2, 2), blobs(64)
    losses = [F.cross_entropy(model(x), y).item() for x, y in data]
    history = fit(model, data, epochs=1, lr=1e-12)
    assert history.loss == pytest.approx([sum(losses) / 2], rel=1e-5)
    assert history.loss != pytest.approx([losses[0]], rel=1e-3)
    assert history.validation_loss == [] and history.validation_accuracy == []


def test_the_mean_loss_is_over_images_not_over_batches():
    """A last batch of 4 beside one of 32 counts for 4 images; only the mean over images is the mean loss."""
    model, data = nn.Linear(2, 2), blobs(36)
    points, labels = (torch.cat(parts) for parts in zip(*data, strict=True))
    whole = F.cross_entropy(model(points), labels).item()
    by_batch = sum(F.cross_entropy(model(x), y).item() for x, y in data) / 2
    assert abs(whole - by_batch) > 1e-3, "otherwise nothing is told apart"
    assert fit(model, data, epochs=1, lr=1e-12).loss == pytest.approx([whole], rel=1e-5)


def test_label_smoothing_costs_a_sure_network():
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-9.0, -9.0], [9.0, 9.0]]))
    plain, smooth = (
        fit(copy.deepcopy(model), blobs(), epochs=1, lr=1e-12, label_smoothing=s).loss[0] for s in (0, 0.1)
    )
    assert smooth > plain + 1


def test_validation_labels_follow_their_images_when_it_shuffles():
    """With one pass for the images and another for the labels, a shuffled validation set would score by chance."""
    base = images(40)
    pixels = base.images.clone()
    pixels[:] = (base.labels * 25).byte().view(-1, 1, 1, 1)  # the brightness is the class
    data = ImageSet(pixels, base.labels, CLASSES, "")

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return F.one_hot((x[:, 0, 0, 0] * 10.2).round().long(), 10).float() * 20 + self.weight

    history = fit(
        Reader(), blobs_of(data), epochs=1, lr=1e-9,
        validation=Batches(data, 7, shuffle=True, mean=(0, 0, 0), std=(1, 1, 1)),
    )  # fmt: skip
    assert history.validation_accuracy == [1.0]


def blobs_of(data: ImageSet) -> Batches:
    return Batches(data, 20, mean=(0, 0, 0), std=(1, 1, 1))


def test_a_frozen_network_cannot_be_trained():
    with pytest.raises(ValueError, match="nothing to train: every weight of the model is frozen"):
        fit(nn.Linear(2, 2).requires_grad_(False), blobs(), epochs=1, lr=0.1)


def test_log_tells_every_epoch():
    lines = []
    fit(nn.Linear(2, 2), blobs(), epochs=2, lr=0.1, validation=blobs(seed=1), log=lines.append)
    assert len(lines) == 2 and lines[1].startswith("epoch 2/2 done: loss 0.") and "validation " in lines[1]


def test_the_minutes_that_are_left(monkeypatch):
    """A run of 40 steps that went on at step 20: after 5 of the 20 that are left, in 20 minutes, there is an hour."""
    clock, lines = [1000.0], []
    monkeypatch.setattr(training.time, "monotonic", lambda: clock[0])
    say = training._progress(lines.append, 20, 40)
    for step, seconds, expected in [(20, 14, 0), (24, 1200, 1), (24, 1210, 1), (29, 1800, 2), (39, 2400, 3)]:
        clock[0] = 1000.0 + seconds
        say(step, f"step {step}")
        assert len(lines) == expected, "a line every 15 seconds"
    assert lines == ["step 24 60 min left", "step 29 30 min left", "step 39 0 min left"]


# -------------------------------------------------------------------------------- schedule, decay, average


def test_schedule():
    """Four steps up, then half a cosine over sixteen."""
    values = [cosine_with_warmup(step, 20, 4) for step in range(21)]
    assert values[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert values[12] == pytest.approx(0.5) and values[8] == pytest.approx(0.5 + math.sqrt(0.5) / 2)
    assert values[20] == pytest.approx(0)
    assert values[4:] == sorted(values[4:], reverse=True)
    assert cosine_with_warmup(0, 10, 0) == 1.0


def test_the_optimizer_follows_the_schedule(monkeypatch):
    rates, real = [], torch.optim.SGD.step

    def step(self, *arguments):
        rates.append([group["lr"] for group in self.param_groups])
        return real(self, *arguments)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    history = fit(nn.Linear(2, 2), blobs(128), epochs=3, lr=0.2, warmup_epochs=0.5)
    expected = [0.2 * cosine_with_warmup(step, 12, 2) for step in range(12)]
    assert rates == [[rate, rate] for rate in expected] and history.lr == expected[3::4]


def test_weight_decay_touches_weights_only():
    """With images whose gradient is zero, only decay can move anything."""

    class Dead(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = small()

        def forward(self, x):
            return self.net(x) * 0.0

    model = Dead()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(2.0)
    fit(model, batches(), epochs=2, lr=0.1, weight_decay=0.5)
    moved = {name for name, parameter in model.named_parameters() if not torch.all(parameter == 2.0)}
    assert moved == {"net.0.weight", "net.5.weight"}, "the convolution and the linear layer, no bias, no BatchNorm"
    assert model.net[0].weight.max() < 2.0


def test_averaging_by_hand_over_two_steps():
    """The average keeps min(decay, (1 + step) / (10 + step)) of itself at each step."""
    data, start = blobs(64), nn.Linear(2, 2)
    for decay in (0.999, 0.05):
        model, plain = copy.deepcopy(start), copy.deepcopy(start)
        weights, real = [], torch.optim.SGD.step

        def step(self, *arguments, plain=plain, weights=weights, real=real):
            result = real(self, *arguments)
            weights.append(plain.weight.detach().clone())
            return result

        torch.optim.SGD.step = step
        try:
            fit(plain, data, epochs=1, lr=0.1)
        finally:
            torch.optim.SGD.step = real
        fit(model, data, epochs=1, lr=0.1, ema_decay=decay)
        first, second = min(decay, 1 / 10), min(decay, 2 / 11)
        mean = first * start.weight + (1 - first) * weights[0]
        mean = second * mean + (1 - second) * weights[1]
        assert len(weights) == 2 and torch.allclose(model.weight, mean, atol=1e-6)
        assert not torch.allclose(model.weight, plain.weight, atol=1e-4)


def test_the_average_is_what_validation_sees():
    model, data = small(), batches()
    check = Batches(images(), 48)
    history = fit(model, data, epochs=2, lr=0.3, ema_decay=0.9, validation=check)
    with torch.no_grad():
        loss = F.cross_entropy(model(next(iter(check))[0]), images().labels).item()
    assert history.validation_loss[-1] == pytest.approx(loss, rel=1e-6)


# -------------------------------------------------------------------------------- resuming


class Interrupted(Exception):
    pass


def stop_in_epoch(monkeypatch, number: int):
    """The run dies in the middle of its `number`-th epoch, as after a power cut."""
    real = Batches._make

    def make(self, *arguments):
        if self.shuffle and self.epoch == number and self.image_set.source == "made up":
            stop_in_epoch.seen += 1
            if stop_in_epoch.seen == 2:
                raise Interrupted
        return real(self, *arguments)

    stop_in_epoch.seen = 0
    monkeypatch.setattr(Batches, "_make", make)


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("dies_in", [2, 3, 4])
def test_resuming_gives_the_same_bits(tmp_path, monkeypatch, average, dies_in):
    recipe = {"epochs": 4, "lr": 0.1, "weight_decay": 1e-3, "warmup_epochs": 1, "ema_decay": average, "seed": 7}
    check = Batches(images(), 48)
    straight = small()
    told = fit(straight, batches(), validation=check, **recipe)

    resumed, path = small(), tmp_path / "run.pt"
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, dies_in)
        with pytest.raises(Interrupted):
            fit(resumed, batches(), validation=check, checkpoint=path, **recipe)
    resumed = small()
    torch.manual_seed(12345)  # another process has other random numbers, and fresh batches
    again = fit(resumed, batches(), validation=check, checkpoint=path, **recipe)
    assert same(straight, resumed)
    assert (again.loss, again.validation_loss, again.lr) == (told.loss, told.validation_loss, told.lr)
    assert len(again) == 4


def test_a_finished_run_is_not_trained_again(tmp_path, monkeypatch):
    first, path, lines = small(), tmp_path / "run.pt", []
    told = fit(first, batches(), epochs=2, lr=0.1, ema_decay=0.9, checkpoint=path)
    monkeypatch.setattr(torch.optim.SGD, "step", lambda *_: pytest.fail("it was trained on"))
    second = small()
    assert fit(second, batches(), epochs=2, lr=0.1, ema_decay=0.9, checkpoint=path, log=lines.append) == told
    assert same(first, second) and lines == [f"already finished, nothing to do: {path} holds all 2 epochs"]
    assert fit(second, batches(), epochs=2, lr=0.1, ema_decay=0.9, checkpoint=path) == told, "a cell that is run twice"
    assert same(first, second)


def test_numpy_numbers_as_learning_rate_can_be_resumed(tmp_path):
    np = pytest.importorskip("numpy")
    for _ in range(2):
        fit(small(), batches(), epochs=1, lr=np.float64(0.1), checkpoint=tmp_path / "run.pt")


@pytest.mark.parametrize(
    "other, words",
    [
        ({"epochs": 3}, "epochs 2, not 3"),
        ({"lr": 0.2}, r"lr 0\.1, not 0\.2"),
        ({"seed": 1}, "seed 0, not 1"),
        ({"weight_decay": 0.1}, r"weight_decay 0\.0, not 0\.1 / 0\.0"),
        ({"ema_decay": 0.9}, r"ema_decay 0\.0, not 0\.9"),
        ({"label_smoothing": 0.1}, r"label_smoothing 0\.0, not 0\.1"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, other, words):
    path = tmp_path / "run.pt"
    fit(small(), batches(), epochs=2, lr=0.1, checkpoint=path)
    model = small()
    before = copy.deepcopy(model)
    with pytest.raises(
        ValueError, match=rf"run\.pt is of another run \({words}\): to start anew, name another file or"
    ):
        fit(model, batches(), checkpoint=path, **{"epochs": 2, "lr": 0.1, **other})
    assert same(model, before), "a refused file must not change the model"


def test_a_checkpoint_of_another_number_of_batches_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    fit(nn.Linear(2, 2), blobs(128), epochs=2, lr=0.1, checkpoint=path)
    with pytest.raises(ValueError, match=r"is of another run \(batches 4, not 8\): to start"):
        fit(nn.Linear(2, 2), blobs(256), epochs=2, lr=0.1, checkpoint=path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    fit(nn.Linear(2, 2), blobs(), epochs=1, lr=0.1, checkpoint=path)
    model = nn.Sequential(nn.Linear(2, 2), nn.Identity())
    before = copy.deepcopy(model)
    with pytest.raises(
        ValueError, match=r"run\.pt is of another network \(the tensors of its .model. differ\): to start"
    ):
        fit(model, blobs(), epochs=1, lr=0.1, checkpoint=path)
    assert same(model, before), "a refused file must not change the model"


def damage_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_keys(path):
    torch.save({"epoch": 1, "settings": {}}, path)


@pytest.mark.parametrize(
    "damage",
    [
        damage_half,
        lambda p: p.write_bytes(b""),
        lambda p: p.write_text("hello", encoding="utf-8"),
        damage_keys,
        lambda p: torch.save([1], p),
    ],
)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    path = tmp_path / "run.pt"
    fit(small(), batches(), epochs=1, lr=0.1, checkpoint=path)
    damage(path)
    with pytest.raises(
        ValueError,
        match=r"run\.pt is (no checkpoint|from an older version).*: to start anew, name another file or move this one",
    ):
        fit(small(), batches(), epochs=1, lr=0.1, checkpoint=path)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_never_runs_code(tmp_path):
    path, mark = tmp_path / "run.pt", tmp_path / "it-was-run"
    fit(small(), batches(), epochs=1, lr=0.1, checkpoint=path)
    state = torch.load(path, weights_only=True)
    torch.save({**state, "history": Evil(mark)}, path)
    with pytest.raises(ValueError, match=r"run\.pt is no checkpoint of this run \(UnpicklingError\)"):
        fit(small(), batches(), epochs=1, lr=0.1, checkpoint=path)
    assert not mark.exists()
    with pytest.raises((TypeError, KeyError, pickle.UnpicklingError, AttributeError)):
        History(**torch.load(path, weights_only=False)["history"])
    assert mark.exists(), "the planted object does nothing: the test proves nothing"


def test_saving_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    real, calls = torch.save, []

    def save(state, goal):
        calls.append(goal)
        if len(calls) == 2:
            goal.write_bytes(b"half of a")
            raise OSError(28, "No space left on device")
        real(state, goal)

    with monkeypatch.context() as patch:
        patch.setattr(training.torch, "save", save)
        words = r"epoch 2 could not be saved in .*: the disk is full .*; epoch 1 is safe in .*run\.pt\. Make room, and"
        with pytest.raises(OSError, match=words):
            fit(small(), batches(), epochs=3, lr=0.1, checkpoint=path)
    model = small()
    epoch, history = load_checkpoint(path, model, torch.optim.SGD(groups(model), lr=0.1), model, epochs=3)
    assert epoch == 1 and len(history) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"], "no half file stays behind"
    straight, resumed = small(), small()
    fit(straight, batches(), epochs=3, lr=0.1)
    fit(resumed, batches(), epochs=3, lr=0.1, checkpoint=path)
    assert same(straight, resumed) and sorted(p.name for p in tmp_path.iterdir()) == ["run.pt", "run.pt.previous"]


def groups(model: nn.Module) -> list[dict]:
    parameters = list(model.parameters())
    return [{"params": [p for p in parameters if p.ndim > 1]}, {"params": [p for p in parameters if p.ndim <= 1]}]


# -------------------------------------------------------------------------------- cached features


def test_cached_features_are_the_network_s_outputs_and_leave_it_alone():
    backbone = small()
    fit(backbone, batches(), epochs=1, lr=0.1)
    backbone[-1] = nn.Identity()
    backbone.train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    data = Batches(images(), 20)
    features, labels = cache_features(Pretrained(backbone, 8, (0, 0, 0), (1, 1, 1), "", 36), data)
    backbone.eval()
    with torch.no_grad():
        direct = torch.cat([backbone(x) for x, _ in Batches(images(), 20)])
    assert features.shape == (48, 36) and torch.equal(features, direct)
    assert torch.equal(labels, images().labels)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert torch.equal(cache_features(backbone, data)[0], features), "a plain module will do as well"


def test_cached_features_and_labels_belong_together_when_shuffled():
    class Mean(nn.Module):
        def forward(self, x):
            return x.mean((1, 2, 3), keepdim=True)[:, :, 0, 0]

    data = images(30)
    plain, labels = cache_features(Mean(), Batches(data, 7))
    mixed, mixed_labels = cache_features(Mean(), Batches(data, 7, shuffle=True))
    where = [(plain - value).abs().argmin().item() for value in mixed]
    assert where != list(range(30)) and mixed_labels.tolist() == labels[where].tolist()


def test_cached_features_train_a_head():
    features, labels = cache_features(nn.Identity(), blobs())
    head = nn.Linear(2, 2)
    fit(head, [(features[:128], labels[:128]), (features[128:], labels[128:])], epochs=4, lr=0.5)
    assert (head(features).argmax(1) == labels).float().mean() > 0.95
