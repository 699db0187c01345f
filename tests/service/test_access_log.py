"""Every request leaves one log event, of fields."""

import httpx
from structlog.testing import capture_logs

from tests.until import until


def test_a_request_is_logged_as_fields(client: httpx.Client) -> None:
    with capture_logs() as logs:
        answer = client.get("/v1/jobs/job_0?wait=0")
        until(lambda: any(log["event"] == "request" for log in logs))
    [event] = [log for log in logs if log["event"] == "request"]
    assert event["method"] == "GET"
    assert event["path"] == "/v1/jobs/job_0"
    assert event["route"] == "/v1/jobs/{job_id}"
    assert event["principal"] == "local"
    assert event["status"] == answer.status_code == 404
    assert event["bytes_sent"] == len(answer.content)
    assert 0 < event["seconds"] < 60
