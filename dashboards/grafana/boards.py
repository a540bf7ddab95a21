"""What the boards show: panels with their PromQL. Built by ``build``; every query here is checked by tests."""

from __future__ import annotations

from dataclasses import dataclass

LINK, HOST, SITE = "$link", "$host", "$site"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and how its lines are named."""

    expression: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; ``kind``: "chart", "figure" or "bars".  ``unit`` is Grafana's name of it."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "chart"
    bad_above: float | None = None  # a threshold line
    bad_below: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable of a board: the values of a label."""

    name: str
    label: str
    query: str


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    choices: tuple[Choice, ...] = ()

    @property
    def queries(self) -> tuple[Query, ...]:
        """Every query of the board."""
        return tuple(query for _, panels in self.rows for panel in panels for query in panel.queries)


def figure(title: str, expression: str, unit: str = "short", **more: float) -> Panel:
    """One number."""
    return Panel(title, (Query(expression, instant=True),), unit, "figure", **more)


def chart(title: str, expression: str, legend: str, unit: str = "short", **more: float) -> Panel:
    """Lines of one expression."""
    return Panel(title, (Query(expression, legend),), unit, "chart", **more)


def bars(title: str, expression: str, legend: str, unit: str = "short", **more: float) -> Panel:
    """The present values of one expression beside each other."""
    return Panel(title, (Query(expression, legend, instant=True),), unit, "bars", **more)


_LINKS = Choice("link", "链路 Link", "label_values(sanwang_link_rate_bps, link)")
_HOSTS = Choice("host", "设备 Device", "label_values(sanwang_host_up, host)")

COUNTY = Board(
    "sanwang-county",
    "三网 · 全县概况 County",
    (
        (
            "状态 State",
            (
                figure("就绪 Ready", "sanwang_ready", bad_below=1),
                figure("当前故障 Open faults", "sanwang_faults_open", bad_above=0),
                figure("中断线路 Links down", "count(sanwang_link_up == 0) or vector(0)", bad_above=0),
                figure("停机设备 Devices down", "count(sanwang_host_up == 0) or vector(0)", bad_above=0),
                chart("缺少的部分 What is missing", "sanwang_expected - sanwang_ok", "{{part}}"),
                chart("故障数 Open faults", "sanwang_faults_open", "faults"),
            ),
        ),
        (
            "质量 Quality",
            (
                chart("路径往返时延 Round trip", 'sanwang_probe_rtt_seconds{link=""}', "{{path}}", "s"),
                chart("路径丢包 Loss", 'sanwang_probe_loss_ratio{link=""}', "{{path}}", "percentunit", bad_above=0.02),
                chart("语音评分 Voice (MOS)", 'sanwang_probe_mos{link=""}', "{{path}}", bad_below=3.5),
                bars("最差十条线路 Worst lines", "topk(10, sanwang_probe_loss_ratio)", "{{path}}", "percentunit"),
            ),
        ),
    ),
)

LINKS = Board(
    "sanwang-links",
    "三网 · 链路 Links",
    (
        (
            "负荷 Load",
            (
                bars(
                    "最忙十条 Busiest",
                    "topk(10, max by (link) (sanwang_link_bps / on (link) group_left sanwang_link_rate_bps))",
                    "{{link}}",
                    "percentunit",
                    bad_above=0.8,
                ),
                chart("流量 Traffic", f'sanwang_link_bps{{link=~"{LINK}"}}', "{{link}} {{host}} {{direction}}", "bps"),
                chart(
                    "错包 Errors", f'rate(sanwang_port_errors_total{{link=~"{LINK}"}}[5m])', "{{link}} {{host}}", "pps"
                ),
                chart(
                    "丢弃 Discards",
                    f'rate(sanwang_port_discards_total{{link=~"{LINK}"}}[5m])',
                    "{{link}} {{host}}",
                    "pps",
                ),
            ),
        ),
        (
            "质量 Quality",
            (
                chart("往返时延 Round trip", f'sanwang_probe_rtt_seconds{{link=~"{LINK}"}}', "{{link}}", "s"),
                Panel(
                    "丢包 Loss",
                    (
                        Query(f'sanwang_probe_forward_loss_ratio{{link=~"{LINK}"}}', "{{link}} →"),
                        Query(f'sanwang_probe_backward_loss_ratio{{link=~"{LINK}"}}', "{{link}} ←"),
                    ),
                    "percentunit",
                ),
                Panel(
                    "抖动 Jitter",
                    (
                        Query(f'sanwang_probe_forward_jitter_seconds{{link=~"{LINK}"}}', "{{link}} →"),
                        Query(f'sanwang_probe_backward_jitter_seconds{{link=~"{LINK}"}}', "{{link}} ←"),
                    ),
                    "s",
                ),
                chart("线路状态 Up", f'sanwang_link_up{{link=~"{LINK}"}}', "{{link}}", bad_below=1),
            ),
        ),
    ),
    (_LINKS,),
)

