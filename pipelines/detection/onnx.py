"""A detector that runs an ONNX file with ONNX Runtime, on the CPU or on an NVIDIA GPU."""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime

from pipelines.detection.nms import suppress
from pipelines.detection.output_decoders import TensorInfo, find_decoder, read_input
from pipelines.errors import DetectorUnavailable, ModelInvalid, ModelNotFound
from pipelines.types import Detections, ImageBatch

logger = logging.getLogger(__name__)

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_ERROR, _FATAL = 3, 4
"""ONNX Runtime's log severities."""

_log_level = Lock()


class OnnxDetector:
    """See `pipelines.detection.base.Detector`."""

    def __init__(
        self,
        path: Path | str,
        *,
        threads: int = 1,
        providers: Sequence[str] | None = None,
        score_floor: float = 0.1,
        nms_iou: float = 0.5,
        classes: Sequence[str] | None = None,
        target_class: str | None = None,
    ) -> None:
        """Load a model. Blocks for some tenths of a second on a CPU, for seconds on a GPU.

        Args:
            path: of the ONNX file; see `pipelines.detection.output_decoders` for what it must look like.
            threads: for one inference on the CPU. One a replica is fastest where all cores are busy.
            providers: ONNX Runtime's execution providers, best first; None takes CUDA if it works here, else the CPU.
            score_floor: boxes with a lower score are dropped, in [0, 1].
            nms_iou: boxes of a class that overlap more than this are one object, in [0, 1].
            classes: names of the classes, instead of those in the file's metadata.
            target_class: the one class to find, such as ``person``; a model of a single nameless class passes too.

        Raises:
            ModelNotFound: there is no such file.
            ModelInvalid: it is no ONNX file, its input and output are not understood, or it has no such class.
            DetectorUnavailable: a provider that was asked for by name does not work here.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise ModelNotFound(f"there is no model at {self.path}; fetch one with `footfall models pull`")
        self._session: onnxruntime.InferenceSession | None = _open_session(self.path, threads, providers)
        self.provider: str = self._session.get_providers()[0]
        self.input_name, self._input_size = read_input(_tensors(self._session.get_inputs()))
        self._decoder = find_decoder(_tensors(self._session.get_outputs()))
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._classes = _class_names(classes, metadata, self._decoder.class_count)
        self._kept: slice = slice(None)
        if target_class is not None:
            self._kept = _slice_of(target_class, self._classes, self.path)
            self._classes = (target_class,)
        self._thresholds = score_floor, nms_iou

    @property
    def input_size(self) -> tuple[int, int]:
        return self._input_size

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes

    def detect(self, batch: ImageBatch) -> list[Detections]:
        session = self._session
        if session is None:
            raise DetectorUnavailable("the detector is closed")
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (*self._input_size, 3):
            height, width = self._input_size
            raise ValueError(f"the batch is {batch.dtype} {batch.shape}, not uint8 [N, {height}, {width}, 3]")
        if len(batch) == 0:
            return []
        score_floor, nms_iou = self._thresholds
        try:
            feed = {self.input_name: np.ascontiguousarray(batch)}
            outputs = session.run(list(self._decoder.output_names), feed)
        except Exception as error:  # ONNX Runtime's exceptions have no common root but this
            raise DetectorUnavailable(f"inference with {self.path.name} failed: {error}") from error
        boxes, scores = self._decoder.decode(outputs)
        return [
            suppress(found, score[:, self._kept], score_floor=score_floor, iou_threshold=nms_iou)
            for found, score in zip(boxes, scores, strict=True)
        ]

    def use_thresholds(self, *, score: float, overlap: float) -> None:
        self._thresholds = score, overlap

    def close(self) -> None:
        self._session = None


def candidate_providers() -> tuple[str, ...]:
    """CUDA (if ONNX Runtime was built with it) and the CPU: what `OnnxDetector` tries by itself, in this order."""
    return tuple(name for name in (CUDA, CPU) if name in onnxruntime.get_available_providers())


def _open_session(path: Path, threads: int, providers: Sequence[str] | None) -> onnxruntime.InferenceSession:
    """A session on the first provider that really loads; which one is logged.

    ONNX Runtime falls back silently inside a session (when a library is missing) or raises (when there is no device);
    both ways lead to the next provider here.
    """
    wanted = tuple(providers) if providers is not None else candidate_providers()
    for name in wanted:
        if name == CUDA:
            _preload_cuda()
        session = _try_session(path, threads, name)
        if session is not None:
            logger.info("%s runs on %s", path.name, name)
            return session
        logger.info("%s does not work on this machine", name)
    raise DetectorUnavailable(f"none of {', '.join(wanted) or 'no providers'} works on this machine")


def _try_session(path: Path, threads: int, provider: str) -> onnxruntime.InferenceSession | None:
    """A session on `provider`, or None if that provider does not work here.

    Raises:
        ModelInvalid: the CPU provider, which works everywhere, cannot load the file.
    """
    settings: dict[str, str] = {"arena_extend_strategy": "kSameAsRequested"} if provider == CUDA else {}
    try:
        with _quiet():
            session = onnxruntime.InferenceSession(
                str(path), _session_options(threads), providers=[(provider, settings)], enable_fallback=0
            )
    except Exception as error:  # ONNX Runtime's exceptions have no common root but this
        if provider == CPU:
            raise ModelInvalid(f"{path} cannot be loaded: {error}") from error
        return None
    return session if session.get_providers()[0] == provider else None


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    """Options for a process that shares its machine and sees batches of changing size."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERROR
    options.enable_mem_pattern = False  # one more plan, and one more block, for every new batch size
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _preload_cuda() -> None:
    """Let ONNX Runtime find CUDA and cuDNN in installed Python packages, where they are not in the system."""
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None and _has_nvidia_packages():
        preload()


