"""Tables and plots from the figures of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .results import Figure, Results
from .workloads import GROUPS, SUBJECTS

BEGIN = "<!-- figures: made by `python -m bench publish` -->"
END = "<!-- end of figures -->"


def markdown(results: Results, plots: Path | None = None) -> str:
    """Everything that is between the marks of docs/benchmarks.md."""
    parts = [_about(results.about)]
    for group, (rows, columns) in results.groups().items():
        parts += [f"### {GROUPS[group]}", _table(results, rows, columns)]
        if plots is not None and (plots / f"{group}.svg").exists():
            parts.append(f"![{GROUPS[group]}]({plots.name}/{group}.svg)")
        wal = _wal_table(results, rows, columns)
        if group == "drain" and wal:
            parts += ["Bytes of WAL for one message:", wal]
    parts += ["### Goals", _goals(results)]
    return "\n\n".join(parts)


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
    )


def _table(results: Results, rows: list[dict[str, str]], columns: list[str]) -> str:
    figures = results.figures()
    return _grid(rows, columns, lambda row, column: _cell(figures.get((row["id"], column))))


def _wal_table(results: Results, rows: list[dict[str, str]], columns: list[str]) -> str:
    figures = results.figures()

    def cell(row: dict[str, str], column: str) -> str:
        figure = figures.get((row["id"], column))
        return f"{figure.wal_bytes:,.0f}" if figure and figure.wal_bytes is not None else ""

    return _grid(rows, columns, cell)


def _grid(rows: list[dict[str, str]], columns: list[str], cell: Any) -> str:
    lines = [
        "| | " + " | ".join(SUBJECTS[column].label for column in columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for row in rows:
        cells = [row["title"], *(cell(row, column) for column in columns)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.p99 is not None:
        return f"{figure.median:.1f} ({figure.low:.1f}-{figure.high:.1f}), p99 {figure.p99:.1f}"
    return f"{figure.median:,.0f} ({_short(figure.low)}-{_short(figure.high)})"


def _short(rate: float) -> str:
    if rate < 1000:
        return f"{rate:.0f}"
    return f"{rate / 1000:.{0 if rate >= 10_000 else 1}f}k"


def _goals(results: Results) -> str:
    lines = ["| goal | reached | |", "|---|---:|---|"]
    for outcome in results.outcomes():
        met = "yes" if outcome.ratio >= outcome.goal.factor else "**not yet**"
        lines.append(f"| {outcome.goal.title} | {outcome.ratio:.2f} | {met} |")
    return "\n".join(lines)


def draw(results: Results, folder: Path) -> None:
    """One SVG for each group of which there are rates."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "pgqrs"  # the same figures, the same file
    from matplotlib import pyplot

    figures = results.figures()
    for group, (rows, columns) in results.groups().items():
        if group in ("wake", "floor"):
            continue
        size = 0.16 * sum((row["id"], column) in figures for row in rows for column in columns)
        figure, axes = pyplot.subplots(figsize=(9, 1.2 + size + 0.25 * len(rows)))
        position, ticks = 0.0, []
        colours = {column: f"C{index}" for index, column in enumerate(SUBJECTS)}
        named: set[str] = set()
        for row in rows:
            top = position
            for column in columns:
                found = figures.get((row["id"], column))
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
        axes.set_yticks(ticks, [row["title"] for row in rows])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlabel("messages a second, median, lowest and highest round (logarithmic)")
        axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
        figure.savefig(folder / f"{group}.svg", bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
