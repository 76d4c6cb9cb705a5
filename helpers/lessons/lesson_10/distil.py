"""Lesson 10: what does a teacher add? MobileNetV2 of width 0.25, taught by labels alone or by α = 1's scores, too
→ data/results/distil.csv

The recipe of lesson 07 with nothing changed but the loss: with a teacher, (1 − share) · cross entropy + share · T² ·
KL(teacher ‖ student), both softened by T (Hinton et al. 2015, arXiv:1503.02531). The teacher sees the same cropped and
flipped images. It is the zoo's, which has seen neither the 5,000 validation images that judge nor a test image. Short
without options; with --long the run from which conclusions are drawn (→ distil_long.csv).
"""

import argparse
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from helpers.batches import Batches
from helpers.costs import count_macs
from helpers.evaluation import Paired, accuracy, mcnemar, predict
from helpers.lessons.lesson_10.folding import fold_all, folded
from helpers.lessons.lesson_10.rows import pair
from helpers.models import load_zoo, mobilenet_v2
from helpers.results import columns_of, locked, read_results
from helpers.runs import studies
from helpers.runs.recipes import HOW, Recipe, some, zoo_sets

FILE, FILE_LONG, WIDTH = "distil.csv", "distil_long.csv", 0.25
KEY = ("teacher", "seed", "images", "epochs", "batch_size")
SHORT = {"images": 5_000, "epochs": 3, "batch_size": 64, "seeds": 5}
LONG = {"images": 45_000, "epochs": 10, "batch_size": 128, "seeds": 5}
ALONE, TAUGHT = "none", "α 1"
TEMPERATURE, SHARE = 4.0, 0.9  # said beforehand, not searched for
LR = 0.1 / 128  # for each image of a batch: the zoo's learning rate for its batch
# The rest of the recipe, as in lesson 07 (tests hold the two together).
RECIPE = {"weight_decay": 5e-4, "warmup_epochs": 0.5, "label_smoothing": 0.1, "ema_decay": 0.998,
          "augment": ("crop", "flip")}  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    words = "the long runs: {images} images, {epochs} epochs, batches of {batch_size}, {seeds} seeds, if not said"
    parser.add_argument("--long", action="store_true", help=words.format(**LONG))
    for name, words in (("images", "training images"), ("epochs", "passes"), ("batch_size", ""), ("seeds", "from 0")):
        parser.add_argument(f"--{name.replace('_', '-')}", type=studies.count, help=f"{SHORT[name]}; {words}")
    studies.arguments(parser)


def settings(options: argparse.Namespace) -> dict:
    """What the options ask for: the keys of SHORT."""
    base = LONG if options.long else SHORT
    return {name: getattr(options, name) or value for name, value in base.items()}


def units(options: argparse.Namespace) -> list[dict]:
    """The runs asked for: of each seed the one without a teacher first, because the other is compared with it."""
    asked = settings(options)
    sizes = {name: asked[name] for name in ("images", "epochs", "batch_size")}
    return [{"teacher": who, "seed": seed, **sizes} for seed in range(asked["seeds"]) for who in (ALONE, TAUGHT)]


def distillation_loss(scores, teacher_scores, labels, temperature: float = TEMPERATURE, share: float = SHARE,
                      smoothing: float = 0.0) -> torch.Tensor:  # fmt: skip
    """The loss of a taught student: scores [B,C] of both, labels [B] → one number, the mean over images."""
    soft = F.kl_div((scores / temperature).log_softmax(1), (teacher_scores / temperature).softmax(1),
                    reduction="batchmean")  # fmt: skip
    return (1 - share) * F.cross_entropy(scores, labels, label_smoothing=smoothing) + share * temperature**2 * soft


def taught(student: nn.Module, teacher: nn.Module, temperature: float = TEMPERATURE, share: float = SHARE) -> Callable:
    """From now on, while `student` trains by a cross entropy, its gradient is that of `distillation_loss`.

    So the same training loop serves both arms. The soft part's gradient for the scores of B images is
    T · (softmax(student/T) − softmax(teacher/T)) / B; it is put beside the hard part's. Returns what undoes it.
    """
    teacher = teacher.eval().requires_grad_(False)

    def see(_, inputs, scores):
        if not (torch.is_grad_enabled() and scores.requires_grad):
            return
        with torch.no_grad():
            wanted = (teacher(inputs[0]).float() / temperature).softmax(1)
            found = (scores.detach().float() / temperature).softmax(1)
            soft = temperature * (found - wanted) / len(scores)
        scores.register_hook(lambda hard: ((1 - share) * hard.float() + share * soft).to(hard.dtype))

    return student.register_forward_hook(see).remove


