"""Calls under limits: tries, waits, circuit, places and deadlines, on a clock that the tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from schemas.errors import TryAgainError, UsageError
from sources.pace import Deadline, Pace, PaceLimits, PassingError
from tests.sources.pace.time_machine import TimeMachine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> TimeMachine:
    """Time that only sleeping moves."""
    return TimeMachine(monkeypatch)


class Server:
    """Answers one call after the other with what it was given; the last for ever."""

    def __init__(self, machine: TimeMachine, *answers: BaseException | str) -> None:
        self.machine = machine
        self.answers: Sequence[BaseException | str] = answers
        self.called_at: list[float] = []

    async def __call__(self) -> str:
        answer = self.answers[min(len(self.called_at), len(self.answers) - 1)]
        self.called_at.append(self.machine.time)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def run(machine: TimeMachine, limits: PaceLimits, calls: Callable[[Pace], Awaitable[object]]) -> object:
    async def main() -> object:
        return await calls(Pace(limits, machine.clock))

    return asyncio.run(main())


def down(**more: object) -> PassingError:
    return PassingError("a server: 503", **more)  # type: ignore[arg-type] # any argument


def test_tries_again_until_it_goes_well(machine: TimeMachine) -> None:
    """Two failures and an answer: three calls, with a wait before each but the first."""
    server = Server(machine, down(), down(), "here")
    assert run(machine, PaceLimits(), lambda pace: pace.call(server)) == "here"
    assert (len(server.called_at), len(machine.slept)) == (3, 2)


@pytest.mark.parametrize("tries", [1, 3, 5])
def test_gives_up_after_its_tries(machine: TimeMachine, tries: int) -> None:
    """With an error that says what was called and how often."""
    server = Server(machine, down())
    with pytest.raises(TryAgainError, match=r"a server: 503; tried (once|[35] times)") as said:
        run(machine, PaceLimits(tries=tries, circuit_failures=100), lambda pace: pace.call(server))
    assert len(server.called_at) == tries
    assert said.value.exit_code == 75


def test_other_errors_pass_at_once(machine: TimeMachine) -> None:
    """What a user must mend is not tried again."""
    server = Server(machine, UsageError("wrong"))
    with pytest.raises(UsageError):
        run(machine, PaceLimits(), lambda pace: pace.call(server))
    assert len(server.called_at) == 1


def test_jitter_is_full_and_capped(machine: TimeMachine) -> None:
    """Waits lie anywhere below a bound that doubles, and never above the cap."""
    limits = PaceLimits(first_wait=4.0, longest_wait=10.0, circuit_failures=10**6)

    async def many(pace: Pace) -> None:
        for _ in range(200):
            with pytest.raises(TryAgainError):
                await pace.call(Server(machine, down()))

    run(machine, PaceLimits(first_wait=4.0, longest_wait=10.0, circuit_failures=10**6, rate=1e6), many)
    for number, bound in enumerate((4.0, 8.0, 10.0, 10.0)):
        waits = machine.slept[number :: limits.tries - 1]
        assert max(waits) <= bound
        assert max(waits) > bound * 0.8
        assert min(waits) < bound * 0.2


def test_waits_as_long_as_asked(machine: TimeMachine) -> None:
    """`Retry-After` is kept, by calls that come later too, and an absurd one is clamped."""
    storm = down(retry_after=90.0, busy=True)
    first, second = Server(machine, storm, "one"), Server(machine, "two")

    async def both(pace: Pace) -> list[str]:
        return await asyncio.gather(pace.call(first), pace.call(second))

    began = machine.time
    assert run(machine, PaceLimits(concurrency=1), both) == ["one", "two"]
    assert first.called_at[1] >= began + 90
    assert second.called_at[0] >= began + 90
    server = Server(machine, down(retry_after=1e12), "here")
    began = machine.time
    run(machine, PaceLimits(longest_retry_after=60.0), lambda pace: pace.call(server))
    assert 60 <= server.called_at[1] - began <= 60 + PaceLimits().first_wait


def test_a_deadline_ends_it_before_the_wait(machine: TimeMachine) -> None:
    """Nothing is waited for that comes too late, and the tries that are left are not made."""
    server = Server(machine, down(retry_after=50.0))
    with pytest.raises(TryAgainError, match="longer than was allowed"):
        run(machine, PaceLimits(), lambda pace: pace.call(server, Deadline.after(20.0, machine.clock)))
    assert len(server.called_at) == 1
    assert sum(machine.slept) < 20


def test_circuit_opens_and_one_call_probes(machine: TimeMachine) -> None:
    """After failures in a row nothing is called until the rest is over; then one call, and not all that wait."""
    limits = PaceLimits(concurrency=8, circuit_failures=3, circuit_rest=60.0, tries=1)
    broken, at_once, most = True, 0, 0

    async def attempt() -> str:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        calls.append(machine.time)
        await asyncio.sleep(0)
        at_once -= 1
        if broken:
            raise down()
        return "here"

    async def all_of_it(pace: Pace) -> None:
        nonlocal broken, most
        for _ in range(3):
            with pytest.raises(TryAgainError):
                await pace.call(attempt)
        opened, most = machine.time, 0
        before = len(calls)
        found = await asyncio.gather(*(pace.call(attempt) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(one, TryAgainError) for one in found)
        assert [at - opened for at in calls[before:]] == [60.0, 120.0, 180.0]  # each probe that fails opens it again
        assert most == 1
        broken = False
        assert await pace.call(attempt) == "here"
        most = 0
        assert await asyncio.gather(*(pace.call(attempt) for _ in range(4))) == ["here"] * 4
        assert most == 4

    calls: list[float] = []
    run(machine, limits, all_of_it)


def test_a_busy_server_is_no_broken_one(machine: TimeMachine) -> None:
    """429 leaves the circuit closed."""
    server = Server(machine, *[down(busy=True)] * 4, "here")
    assert run(machine, PaceLimits(circuit_failures=2, circuit_rest=1e6), lambda pace: pace.call(server)) == "here"
    assert sum(machine.slept) < 1e6


def test_no_more_than_so_many_at_once(machine: TimeMachine) -> None:
    """And all get their turn."""
    now, most = 0, 0

    async def attempt() -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    async def all_of_it(pace: Pace) -> None:
        await asyncio.gather(*(pace.call(attempt) for _ in range(20)))

    run(machine, PaceLimits(concurrency=3, rate=1000.0), all_of_it)
    assert most == 3


def test_no_more_than_so_many_a_second() -> None:
    """Above its rate a call waits; on the loop's own clock, which the library keeps."""

    async def main() -> bool:
        pace = Pace(PaceLimits(rate=2.0, concurrency=10))
        calls = [asyncio.create_task(pace.call(lambda: asyncio.sleep(0))) for _ in range(3)]
        for _ in range(20):
            await asyncio.sleep(0)
        done = [call.done() for call in calls]
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return done == [True, True, False]

    assert asyncio.run(main())


@pytest.mark.parametrize("wrong", [{"tries": 0}, {"tries": 6}, {"rate": 0.0}, {"concurrency": 0}])
def test_limits_must_make_sense(wrong: dict[str, float]) -> None:
    """A clear error for each."""
    with pytest.raises(UsageError):
        PaceLimits(**wrong)  # type: ignore[arg-type] # wrong on purpose
