"""Which incremental inputs go with which outputs, and what their settings need: refused before anything is read."""
from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Literal

from sparkkit.conf import InputConf, OutputConf
from sparkkit.errors import UsageError

Style = Literal["append", "keys", "partitions", "whole"]
"""How the outputs take rows: added to what is there, by their keys, in place of whole partitions, in place of all."""

UNITS = {"week": dt.timedelta(weeks=1), "day": dt.timedelta(days=1), "hour": dt.timedelta(hours=1), "minute": dt.timedelta(minutes=1)}


def style(outputs: Iterable[OutputConf], full: bool) -> Style:
    """How the outputs of a run with incremental inputs take rows; `full` says that all is read again.

    Raises:
        UsageError: a mode would lose what earlier runs wrote (`incremental_overwrite`), or add it again (`incremental_append`).

    >>> style([OutputConf(mode="append"), OutputConf(mode="merge")], full=False)
    'append'
    """
    modes = {conf.mode for conf in outputs}
    wrong = modes & {"overwrite", "error"}
    if wrong and not (full and wrong == {"overwrite"}):
        raise UsageError(f"mode {min(wrong)} would not keep what earlier runs wrote, of which an incremental run reads nothing",
                         reason="incremental_overwrite",
                         hint="set mode to append, overwrite_partitions, merge, cdc or scd2; `--full --mode overwrite` makes all anew")
    if full and "append" in modes:
        raise UsageError("--full reads all again, and append would add it to what is there", reason="incremental_append",
                         hint="give --full --mode overwrite")
    if {"append", "overwrite_partitions"} <= modes or ("overwrite" in modes and modes != {"overwrite"}):
        raise UsageError(f"outputs of modes {' and '.join(sorted(modes))} can't share an incremental input", reason="incremental_modes",
                         hint="replacing partitions reads old rows again, which append would add: make two jobs of them")
    if "overwrite" in modes:
        return "whole"
    return "append" if "append" in modes else "partitions" if "overwrite_partitions" in modes else "keys"


def check(name: str, conf: InputConf, how: Style, outputs: Mapping[str, OutputConf]) -> None:
    """Refuses settings of an input that don't fit together, or not with the outputs.

    Raises:
        UsageError: `wrong_conf`.
    """
    by_column, kind = conf.incremental == "column", conf.incremental
    given = {"lateness": conf.lateness is not None, "changed": conf.changed != "refuse", "watermark": conf.watermark is not None}
    meant = {"lateness": by_column, "changed": kind == "files", "watermark": kind in ("column", "files")}
    for setting in given:
        if given[setting] and not meant[setting]:
            raise _wrong(name, f"{setting} says nothing with incremental = {kind!r}", "leave it out")
    if by_column and not conf.watermark:
        raise _wrong(name, 'incremental = "column" needs watermark', f"set inputs.{name}.watermark to the column that grows")
    if conf.changed == "again" and how == "append":
        raise _wrong(name, 'changed = "again" would add the rows of a changed file twice to an output of mode append',
                     "leave it out, or use a mode that replaces")
    if how == "partitions" and kind in ("version", "changes"):
        raise _wrong(name, f"incremental = {kind!r} gives parts of partitions, and overwrite_partitions replaces whole ones",
                     "use merge or cdc")
    if how == "partitions" and not all(o.partition_by for o in outputs.values() if o.mode == "overwrite_partitions"):
        raise _wrong(name, "outputs that are partitioned by the table alone can't be checked against what is read", "set partition_by")
    if conf.lateness is not None:
        lateness(name, conf.lateness)


def _wrong(name: str, message: str, hint: str) -> UsageError:
    return UsageError(f"input {name!r}: {message}", reason="wrong_conf", hint=hint)


def lateness(name: str, given: str | int | float) -> dt.timedelta | Decimal:
    """How far back rows may come: a time, or a number.

    Raises:
        UsageError: it is neither (`wrong_conf`).

    >>> lateness("x", "2 days"), lateness("x", 100)
    (datetime.timedelta(days=2), Decimal('100'))
    """
    text = str(given).strip()
    found = re.fullmatch(r"(\d{1,6})\s*(week|day|hour|minute)s?", text)
    if found:
        return int(found[1]) * UNITS[found[2]]
    try:
        number = Decimal(text)
        if not number.is_finite() or number < 0:
            raise InvalidOperation
        return number
    except InvalidOperation:
        raise _wrong(name, f"lateness is {given!r}", "write a time such as '2 days' (weeks, days, hours, minutes), or a number") from None
