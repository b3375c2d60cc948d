"""Makes the workers of a reader: what each of its streams needs, of what all of them share."""

from __future__ import annotations

from collections.abc import Callable

from analytics.storage.base import Store
from analytics.storage.references import ReferenceStore
from analytics.storage.spool import Spool
from pipelines.batching.collector import BatchCollector
from serve.control.messages import Work
from serve.deployments.keepers import Keepers
from serve.errors import CredentialsLost
from serve.settings import Settings
from serve.streams.drift import StreamDrift
from serve.streams.frame_traces import FrameTraces
from serve.streams.processor import ProcessedFrame
from serve.streams.rehearsal import Rehearsal
from serve.streams.worker import StreamWorker, WorkerPlan
from serve.tracing import TraceSender


class WorkerFactory:
    """Shared by all streams of a reader.

    Args:
        settings: of the service.
        collector: that batches the frames of all streams.
        store: for checkpoints.
        references: what cameras show when all is well; None: nobody watches drift.
        model: names what finds the people, by now.
        reader: name of the reader.
        keepers: keep some of the pictures.

    Raises:
        SettingsError: traces are wanted, and what sends them is not installed.
    """

    def __init__(
        self,
        settings: Settings,
        collector: BatchCollector,
        store: Store,
        references: ReferenceStore | None,
        model: Callable[[], str],
        reader: str,
        keepers: Keepers,
    ) -> None:
        self._settings = settings
        self._collector = collector
        self._store = store
        self._references = references
        self._model = model
        endpoint = settings.monitoring.traces
        self._sender = None if endpoint is None else TraceSender(endpoint, reader)
        self._keepers = keepers

    def make(
        self,
        name: str,
        work: Work,
        on_frame: Callable[[ProcessedFrame], None],
        rehearsal: Rehearsal | None,
    ) -> StreamWorker:
        """A worker that has not started.

        Args:
            name: of the stream.
            work: what there is to do.
            on_frame: called by the collector's thread after each frame.
            rehearsal: the stream's live source, if it is connected already.

        Raises:
            CredentialsLost: nobody can read its password any more.
        """
        source = work.definition.source
        if source.hides_a_secret:
            raise CredentialsLost("the key that its password was encrypted with is gone: give the password again")
        plan = WorkerPlan(
            stream=name,
            epoch=work.assignment.epoch,
            make_source=source.opener(name, self._settings.source_limits),
            live=source.live,
            geometry=work.geometry,
            analysis_fps=work.definition.analysis_fps,
            origin=source.origin,
            site=work.definition.site,
            model=self._model,
        )
        drift = self._drift_of(plan, work)
        spool = Spool(self._settings.spool_dir, name, max_bytes=self._settings.reader.spool_bytes)
        return StreamWorker(
            plan,
            self._collector,
            self._store,
            spool,
            on_frame=on_frame,
            rehearsal=rehearsal,
            drift=drift,
            traces=self._traces_of(plan),
            onlookers=self._keepers.onlookers_of(plan, drift),
        )

    def _traces_of(self, plan: WorkerPlan) -> FrameTraces | None:
        if self._sender is None:
            return None
        return FrameTraces(self._settings.monitoring.traced_one_in, self._sender.export(plan.stream, plan.epoch))

    def close(self) -> None:
        """No worker that it has made runs any more; may block for a moment."""
        if self._sender is not None:
            self._sender.close()

    def _drift_of(self, plan: WorkerPlan, work: Work) -> StreamDrift | None:
        if self._references is None:
            return None
        zone = self._settings.monitoring.zone_of(plan.site)
        version = work.assignment.reference_version
        return StreamDrift(plan.stream, plan.epoch, version, plan.origin, self._references, zone)