LIGHT = Board(
    "sanwang-light",
    "三网 · 光功率 Light",
    (
        (
            "光功率 Light",
            (
                bars(
                    "收光最弱 Weakest received",
                    'bottomk(12, sanwang_optical_power_dbm{direction="rx"})',
                    "{{link}} {{host}}",
                    "dBm",
                    bad_below=-19.5,
                ),
                bars(
                    "一个月后 In thirty days",
                    'bottomk(12, predict_linear(sanwang_optical_power_dbm{direction="rx"}[7d:1h], 30 * 86400))',
                    "{{link}} {{host}}",
                    "dBm",
                    bad_below=-19.5,
                ),
                chart(
                    "收光 Received",
                    f'sanwang_optical_power_dbm{{direction="rx", link=~"{LINK}"}}',
                    "{{link}} {{host}}",
                    "dBm",
                    bad_below=-19.5,
                ),
                chart(
                    "发光 Sent",
                    f'sanwang_optical_power_dbm{{direction="tx", link=~"{LINK}"}}',
                    "{{link}} {{host}}",
                    "dBm",
                ),
            ),
        ),
    ),
    (_LINKS,),
)

EXIT = Board(
    "sanwang-exit",
    "三网 · 互联网出口 Exit",
    (
        (
            "出口 Exit",
            (
                chart(
                    "下行用户 Down, by share",
                    'topk(12, sum by (share) (rate(sanwang_exit_octets_total{direction="down"}[1m])) * 8)',
                    "share {{share}}",
                    "bps",
                ),
                chart(
                    "上行用户 Up, by share",
                    'topk(12, sum by (share) (rate(sanwang_exit_octets_total{direction="up"}[1m])) * 8)',
                    "share {{share}}",
                    "bps",
                ),
                chart(
                    "限速丢包 Held back",
                    "sum by (share) (rate(sanwang_exit_dropped_packets_total[5m]))",
                    "share {{share}}",
                    "pps",
                ),
                bars(
                    "24 小时用量 Last day",
                    "topk(20, sum by (share) (increase(sanwang_exit_octets_total[1d])))",
                    "share {{share}}",
                    "bytes",
                ),
            ),
        ),
        (
            "远程站点 Remote sites",
            (chart("隧道 Tunnels", "sanwang_tunnel_up", "{{site}} {{kind}}", bad_below=1),),
        ),
    ),
)

DEVICES = Board(
    "sanwang-devices",
    "三网 · 设备 Devices",
    (
        (
            "设备 Devices",
            (
                chart("处理器 Processor", f'sanwang_cpu_busy_ratio{{host=~"{HOST}"}}', "{{host}}", "percentunit"),
                chart(
                    "内存 Memory",
                    f'1 - sanwang_memory_available_bytes{{host=~"{HOST}"}}'
                    f' / sanwang_memory_total_bytes{{host=~"{HOST}"}}',
                    "{{host}}",
                    "percentunit",
                ),
                chart(
                    "停止的进程 Stopped daemons",
                    f'sanwang_service_up{{host=~"{HOST}"}} == 0',
                    "{{host}} {{service}}",
                ),
                chart("SNMP 无应答 SNMP silent", f'sanwang_snmp_up{{host=~"{HOST}"}} == 0', "{{host}}"),
                bars(
                    "证书剩余天数 Certificates, days left",
                    "bottomk(12, (sanwang_certificate_not_after_timestamp_seconds - time()) / 86400)",
                    "{{host}} {{file}}",
                    "d",
                    bad_below=29,
                ),
                chart(
                    "接口流量 Ports", f'sanwang_link_bps{{host=~"{HOST}"}}', "{{host}} {{port}} {{direction}}", "bps"
                ),
            ),
        ),
    ),
    (_HOSTS,),
)

WATCHERS = Board(
    "sanwang-watchers",
    "三网 · 监视系统 Watchers",
    (
        (
            "监视系统自身 The watchers themselves",
            (
                figure("采集器 Collector", 'up{job="collect"}', bad_below=1),
                chart("事件 Events", "rate(sanwang_collect_events_total[1m])", "{{fate}}", "eps"),
                chart("代理上报 Agents' lines", "sum(rate(sanwang_agent_lines_total[1m]))", "lines", "eps"),
                chart("SNMP 轮询 SNMP poll", "sanwang_snmp_poll_seconds", "{{quantile}}", "s"),
                chart("采集器处理器 Collector's processor", "rate(sanwang_collect_cpu_seconds[1m])", "cores"),
                chart(
                    "未送出的变化 Dropped by agents",
                    "sum by (host) (rate(sanwang_agent_dropped_total[5m])) > 0",
                    "{{host}}",
                ),
            ),
        ),
    ),
)

BOARDS = (COUNTY, LINKS, LIGHT, EXIT, DEVICES, WATCHERS)
