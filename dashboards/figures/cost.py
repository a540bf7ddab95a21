"""What the county's own network spares, as figures: ``inventory.savings`` counts and prices them."""

from __future__ import annotations

from dashboards.figures.formula import Figure, Input, Words
from inventory.model import NetworkModel
from inventory.savings import Saving, savings
from inventory.schema import CostsIntent

_UNIT = {"year": "CNY/year", "once": "CNY"}
_HERE = Words("本页同名数字", "the figure of this name here")
_WORDS = {
    "leased_lines": (
        Words("以自建光缆接入的单位", "Sites on the county's own fibre"),
        Words("租用百兆光纤单价", "A leased 100 Mbit/s fibre"),
        Words("每个单位按一条计,双上联的第二条不计。", "One line a site; a second arm is not counted."),
    ),
    "broadband": (
        Words("取消的宽带", "Lines given up"),
        Words("宽带单价", "A broadband line"),
        Words("各单位改由全县统一出口上网。", "Units reach the Internet by the county's one shared exit."),
    ),
    "security_boxes": (
        Words("由统一出口保护的单位", "Sites behind the shared exit"),
        Words("每个站点的安全设备", "A site's security box"),
        Words("一次性节约:安全设备只在统一出口设一套。", "Spared once: the boxes stand at the shared exit alone."),
    ),
}


def cost_figures(model: NetworkModel, costs: CostsIntent | None) -> list[Figure]:
    """Savings a year, with its parts, and savings once; one unknown figure when the county writes no prices."""
    if costs is None:
        return [_nothing_written()]
    parts = [_figure(saving, costs) for saving in savings(model, costs)]
    yearly = [part for part in parts if part.unit == _UNIT["year"]]
    total = Figure(
        "saved_year",
        Words("每年节约", "Saved a year"),
        _UNIT["year"],
        " + ".join(part.key for part in yearly),
        tuple(Input(part.key, part.words, part.value, part.unit, _HERE) for part in yearly),
        Words(
            "自建网代替租用线路和各单位自己的宽带。",
            "The county's own network in place of leased lines and of units' own broadband.",
        ),
    )
    return [total, *parts]


def _figure(saving: Saving, costs: CostsIntent) -> Figure:
    counted, each, note = _WORDS[saving.key]
    cited = Words(f"costs.yml:{saving.source_zh}", f"costs.yml: {saving.source_en}")
    unit = _UNIT[saving.per]
    inputs = [
        Input(
            "count",
            counted,
            float(saving.counted),
            "sites" if saving.sites else "lines",
            Words("网络模型", "the county's model") if saving.sites else cited,
            items=tuple(Words(site.zh, site.en) for site in saving.sites),
        ),
        Input("price", each, saving.each_cny, unit, cited),
    ]
    expression = "count * price"
    if saving.own:
        own = Words("出口自己的一套", "The exit's own set")
        inputs.append(Input("own", own, float(saving.own), "sets", Words("网络模型", "the county's model")))
        expression = "(count - own) * price"
    if saving.key == "leased_lines" and costs.line_rent is not None:
        rent = Words(f"costs.yml:{costs.line_rent.source.zh}", f"costs.yml: {costs.line_rent.source.en}")
        plan = Words("对照:方案测算的线路租金(不相加)", "For comparison: line rent by the plan (not added)")
        inputs.append(Input("plan", plan, costs.line_rent.cny, unit, rent))
    return Figure(saving.key, Words(saving.zh, saving.en), unit, expression, tuple(inputs), note)


def _nothing_written() -> Figure:
    why = Words(
        "未录入单价：在本县数据目录中写 costs.yml（可从示例县 shili 复制后改为本县单价），再运行 sanwang county check",
        "no prices are entered: write costs.yml in the county's folder (copy that of the county shili, with your own "
        "prices and where they are from), then 'sanwang county check'",
    )
    price = Input("saved", Words("单价", "Prices"), None, _UNIT["year"], Words("costs.yml", "costs.yml"), why=why)
    return Figure("saved_year", Words("每年节约", "Saved a year"), _UNIT["year"], "saved", (price,), why)
