"""A gradient check as a table: one row per tensor, and all of them together."""

from rich.table import Column, Table

from trainshed.client.types import GradientReport, TensorCheck


def make_gradient_table(report: GradientReport) -> Table:
    """How far each tensor's analytic gradient is from finite differences, and where it is farthest."""
    table = Table(
        "tensor",
        Column("checked", justify="right"),
        Column("difference", no_wrap=True),
        "worst at",
        Column("analytic", justify="right"),
        Column("numeric", justify="right"),
        title=f"{format_moment(report)}, {report['sided']}-sided, ε = {report['epsilon']:g}",
    )
    for check in report["tensors"]:
        worst = check["worst"]
        place = ", ".join(map(str, worst["index"]))
        derivatives = [f"{worst['analytic']:.8g}", f"{worst['numeric']:.8g}"]
        table.add_row(check["name"], f"{check['checked']}/{check['size']}", format_verdict(check), place, *derivatives)
    table.add_section()
    table.add_row("all", f"{report['checked']}/{report['parameters']}", format_verdict(report))
    return table


def format_moment(report: GradientReport) -> str:
    """`start`, `end` or `epoch 5`."""
    return report["at"] if isinstance(report["at"], str) else f"epoch {report['at']}"


def format_verdict(check: GradientReport | TensorCheck) -> str:
    """The relative difference, and what it means."""
    difference = check["difference"]
    # where a gradient is nearly 0, the rounding of the cost explains a difference that is great all the same
    rounding = " (round-off)" if check["verdict"] == "great" and difference > 1e-7 else ""
    return f"{difference:.1e} {check['verdict']}{rounding}"
