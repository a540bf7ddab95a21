/** A fault in one sentence: since when, what, and what that means for sites, halls, meetings and services. */
import { say } from "../../shared/i18n";
import { hallName, siteName } from "../banner";
import { duration, list, rate, time } from "../format";
import { clock, county, links, now, services } from "../store";
import { named } from "../../shared/i18n";
import type { HallImpact } from "../types";
import type { Fault, FaultImpact } from "./types";
import { FAULT, FIBRE, LINE, NEXT, t } from "./words";

const FIBRES = new Set(["ring", "access", "spur"]);

/** What is broken, by its kind and name. */
export function faultTitle(fault: Pick<Fault, "kind" | "subject">): string {
  const link = links.value.get(fault.subject);
  const what = say(link && FIBRES.has(link.kind) ? FIBRE : LINE);
  const duct = county.value?.ducts.find((one) => one.name === fault.subject);
  const name = fault.kind === "site-down" ? siteName(fault.subject) : duct ? named(duct) : fault.subject;
  return say(FAULT[fault.kind] ?? [`${fault.kind} {name}`, `${fault.kind} {name}`], { what, name });
}

/** The first clause of a sentence: what is broken, without what it means. */
export const clause = (sentence: string): string => sentence.split(/[;；]/, 1)[0] ?? sentence;

/** Since when, in words: "14:20 起". */
export const sinceWords = (fault: Fault): string => t("from", { time: time(fault.opened_at, false) });

/** How long it lasts, or lasted. */
export function lasting(fault: Fault): string {
  const spent = (fault.cleared_at ?? clock.value) - fault.opened_at;
  return t(fault.cleared_at === null ? "going" : "lasted", { time: duration(spent) });
}

/** What was measured of a degraded link, and what else it may be. */
export function measured(fault: Fault): string[] {
  const { loss_ratio, delay_ms, bottleneck_bps, alternatives } = fault.detail;
  const words: string[] = [];
  if (typeof loss_ratio === "number") words.push(t("lossOf", { n: (loss_ratio * 100).toFixed(0) }));
  if (typeof delay_ms === "number") words.push(t("delayOf", { n: delay_ms.toFixed(1) }));
  if (typeof bottleneck_bps === "number") words.push(t("onlyOf", { rate: rate(bottleneck_bps) }));
  if (Array.isArray(alternatives) && alternatives.length) words.push(t("orElse", { names: list(alternatives.map(String)) }));
  return words;
}

/** What to do first; a patch cable is looked at otherwise than a fibre. */
export function nextStep(fault: Fault): string {
  const cable = fault.kind === "link-down" && links.value.get(fault.subject)?.kind === "lan";
  const words = NEXT[cable ? "cable-down" : fault.kind];
  return words ? say(words) : "";
}

/** What it means, worst first; never empty. */
export function consequences(impact: FaultImpact): string[] {
  const lines: string[] = [];
  const service = (name: string): string => {
    const known = services.value.get(name);
    return known ? named(known) : name;
  };
  const cut = impact.sites_cut ?? [];
  if (cut.length) lines.push(t("sitesCut", { names: list(cut.map(siteName), 3) }));
  const partly = (impact.networks_cut ?? []).map((one) => `${siteName(one.site)} (${one.network})`);
  if (partly.length) lines.push(t("networksCut", { names: list(partly, 3) }));
  for (const meeting of impact.meetings ?? []) {
    const what = hallWords(meeting.halls) || t("goesOn");
    const start = meeting.starts_at ?? now.value?.meetings.find((one) => one.id === meeting.meeting)?.starts_at;
    lines.push(
      start == null ? t("meetingNow", { title: meeting.title, what }) : t("meeting", { time: time(start, false), title: meeting.title, what }),
    );
  }
  const lost = (impact.services ?? []).filter((one) => one.backend === "").map((one) => service(one.service));
  const moved = (impact.services ?? []).filter((one) => one.backend !== "").map((one) => service(one.service));
  if (lost.length) lines.push(t("servicesLost", { names: list(lost, 3) }));
  if (moved.length) lines.push(t("servicesMoved", { names: list(moved, 3) }));
  if (!impact.meetings?.length && impact.halls?.length) {
    const words = hallWords(impact.halls);
    if (words) lines.push(`${list(impact.halls.map((hall) => hallName(hall.hall)), 3)}:${words}`);
  }
  const weak = impact.sites_unprotected ?? [];
  if (weak.length) lines.push(t("unprotected", { names: list(weak.map(siteName), 3) }));
  return lines.length ? lines : [t("noImpact")];
}

/** "3 个会场改走备用路径,余量 820 Mbit/s": the narrowest of the backup paths counts. */
function hallWords(halls: HallImpact[]): string {
  const words: string[] = [];
  const cut = halls.filter((hall) => hall.state === "cut");
  const rerouted = halls.filter((hall) => hall.state === "rerouted");
  if (cut.length) words.push(t("hallsCut", { n: cut.length }));
  const alone = halls.filter((hall) => hall.state === "alone");
  if (alone.length) words.push(t("hallsAlone", { n: alone.length }));
  if (rerouted.length) {
    const spares = rerouted.map((hall) => hall.spare_bps).filter((bps): bps is number => bps !== null);
    const spare = spares.length ? t("spare", { rate: rate(Math.max(0, Math.min(...spares))) }) : "";
    words.push(t("hallsRerouted", { n: rerouted.length, spare }));
  }
  return words.join(" · ");
}
