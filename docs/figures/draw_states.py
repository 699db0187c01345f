"""Draw the states of a work item and their legal moves, SVG on the standard output.

python3 docs/figures/draw_states.py > docs/figures/states.svg
"""

import sys

MOVES = {
    ("queued", "running"): ("M150 90H272", "claim", 211, 82),
    ("running", "queued"): ("M330 110C300 160 160 160 112 112", "lease expired, or handed back", 205, 165),
    ("running", "running"): ("M318 70C312 25 362 25 356 70", "taken over", 337, 28),
    ("running", "succeeded"): ("M392 82L508 50", "saved", 452, 56),
    ("running", "failed"): ("M396 90H508", "error", 462, 84),
    ("running", "cancelled"): ("M396 98C450 120 470 170 508 186", "cancel", 452, 166),
    ("running", "paused"): ("M345 110V222", "pause", 368, 200),
    ("paused", "queued"): ("M272 240C180 240 110 190 98 114", "resume", 222, 200),
    ("queued", "paused"): ("M74 110C80 220 160 262 272 250", "pause", 108, 240),
    ("paused", "cancelled"): ("M396 240C450 240 480 220 512 204", "cancel", 470, 250),
    ("queued", "cancelled"): ("M60 110C50 300 480 330 570 210", "cancel", 300, 304),
}
STATES = {
    "queued": (90, 90),
    "running": (336, 90),
    "paused": (336, 242),
    "succeeded": (572, 40),
    "failed": (572, 90),
    "cancelled": (572, 190),
}
FINAL = {"succeeded": "#1a7f37", "failed": "#cf222e", "cancelled": "#6e7781"}


def draw() -> str:
    """An arrow for each move, with what causes it; the id of an arrow names its ends."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 320" font-family="sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#57606a"/></marker></defs>',
        '<rect width="660" height="320" fill="white"/>',
    ]
    for (start, end), (path, cause, x, y) in MOVES.items():
        lines.append(f'<path id="{start}-{end}" d="{path}" fill="none" stroke="#57606a" marker-end="url(#tip)"/>')
        lines.append(f'<text x="{x}" y="{y}" text-anchor="middle" font-size="11" fill="#57606a">{cause}</text>')
    for state, (x, y) in STATES.items():
        color = FINAL.get(state, "#0969da")
        box = f'x="{x - 60}" y="{y - 18}" width="120" height="36" rx="8"'
        lines.append(f'<rect {box} fill="white" stroke="{color}" stroke-width="2"/>')
        lines.append(f'<text x="{x}" y="{y + 5}" text-anchor="middle" fill="{color}">{state}</text>')
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    sys.stdout.write(draw())
