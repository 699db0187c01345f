"""The schema tells a form everything about every field, and what it shows is what is validated."""

from typing import Any

from engine.spec_schema import job_schema


def fields() -> list[tuple[str, str, dict[str, Any]]]:
    schema = job_schema()
    definitions = {"JobSpec": schema, **schema["$defs"]}
    return [(owner, name, field) for owner, d in definitions.items() for name, field in d.get("properties", {}).items()]


def test_every_field_has_a_title_help_importance_and_says_whether_it_may_change() -> None:
    for owner, name, field in fields():
        assert field["title"], (owner, name)
        assert len(field["description"]) > 8, (owner, name)
        assert field["importance"] in (1, 2, 3, 4, 5), (owner, name)
        assert field["may_change_while_running"] in (True, False), (owner, name)


def test_the_learning_rate_is_tuned_first_and_may_change_while_running() -> None:
    found = [field for _, name, field in fields() if name == "learning_rate"]
    assert found
    for field in found:
        assert (field["importance"], field["may_change_while_running"]) == (1, True)
        assert field["exclusiveMinimum"] == 0


def test_only_the_data_and_its_target_have_no_default() -> None:
    schema = job_schema()
    assert schema["required"] == ["data"]
    assert schema["$defs"]["DataSpec"]["required"] == ["train", "target"]
