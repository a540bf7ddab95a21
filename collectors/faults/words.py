"""A fault in a person's words: what is broken, what it means, what to do first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from collectors.faults.book import Fault
from inventory.model import LinkKind, NetworkModel, Role


@dataclass(frozen=True, slots=True)
class Words:
    """One line in each language, and the next step."""

    zh: str
    en: str
    next_step: str


def words(model: NetworkModel, fault: Fault) -> Words:
    """Of a fault as it is now."""
    zh, en = _what(model, fault)
    means_zh, means_en = _means(fault.impact)
    if others := fault.detail.get("alternatives"):
        zh, en = f"{zh}(或 {'、'.join(others)})", f"{en} (or {', '.join(others)})"
    return Words(zh + means_zh, en + means_en, _next(model, fault))


def _what(model: NetworkModel, fault: Fault) -> tuple[str, str]:
    name, detail = fault.subject, fault.detail
    link = model.links.get(name)
    ends = f"{link.a.host} - {link.b.host}" if link is not None else ""
    match fault.kind:
        case "link-down":
            return f"链路 {name} 中断({ends})", f"Link {name} is down ({ends})"
        case "link-silent":
            return f"链路 {name} 有光无通({ends})", f"Link {name} carries light and nothing else ({ends})"
        case "link-flap":
            return f"链路 {name} 时断时通({ends})", f"Link {name} flaps ({ends})"
        case "link-degraded":
            zh, en = figures(detail)
            return f"链路 {name} 劣化:{zh}", f"Link {name} is degraded: {en}"
        case "duct-cut":
            duct = model.ducts.get(name)
            listed = ", ".join(detail.get("links", fault.links))
            zh, en = (duct.zh, duct.en) if duct is not None else (name, name)
            return f"管道 {zh}({name})被挖断:{listed}", f"Duct {en} ({name}) is cut: {listed}"
        case "host-down":
            return f"{fault.site} 的 {name} 停机", f"{name} at {fault.site} is down"
        case "host-unreachable":
            return f"{fault.site} 的 {name} 通电但失联", f"{name} at {fault.site} has power and cannot be reached"
        case "site-down":
            return f"{_site(model, name)} 整点断电或损坏", f"{name}: every box of the site is down"
        case "service-down":
            host, _, service = name.partition("/")
            if service == "snmp":
                return f"{host} 管理可达,但 SNMP 无应答", f"{host} answers its management and no SNMP"
            return f"{host} 上的 {service} 未运行", f"{service} on {host} does not run"
        case "tunnel-down":
            return f"{_site(model, fault.site)} 的 VPN 隧道 {name} 中断", f"VPN tunnel {name} of {fault.site} is down"
        case "wrong-neighbour":
            found, expected = detail.get("found"), detail.get("expected")
            zh = f"{fault.site} 的 {name} 接错：发现 {found}，应为 {expected}"
            return zh, f"Wrong cable at {fault.site} in {name}: found {found}, expected {expected}"
        case "rogue-dhcp":
            zh = f"{_site(model, fault.site)} {detail.get('vrf')} 网内有私设 DHCP：{detail.get('mac')}"
            return zh, f"Rogue DHCP server: {detail.get('reason')}"
        case "check-failed":
            system = model.services.get(name)
            said = detail.get("words") or detail.get("reason")
            return f"业务 {system.zh if system else name} 不应答：{said}", f"Service {name} does not answer: {said}"
    return f"{fault.kind} {name}", f"{fault.kind} {name}"


def _site(model: NetworkModel, code: str) -> str:
    site = model.sites.get(code)
    return f"{site.zh}({code})" if site is not None else code


def figures(detail: dict[str, Any]) -> tuple[str, str]:
    """What was measured of a degraded link, in words."""
    zh, en = [], []
    if (loss := detail.get("loss_ratio")) is not None:
        zh.append(f"丢包 {loss:.0%}")
        en.append(f"loses {loss:.0%}")
    if (delay := detail.get("delay_ms")) is not None:
        zh.append(f"时延增加 {delay:.1f} ms")
        en.append(f"{delay:.1f} ms slower")
    if (bps := detail.get("bottleneck_bps")) is not None:
        zh.append(f"只剩 {bps / 1e6:.1f} Mbit/s")
        en.append(f"carries only {bps / 1e6:.1f} Mbit/s")
    return "、".join(zh) or "质量下降", ", ".join(en) or "bad figures"


def _means(impact: dict[str, Any]) -> tuple[str, str]:
    """What it costs, in a few words; nothing when it costs nothing."""
    zh, en = [], []
    halls = impact.get("halls", [])
    for state, zh_word, en_word in (
        ("cut", "中断", "cut off"),
        ("alone", "暂在本地开会", "meeting on their own"),
        ("rerouted", "改走备用路径", "on a backup path"),
    ):
        count = sum(hall["state"] == state for hall in halls)
        if count:
            zh.append(f"{count} 个会场{zh_word}")
            en.append(f"{count} halls {en_word}")
    if cut := impact.get("sites_cut"):
        zh.insert(0, f"{len(cut)} 个站点中断")
        en.insert(0, f"{len(cut)} sites cut off")
    if meetings := impact.get("meetings"):
        titles = "、".join(f"《{meeting['title']}》" for meeting in meetings[:3])
        zh.append(f"影响会议 {titles}")
        en.append(f"meetings concerned: {', '.join(meeting['title'] for meeting in meetings[:3])}")
    return (";" + ",".join(zh) if zh else ""), ("; " + ", ".join(en) if en else "")


def _next(model: NetworkModel, fault: Fault) -> str:
    host = model.hosts.get(fault.subject)
    link = model.links.get(fault.subject)
    match fault.kind:
        case "link-down" if link is not None and link.kind is LinkKind.LAN:
            return "Look whether the port was shut (sanwang history, sanwang drift), then at the patch cable."
        case "link-down" | "link-flap":
            return "Compare the optical power of both ends, then send a crew along the duct."
        case "duct-cut":
            return "Send a crew along the duct: all its fibres went at one moment."
        case "link-silent":
            return "Light is there: look at the modules and ports of both ends, not along the duct."
        case "link-degraded":
            return "Compare the optical power of both ends and the ports' error counters; look for what fills the link."
        case "host-down" if host is not None and host.role is Role.SWITCH:
            return f"Check power at the site; its users are cut off; sanwang replace {host.name} swaps a dead one."
        case "host-down" | "site-down":
            return f"Check power at the site; sanwang shell {fault.subject} when it answers again."
        case "host-unreachable":
            return f"Its neighbours see its ports: look at it over its console, then sanwang shell {fault.subject}."
        case "service-down":
            on, _, service = fault.subject.partition("/")
            if service == "snmp":
                return f"Compare its SNMP lines, access list and keys with what is intended: sanwang drift {on}."
            return f"Read /var/log/{service}.log on {on}."
        case "tunnel-down":
            return "Ask the site whether its line and its box have power; then look at the carrier."
        case "wrong-neighbour":
            return "Put the cable into the right port, or write the new one into the county's files (sanwang plan)."
        case "rogue-dhcp":
            return "Find the box by its MAC and unplug it: users near it lose the network."
        case "check-failed":
            return "Ask the owner of the system; sanwang path shows whether packets get there."
    return "sanwang alert show"
