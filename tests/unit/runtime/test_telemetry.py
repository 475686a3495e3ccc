"""What a process sends on of a trace that a stranger began."""

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceState

from services.runtime.telemetry import incoming_trace, outgoing_trace, relayed_trace

TRACEPARENT = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
OWN = "a" * 32


@pytest.mark.parametrize("length", [1, 512])
def test_a_trace_state_that_every_hop_must_take_is_sent_on(length: int) -> None:
    sent = {"traceparent": TRACEPARENT, "tracestate": "x" * length}
    assert relayed_trace(sent, OWN) == sent


@pytest.mark.parametrize("length", [513, 1_100_000])
def test_a_longer_one_is_left_out_and_the_trace_goes_on(length: int) -> None:
    sent = {"traceparent": TRACEPARENT, "tracestate": "x" * length}
    assert relayed_trace(sent, OWN) == {"traceparent": TRACEPARENT}


def test_a_process_that_makes_spans_leaves_it_out_too() -> None:
    members = [(f"vendor{number}", "x" * 200) for number in range(3)]
    with incoming_trace({"traceparent": TRACEPARENT, "tracestate": ",".join("=".join(one) for one in members)}):
        assert outgoing_trace() == {"traceparent": TRACEPARENT}
    with incoming_trace({"traceparent": TRACEPARENT, "tracestate": "=".join(members[0])}):
        assert outgoing_trace() == {"traceparent": TRACEPARENT, "tracestate": "=".join(members[0])}


def test_a_span_of_the_process_s_own_makes_no_difference() -> None:
    state = TraceState([(f"vendor{number}", "x" * 200) for number in range(3)])
    context = SpanContext(1, 2, is_remote=False, trace_state=state)
    with trace.use_span(NonRecordingSpan(context)):
        assert outgoing_trace().keys() == {"traceparent"}
