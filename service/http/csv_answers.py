"""Answers as CSV: whether one is wanted, its text, and where the next page is."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Depends, Header, Query, Request
from starlette.responses import Response

from service.http.fields import Path
from service.http.negotiation import preferred
from service.http.openapi import TEXT
from service.http.problems import Responses

CSV = "text/csv"
PIECE = 64 * 1024  # characters that are handed on at a time

TABLE: Responses = {
    200: {
        "headers": {
            "Link": {
                "description": 'of a page of CSV that others follow: where the next one is, as `<?…>; rel="next"`',
                "schema": {"type": "string"},
            }
        },
        "content": {CSV: {"schema": TEXT}},
    }
}
"""The `responses=` of a route that answers in CSV, too."""


Format = Annotated[Literal["json", "csv"] | None, Query(description="overrides the Accept header")]
"""The query parameter."""


async def csv_wanted(
    format: Format = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> bool:
    """Whether the answer is to be CSV; otherwise it is JSON."""
    return wants_csv(format, accept)


CsvWanted = Annotated[bool, Depends(csv_wanted)]


def wants_csv(format: str | None, accept: str) -> bool:
    """The same of the parameter and the header."""
    return format == "csv" or (format is None and prefers_csv(accept))


def prefers_csv(accept: str) -> bool:
    """Whether an Accept header likes CSV better than JSON."""
    return preferred(accept, ("application/json", CSV)) == CSV


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """RFC 4180 under a header, in pieces; null is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow(row)
        if text.tell() > PIECE:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def table(page: Mapping[str, Any], paths: Sequence[Path], request: Request) -> Response:
    """A page of a list as CSV: a row an entry, a column a field; the key of the next page is the last entry's id."""
    entries = page["data"]
    rows = ([cell(value_at(entry, path)) for path in paths] for entry in entries)
    link = next_page(request, entries[-1]["id"]) if page["has_more"] else {}
    return Response("".join(csv_text(map(".".join, paths), rows)), media_type=CSV, headers=link)


def value_at(value: Any, path: Path) -> Any:
    """What lies at a path; a list of what lies there in every entry of a list; None where nothing does."""
    for place, name in enumerate(path):
        if isinstance(value, list):
            return [value_at(entry, path[place:]) for entry in value]
        value = value.get(name) if isinstance(value, dict) else None
    return value


def cell(value: Any) -> object:
    """A value as a cell: true, false, lists and objects as JSON writes them."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | dict | list) else value


def next_page(request: Request, after: object) -> dict[str, str]:
    """The Link (RFC 8288) to the page behind this entry: relative, so that it holds whatever stands in front of us."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    return {"Link": f'<?{urlencode([*query, ("after", after)])}>; rel="next"'}
