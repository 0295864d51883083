"""The plots of the analysis, as SVG text. Colours are Leat's and others'; every bar and line is labelled with its value."""

import math
from html import escape

LEAT, LEAT_PALE, OTHER = "#1b6ca8", "#8fbcdc", "#c98b3a"
CEILING = "#c0c0c0"
ROW, BAR, LEFT, WIDTH = 24, 17, 250, 380


def frame(width, height, title, parts):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>', *parts, "</svg>"]) + "\n"


def bars(title, rows, scale=lambda value: value):
    """Horizontal bars: (label, value, text beside the bar, colour), as long as scale(value). A row of None leaves a
    gap."""
    most = max(scale(row[1]) for row in rows if row)
    parts, y = [], 34
    for row in rows:
        if row is None:
            y += ROW // 3
            continue
        label, value, text, colour = row
        width = WIDTH * scale(value) / most
        parts.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>'
                     f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
                     f'<text x="{LEFT + 6 + width:.1f}" y="{y + 13}">{escape(text)}</text>')
        y += ROW
    return frame(LEFT + WIDTH + 110, y + 8, title, parts)


def magnitudes(value):
    """A scale for factors: logarithmic, with hardly a bar for 1."""
    return max(math.log10(value), 0.01)


def line(title, points, x_label, y_label):
    """One line through (x, y), the y axis from 0, so that what grows little looks it."""
    left, bottom, width, height = 70, 190, 560, 140
    most_x, most_y = max(x for x, _ in points), 1.25 * max(y for _, y in points)
    def at(point):
        return left + width * point[0] / most_x, bottom - height * point[1] / most_y
    drawn = [at(point) for point in points]
    parts = [f'<path d="M{left} {bottom - height}V{bottom}H{left + width}" fill="none" stroke="#888888"/>',
             f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)}" fill="none" stroke="{LEAT}" '
             'stroke-width="2"/>',
             f'<text x="{left + width / 2}" y="{bottom + 34}" text-anchor="middle">{escape(x_label)}</text>',
             f'<text x="14" y="{bottom - height / 2}" text-anchor="middle" '
             f'transform="rotate(-90 14 {bottom - height / 2})">{escape(y_label)}</text>']
    for (x, y), (asked, value) in zip(drawn, points):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{LEAT}"/>')
        parts.append(f'<text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle">{value:.2f}</text>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{asked:.3g}</text>')
    return frame(left + width + 60, bottom + 46, title, parts)
