"""Draw the costs of a job's metrics over its epochs: metrics as CSV on the standard input, SVG on the standard output.

curl -s -H 'Accept: text/csv' $JOB/metrics | python3 docs/figures/draw_curves.py > docs/figures/digits.svg
"""

import csv
import math
import sys
from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 300, 56, 96, 16, 40
SERIES = {"train_cost": ("train cost", "#1f6feb"), "dev_cost": ("dev cost", "#d1570a")}


def draw(epochs: Sequence[int], costs: dict[str, Sequence[float]]) -> str:
    """The curves on a logarithmic axis of costs."""
    values = [value for curve in costs.values() for value in curve]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def x(epoch: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - epochs[0]) / (epochs[-1] - epochs[0])

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log10(value)) / (high - low)

    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(low, high + 1):
        at = y(10.0**power)
        lines.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end" fill="#444">{10.0**power:g}</text>')
    for epoch in [epochs[0], *range(10, epochs[-1] + 1, 10)]:
        place = f'x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 18}"'
        lines.append(f'<text {place} text-anchor="middle" fill="#444">{epoch}</text>')
    lines.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle" fill="#444">epoch</text>'
    )
    for name, curve in costs.items():
        title, color = SERIES[name]
        points = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in zip(epochs, curve, strict=True))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        lines.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y(curve[-1]) + 4:.1f}" fill="{color}">{title}</text>')
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Read, draw, write."""
    rows = list(csv.DictReader(sys.stdin))
    costs = {name: [float(row[name]) for row in rows] for name in SERIES}
    sys.stdout.write(draw([int(row["epoch"]) for row in rows], costs))


if __name__ == "__main__":
    main()
