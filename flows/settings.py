"""Settings of a load: told on the command line, else from the environment (``CLINMART_*``), else defaults."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.charsets import codec_named
from schemas.crosswalk import Crosswalk
from schemas.errors import UsageError
from schemas.formats import Format
from schemas.lateness import LatePolicy
from schemas.mapping.mapping import Mapping as ExtractMapping
from schemas.naming import is_source_name
from schemas.routes import Routes
from schemas.zones.names import known_zone
from sources.crosswalks import read_crosswalk
from sources.mapping import parse_mapping
from sources.objects.address import is_object
from sources.source import ReadLimits
from transforms.sample import Sampling

if TYPE_CHECKING:
    from sources.objects.access import ObjectAccess

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """Everything a load needs to know besides its inputs."""

    mart: Path
    source: str
    as_of: datetime | None = None
    jobs: int | None = None  # worker threads; None: one per processor
    sampling: Sampling = field(default_factory=Sampling)
    strict: bool = False
    wait: float = 0.0
    format: Format = Format.AUTO
    to_fhir: Path | None = None  # folder for the rows that HL7 v2 messages make, as FHIR NDJSON
    charset: str | None = None  # of HL7 v2 messages that name none
    routes: Routes | None = None  # rules that say where HL7 v2 messages belong
    mapping: ExtractMapping | None = None  # says what the columns of extracts are
    zone: str | None = None  # IANA name: of local times in formats that allow them, which FHIR does not
    limits: ReadLimits = field(default_factory=ReadLimits)
    unit_bytes: int = 2048 * MIB  # input that one commit brings in
    unit_rows: int = 5_000_000
    crosswalk: Crosswalk | None = None
    memory: str = "850MB"  # of DuckDB while it commits
    late_policy: LatePolicy = LatePolicy.MERGE
    lateness: timedelta = timedelta(0)  # how far behind the newest row of its type a row may be without being late
    preferred_units: Path | None = None  # CSV of UCUM units by LOINC code, before the project's own
    encrypt: bool = False  # a mart that is made now
    require_signed: bool = False  # refuse folders without signatures
    lineage: str | None = None  # file or address that events of OpenLineage go to
    replaces: str | None = None  # quarantine_id, or its beginning, of the line that the only line to load corrects

    def __post_init__(self) -> None:
        if not is_source_name(self.source):
            raise UsageError(
                f"the source is called {self.source!r}: give it a short name on one line, e.g. --source epic"
            )
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"--jobs is {self.jobs}: give 1 or more")
        if not 0 <= self.sampling.rate <= 1:
            raise UsageError(f"--sample is {self.sampling.rate}: give a share from 0 to 1")
        if self.zone is not None:
            try:
                known_zone(self.zone)
            except UsageError as error:
                raise UsageError(f"--zone: {error}") from None
        if self.charset is not None:
            try:
                codec_named(self.charset)
            except UsageError as error:
                raise UsageError(f"--charset: {error}") from None
        if self.lateness < timedelta(0):
            raise UsageError("--lateness is below 0: give a duration such as 36h or 2d")

    def crosswalk_files(self) -> list[str]:
        """The absolute paths of the crosswalk's files; none without one."""
        return [] if self.crosswalk is None else sorted({str(Path(m.uri).absolute()) for m in self.crosswalk.maps})

    def options(self) -> dict[str, str]:
        """The options that shape rows, in words; :meth:`from_options` takes them back."""
        units = self.preferred_units and self.preferred_units.absolute()
        told = {
            "sample": repr(self.sampling.rate),
            "zone": self.zone,
            "preferred_units": units,
            "charset": self.charset,
            "format": None if self.format is Format.AUTO else self.format,
            "routes": self.routes and self.routes.as_json(),
            "mapping": self.mapping and json.dumps({"uri": self.mapping.uri, "text": self.mapping.text}),
        }
        if self.crosswalk is not None:
            told["crosswalk"] = json.dumps(self.crosswalk_files())
        if self.late_policy is not LatePolicy.MERGE:
            told |= {"late_policy": self.late_policy, "lateness": repr(self.lateness.total_seconds())}
        return {name: str(value) for name, value in told.items() if value is not None}

    @classmethod
    def from_options(cls, mart: Path, source: str, options: Mapping[str, str], wait: float) -> LoadSettings:
        """The settings of a load that shapes its rows as one with these options did."""
        units, maps = options.get("preferred_units"), json.loads(options.get("crosswalk", "[]"))
        return cls(
            mart,
            source,
            sampling=Sampling(float(options["sample"])) if "sample" in options else Sampling(),
            wait=wait,
            zone=options.get("zone"),
            charset=options.get("charset"),
            routes=Routes.from_json(options["routes"]) if "routes" in options else None,
            mapping=_mapping_of(options.get("mapping")),
            format=Format(options.get("format", Format.AUTO)),
            preferred_units=Path(units) if units else None,
            crosswalk=read_crosswalk([Path(path) for path in maps]),
            late_policy=LatePolicy(options.get("late_policy", LatePolicy.MERGE)),
            lateness=timedelta(seconds=float(options.get("lateness", "0"))),
        )

    @property
    def workers(self) -> int:
        """How many threads transform chunks."""
        return self.jobs or max(1, len(os.sched_getaffinity(0)))


