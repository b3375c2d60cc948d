"""The root of the one tree of errors, and its branch for sources, models, detectors and the simulator.

::

    FootfallError
    ├── SourceError                 a camera, broker or file
    │   ├── SourceUnreachable         nobody answers                      (retryable)
    │   ├── SourceUnauthorized        wrong user or password              (retryable: passwords get fixed)
    │   ├── SourceNotFound            no such path, topic or file         (retryable for live sources)
    │   ├── SourceStalled             connected, but silent               (retryable)
    │   ├── SourceDisconnected        was fine, then ended                (retryable)
    │   ├── SourceNotAllowed          outside of what sources may open
    │   │   └── SourceNotKnown          a name without an address           (retryable; says the same)
    │   └── SourceUnsupported         no video, or a codec we cannot decode
    │       └── SourceReordered         pictures come in another order than they are sent
    ├── ModelError                  the detector's file
    │   ├── ModelNotFound             not pulled yet, or a wrong path
    │   ├── ModelInvalid              not an ONNX file, or not our input and output
    │   └── ModelDownloadFailed       registry away, or a checksum that differs (retryable)
    ├── DetectorUnavailable         the detector did not answer           (retryable)
    ├── SimulatorError              a recording that cannot be written, or a clip that cannot be played
    ├── ...                         `analytics.errors`: geometry and the database
    └── ...                         `serve.errors`: settings, the service, its API

Foreign exceptions are translated once, in the module that imports the foreign library, with ``raise ... from``.
A supervisor asks for nothing but ``retryable``: whether to try again soon, or to show a failure and try
again every few minutes. Messages never hold a password: see `pipelines.redaction`.
"""

from __future__ import annotations


class FootfallError(Exception):
    """Root of the tree. ``code`` is stable and machine-readable; the message is for people."""

    code = "error"
    retryable = False


class SourceError(FootfallError):
    code = "source-error"


class SourceUnreachable(SourceError):
    code = "source-unreachable"
    retryable = True


class SourceUnauthorized(SourceError):
    code = "source-unauthorized"
    retryable = True


class SourceNotFound(SourceError):
    code = "source-not-found"
    retryable = True


class SourceStalled(SourceError):
    code = "source-stalled"
    retryable = True


class SourceDisconnected(SourceError):
    code = "source-disconnected"
    retryable = True


class SourceNotAllowed(SourceError):
    code = "source-not-allowed"


class SourceNotKnown(SourceNotAllowed):
    retryable = True


class SourceUnsupported(SourceError):
    code = "source-unsupported"


class SourceReordered(SourceUnsupported):
    code = "source-reordered"


class ModelError(FootfallError):
    code = "model-error"


class ModelNotFound(ModelError):
    code = "model-not-found"


class ModelInvalid(ModelError):
    code = "model-invalid"


class ModelDownloadFailed(ModelError):
    code = "model-download-failed"
    retryable = True


class DetectorUnavailable(FootfallError):
    code = "detector-unavailable"
    retryable = True


class SimulatorError(FootfallError):
    code = "simulator-error"
