"""The boards as Grafana's own JSON, made by Grafana's own types (grafana-foundation-sdk)."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.grafana.boards import Board, Choice, Panel

_SOURCE = "source"  # the board's variable for its Prometheus
_COLUMNS = 24
_SIZE = {"chart": (12, 8), "bars": (12, 8), "figure": (6, 4)}

_GREEN, _RED = "green", "red"


def board_json(board: Board) -> str:
    """The dashboard as Grafana's provisioning reads it (schema of Grafana 10)."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["sanwang"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable(_SOURCE).label("Prometheus").type("prometheus"))
    )
    for choice in board.choices:
        made = made.with_variable(_variable(choice))
    top = 0
    for title, panels in board.rows:
        made = made.with_row(dashboard.Row(title).grid_pos(model.GridPos(h=1, w=_COLUMNS, x=0, y=top)))
        top += 1
        left = height = 0
        for panel in panels:
            width, tall = _SIZE[panel.kind]
            if left + width > _COLUMNS:
                top, left, height = top + height, 0, 0
            made = made.with_panel(_panel(panel).grid_pos(model.GridPos(h=tall, w=width, x=left, y=top)))
            left, height = left + width, max(height, tall)
        top += height
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(made.build())


def _source() -> model.DataSourceRef:
    return model.DataSourceRef(type_val="prometheus", uid=f"${{{_SOURCE}}}")


def _variable(choice: Choice) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(choice.name)
        .label(choice.label)
        .datasource(_source())
        .query(choice.query)
        .refresh(model.VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel | bargauge.Panel:
    kinds: dict[str, type[timeseries.Panel] | type[stat.Panel] | type[bargauge.Panel]] = {
        "chart": timeseries.Panel,
        "figure": stat.Panel,
        "bars": bargauge.Panel,
    }
    made = kinds[panel.kind]().title(panel.title).unit(panel.unit).datasource(_source()).thresholds(_limits(panel))
    for number, query in enumerate(panel.queries):
        target = (
            prometheus.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(chr(ord("A") + number))
        )
        made = made.with_target(target.instant() if query.instant else target.range())
    return made


def _limits(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [model.Threshold(value=None, color=_GREEN)]
    if panel.bad_above is not None:
        # A limit of nothing is broken by the first one, any other by what reaches it.
        steps.append(model.Threshold(value=panel.bad_above or 1.0, color=_RED))
    if panel.bad_below is not None:
        steps = [model.Threshold(value=None, color=_RED), model.Threshold(value=panel.bad_below, color=_GREEN)]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
