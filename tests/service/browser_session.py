"""Has Chromium evaluate expressions on pages, with Playwright, in the environment that has it.

Arguments: the browser's program. Input: lines of JSON, `[page's address, expression]`; for each a line of JSON with the
value, or with the text of the page where the expression is empty. Every page is new.
"""

import json
import sys
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.example 127.0.0.1",  # a name that its owner has resolve to this machine
]
SECONDS = 120  # for a page to come, and for an expression to have a value
WITHIN = f"""Promise.race([
    %s,
    new Promise((_, refuse) => setTimeout(() => refuse(new Error("no value within {SECONDS} s")), {SECONDS * 1000})),
])"""


def main(program: str) -> None:
    """Until the input ends."""
    with TemporaryDirectory() as profile, sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            profile, executable_path=program, args=FLAGS, chromium_sandbox=False
        )
        browser.set_default_timeout(SECONDS * 1000)
        for line in sys.stdin:
            address, expression = json.loads(line)
            page = browser.new_page()
            page.goto(address)
            value = page.evaluate(WITHIN % expression) if expression else page.inner_text("body")
            print(json.dumps(value), flush=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
