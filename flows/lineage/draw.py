"""Draws the way back: as a tree of text, for Mermaid, for Graphviz."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from flows.lineage.way_back import Step


def as_tree(step: Step) -> str:
    """A tree of lines, the start on top."""
    return "\n".join(_branches(step, "", ""))


def as_mermaid(step: Step) -> str:
    """A Mermaid flowchart, from the files to the start."""
    lines = ["flowchart RL"]
    for number, one, parent in _numbered(step):
        label = _told(one, "<br>").replace('"', "#quot;")
        lines.append(f'    n{number}["{label}"]')
        if parent is not None:
            lines.append(f"    n{number} --> n{parent}")
    return "\n".join(lines)


def as_dot(step: Step) -> str:
    """A Graphviz digraph, from the files to the start."""
    lines = ["digraph lineage {", "    rankdir=RL; node [shape=box];"]
    for number, one, parent in _numbered(step):
        label = _told(one, "\\n").replace('"', '\\"')
        lines.append(f'    n{number} [label="{label}"];')
        if parent is not None:
            lines.append(f"    n{number} -> n{parent};")
    return "\n".join([*lines, "}"])


DRAWN: Mapping[str, Callable[[Step], str]] = {"text": as_tree, "mermaid": as_mermaid, "dot": as_dot}


def _told(step: Step, between: str) -> str:
    return f"{step.kind}: {step.name}" + (f"{between}{step.about}" if step.about else "")


def _branches(step: Step, first: str, rest: str) -> Iterator[str]:
    yield f"{first}{step.kind} {step.name}" + (f"  ({step.about})" if step.about else "")
    for number, one in enumerate(step.behind):
        last = number == len(step.behind) - 1
        yield from _branches(one, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))


def _numbered(step: Step) -> Iterator[tuple[int, Step, int | None]]:
    """The steps with their number and that of the step before which they lie."""
    waiting: list[tuple[Step, int | None]] = [(step, None)]
    for number, (one, parent) in enumerate(waiting):
        yield number, one, parent
        waiting += [(behind, number) for behind in one.behind]
