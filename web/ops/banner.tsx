/** What is wrong, in one large sentence, and who is concerned. */
import { named, say } from "../shared/i18n";
import { duration, list, rate, shortName } from "./format";
import { clock, county, halls, links, now, services, sites } from "./store";
import type { Cause, HallImpact, Impact, Link, Site } from "./types";
import { LINK_KIND, ROLE, t } from "./words";

export const siteName = (code: string): string => {
  const site = sites.value.get(code);
  return site ? named(site) : code;
};

export const hallName = (code: string): string => {
  const hall = halls.value.get(code);
  return hall ? named(hall) : code;
};

const networkName = (name: string): string => {
  const network = county.value?.networks.find((one) => one.name === name);
  return network ? named(network) : name;
};

const FIBRES = new Set(["ring", "access", "spur"]);

export function linkName(link: Link): string {
  return [...new Set([link.a.site, link.b.site])].map(siteName).join(" — ");
}

function title(cause: Cause): [what: string, which: string] {
  const site: Site | undefined = sites.value.get(cause.site);
  if (cause.kind === "link") {
    const link = links.value.get(cause.name);
    if (!link) return [t("causeLine"), cause.name];
    return [t(FIBRES.has(link.kind) ? "causeLink" : "causeLine"), `${linkName(link)} (${say(LINK_KIND[link.kind] ?? ["", ""])})`];
  }
  if (cause.kind === "site") return [t(site?.kind === "centre" ? "causeCentre" : "causeSite"), siteName(cause.site)];
  const role = county.value?.hosts.find((host) => host.name === cause.name)?.role ?? "";
  return [t("causeHost"), `${siteName(cause.site)} · ${say(ROLE[role] ?? ["", ""])}`];
}

function since(cause: Cause): number | null {
  const state = now.value;
  if (!state) return null;
  if (cause.kind === "link") return state.links[cause.name]?.since ?? null;
  if (cause.kind === "host") return state.hosts[cause.name]?.since ?? null;
  const starts = cause.links.map((name) => state.links[name]?.since).filter((at): at is number => at != null);
  return starts.length ? Math.min(...starts) : null;
}

function facts(cause: Cause): string {
  const words: string[] = [cause.name];
  const link = cause.kind === "link" ? links.value.get(cause.name) : undefined;
  if (link && link.length_km > 0) words.push(t("km", { n: link.length_km }));
  const ducts = county.value?.ducts.filter((duct) => link?.ducts.includes(duct.name)).map(named) ?? [];
  if (ducts.length) words.push(t("duct", { names: list(ducts) }));
  const start = since(cause);
  if (start !== null) words.push(t("since", { time: duration(clock.value - start) }));
  return words.join(" · ");
}

export function Banner() {
  const impact = now.value?.impact;
  const [first, ...rest] = impact?.causes ?? [];
  return (
    <section class="banner-place" aria-live="assertive">
      {impact && first && (
        <div class={`banner ${impact.sites_cut.length || impact.networks_cut.length || impact.centres_dead.length ? "serious" : "minor"}`}>
          <span class="banner-mark" aria-hidden="true">
            ✕
          </span>
          <div>
            <p class="banner-title">
              <b>{title(first)[0]}</b> {title(first)[1]}
              {rest.length > 0 && <span class="banner-more"> {t("and", { n: rest.length })}</span>}
            </p>
            <p class="banner-facts figures">{facts(first)}</p>
          </div>
          <ul class="banner-impact">
            {consequences(impact).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}

function consequences(impact: Impact): string[] {
  const by = (state: HallImpact["state"]): string[] =>
    impact.halls.filter((hall) => hall.state === state).map((hall) => hallName(hall.hall));
  const service = (name: string): string => {
    const known = services.value.get(name);
    return known ? named(known) : name;
  };
  const lines: string[] = [];
  lines.push(
    impact.sites_cut.length
      ? t("sitesCut", { names: list(impact.sites_cut.map(siteName), 2) })
      : t("noSiteCut"),
  );
  const partly = impact.networks_cut.map((one) => `${siteName(one.site)} (${networkName(one.network)})`);
  if (partly.length) lines.push(t("networksCut", { names: list(partly, 2) }));
  if (impact.sites_unprotected.length) lines.push(t("sitesUnprotected", { names: list(impact.sites_unprotected.map(siteName), 2) }));
  if (by("cut").length) lines.push(t("hallsCut", { names: list(by("cut"), 2) }));
  if (by("alone").length) lines.push(t("hallsAlone", { names: list(by("alone"), 2) }));
  if (by("rerouted").length) lines.push(t("hallsRerouted", { names: list(by("rerouted"), 2) }));
  const lost = impact.services.filter((one) => one.backend === "").map((one) => service(one.service));
  const moved = impact.services.filter((one) => one.backend !== "").map((one) => service(one.service));
  if (lost.length) lines.push(t("servicesLost", { names: list(lost, 2) }));
  if (moved.length) lines.push(t("servicesMoved", { names: list(moved, 2) }));
  for (const meeting of impact.meetings) {
    const cut = meeting.halls.filter((hall) => hall.state === "cut" || hall.state === "alone").length;
    lines.push(`${t("quoted", { title: meeting.title })}${cut ? t("meetingLosesHalls", { n: cut }) : t("meetingGoesOn")}`);
  }
  return lines;
}

/** The places that a hall's way passes now, the hall's own site first. */
function places(impact: HallImpact): string[] {
  let here = halls.value.get(impact.hall)?.site ?? "";
  const passed = [here];
  for (const name of impact.after) {
    const link = links.value.get(name);
    if (!link || link.kind === "lan") continue;
    here = link.a.site === here ? link.b.site : link.a.site;
    passed.push(here);
  }
  return passed.map((code) => {
    const site = sites.value.get(code);
    return site ? shortName(site) : code;
  });
}

/** Every cause but the banner's, and the ways halls take now: for the panel. */
export function ImpactList() {
  const impact = now.value?.impact;
  if (!impact || impact.causes.length === 0) return null;
  const rerouted = impact.halls.filter((hall) => hall.state === "rerouted");
  // Open faults stand below with their own words; until the collector has told them, what is down is listed here.
  const others = now.value?.faults.length ? [] : impact.causes.slice(1, 12);
  if (others.length + rerouted.length === 0) return null;
  return (
    <section class="card">
      <h2>{t("impact")}</h2>
      <ul class="rows">
        {others.map((cause) => (
          <li key={`${cause.kind}/${cause.name}`} class="row down">
            <b>
              {title(cause)[0]} {title(cause)[1]}
            </b>
            <small class="figures">{facts(cause)}</small>
          </li>
        ))}
        {rerouted.slice(0, 6).map((hall) => (
          <li key={hall.hall} class="row degraded">
            <b>{hallName(hall.hall)}</b>
            <small class="figures">
              {t("backupPath", { path: places(hall).join(" → ") })}
              {" · "}
              {hall.spare_bps === null ? rate(hall.capacity_bps) : t("spare", { rate: rate(hall.spare_bps) })}
            </small>
          </li>
        ))}
      </ul>
    </section>
  );
}
