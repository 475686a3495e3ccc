from stack.program import Kind
from stack.status import ProgramStatus, Report, render

KAFKA = ProgramStatus("kafka", Kind.ENGINE, "ready", 42, 1_700_000_000.0, 200 << 20)


def test_the_screen_shows_programs_counts_and_links() -> None:
    report = Report(
        home="/somewhere",
        programs=[KAFKA, ProgramStatus("gateway", Kind.SERVICE, "ready", 43, 1_700_000_000.0, 100 << 20)],
        lag={"normalizer": 7},
        webhooks={"received": 3, "accepted": 2, "unverified": 1},
        messages={},
        rows={"payment_events": 2},
        links={"gateway": {"webhooks": "http://127.0.0.1:1/webhooks/stripe"}},
    )
    screen = render(report)
    assert "kafka          pid 42" in screen
    assert "300 MiB in all" in screen
    assert "Webhooks  received 3  accepted 2  unverified 1" in screen
    assert "Lag       normalizer 7" in screen
    assert "Stages    none yet" in screen
    assert "http://127.0.0.1:1/webhooks/stripe" in screen


def test_what_cannot_be_asked_is_said_and_the_rest_shown() -> None:
    crashed = ProgramStatus("postgresql", Kind.ENGINE, "CRASHED (`up` restarts it)")
    screen = render(Report(home="/somewhere", programs=[KAFKA, crashed], lag={"normalizer": 0}))
    assert "postgresql     CRASHED" in screen
    assert "Rows      (PostgreSQL does not answer)" in screen
    assert "Webhooks  (the gateway does not answer)" in screen
    assert "Lag       normalizer 0" in screen
