"""The usual article: its recipe argument by argument, what each repair changes, what is recorded and compared."""

from argparse import ArgumentParser

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms

from helpers import results as store
from helpers.batches import Batches
from helpers.data import CLASSES, ImageSet
from helpers.evaluation import mcnemar
from helpers.lessons.lesson_06 import article
from helpers.models import Pretrained, load_pretrained
from helpers.results import read_results, stored

pytestmark = pytest.mark.usefixtures("one_thread")


class Tiny(nn.Module):
    """Eight features through a BatchNorm that can drift; notes what it is shown, and in which mode."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Identity()
        self.shown = []  # (in training mode, BatchNorm in training mode, dropout in training mode, images)

    def __deepcopy__(self, _):
        other = Tiny()
        other.load_state_dict(self.state_dict())
        other.shown = self.shown
        return other.train(self.training)

    def forward(self, x):
        drops = isinstance(self.classifier, nn.Sequential) and self.classifier[0].training
        self.shown.append((self.training, self.features[1].training, drops, x.detach().clone()))
        return self.classifier(self.features(x).mean((2, 3)))


def coloured(count: int, seed: int = 0) -> ImageSet:
    """Images of 32 pixels whose colour tells the class, nearly, and whose halves differ."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    colours = torch.randint(60, 200, (10, 3), generator=torch.Generator().manual_seed(1))[labels].view(-1, 1, 1, 3)
    noise = torch.randint(-20, 20, (count, 32, 32, 3), generator=generator)
    noise[:, :, :16] += 35
    return ImageSet((colours + noise).to(torch.uint8), labels, CLASSES, "made up")


TRAIN, TEST = coloured(150), coloured(100, seed=9)


@pytest.fixture
def backbone() -> Pretrained:
    return Pretrained(Tiny().eval().requires_grad_(False), 48, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), "a tiny backbone", 8)


def taught(step: str, backbone: Pretrained, epochs: int = 2, seed: int = 0) -> dict:
    backbone.model.shown.clear()
    return article.taught(
        article.STEPS[: article.STEPS.index(step) + 1], TRAIN, TEST, backbone, 40, epochs, seed, log=lambda _: None
    )


# -------------------------------------------------------------------------------- the recipe, as it is printed


def test_the_transform_of_both_sets_is_the_printed_one(backbone):
    for step in ("as printed", "clean test images"):
        flip, crop, tensor, normalise = article.transform_of((step,), backbone, 40, random=True).transforms
        assert isinstance(flip, transforms.RandomHorizontalFlip) and flip.p == 0.5
        assert isinstance(crop, transforms.RandomCrop) and (crop.size, crop.padding) == ((32, 32), 4)
        assert not crop.pad_if_needed and (crop.fill, crop.padding_mode) == (0, "constant")
        assert isinstance(tensor, transforms.ToTensor) and isinstance(normalise, transforms.Normalize)
        assert tuple(normalise.mean) == (0.4914, 0.4822, 0.4465) and tuple(normalise.std) == (0.2023, 0.1994, 0.2010)
    kinds = [type(one) for one in article.transform_of((), backbone, 40, random=False).transforms]
    assert kinds == [transforms.ToTensor, transforms.Normalize]


def test_loaders_and_optimizer_are_the_printed_ones(backbone, monkeypatch):
    loaders, optimizers, loader, adam = [], [], article.DataLoader, torch.optim.Adam

    def make_loader(data, **given):
        loaders.append((len(data), given))
        return loader(data, **given)

    def make_adam(weights, **given):
        weights = list(weights)
        optimizers.append(([list(weight.shape) for weight in weights], given))
        return adam(weights, **given)

    monkeypatch.setattr(article, "DataLoader", make_loader)
    monkeypatch.setattr(torch.optim, "Adam", make_adam)
    taught("as printed", backbone, epochs=1)
    assert loaders[0] == (150, {"batch_size": 64, "shuffle": True})
    assert loaders[1:] == [(100, {"batch_size": 64, "shuffle": False})] * 6
    assert optimizers == [([[10, 8], [10]], {"lr": 0.001})]


