"""`--no-skips`: on a machine that is meant to have all that tests need, but for a GPU, a test that is skipped fails."""

from collections.abc import Generator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the option known."""
    parser.addoption("--no-skips", action="store_true", help="a test that is skipped, but for want of a GPU, fails")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The reason of a skip becomes that of a failure."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail") and not item.get_closest_marker("gpu")
    if skipped and item.config.getoption("no_skips"):
        report.outcome, report.longrepr = "failed", report.longrepr[2]  # type: ignore[index]  # where, line, why
    return report
