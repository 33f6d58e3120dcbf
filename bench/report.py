"""Tables and plots from the figures of one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .goals import EXPLANATIONS
from .results import Figure, Results
from .subjects import BEFORE, DRIVERS, OURS, SUBJECTS
from .workloads import GROUPS

BEGIN = "<!-- figures: made by `python -m bench publish` -->"
END = "<!-- end of figures -->"


def markdown(results: Results, plots: Path | None = None) -> str:
    """Everything that is between the marks of docs/benchmarks.md."""
    parts = [_about(results.about)]
    for name, (rows, columns) in results.groups().items():
        group = GROUPS[name]
        parts += [f"### {group.title}", _table(results, name, rows, columns)]
        if plots is not None and group.is_plotted:
            parts.append(f"![{group.title}]({plots.name}/{name}.svg)")
        if group.has_cpu:
            parts += ["CPU time for one message, microseconds, client + server:"]
            parts.append(_grid(results, rows, columns, _cpu_cell))
        if group.has_wal:
            parts += ["Bytes of WAL for one message:", _grid(results, rows, columns, _wal_cell)]
        parts += _explanations(results, rows, columns)
    parts += ["### Goals", _goals(results), *_not_measured(results)]
    return "\n\n".join(parts)


def comparison(results: Results) -> str:
    """Ours beside its older version: rates, or milliseconds, and now / before of each
    round."""
    lines = [f"| | {results.about['before']} | now | now / before |", "|---|--:|--:|--:|"]
    figures = results.figures()
    for name, (rows, _) in results.groups().items():
        for row, title in rows.items():
            before, now = figures.get((row, BEFORE)), figures.get((row, "pgqrs"))
            if before is None or now is None:
                continue
            ratio = results.ratio(row, "pgqrs", BEFORE)
            cells = [_cell(figure, GROUPS[name].decimals) for figure in (before, now)]
            lines.append(
                f"| {GROUPS[name].title}: {title} | {cells[0]} | {cells[1]} "
                f"| {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) |"
            )
    return "\n".join([_about(results.about), "", *lines])


def publish(results: Results, page: Path) -> None:
    """Puts tables and plots into the page, between its marks."""
    plots = page.with_suffix("")
    plots.mkdir(exist_ok=True)
    draw(results, plots)
    text = page.read_text()
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError(f"{page} has no marks {BEGIN!r} and {END!r}")
    page.write_text(f"{head}{BEGIN}\n\n{markdown(results, plots)}\n\n{END}{tail}")


def _about(about: dict[str, Any]) -> str:
    machine, server, scale = about["machine"], about["server"], about["scale"]
    settings = ", ".join(f"{name} = {value}" for name, value in sorted(server["settings"].items()))
    versions = "; ".join(
        f"{name}: " + ", ".join(f"{what} {version}" for what, version in sorted(those.items()))
        for name, those in about["versions"].items()
    )
    return (
        f"Commit {machine['commit']}, {machine['when'][:10]}; {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, "
        f"load {machine['load_before']:.1f} before; "
        f"PostgreSQL {server['version']} on the same machine ({settings}). "
        f"Medians of {scale['rounds']} rounds; in brackets the lowest and the highest.\n\n"
        f"Versions: {versions}."
        + "".join(
            f"\n\nA run of its own: {', '.join(run['groups'])}. Commit "
            f"{run['machine']['commit']}, {run['machine']['when'][:10]}, "
            f"load {run['machine']['load_before']:.1f} before."
            for run in about.get("runs", ())
        )
    )


Cell = Callable[[Figure], str]


def _table(results: Results, group: str, rows: dict[str, str], columns: list[str]) -> str:
    decimals = GROUPS[group].decimals
    return _grid(results, rows, columns, lambda figure: _cell(figure, decimals))


def _grid(results: Results, rows: dict[str, str], columns: list[str], cell: Cell) -> str:
    figures = results.figures()

    def text(row: str, column: str) -> str:
        figure = figures.get((row, column))
        if figure is not None:
            return cell(figure)
        is_lost = SUBJECTS[column].driver in results.about.get("absent", {})
        has_failed = f"{row}/{column}" in results.about.get("failed", {})
        return "not run" if is_lost else "failed" if has_failed else ""

    lines = [
        "| | " + " | ".join(SUBJECTS[column].label for column in columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for row, title in rows.items():
        lines.append("| " + " | ".join([title, *(text(row, column) for column in columns)]) + " |")
    return "\n".join(lines)


def _cell(figure: Figure, decimals: int) -> str:
    if figure.p99 is not None:
        spread = f"({figure.low:.1f}-{figure.high:.1f}), p99 {figure.p99:.1f}"
        rate = f", at {figure.rate:,.0f}/s" if figure.rate is not None else ""
        return f"{figure.median:.1f} {spread}{rate}"
    median = f"{figure.median:,.{decimals}f}"
    if figure.low == figure.high:
        return median
    return f"{median} ({_short(figure.low)}-{_short(figure.high)})"


def _cpu_cell(figure: Figure) -> str:
    if figure.client_us is None or figure.server_us is None:
        return ""
    return f"{_digits(figure.client_us)} + {_digits(figure.server_us)}"


def _wal_cell(figure: Figure) -> str:
    return f"{figure.wal_bytes:,.0f}" if figure.wal_bytes is not None else ""


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _short(rate: float) -> str:
    if rate < 1000:
        return f"{rate:.0f}"
    return f"{rate / 1000:.{0 if rate >= 10_000 else 1}f}k"


def _explanations(results: Results, rows: dict[str, str], columns: list[str]) -> list[str]:
    """One sentence for each line of rates in which a peer or the row model was ahead."""
    found = []
    for row, title in rows.items():
        if first := first_of_others(results, row, columns):
            why = EXPLANATIONS.get(row, {}).get(first, "Not explained yet.")
            found.append(f"- {title}: {SUBJECTS[first].label} is first. {why}")
    return ["\n".join(found)] if found else []


def first_of_others(results: Results, row: str, columns: list[str]) -> str | None:
    """Who is ahead of pgqrs in a line of rates or latencies; floors do not count."""
    figures = results.figures()
    found = {
        column: figures[row, column]
        for column in columns
        if (row, column) in figures and not SUBJECTS[column].is_floor
    }
    ours = [column for column in found if column in OURS]
    if not ours or len(found) == len(ours):
        return None
    is_better_less = found[ours[0]].p99 is not None or row.startswith("cost-")
    order = sorted(found, key=lambda column: found[column].median, reverse=not is_better_less)
    return None if order[0] in OURS else order[0]


def _goals(results: Results) -> str:
    lines = ["| goal | wanted | reached | |", "|---|---:|---:|---|"]
    for outcome in results.outcomes():
        ratio = "" if outcome.ratio is None else f"{outcome.ratio:.2f}"
        met = "not measured" if not ratio else "yes" if outcome.is_met else "**not yet**"
        lines.append(f"| {outcome.goal.title} | {outcome.goal.factor:.2f} | {ratio} | {met} |")
    return "\n".join(lines)


def _not_measured(results: Results) -> list[str]:
    """Peers that could not be installed or started, and what peers did not get through."""
    absent = [
        f"- {DRIVERS[driver].id} could not run on this machine: {_line(why)}"
        for driver, why in results.about.get("absent", {}).items()
    ]
    failed = [
        f"- {what.replace('/', ' by ')} failed: {_line(why)}"
        for what, why in results.about.get("failed", {}).items()
    ]
    return ["### Not measured", "\n".join(absent + failed)] if absent or failed else []


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def draw(results: Results, folder: Path) -> None:
    """One SVG for each group of which there are rates."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "pgqrs"  # the same figures, the same file
    from matplotlib import pyplot

    figures = results.figures()
    for group, (rows, columns) in results.groups().items():
        if not GROUPS[group].is_plotted:
            continue
        size = 0.16 * sum((row, column) in figures for row in rows for column in columns)
        figure, axes = pyplot.subplots(figsize=(9, 1.2 + size + 0.25 * len(rows)))
        position, ticks = 0.0, []
        colours = {column: f"C{index}" for index, column in enumerate(SUBJECTS)}
        named: set[str] = set()
        for row in rows:
            top = position
            for column in columns:
                found = figures.get((row, column))
                if found is None:
                    continue
                axes.barh(
                    position,
                    found.median,
                    xerr=[[found.median - found.low], [found.high - found.median]],
                    color=colours[column],
                    hatch="//" if SUBJECTS[column].is_floor else None,
                    label=None if column in named else SUBJECTS[column].label,
                    error_kw={"linewidth": 0.8},
                )
                named.add(column)
                position += 1
            ticks.append((top + position - 1) / 2)
            position += 1
        axes.set_yticks(ticks, list(rows.values()))
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlabel("messages a second, median, lowest and highest round (logarithmic)")
        axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
        figure.savefig(folder / f"{group}.svg", bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
