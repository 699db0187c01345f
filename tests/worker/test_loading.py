"""What a process loads at its start is no business of the garbage collector, which then works as ever."""

import gc


def test_the_collector_works_and_passes_over_what_was_loaded() -> None:
    # pytest has collected these tests, and what they import, within `gc_frozen`
    assert gc.isenabled()
    assert gc.get_freeze_count() > 100_000
