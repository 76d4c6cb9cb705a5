"""Makes the small committed files: the sample, channel statistics, the notebooks' outputs; and the two benchmarks."""

import hashlib
import os
import platform
import shutil
import statistics
import time
from pathlib import Path

import torch
from PIL import Image

from helpers import ROOT
from helpers.data import CLASSES, SAMPLE, Batches, channel_stats, load_cifar10, read_sheets, write_sheet
from helpers.runs import provenance, record

PER_CLASS = {"train": (500, 25), "test": (200, 20)}  # images a class, images a row of the sheet


def write_sample(folder: str) -> Path:
    """Cut the first 500 training and 200 test images of each class out of contact sheets, with a SHA-256 manifest."""
    sets = dict(zip(PER_CLASS, read_sheets(folder, ""), strict=True))
    part = SAMPLE.with_name(SAMPLE.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    for name, (count, _) in PER_CLASS.items():
        for class_name, there in zip(CLASSES, torch.bincount(sets[name].labels, minlength=10).tolist(), strict=True):
            if there < count:
                raise ValueError(f"{folder} has {there} {name} images of class {class_name}; needed are {count}")
    for name, (count, columns) in PER_CLASS.items():
        (part / name).mkdir(parents=True)
        for label, class_name in enumerate(CLASSES):
            images = sets[name].images[sets[name].labels == label]
            write_sheet(images[:count], part / name / f"{class_name}.png", columns)
    sheets = sorted(part.glob("*/*.png"))
    sums = [(hashlib.sha256(path.read_bytes()).hexdigest(), path.relative_to(part).as_posix()) for path in sheets]
    (part / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for digest, name in sums), newline="\n")
    shutil.rmtree(SAMPLE, ignore_errors=True)
    os.replace(part, SAMPLE)
    size = sum(path.stat().st_size for path in SAMPLE.rglob("*.png"))
    print(f"{len(sheets)} sheets, {size / 1e6:.1f} MB, in data/{SAMPLE.name}")
    return SAMPLE


def channel_statistics(full: bool) -> None:
    """Print channel statistics of the training images, and record them with their provenance."""
    for which in ["sample", "full"] if full else ["sample"]:
        started = time.monotonic()
        train, _ = load_cifar10(which)
        stats = channel_stats(train)
        rows = []
        for name, values in stats._asdict().items():
            print(f"{train.source}: {name} {', '.join(f'{value:.4f}' for value in values)}")
            row = dict(zip(("red", "green", "blue"), [f"{value:.8f}" for value in values], strict=True))
            rows.append({"images": len(train), "statistic": name, **row, "source": train.source})
        made = provenance(time.monotonic() - started)
        record("channel_stats.csv", [{**row, **made} for row in rows], ("images", "statistic"))


def dataloader_pipeline(images, workers: int):
    """The usual per-image pipeline of torchvision tutorials: PIL, flip, crop, tensor, normalise, DataLoader."""
    from torchvision import transforms

    from helpers.data import CIFAR10_MEAN, CIFAR10_STD

    steps = [
        transforms.RandomHorizontalFlip(),
        transforms.RandomCrop(32, padding=4),
        transforms.ToTensor(),
        transforms.Normalize(CIFAR10_MEAN, CIFAR10_STD),
    ]
    data = _PerImage(images.images.numpy(), images.labels.tolist(), transforms.Compose(steps))
    return torch.utils.data.DataLoader(data, batch_size=128, shuffle=True, num_workers=workers)


class _PerImage(torch.utils.data.Dataset):
    def __init__(self, pixels, labels, transform):
        self.pixels, self.labels, self.transform = pixels, labels, transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int):
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def images_per_second(batches) -> float:
    """One pass over `batches`, images divided by seconds."""
    started = time.perf_counter()
    count = sum(len(labels) for _, labels in batches)
    return count / (time.perf_counter() - started)