def test_only_the_classifier_learns_and_dropout_is_a_fifth(backbone):
    model = article.frozen(backbone)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert names == ["classifier.1.weight", "classifier.1.bias"]
    dropout, linear = model.classifier
    assert (dropout.p, linear.in_features, linear.out_features) == (0.2, 8, 10)
    assert isinstance(backbone.model.classifier, nn.Identity) and model is not backbone.model


def test_train_in_every_epoch_eval_for_the_test(backbone):
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    taught("as printed", backbone, epochs=3)
    training = [(mode, norm, drops) for mode, norm, drops, _ in backbone.model.shown[:9]]  # 3 batches an epoch
    assert training == [(True, True, True)] * 9
    assert {shown[:3] for shown in backbone.model.shown[9:]} == {(False, False, False)}
    assert len(backbone.model.shown) == 9 + 6 * 2  # five looks and a clean one, two batches each
    assert all(torch.equal(before[name], value) for name, value in backbone.model.state_dict().items())


def test_what_it_prints(backbone, monkeypatch):
    """A mean of the batches' losses for each epoch, the small last batch as much as the others."""
    losses, real = [], F.cross_entropy
    monkeypatch.setattr(F, "cross_entropy", lambda *pair: losses.append(real(*pair)) or losses[-1])
    found = taught("as printed", backbone, epochs=2)
    assert found["losses"] == pytest.approx([sum(losses[:3]).item() / 3, sum(losses[3:6]).item() / 3])
    logits = found["looks"][0]
    by_hand = [real(logits[a:b], TEST.labels[a:b]).item() for a, b in ((0, 64), (64, 100))]
    assert article.mean_loss(logits, TEST.labels) == pytest.approx(sum(by_hand) / 2)


def test_the_same_network_is_looked_at_five_times_and_then_on_clean_images(backbone):
    found = taught("as printed", backbone, epochs=1)
    assert found["looks"].shape == (5, 100, 10) and found["clean"].shape == (100, 10)
    assert len({look.sum().item() for look in found["looks"]}) == 5, "the looks saw the same crops"
    looks = [torch.cat([images for *_, images in backbone.model.shown[3 + 2 * k : 5 + 2 * k]]) for k in range(6)]
    clean = next(iter(Batches(TEST, 100, mean=article.PRINTED[0], std=article.PRINTED[1])))[0]
    torch.testing.assert_close(looks[5], clean.contiguous(), atol=1e-5, rtol=1e-5)
    assert not any(torch.allclose(look, clean, atol=1e-3) for look in looks[:5])


def test_the_seed_decides(backbone):
    one, again, other = (taught("as printed", backbone, epochs=1, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one["looks"], again["looks"]) and not torch.allclose(one["clean"], other["clean"], atol=1e-3)


# -------------------------------------------------------------------------------- one repair at a time


@pytest.fixture(scope="module")
def shown() -> dict[str, list]:
    """What the network is shown at each step, one epoch: (training mode, BatchNorm's, dropout's, images)."""
    one = Pretrained(Tiny().eval().requires_grad_(False), 48, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), "a tiny backbone", 8)
    return {step: (taught(step, one, epochs=1), list(one.model.shown))[1] for step in article.STEPS[2:]}


def test_each_step_enlarges_and_normalises_as_its_name_says(shown):
    for step, batches in shown.items():
        images = torch.cat([images for *_, images in batches[-2:]])  # the test images: never augmented from here on
        own = article.STEPS.index(step) >= article.STEPS.index("its own normalisation")
        mean, std = ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3)) if own else article.PRINTED
        wanted = next(iter(Batches(TEST, 100, image_size=40, mean=mean, std=std)))[0]
        torch.testing.assert_close(images, wanted.contiguous(), atol=1e-4, rtol=1e-4)
        assert batches[0][3].shape[1:] == (3, 40, 40)


