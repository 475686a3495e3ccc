from io import StringIO

from stack.progress import TransferLine


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_moving_line() -> None:
    out = Terminal()
    with TransferLine("Fetching kafka", 4 << 20, out) as line:
        for _ in range(4):
            line.advance(1 << 20)
    text = out.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("Fetching kafka: 4.0 of 4.0 MiB (100 %)\n")


def test_a_file_gets_a_line_per_quarter() -> None:
    out = StringIO()
    with TransferLine("Fetching kafka", 100 << 20, out) as line:
        for _ in range(100):
            line.advance(1 << 20)
    assert [text.split("(")[1] for text in out.getvalue().splitlines()] == ["0 %)", "25 %)", "50 %)", "75 %)", "100 %)"]


def test_a_failed_attempt_is_taken_back() -> None:
    out = Terminal()
    with TransferLine("Fetching kafka", 100, out) as line:
        line.advance(60)
        line.advance(-60)
        line.advance(100)
    assert "(60 %)" in out.getvalue()
    assert out.getvalue().endswith("(100 %)\n")
