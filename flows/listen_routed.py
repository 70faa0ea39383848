"""Rules for what a listener hears: which messages it rejects, and which source each of the others is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from flows.listen_commit import Committer, Message, Outcome, Taken
from schemas.routes import MessageDecoder, Routes
from transforms.route import msh_fields, route

_Commit: TypeAlias = Callable[[Sequence[Message]], Sequence[Outcome]]
_REJECTED = Outcome(Taken.REJECTED)


class RoutedCommitter:
    """A :class:`flows.listen_commit.Committer` that asks the rules first.

    What a rule rejects goes nowhere. The rest of a batch is committed by the committer of its source, each source in a
    transaction of its own; where one fails none of the batch is acknowledged, and what was committed is found to be a
    duplicate when it is sent again. ``unrouted`` counts messages that were new and that no rule takes.
    """

    def __init__(self, routes: Routes, committers: Mapping[str, Committer]) -> None:
        self._routes = routes
        self._committers = committers
        self.unrouted = 0

    def doubts(self, data: bytes) -> bool:
        """See :class:`flows.listen_commit.Committer`. What is rejected needs no checks."""
        routed = route(msh_fields(data), self._routes)
        committer = self._committers.get(routed.source)
        return committer is not None and routed.decoder is not MessageDecoder.REJECT and committer.doubts(data)

    def commit(self, batch: Sequence[Message]) -> list[Outcome]:
        """See :class:`flows.listen_commit.Committer`."""
        return self._each(batch, {source: one.commit for source, one in self._committers.items()})

    def check_and_commit(self, batch: Sequence[Message]) -> list[Outcome]:
        """See :class:`flows.listen_commit.Committer`."""
        return self._each(batch, {source: one.check_and_commit for source, one in self._committers.items()})

    def _each(self, batch: Sequence[Message], commits: Mapping[str, _Commit]) -> list[Outcome]:
        outcomes = [_REJECTED] * len(batch)
        routed = [route(msh_fields(message.data), self._routes) for message in batch]
        for source, commit in commits.items():
            own = [
                number
                for number, one in enumerate(routed)
                if one.source == source and one.decoder is not MessageDecoder.REJECT
            ]
            if own:
                done = commit([batch[number] for number in own])
                for number, outcome in zip(own, done, strict=True):
                    outcomes[number] = outcome
        self.unrouted += sum(
            one.rule is None and outcome.taken is Taken.APPLIED for one, outcome in zip(routed, outcomes, strict=True)
        )
        return outcomes