def test_batchnorm_stays_still_and_dropout_does_not(shown):
    for step in ("larger images", "its own normalisation"):
        assert shown[step][0][:3] == (True, True, True)
    for step in ("BatchNorm still", "no augmentation"):
        assert shown[step][0][:3] == (True, False, True)


def test_augmentation_is_left_out_where_it_is_said(shown):
    clean = torch.cat([x for x, _ in Batches(TRAIN, 64, image_size=40, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))])
    for step in ("BatchNorm still", "no augmentation"):
        images = torch.cat([images for *_, images in shown[step][:3]])
        found = (torch.cdist(images.flatten(1), clean.flatten(1)).min(1).values < 1).float().mean()
        assert (found == 1) == (step == "no augmentation"), step


def test_cached_features_teach_the_same_head_in_one_pass(backbone):
    anew = taught("no augmentation", backbone, epochs=3)
    passes = len(backbone.model.shown)
    cached = taught("features cached", backbone, epochs=3)
    assert passes == 3 * 3 + 2 and len(backbone.model.shown) == 3 + 2
    torch.testing.assert_close(cached["clean"], anew["clean"], atol=1e-4, rtol=1e-4)
    assert cached["losses"] == pytest.approx(anew["losses"], abs=1e-4)
    assert "looks" not in cached


@pytest.mark.parametrize("which", ["tiny-imagenet", "efficientnet-lite0"])
def test_the_real_backbones_fit_the_recipe(which):
    real = load_pretrained(which)
    few = TRAIN[:12]
    repaired = article.STEPS[:5]
    found = article.taught(repaired, few, few, real, article.SIZES[which], 1, 0, log=lambda _: None)
    assert found["clean"].shape == (12, 10)


# -------------------------------------------------------------------------------- rows


@pytest.fixture
def world(monkeypatch, results, backbone):
    monkeypatch.setattr(article, "load_cifar10", lambda which: {"full": (TRAIN, TEST)}[which])
    monkeypatch.setattr(article, "load_pretrained", lambda which: backbone)
    return results


def start(*words, log=lambda _: None):
    parser = ArgumentParser()
    article.arguments(parser)
    article.run(parser.parse_args(words), log)


def test_the_parts_are_those_the_lesson_shows():
    parser = ArgumentParser()
    article.arguments(parser)
    units = article.units(parser.parse_args([]))
    assert {unit["epochs"] for unit in units} == {10}
    asked = [(unit["weights"], unit["train_images"], unit["step"], unit["seed"]) for unit in units]
    assert asked == [
        *[("tiny-imagenet", 10_000, step, 0) for step in article.STEPS],
        *[("tiny-imagenet", 50_000, step, seed) for seed in (0, 1, 2) for step in article.STEPS[:2]],
        *[("efficientnet-lite0", 10_000, step, 0) for step in article.STEPS],
    ]
    assert article.SIZES["tiny-imagenet"] == 64 and article.SIZES["efficientnet-lite0"] == 96


def right_share(monkeypatch, shares: dict[str, float]):
    """In place of training: a network that is right on the first so many of the test images."""

    def fake(repaired, train, test, backbone, size, epochs, seed, device, log):
        def logits(share):
            return F.one_hot((test.labels + (torch.arange(100) >= 100 * share)) % 10, 10).float()

        answers = {"losses": [2.0, 1.5], "seconds": 90.0, "clean": logits(shares[repaired[-1]])}
        if len(repaired) == 1:
            answers["clean"] = logits(shares["clean test images"])
            answers["looks"] = torch.stack([logits(shares["as printed"] + 0.01 * look) for look in range(5)])
        return answers

    monkeypatch.setattr(article, "taught", fake)


