"""A load of a far server: one thread fetches an export into the landing zone, what has landed is loaded meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flows.drain import Drain
from flows.export_settings import ExportSettings
from flows.fetch import DrainedError, run_fetch
from flows.keyring import keys_of
from flows.landing import note_loaded, plan_export
from flows.routed import load_each
from flows.runner import Watcher
from flows.settings import LoadSettings
from schemas.errors import ClinmartError, TryAgainError
from schemas.records import LoadReport
from sources.bulk_export import ArrivingExport, Fetched
from sources.bulk_export.answer import Listing
from sources.bulk_export.job import Job
from stores.keys import Keys


@dataclass(slots=True)
class FarLoad:
    """What came of it. ``error``: why the export is not whole in the mart, None when it is.

    ``report`` is None when nothing could be asked for, and then ``error`` says why.
    """

    folder: Path
    report: LoadReport | None = None
    fetched: Fetched | None = None
    error: ClinmartError | None = None
    crash: Exception | None = None  # a fault of ours
    drained: bool = False
    since: str | None = None

    def as_dict(self) -> dict[str, object]:
        """The export as plain JSON values."""
        fetched = self.fetched
        return {
            "folder": str(self.folder),
            "since": self.since,
            "transaction_time": None if fetched is None else fetched.transaction_time.isoformat(),
            "files": 0 if fetched is None else len(fetched.files),
            "missing": [] if fetched is None else fetched.missing,
            "errors": 0 if fetched is None else fetched.reported,
        }


def load_far(
    settings: LoadSettings,
    asked: ExportSettings,
    zone: Path,
    say: Callable[[str], None],
    watch: Watcher | None,
    drain: Drain,
) -> FarLoad:
    """Fetch the next export of what is asked, and load it.

    The mart's lock is not held before the server has made the export. Raises the errors of opening the mart and of
    loading; those of fetching are in the result, once what had landed is loaded.
    """
    folder, asked = plan_export(settings, asked, zone)
    found = FarLoad(folder, since=None if asked.since is None else asked.since.isoformat())
    keys = keys_of(settings.mart, create=True)
    source = _Told(folder, settings)
    fetching = threading.Thread(
        target=_fetch, args=(asked, folder, say, drain, source, found, keys), name="clinmart-fetch", daemon=True
    )
    fetching.start()
    source.known.wait()
    if source.is_listed:
        try:
            found.report = load_each(source, settings, watch, drain)
        finally:
            if found.report is None:
                drain.ask()  # nobody reads what is fetched
            fetching.join()
        if found.report.status in ("ok", "quarantined"):
            note_loaded(folder)
    fetching.join()
    if found.crash is not None:
        raise found.crash
    return found


class _Told(ArrivingExport):
    """An export of which another thread waits to know whether anything will come."""

    def __init__(self, folder: Path, settings: LoadSettings) -> None:
        super().__init__(folder, settings.limits)
        self.known = threading.Event()
        self.is_listed = False

    def listed(self, listing: Listing, job: Job) -> None:
        super().listed(listing, job)
        self.is_listed = True
        self.known.set()

    def ended(self, *, complete: bool) -> None:
        super().ended(complete=complete)
        self.known.set()


def _fetch(
    asked: ExportSettings,
    folder: Path,
    say: Callable[[str], None],
    drain: Drain,
    source: _Told,
    found: FarLoad,
    keys: Keys,
) -> None:
    complete = False
    try:
        found.fetched = fetched = run_fetch(asked, folder, say, drain, source, keys)
        complete = not fetched.missing
        found.error = shortfall(fetched)
    except ClinmartError as error:
        found.error = error
    except DrainedError:
        found.drained = True
    except Exception as error:  # noqa: BLE001 - for the thread that waits, which tells of it without values
        found.crash = error
    finally:
        source.ended(complete=complete)


def shortfall(fetched: Fetched) -> TryAgainError | None:
    """Why an export is not all there, in one line; None when it is."""
    if fetched.missing:
        more = f", and {len(fetched.missing) - 1} more" if len(fetched.missing) > 1 else ""
        return TryAgainError(f"files are missing: {fetched.missing[0]}{more}. The same command goes on")
    if fetched.has_errors:
        return TryAgainError(
            f"the server reports {fetched.reported:,} errors, so something may be missing: see error.*.ndjson in "
            f"{fetched.folder}, and ask again later"
        )
    return None