def measure(unit: dict, run: studies.Run) -> dict | None:
    """Train one student and judge it on the validation images; a taught one beside the untaught one of its seed."""
    logits, loss, model = judged(unit, run)
    labels = some(run.world[1], run.options.limit).labels
    alone = logits if unit["teacher"] == ALONE else judged(unit | {"teacher": ALONE}, run)[0]
    result = accuracy(logits, labels)
    both = mcnemar(logits.argmax(1) == labels, alone.argmax(1) == labels)
    run.log(f"teacher {unit['teacher']}, seed {unit['seed']}: {result}; against none {both}")
    if run.trial:
        return None
    how = (
        {"temperature": TEMPERATURE, "share": SHARE} if unit["teacher"] == TAUGHT else {"temperature": "", "share": ""}
    )
    return {
        **how, "width": WIDTH, "macs": count_macs(model, 32), **RECIPE, "augment": " ".join(RECIPE["augment"]),
        "lr": LR * unit["batch_size"], "loss": f"{loss:.4g}", **columns_of(result), "only_this": both.only_first,
        "only_alone": both.only_second,
    }  # fmt: skip


def judged(unit: dict, run: studies.Run) -> tuple[torch.Tensor, float, nn.Module]:
    """Train, or take what is trained already: scores of the validation images [N,10], last loss and network."""
    images, validation, _ = run.world
    checkpoint = run.checkpoint("distil", unit, *KEY)
    with locked(checkpoint.with_suffix(".lock")):  # the taught one wants the untaught one of its seed
        torch.manual_seed(unit["seed"])
        model = mobilenet_v2(WIDTH, num_classes=10, stem_stride=1, dropout=0.0)
        if unit["teacher"] == TAUGHT:
            # BatchNorm folded, as on the lesson's first page: the same scores to 1e-5, in under half of the time.
            undo = taught(model, fold_all(load_zoo(1.0)).to(run.options.device))
        recipe = Recipe(unit["epochs"], LR * unit["batch_size"], batch_size=unit["batch_size"], **RECIPE)
        history = recipe.train(model, some(images, run.options.limit or unit["images"]), seed=unit["seed"],
                               checkpoint=checkpoint, device=run.options.device, log=run.log)  # fmt: skip
        if unit["teacher"] == TAUGHT:
            undo()
    return predict(model, Batches(some(validation, run.options.limit), 500)), history.loss[-1], model


STUDY = studies.Study(
    FILE, KEY, units, measure, prepare=lambda run: zoo_sets(),
    made_by=(taught, judged, measure, fold_all, folded, mobilenet_v2, *HOW, TEMPERATURE, SHARE, RECIPE, WIDTH, LR, some,
             zoo_sets, predict, mcnemar),
)  # fmt: skip
STUDY_LONG = replace(STUDY, file=FILE_LONG)


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY_LONG if options.long else STUDY)


# ---------------------------------------------------------------------------------------------- for the lesson


def pairs(rows: list[dict]) -> list[Paired]:
    """The taught students against the untaught of the same seed, in the order of the seeds."""
    mine = sorted((row for row in rows if row["teacher"] == TAUGHT), key=lambda row: row["seed"])
    return [pair(row["only_this"], row["only_alone"], row["total"]) for row in mine]


def known(which: str = FILE) -> list[dict]:
    """The committed rows of the short or the long study; none while there are none."""
    try:
        return read_results(which)
    except FileNotFoundError:
        return []


def counts(rows: list[dict]) -> dict[str, list[int]]:
    """{teacher: right answers of each seed}, in the order of the seeds."""
    rows = sorted(rows, key=lambda row: row["seed"])
    return {who: [row["correct"] for row in rows if row["teacher"] == who] for who in (ALONE, TAUGHT)}
