from pathlib import Path

from stack.logs import followers_at_end, known_logs, recent


def test_only_what_is_added_is_followed(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("old\n")
    follower = followers_at_end({"kafka": log})["kafka"]
    assert list(follower.new_lines()) == []
    with log.open("a") as file:
        file.write("new\nhalf a ")
        file.flush()
        assert list(follower.new_lines()) == ["new"]
        file.write("line\n")
        file.flush()
        assert list(follower.new_lines()) == ["half a line"]


def test_a_log_that_was_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("a long line of the run before\n")
    follower = followers_at_end({"kafka": log})["kafka"]
    log.rename(tmp_path / "kafka.log.1")
    assert list(follower.new_lines()) == []
    log.write_text("new run\n")
    assert list(follower.new_lines()) == ["new run"]


def test_lines_of_several_logs_are_named(tmp_path: Path) -> None:
    for name in ("gateway", "kafka"):
        (tmp_path / f"{name}.log").write_text("one\ntwo\n")
    assert list(recent(known_logs(tmp_path, []), 1)) == ["gateway        | two", "kafka          | two"]
    assert list(recent(known_logs(tmp_path, ["kafka"]), 2)) == ["one", "two"]
