"""The frames of one sheet of a workbook, by calamine, which another process writes.

The first frame names the sheets; each of the others has some rows that follow each other, the number of the first, and
the cells of each: null, true or false, a number, a text, or {"date": …}, {"time": …}, {"seconds": …}.
"""

import datetime
from collections.abc import Iterator
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
    ZipError,
)

VALUES = 1 << 15  # of a frame
TEXT = 1 << 22  # characters, about, of a frame
LONGEST = 1 << 20  # characters of a cell: Excel itself allows 32 767
MOST_TEXT = 1 << 30  # characters of a sheet
Frame = dict[str, Any] | None


def frames(path: str, wanted: str = "") -> Iterator[Frame]:
    """The rows of the wanted sheet, or of the first one that holds any, hidden ones last, frame by frame."""
    with open(path, "rb") as file:
        try:
            yield from _frames(CalamineWorkbook.from_filelike(file), wanted)
        except PasswordError:
            yield {"refused": "the workbook is encrypted; save it without a password"}
        except (CalamineError, ZipError) as error:
            yield {"refused": f"the workbook cannot be read: {str(error)[:150]}; save it anew, or send CSV as such"}
        except Refused as refused:
            yield {"refused": str(refused)}


class Refused(Exception):
    """The sheet holds more than a table does."""


def _frames(workbook: CalamineWorkbook, wanted: str) -> Iterator[Frame]:
    sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    names = [sheet.name for sheet in sorted(sheets, key=lambda sheet: sheet.visible != SheetVisibleEnum.Visible)]
    if wanted and wanted not in names:
        yield {"unknown": wanted, "sheets": names}
        return
    sheet = None
    for name in [wanted] if wanted else names:
        sheet = workbook.get_sheet_by_name(name)
        if sheet.height:
            break
    if sheet is None:
        raise Refused("the workbook holds no sheet of cells")
    yield {"sheet": sheet.name, "sheets": names, "columns": sheet.width}
    yield from _rows(sheet)
    yield None


def _rows(sheet: CalamineSheet) -> Iterator[Frame]:
    """Rows that have cells; those that follow each other together."""
    first = start = sheet.start[0] + 1 if sheet.start else 1
    rows: list[list[Any]] = []
    text = held = 0
    most = max(1, VALUES // max(1, sheet.width))
    for number, row in enumerate(sheet.iter_rows(), start):
        cells = [_cell(cell) for cell in row]
        blank = not any(cell is not None for cell in cells)
        if rows and (blank or len(rows) == most or held > TEXT):
            yield {"first": first, "rows": rows}
            rows, held = [], 0
        if blank:
            continue
        lengths = [len(cell) for cell in cells if isinstance(cell, str)]
        text, held = text + sum(lengths), held + sum(lengths)
        if max(lengths, default=0) > LONGEST:
            raise Refused(f"row {number} holds a text of {max(lengths)} characters; at most {LONGEST} are read")
        if text > MOST_TEXT:
            raise Refused(f"the sheet holds more than {MOST_TEXT >> 20} MB of text; leave out the long texts")
        first = first if rows else number
        rows.append(cells)
    if rows:
        yield {"first": first, "rows": rows}


def _cell(cell: Any) -> Any:
    match cell:
        case str():
            return cell if cell.strip() else None
        case datetime.datetime():
            return {"date": cell.isoformat(sep=" ")}
        case datetime.date():
            return {"date": cell.isoformat()}
        case datetime.time():
            return {"time": cell.isoformat()}
        case datetime.timedelta():
            return {"seconds": cell.total_seconds()}
        case _:
            return cell
