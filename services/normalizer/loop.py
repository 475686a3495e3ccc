"""The read-process-write loop: one batch after the other, counted and logged once it is committed."""

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from services.normalizer.pipeline import LeftOut, Pipeline, Result
from services.normalizer.ports import BatchAbortedError, MessagesTooLargeError, Stream, StreamLostError
from services.runtime import metrics
from services.runtime.clock import Clock, timestamp
from services.runtime.consumer import Record
from services.runtime.contract import code_or_size
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.flood import FloodLimit
from services.runtime.readiness import Readiness
from services.runtime.telemetry import logger

STAGE: Final = "normalizer"
RESUME: Final = (
    "when that is mended (or TIDEGATE_NORMALIZER_FLOOD_FAILURES raised), run: python -m services.normalizer resume"
)

_log = logger(__name__)
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_HOUSEKEEPING_SECONDS = 1.0
_MOST_REPORTED_CODES = 1000
_MOST_DRIFT_SERIES = 1000


class FloodStoppedError(Exception):
    """More messages failed than a deploy or a sender in order would let fail; reading is on hold."""


class Loop:
    """Drives a stream through a pipeline until it is told to stop."""

    def __init__(
        self, group: str, flood: FloodLimit, clock: Clock, readiness: Readiness, stopping: threading.Event
    ) -> None:
        self._group = group
        self._flood = flood
        self._clock = clock
        self._readiness = readiness
        self._stopping = stopping
        self._housekept = clock.monotonic()
        self._trouble: str | None = None
        self._pause = _FIRST_PAUSE_SECONDS
        self._reported_codes: set[str] = set()
        self._reported_partitions: set[tuple[str, int]] = set()
        self._drift: set[tuple[str, str, str]] = set()
        self.batches_delivered = 0

    def run(self, stream: Stream, pipeline: Pipeline) -> None:
        """Until told to stop. Raises FloodStoppedError, and what the stream raises when it cannot go on."""
        while not self._stopping.is_set():
            self._readiness.beat()
            records = stream.read()
            if records:
                self._handle(stream, pipeline, records)
            if self._clock.monotonic() - self._housekept >= _HOUSEKEEPING_SECONDS:
                self._keep_house(stream)

    def _handle(self, stream: Stream, pipeline: Pipeline, records: Sequence[Record]) -> None:
        started = self._clock.monotonic()
        try:
            now = timestamp(self._clock.now())
            results = self._admitted(stream, pipeline.process(records, now))
            try:
                stream.deliver([result.outgoing for result in results])
            except MessagesTooLargeError as error:
                results = self._admitted(stream, _without_too_large(pipeline, records, results, error, now))
                _deliver_at_last(stream, results)
        except (BatchAbortedError, NeighbourUnavailableError) as error:
            self._try_again(stream, error)
            return
        self._flood.count(_failed(results))
        self._trouble = None
        self._pause = _FIRST_PAUSE_SECONDS
        self.batches_delivered += 1
        metrics.histogram("tidegate_batch_duration_seconds").labels(STAGE).observe(self._clock.monotonic() - started)
        self._report(results)

    def _admitted(self, stream: Stream, results: Sequence[Result]) -> Sequence[Result]:
        if not self._flood.admits(_failed(results)):
            self._stop_flood(stream, results)
        return results

    def _try_again(self, stream: Stream, error: Exception) -> None:
        self._trouble = str(error)
        _log.warning("batch.aborted", reason=self._trouble, pause_seconds=self._pause)
        self._stopping.wait(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        stream.rewind()

    def _stop_flood(self, stream: Stream, results: Sequence[Result]) -> None:
        rules = sorted({failure.violations[0].rule_id for result in results if (failure := result.failure)})
        reason = f"{self._flood} failed; rules broken: {', '.join(rules)}"
        self._readiness.missing = f"flood: {reason}; {RESUME}"
        _log.error("flood.stopped", reason=reason, then=RESUME)
        try:
            stream.hold(reason)
        except StreamLostError as error:
            raise FloodStoppedError(f"{reason}; a restart will read on, since {error}") from error
        raise FloodStoppedError(reason)

    def _keep_house(self, stream: Stream) -> None:
        self._housekept = self._clock.monotonic()
        self._readiness.missing = stream.missing() or self._trouble
        lag = stream.lag()
        gauge = metrics.gauge("tidegate_consumer_lag")
        for (topic, partition), records in lag.items():
            gauge.labels(self._group, topic, str(partition)).set(records)
        for topic, partition in self._reported_partitions - lag.keys():
            gauge.remove(self._group, topic, str(partition))
        self._reported_partitions = set(lag)

    def _report(self, results: Sequence[Result]) -> None:
        outcomes = Counter((result.topic, "normalized" if result.failure is None else "dead") for result in results)
        for (topic, outcome), messages in outcomes.items():
            metrics.counter("tidegate_messages_total").labels(STAGE, topic, outcome).inc(messages)
        for result in results:
            if result.failure is not None:
                _report_failure(result.failure)
            if result.unknown_code is not None:
                self._report_unknown_code(result.unknown_code)
            if result.left_out is not None:
                self._report_left_out(result.left_out)

    def _report_left_out(self, left_out: LeftOut) -> None:
        for path in left_out.paths:
            series = (left_out.event_type, left_out.api_version or "(none)", path)
            if series not in self._drift and len(self._drift) >= _MOST_DRIFT_SERIES:
                series = ("(other)", "(other)", path)  # the API version is the sender's word
            self._drift.add(series)
            event_type, api_version, _ = series
            labels = (left_out.provider, event_type, api_version, "broken_rule", path)
            metrics.counter("tidegate_contract_drift_total").labels(*labels).inc()

    def _report_unknown_code(self, code: str) -> None:
        metrics.counter("tidegate_unknown_codes_total").labels(STAGE, "decline_codes").inc()
        if code not in self._reported_codes and len(self._reported_codes) < _MOST_REPORTED_CODES:
            self._reported_codes.add(code)
            _log.warning("message.unknown_code", code=code_or_size(code))


def _failed(results: Sequence[Result]) -> Sequence[bool]:
    return [result.failure is not None for result in results]


def _without_too_large(
    pipeline: Pipeline,
    records: Sequence[Record],
    results: Sequence[Result],
    error: MessagesTooLargeError,
    now: Timestamp,
) -> Sequence[Result]:
    """The same results with failures for what was too large. A failure is small: where it is too large, so is all."""
    put_aside = list(results)
    for number in error.numbers:
        if results[number].failure is not None:
            raise _takes_nothing(error)
        put_aside[number] = pipeline.put_aside(records[number], results[number], now)
    return put_aside


def _deliver_at_last(stream: Stream, results: Sequence[Result]) -> None:
    try:
        stream.deliver([result.outgoing for result in results])
    except MessagesTooLargeError as error:
        raise _takes_nothing(error) from error


def _takes_nothing(error: MessagesTooLargeError) -> StreamLostError:
    return StreamLostError(f"not even a failure's message is taken: {error}; is that set anywhere?")


def _report_failure(failure: ValidationFailure) -> None:
    metrics.counter("tidegate_dead_letters_total").labels(STAGE, failure.violations[0].rule_id).inc()
    _log.warning(
        "message.dead",
        event_id=failure.event_id,
        receipt_id=failure.receipt_id,
        rule_ids=[violation.rule_id for violation in failure.violations],
        topic=failure.origin.topic,
        partition=failure.origin.partition,
        offset=failure.origin.offset,
    )
