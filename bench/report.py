# SPDX-License-Identifier: Apache-2.0
"""bench/report.py -- results as JSON, as a Markdown table and as charts."""

import json
import statistics

import chart

FLOORS = ('library', 'plain relay')


def _middle_half(values):
    """Its ends; of very few values, all of them."""
    if len(values) < 4:
        return min(values), max(values)
    quarters = statistics.quantiles(values, n=4)
    return quarters[0], quarters[2]


def row_results(row, bench):
    """What is kept of a measured row; only plain data, so that it can be written and read again."""
    found = {}
    for name, values in bench.numbers.items():
        low, high = _middle_half(values)
        found[name] = {'median': statistics.median(values), 'low': low, 'high': high,
                       'values': values, 'details': bench.details[name]}
    for name, problem in bench.problems.items():
        found.setdefault(name, {})['problem'] = problem
    return {'name': row.name, 'title': row.title, 'unit': row.unit, 'group': row.group,
            'must': row.must, 'stretch': row.stretch, 'against': row.against, 'targets': found}


def _measured(row, name):
    """The target; None if it was not measured, or failed in any turn."""
    target = row['targets'].get(name, {})
    return target if 'median' in target and 'problem' not in target else None


def _median(row, name):
    target = _measured(row, name)
    return target and target['median']


def _best_peer(row, ours):
    medians = {name: _median(row, name) for name in row['targets']
               if name not in ours and name not in FLOORS}
    known = {name: value for name, value in medians.items() if value is not None}
    return min(known, key=known.get) if known else None


def _compared(row, name, results):
    """(the target that the goal is a multiple of, its words), or (None, '')."""
    if row['unit'] == 's':
        return {'median': 1.0, 'values': ()}, 'one second'
    if row['against']:
        other = next(r for r in results['rows'] if r['name'] == row['against'])
        return _measured(other, name), f"its own {row['against']}"
    best = _best_peer(row, results['ours'])
    return (row['targets'][best], best) if best else (None, '')


def _ratio(target, base, together):
    """
    (the ratio, how far it may be off).  What was measured in one turn is compared with each other,
    so that what slows the whole machine down for a moment does not count.  Their median lies
    between the two of them that are sqrt(n) places from the middle, with a probability of 95 %.
    """
    values, others = target['values'], base['values']
    if not together or len(values) != len(others) or len(values) < 10:
        return target['median'] / base['median'], None
    ratios = sorted(mine / its for mine, its in zip(values, others))
    middle, off = len(ratios) / 2, len(ratios) ** 0.5
    return statistics.median(ratios), (ratios[int(middle + off)] - ratios[int(middle - off)]) / 2


def add_ratios(results):
    for row in results['rows']:
        for name, target in row['targets'].items():
            base, words = _compared(row, name, results)
            if base and _measured(row, name):
                ratio, off = _ratio(target, base, not row['against'])
                target['ratio'], target['ratio_off'], target['ratio_to'] = ratio, off, words


def _number(value):
    if value >= 1000:
        return f'{value:,.0f}'
    if value >= 10:
        return f'{value:.1f}'
    return f'{value:.3f}'


def _cell(row, name):
    target = row['targets'].get(name)
    if target is None:
        return '–'
    if 'problem' in target:
        return 'failed'
    if len(target['values']) == 1:
        return _number(target['median'])
    half = (target['high'] - target['low']) / 2 / abs(target['median'] or 1)
    return f"{_number(target['median'])} ±{half:.0%}"


def _verdict(row, name):
    ratio = row['targets'].get(name, {}).get('ratio')
    if ratio is None:
        return '–'
    goals = f"{row['must'] or '–'} / {row['stretch'] or '–'}"
    off = row['targets'][name]['ratio_off']
    met = ('stretch' if row['stretch'] and ratio <= row['stretch'] else
           'must' if row['must'] and ratio <= row['must'] else
           'MISSED' if row['must'] else '')
    words = f'{ratio:.2f}' if off is None else f'{ratio:.2f} ±{off:.2f}'
    return f"{words} × {row['targets'][name]['ratio_to']} ({goals}) {met}".rstrip()


def table(results):
    seen = {name for row in results['rows'] for name in row['targets']}
    ours = [name for name in results['ours'] if name in seen]
    theirs = [name for name in results['versions'] if name in seen and name not in ours]
    columns = ours + theirs + [name for name in FLOORS if name in seen]
    heads = [f"{name} {results['versions'].get(name, '')}".strip() for name in columns]
    goals = [f'{name}: × (must / stretch)' for name in ours]
    lines = [['work', *heads, *goals], ['---'] * (1 + len(columns) + len(goals))]
    for row in results['rows']:
        lines.append([f"{row['title']} ({row['unit']})", *[_cell(row, name) for name in columns],
                      *[_verdict(row, name) for name in ours]])
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines) + '\n'


def _problems(results):
    lines = [f"- {row['name']}: {name}: {target['problem']}" for row in results['rows']
             for name, target in row['targets'].items() if 'problem' in target]
    return '\nFailed:\n\n' + '\n'.join(lines) + '\n' if lines else ''


def _heading(results):
    m = results['machine']
    return (f"{results['when']}: `{results['command']}`, {results['rounds']} round(s), "
            f"{results['seconds']} s; {m['cores']} cores of {m['cpu']}, Linux {m['kernel']}, load "
            f"before {m['load_before']:.2f}. CPU time is the tunnel's own; medians, ± half of the "
            'middle half.\n\n')


def write(folder, results):
    """
    results.json, table.md and one SVG per group of rows; the table is printed as well.  False: the
    table says that something failed.
    """
    add_ratios(results)
    (folder / 'results.json').write_text(json.dumps(results, indent=1, ensure_ascii=False) + '\n')
    problems = _problems(results)
    text = _heading(results) + table(results) + problems
    (folder / 'table.md').write_text(text)
    print(text)
    for group in dict.fromkeys(row['group'] for row in results['rows']):
        rows = [row for row in results['rows'] if row['group'] == group]
        (folder / f'{group}.svg').write_text(chart.bars(group, rows, results['ours'], FLOORS,
                                                        _median, _number))
    print(f'results.json, table.md and charts are in {folder}')
    return not problems
