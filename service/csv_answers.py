"""Answers as CSV: whether one is wanted, its text, and where the next page is."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlencode

from fastapi import Depends, Header, Query, Request

from service.negotiation import preferred

CSV = "text/csv"
PIECE = 64 * 1024  # characters that are handed on at a time

Responses: TypeAlias = dict[int | str, dict[str, Any]]

TABLE: Responses = {
    200: {
        "headers": {
            "Link": {
                "description": 'of a page of CSV that others follow: where the next one is, as `<?…>; rel="next"`',
                "schema": {"type": "string"},
            }
        },
        "content": {CSV: {"schema": {"type": "string"}}},
    }
}
"""The `responses=` of a route that answers in CSV, too."""


async def csv_wanted(
    format: Annotated[Literal["json", "csv"] | None, Query(description="overrides the Accept header")] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> bool:
    """Whether the answer is to be CSV; otherwise it is JSON."""
    return format == "csv" or (format is None and prefers_csv(accept))


CsvWanted = Annotated[bool, Depends(csv_wanted)]


def prefers_csv(accept: str) -> bool:
    """Whether an Accept header likes CSV better than JSON."""
    return preferred(accept, ("application/json", CSV)) == CSV


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """RFC 4180 under a header, in pieces; null and a missing member are an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([row.get(name) for name in columns])
        if text.tell() > PIECE:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def next_page(request: Request, after: object) -> dict[str, str]:
    """The Link (RFC 8288) to the page behind this entry: relative, so that it holds whatever stands in front of us."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    return {"Link": f'<?{urlencode([*query, ("after", after)])}>; rel="next"'}