def bench_data(passes: int = 3) -> float:
    """Images per second of both pipelines on the sample's training images; returns how many times faster Batches is."""
    train, _ = load_cifar10()
    rows = {
        "DataLoader, 0 workers": dataloader_pipeline(train, 0),
        "DataLoader, 2 workers": dataloader_pipeline(train, 2),
        "Batches": Batches(train, 128, augment=("crop", "flip"), shuffle=True),
    }
    print(f"crop and flip, batch 128, {torch.get_num_threads()} threads, {platform.machine()}; {train.source}")
    medians = {}
    for name, batches in rows.items():
        images_per_second(batches)  # the first pass warms up
        rates = [images_per_second(batches) for _ in range(passes)]
        medians[name] = statistics.median(rates)
        print(f"{name:22} {medians[name]:9,.0f} images/s   ({', '.join(f'{rate:,.0f}' for rate in sorted(rates))})")
    ratio = medians.pop("Batches") / max(medians.values())
    print(f"Batches is {ratio:.1f} times as fast as the faster DataLoader")
    return ratio


def step_seconds(width: float, memory_format: torch.memory_format, steps: int, batch: int = 128) -> list[float]:
    """Seconds of each of `steps` training steps of a MobileNetV2 on random 32-pixel images, after two that warm up."""
    from helpers.models import mobilenet_v2

    torch.manual_seed(0)
    model = mobilenet_v2(width, num_classes=10, stem_stride=1).to(memory_format=memory_format).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=memory_format)
    labels, seconds = torch.arange(batch) % 10, []
    for _ in range(steps + 2):
        started = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds[2:]


def bench_train(width: float = 0.5, rounds: int = 3, steps: int = 7) -> float:
    """A training step in the default memory layout and in channels_last; returns how many times faster that is."""
    layouts = {"default layout": torch.contiguous_format, "channels_last": torch.channels_last}
    seconds = {name: [] for name in layouts}
    for _ in range(rounds):  # by turns, so that a busy minute of the machine does not fall on one of them alone
        for name, layout in layouts.items():
            seconds[name] += step_seconds(width, layout, steps)
    print(f"MobileNetV2, width {width:g}, 32 px, batch 128, {torch.get_num_threads()} threads, {platform.machine()}")
    for name, times in seconds.items():
        low, median, high = statistics.quantiles(times, n=4)
        spread = f"quartiles {1e3 * low:.0f} to {1e3 * high:.0f}, {len(times)} steps"
        print(f"{name:16} {1e3 * median:6.0f} ms a step ({spread})")
    default, last = (statistics.median(times) for times in seconds.values())
    print(f"channels_last is {default / last:.2f} times as fast")
    return default / last


def execute(which: list[str]) -> int:
    """Run notebooks in a clean kernel, top to bottom, and store their outputs; one that fails stays as it was."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    folder, failed = ROOT / "notebooks", 0
    for name in which or ["*", "solutions/*"]:
        found = sorted(folder.glob(f"{name.removesuffix('.ipynb').removesuffix('*')}*.ipynb"))
        if not found and which:
            raise FileNotFoundError(f"no notebook notebooks/{name}*.ipynb")
        for path in found:
            notebook = nbformat.read(path, as_version=4)
            for cell in notebook.cells:
                cell.metadata.pop("execution", None)
            started = time.monotonic()
            client = NotebookClient(
                notebook, timeout=600, kernel_name="python3", store_widget_state=False, record_timing=False,
                resources={"metadata": {"path": str(path.parent)}},
            )  # fmt: skip
            try:
                client.execute()
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                print(f"{path.relative_to(ROOT)} failed and was left as it was:\n{error}")
                failed += 1
                continue
            notebook.metadata.pop("widgets", None)
            notebook.metadata["language_info"] = {"name": "python"}
            part = path.with_suffix(".part")
            nbformat.write(notebook, part)
            os.replace(part, path)
            size = path.stat().st_size / 1e3
            print(f"{path.relative_to(ROOT)}: {time.monotonic() - started:.0f} s, {size:.0f} kB", flush=True)
    return 1 if failed else 0
