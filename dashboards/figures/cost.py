"""What the county's own network spares: counted in the model, priced by what ``costs.yml`` cites.

Nothing is counted twice: line rent is what the leased lines cost together, so it stands beside their sum and is not
added; a dual-homed site would have leased one line, so its second arm spares nothing.
"""

from __future__ import annotations

from dashboards.figures.formula import Figure, Input, Words
from inventory.model import LinkKind, NetworkModel, Site, SiteKind
from inventory.schema import CostsIntent, PriceIntent

_A_YEAR, _ONCE = "CNY/year", "CNY"
_HERE = Words("本页同名数字", "the figure of this name here")
_PROTECTED = frozenset(SiteKind) - {SiteKind.CENTRE, SiteKind.SCHOOL, SiteKind.SUBSCRIBERS}
"""Sites that would each need a firewall of their own: on the government network and behind the shared exit."""


def cost_figures(model: NetworkModel, costs: CostsIntent | None) -> list[Figure]:
    """Savings a year, with its parts, and savings once; unknown figures when the county writes no prices."""
    if costs is None:
        return [_nothing_written()]
    lines, broadband, boxes = _lines(model, costs), _broadband(costs), _boxes(model, costs)
    yearly = [part for part in (lines, broadband) if part is not None]
    total = Figure(
        "saved_year",
        Words("每年节约", "Saved a year"),
        _A_YEAR,
        " + ".join(part.key for part in yearly),
        tuple(_part(part) for part in yearly),
        Words(
            "自建网代替租用线路和各单位自己的宽带。",
            "The county's own network in place of leased lines and of units' own broadband.",
        ),
    )
    return [total, *yearly, *([boxes] if boxes is not None else [])]


def _lines(model: NetworkModel, costs: CostsIntent) -> Figure:
    served = [site for site in model.sites.values() if _has_access_fibre(model, site)]
    plan = (
        [_price("plan_sum", Words("方案测算的线路租金", "Line rent by the plan"), costs.line_rent, _A_YEAR)]
        if costs.line_rent
        else []
    )
    return Figure(
        "leased_lines",
        Words("免租百兆光纤", "Leased fibres avoided"),
        _A_YEAR,
        "sites * price",
        (
            _counted("sites", Words("以自建光缆接入的单位", "Sites on the county's own fibre"), served),
            _price("price", Words("租用百兆光纤单价", "A leased 100 Mbit/s fibre"), costs.leased_line, _A_YEAR),
            *plan,
        ),
        Words(
            "每个单位按一条计,双上联的第二条不计;方案自己的总数只作对照,不重复相加。",
            "One line a site: a second arm is not counted. The plan's own sum is for comparison.",
        ),
    )


def _broadband(costs: CostsIntent) -> Figure | None:
    price = costs.broadband_line
    if price is None:
        return None
    return Figure(
        "broadband",
        Words("取消单位宽带", "Broadband lines given up"),
        _A_YEAR,
        "lines * price",
        (
            Input("lines", Words("取消的宽带", "Lines given up"), float(price.lines), "lines", _cited(price)),
            _price("price", Words("宽带单价", "A broadband line"), price, _A_YEAR),
        ),
        Words("各单位改由全县统一出口上网。", "Units reach the Internet by the county's one shared exit."),
    )


def _boxes(model: NetworkModel, costs: CostsIntent) -> Figure | None:
    price = costs.security_boxes
    if price is None:
        return None
    protected = [
        site
        for site in model.sites.values()
        if site.kind in _PROTECTED and not site.kind.outside and "gov" in site.networks
    ]
    return Figure(
        "security_boxes",
        Words("少买安全设备", "Security boxes avoided"),
        _ONCE,
        "(protected - shared) * (plan_sum / plan_sites)",
        (
            _counted("protected", Words("由统一出口保护的单位", "Sites behind the shared exit"), protected),
            Input(
                "shared",
                Words("出口自己的安全设备", "The exit's own set"),
                1.0,
                "sets",
                Words(f"模型:防火墙 {model.firewall}", f"model: firewall {model.firewall}"),
            ),
            _price("plan_sum", Words("方案:全部安全设备", "Plan: all boxes"), price, _ONCE),
            Input("plan_sites", Words("方案:站点数", "Plan: sites"), float(price.sites), "sites", _cited(price)),
        ),
        Words(
            "一次性节约;安全设备只在统一出口设一套。",
            "Spared once: the boxes stand at the shared exit alone.",
        ),
    )


def _has_access_fibre(model: NetworkModel, site: Site) -> bool:
    """True for a site whose own router hangs on the fibre plant."""
    ends = (port for host in model.site_hosts(site.code) for port in host.ports)
    return site.kind is not SiteKind.CENTRE and any(model.links[port.link].kind is LinkKind.ACCESS for port in ends)


def _counted(name: str, words: Words, sites: list[Site]) -> Input:
    items = tuple(Words(site.zh, site.en) for site in sites)
    return Input(name, words, float(len(sites)), "sites", Words("网络模型", "the county's model"), items=items)


def _price(name: str, words: Words, price: PriceIntent, unit: str) -> Input:
    return Input(name, words, price.cny, unit, _cited(price))


def _cited(price: PriceIntent) -> Words:
    return Words(f"costs.yml:{price.source.zh}", f"costs.yml: {price.source.en}")


def _part(figure: Figure) -> Input:
    return Input(figure.key, figure.words, figure.value, figure.unit, _HERE)


def _nothing_written() -> Figure:
    why = Words("本县没有写单价(costs.yml)", "the county writes no prices (costs.yml)")
    price = Input("saved", Words("单价", "Prices"), None, _A_YEAR, Words("costs.yml", "costs.yml"), why=why)
    return Figure("saved_year", Words("每年节约", "Saved a year"), _A_YEAR, "saved", (price,), why)