def _has_nvidia_packages() -> bool:
    site = Path(onnxruntime.__file__).parent.parent
    return (site / "nvidia").is_dir()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime from writing about missing GPU libraries to stderr; its level is one for the whole process."""
    with _log_level:
        onnxruntime.set_default_logger_severity(_FATAL)
        try:
            yield
        finally:
            onnxruntime.set_default_logger_severity(_ERROR)


def _tensors(arguments: Sequence[Any]) -> list[TensorInfo]:
    """ONNX Runtime's descriptions in ours; it writes types as ``tensor(uint8)`` and calls float32 ``float``."""
    names = {"float": "float32", "double": "float64"}
    found = []
    for argument in arguments:
        dtype = argument.type.removeprefix("tensor(").removesuffix(")")
        found.append(TensorInfo(argument.name, names.get(dtype, dtype), tuple(argument.shape)))
    return found


def _class_names(given: Sequence[str] | None, metadata: Mapping[str, str], class_count: int | None) -> tuple[str, ...]:
    """Names from the caller, else from the file, else ``class 0`` and so on.

    Raises:
        ModelInvalid: there are more or fewer names than classes.
    """
    names = tuple(given) if given is not None else read_names(metadata.get("names", ""))
    if not names:
        return tuple(f"class {i}" for i in range(class_count or 0))
    if class_count is not None and len(names) != class_count:
        raise ModelInvalid(
            f"the model has {class_count} classes, but {len(names)} names were given: {', '.join(names)}"
        )
    return names


def _slice_of(wanted: str, names: Sequence[str], path: Path) -> slice:
    """Where the scores of one class stand.

    Raises:
        ModelInvalid: the model does not find it.
    """
    if wanted in names:
        return slice(names.index(wanted), names.index(wanted) + 1)
    if len(names) == 1 and names[0].startswith("class "):
        return slice(0, 1)
    raise ModelInvalid(f"{path.name} finds {', '.join(names) or 'nothing that it names'}, but not {wanted!r}")


def read_names(text: str) -> tuple[str, ...]:
    """Class names from the ``names`` entry of a model's metadata.

    It may be JSON or a Python literal, a list or a mapping from index to name: ``{0: 'person'}`` is the common form.
    Anything else gives no names.
    """
    for parse in (json.loads, ast.literal_eval):
        try:
            names = parse(text)
            if isinstance(names, dict):
                return tuple(str(names[key]) for key in sorted(names, key=int))
        except (ValueError, TypeError, SyntaxError):
            continue
        if isinstance(names, list):
            return tuple(str(name) for name in names)
    return ()
