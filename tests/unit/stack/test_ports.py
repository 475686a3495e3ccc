import pytest

from stack.errors import StackError
from stack.ports import choose_ports, first_port_for


def _every(_: int) -> bool:
    return True


def _none(_: int) -> bool:
    return False


def test_every_name_gets_a_free_port_of_its_own() -> None:
    choice = choose_ports(["a", "b", "c"], {}, lambda port: port != 20001, first=20000)
    assert choice.ports == {"a": 20000, "b": 20002, "c": 20003}
    assert choice.moved == {}


def test_remembered_ports_are_kept_while_they_are_free() -> None:
    choice = choose_ports(["a", "b"], {"a": 25000}, _every, first=20000)
    assert choice.ports == {"a": 25000, "b": 20000}


def test_a_port_taken_meanwhile_is_given_up_and_told() -> None:
    choice = choose_ports(["a"], {"a": 25000}, lambda port: port != 25000, first=25000)
    assert choice.ports == {"a": 25001}
    assert choice.moved == {"a": (25000, 25001)}


def test_a_new_name_never_gets_a_port_that_another_name_remembers() -> None:
    choice = choose_ports(["new"], {"old": 20000, "older": 20001}, _every, first=20000)
    assert choice.ports == {"new": 20002}


def test_the_search_wraps_around_below_its_start() -> None:
    choice = choose_ports(["a"], {}, lambda port: port == 20000, first=31999)
    assert choice.ports == {"a": 20000}


def test_running_out_of_ports_is_told_with_what_to_do() -> None:
    with pytest.raises(StackError, match="No free port") as failure:
        choose_ports(["a"], {}, _none)
    assert "stack down" in failure.value.remedy


def test_two_homes_begin_to_look_in_different_places() -> None:
    assert first_port_for("/checkout-a/.tidegate") != first_port_for("/checkout-b/.tidegate")