def _mapping_of(kept: str | None) -> ExtractMapping | None:
    """The mapping that options keep."""
    if kept is None:
        return None
    told = json.loads(kept)
    return parse_mapping(told["text"].encode(), told["uri"])


def environment(name: str, default: str) -> str:
    """The environment variable ``CLINMART_<name>``; the only place that reads any."""
    return os.environ.get(f"CLINMART_{name}", default)


def lineage_told(given: str | None) -> str | None:
    """Where events of OpenLineage go: as given, else ``CLINMART_LINEAGE``; None: nowhere. OPENLINEAGE_* say nothing."""
    return given or environment("LINEAGE", "") or None


def cache_folder() -> Path | None:
    """Where what only saves time is kept: ``CLINMART_CACHE``, else the user's cache; None when that is set empty."""
    told = os.environ.get("CLINMART_CACHE")
    if told is not None:
        return Path(told) if told else None
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    return Path(base) / "clinmart" if Path(base).is_absolute() else None


def must_be_local(option: str, *given: object) -> None:
    """UsageError when the option names an object of an object store, where only a path will do."""
    if any(is_object(each) for each in given if each is not None):
        raise UsageError(f"{option} is an address of an object store: give a path of this machine")


_OF_OBJECT_STORES = ("AWS_", "GOOGLE_", "AZURE_")


def object_access() -> ObjectAccess:
    """How object stores are reached: by the variables that their own tools read.

    ``CLINMART_INSTANCE_IDENTITY=1`` allows to ask the machine's metadata server for credentials.
    """
    from sources.objects.access import ObjectAccess  # noqa: PLC0415 - with what it needs a tenth of a second

    told = {name: value for name, value in os.environ.items() if name.startswith(_OF_OBJECT_STORES) or name == "HOME"}
    asked = environment("INSTANCE_IDENTITY", "").lower() in ("1", "true", "yes", "on")
    return ObjectAccess(tuple(sorted(told.items())), instance_identity=asked)


_DURATION = re.compile(r"(?:0|([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*([smhdw]))")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(given: str, option: str = "--lateness") -> timedelta:
    """A duration such as ``90s``, ``15m``, ``36h``, ``2d``, ``1w`` or ``0``. UsageError for anything else."""
    found = _DURATION.fullmatch(given.strip())
    if found is None:
        raise UsageError(f"{option} {given!r} is no duration: give a number with s, m, h, d or w, as 36h")
    return timedelta(**{_UNITS[found[2]]: float(found[1])}) if found[2] else timedelta(0)


def new_load_id(now: datetime | None = None) -> str:
    """A name for a load that sorts by time, e.g. ``20260131T235959-1f2e3d4c``."""
    return f"{(now or datetime.now(UTC)):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