def test_each_step_is_compared_with_the_one_before(world, monkeypatch):
    shares = dict(zip(article.STEPS, (0.4, 0.5, 0.7, 0.65, 0.66, 0.8, 0.8), strict=True))
    right_share(monkeypatch, shares)
    start("--parts", "chain")
    rows = {(row["step"], int(row["look"])): row for row in stored("article.csv")}
    assert len(rows) == 5 + 6
    assert [float(rows["as printed", look]["accuracy"]) for look in range(1, 6)] == [0.4, 0.41, 0.42, 0.43, 0.44]
    assert rows["as printed", 1]["difference"] == ""
    for before, step in zip(article.STEPS, article.STEPS[1:], strict=False):
        row, gain = rows[step, 1], shares[step] - shares[before]
        assert float(row["accuracy"]) == shares[step] and float(row["difference"]) == pytest.approx(gain)
        one, other = (torch.arange(100) < 100 * shares[name] for name in (step, before))
        pair = mcnemar(one, other)
        assert float(row["difference_low"]) == pytest.approx(pair.low, abs=1e-4)
        assert float(row["difference_high"]) == pytest.approx(pair.high, abs=1e-4)
        assert int(row["only_this_right"]) - int(row["only_before_right"]) == pytest.approx(100 * gain)
    assert [rows[step, 1]["image_size"] for step in article.STEPS] == ["32", "32", *["64"] * 5]
    assert {row["cpu_seconds"] for row in rows.values()} == {"90"}
    assert rows["as printed", 1]["train_loss"] == "1.5000"


def test_a_second_start_trains_nothing_and_a_network_is_trained_once(world, monkeypatch):
    trained, real = [], article.taught
    monkeypatch.setattr(
        article, "taught", lambda repaired, *rest: trained.append(repaired[-1]) or real(repaired, *rest)
    )
    steps = ("--parts", "chain", "--epochs", "1", "--steps", "as printed", "clean test images")
    start(*steps)
    assert trained == ["as printed"], "clean test images are shown to the printed network, not to another"
    start(*steps)
    assert trained == ["as printed"] and len(read_results("article.csv")) == 6


def test_a_trial_records_nothing(world):
    lines = []
    start("--parts", "chain", "--limit", "30", "--epochs", "1", "--steps", "as printed", log=lines.append)
    assert not store.RESULTS.exists() and any("look 5" in line for line in lines)


def test_what_the_lesson_prints(world, monkeypatch):
    right_share(monkeypatch, dict(zip(article.STEPS, (0.4, 0.5, 0.7, 0.65, 0.66, 0.8, 0.8), strict=True)))
    start("--parts", "chain", "article")
    lines = article.printed().splitlines()
    assert lines[0].startswith("50,000 training and 100 test images of made up")
    assert lines[3] == "seed 0: last epoch's loss 1.500, test loss " + lines[3].split("test loss ")[1]
    assert lines[3].endswith("five looks: 40.00% 41.00% 42.00% 43.00% 44.00%")
    assert lines[4].strip() == "clean images 50.00%: +10.0 points (+3.7 to +15.9)"
    assert lines[-2:] == ["first look: mean of 3 seeds 40.0 % (95 % interval 40.0 to 40.0)",
                          "clean images: mean of 3 seeds 50.0 % (95 % interval 50.0 to 50.0)"]  # fmt: skip
    table = article.chain().splitlines()[3:]
    assert [line[:22].strip() for line in table] == list(article.STEPS)
    assert table[0].split() == ["as", "printed", "40.0%", "(30.9%", "to", "49.8%)", "1.5", "min"]
    assert "larger images" in table[2] and "+20.0 points" in table[2] and "70.0%" in table[2]
    assert [row["step"] for row in article.first_seed("chain")] == list(article.STEPS)
    assert {seed: len(rows) for seed, rows in article.by_seed("as printed").items()} == {0: 5, 1: 5, 2: 5}


def test_what_there_is_not_yet_is_left_out(world, monkeypatch):
    right_share(monkeypatch, dict.fromkeys(article.STEPS, 0.5))
    start("--parts", "article", "chain", "--seeds", "0", "--steps", "as printed", "larger images")
    assert [line.split()[0] for line in article.chain().splitlines()[3:]] == ["as", "larger"]
    assert "clean" not in article.printed() and "mean of" not in article.printed()
