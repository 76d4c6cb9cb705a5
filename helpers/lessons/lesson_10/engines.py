"""One trained network in many formats: what makes each, what it takes on disk, and how it is asked.

ONNX, ONNX Runtime, torchao and ExecuTorch are an extra, `pip install -e ".[device]"`; `missing()` says what is absent.
"""

import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from helpers.lessons.lesson_10.folding import fold_all

EXTRA = ("torchao", "onnx", "onnxscript", "onnxruntime", "executorch")
# name → bits of its weights
FORMATS = {
    "PyTorch": 32,
    "PyTorch, folded": 32,
    "torch.compile": 32,
    "ONNX Runtime": 32,
    "ExecuTorch": 32,
    "ExecuTorch int8, per tensor": 8,
    "ExecuTorch int8": 8,
}


@dataclass(frozen=True)
class Engine:
    """A network ready to answer: `run` takes float32 [B,3,S,S] with B = `batch` (any for None), gives logits [B,C]."""

    run: Callable[[torch.Tensor], torch.Tensor]
    size: int  # bytes of the file that is shipped
    batch: int | None = None

    def answers(self, images: torch.Tensor) -> torch.Tensor:
        """Logits [N,C] for images [N,3,S,S], in batches that the engine takes."""
        with torch.inference_mode():
            return torch.cat([self.run(some.contiguous()).clone() for some in images.split(self.batch or 250)])


def missing(packages: tuple[str, ...] = EXTRA) -> list[str]:
    """Which of the extra's packages are not installed; looked for, not imported."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def versions() -> str:
    """The extra's packages with their versions, those that are installed."""
    return " · ".join(f"{name} {importlib.metadata.version(name)}" for name in EXTRA if not missing((name,)))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters print progress and warn of each other's changes; nothing of it helps a reader of the lesson.

    What C++ prints goes past Python, so that the two streams themselves are turned away for the while.
    """
    kept = [os.dup(1), os.dup(2)]
    before = logging.root.manager.disable
    with open(os.devnull, "w", encoding="utf-8") as nowhere, warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        os.dup2(nowhere.fileno(), 1), os.dup2(nowhere.fileno(), 2)
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        try:
            yield
        finally:
            for place, stream in enumerate(kept, start=1):
                os.dup2(stream, place)
                os.close(stream)
            logging.disable(before)


def exported(model: nn.Module, images: torch.Tensor) -> torch.export.ExportedProgram:
    """The network as a graph of operations whose batch may have any size; `images` [B,3,S,S], B ≥ 2, are an example."""
    model = model.eval().to(memory_format=torch.contiguous_format)
    return torch.export.export(model, (images[:2].contiguous(),), dynamic_shapes=({0: Dim("batch")},))


def onnx_file(model: nn.Module, images: torch.Tensor, path: Path) -> Path:
    """Write the network as one ONNX file with a batch of any size."""
    model = model.eval().to(memory_format=torch.contiguous_format)
    with quiet():
        torch.onnx.export(model, (images[:2].contiguous(),), str(path), dynamo=True, external_data=False,
                          dynamic_shapes=({0: Dim("batch")},), verbose=False)  # fmt: skip
    return path


def onnx_runtime(path: Path, threads: int = 1) -> Engine:
    """ONNX Runtime on the CPU with so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return Engine(lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0]), path.stat().st_size)


def int8_graph(model: nn.Module, calibration: torch.Tensor, per_channel: bool = True) -> nn.Module:
    """The network's graph with XNNPACK's int8, by torchao's pt2e flow: export, observe on `calibration`, convert.

    float32 [N,3,S,S], N ≥ 2. The graph still computes with floats, rounded to what int8 can hold.
    """
    with quiet():
        from executorch.backends.xnnpack.quantizer import xnnpack_quantizer as xnnpack
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        config = xnnpack.get_symmetric_quantization_config(is_per_channel=per_channel)
        observed = prepare_pt2e(exported(model, calibration).module(), xnnpack.XNNPACKQuantizer().set_global(config))
        with torch.inference_mode():
            for images in calibration.split(250):
                observed(images.contiguous())
        return convert_pt2e(observed)


def executorch_file(graph: nn.Module, image: torch.Tensor, path: Path) -> Path:
    """Lower a network or an int8 graph to XNNPACK and write ExecuTorch's file, for one image [1,3,S,S] at a time."""
    with quiet():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        if not isinstance(graph, torch.fx.GraphModule):
            graph = graph.eval().to(memory_format=torch.contiguous_format)
        program = torch.export.export(graph, (image.contiguous(),))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    path.write_bytes(lowered.buffer)
    return path


def executorch(path: Path, threads: int = 1) -> Engine:
    """ExecuTorch's runtime with so many threads."""
    with quiet():
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

        portable_lib._unsafe_reset_threadpool(threads)
        program = Runtime.get().load_program(path.read_bytes())
        method = program.load_method("forward")
    return Engine(lambda x, held=program: method.execute([x])[0], path.stat().st_size, batch=1)


def state_bytes(model: nn.Module) -> int:
    """Bytes of the weights and statistics in float32, as a file of them alone would have."""
    return 4 * sum(t.numel() for t in model.state_dict().values() if t.is_floating_point())


def build(name: str, model: nn.Module, calibration: torch.Tensor | None = None, threads: int = 1) -> Engine:
    """The format `name` of FORMATS of a trained network; `calibration` [N,3,S,S] for those in int8.

    Raises ModuleNotFoundError where the extra is needed and not installed, ValueError for an unknown name.
    """
    if name not in FORMATS:
        raise ValueError(f"a format is one of {', '.join(FORMATS)}, not {name!r}")
    if name in ("PyTorch", "PyTorch, folded", "torch.compile"):
        made = fold_all(model) if "folded" in name else model.eval().to(memory_format=torch.channels_last)
        if name == "torch.compile":
            return Engine(_compiled(made), state_bytes(made), batch=1)
        last = torch.channels_last
        return Engine(lambda x: made(x.contiguous(memory_format=last)), state_bytes(made))
    if gone := missing():
        raise ModuleNotFoundError(
            f"{name} needs {', '.join(gone)}: pip install -e '.[device]' in the repository's folder brings them"
        )
    example = torch.zeros(2, 3, 32, 32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        if name == "ONNX Runtime":
            return onnx_runtime(onnx_file(model, example, path), threads)
        graph = int8_graph(model, calibration, "per tensor" not in name) if "int8" in name else model
        return executorch(executorch_file(graph, example[:1], path), threads)


def _compiled(model: nn.Module) -> Callable:
    compiled = torch.compile(model)
    with quiet(), torch.inference_mode():
        compiled(torch.zeros(1, 3, 32, 32))
    return compiled
