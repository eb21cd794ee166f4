# SPDX-License-Identifier: Apache-2.0
"""bench/chart.py -- bars as SVG, by hand: one block per row, one bar per tunnel."""

from html import escape

WIDTH, NAME, BAR, GAP, TOP = 760, 120, 16, 22, 44
OURS, PEER, FLOOR = '#b5442a', '#8fa3b5', '#d9dde1'


def _text(x, y, text, **style):
    attributes = ''.join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())
    return f'<text x="{x}" y="{y}"{attributes}>{escape(text)}</text>'


def _bar(y, name, value, most, colour, number):
    length = (WIDTH - NAME - 90) * value / most
    return [
        _text(NAME - 8, y + BAR - 4, name, text_anchor='end'),
        f'<rect x="{NAME}" y="{y}" width="{length:.1f}" height="{BAR - 3}" fill="{colour}"/>',
        _text(NAME + length + 6, y + BAR - 4, number),
    ]


def bars(title, rows, ours, floors, median, number):
    """`median(row, name)` is a value or None; shorter bars are better in every row."""
    body, y = [], TOP
    for row in rows:
        values = {name: median(row, name) for name in row['targets']}
        values = {name: value for name, value in values.items() if value is not None}
        if not values:
            continue
        body.append(_text(0, y + BAR - 4, f"{row['title']} ({row['unit']})", font_weight='bold'))
        y += BAR + 4
        for name, value in values.items():
            colour = OURS if name in ours else FLOOR if name in floors else PEER
            body += _bar(y, name, value, max(values.values()) or 1, colour, number(value))
            y += BAR
        y += GAP
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 {WIDTH + 24} {y}" '
            'font-family="sans-serif" font-size="12">'
            f'<rect x="-12" width="{WIDTH + 24}" height="{y}" fill="white"/>')
    shown = _text(0, 24, f'{title}: less is better', font_size='16')
    return '\n'.join([head, shown, *body, '</svg>']) + '\n'
