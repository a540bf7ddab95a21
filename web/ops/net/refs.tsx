/** Names that lead to their own page, and small figures that several of the network's pages show. */
import { named, say } from "../../shared/i18n";
import { linkName, siteName } from "../banner";
import { list, rate, shortName } from "../format";
import { to } from "../shell/router";
import { county, halls, links, services, sites } from "../store";
import { Badge, Empty, When } from "../ui/show";
import { Table } from "../ui/table";
import { LINK_KIND } from "../words";
import type { FaultRow } from "./types";
import { KINDS, t } from "./words";
import "./net.css";

export const linkWords = (name: string): string => {
  const link = links.value.get(name);
  return link ? linkName(link) : name;
};

export const LinkRef = ({ name, short }: { name: string; short?: boolean }) => (
  <a class="ref" href={to(`/link/${name}`)} title={linkWords(name)}>
    {short ? name : linkWords(name)}
  </a>
);

export const SiteRef = ({ code }: { code: string }) => (
  <a class="ref" href={to(`/site/${code}`)}>
    {siteName(code)}
  </a>
);

export const SiteRefs = ({ codes, most = 12 }: { codes: readonly string[]; most?: number }) => (
  <>
    {codes.slice(0, most).map((code, index) => (
      <span key={code}>
        {index > 0 && " · "}
        <SiteRef code={code} />
      </span>
    ))}
    {codes.length > most && ` +${codes.length - most}`}
  </>
);

export const serviceName = (name: string): string => {
  const service = services.value.get(name);
  return service ? named(service) : name;
};

export const kindOf = (name: string): string => say(LINK_KIND[links.value.get(name)?.kind ?? ""] ?? ["", ""]);

/** A way as the places that it passes, the hall's own first; cables inside a room are left out. */
export function placesOf(hall: string, way: readonly string[]): string {
  let here = halls.value.get(hall)?.site ?? "";
  const passed = [here];
  for (const name of way) {
    const link = links.value.get(name);
    if (!link || link.kind === "lan") continue;
    here = link.a.site === here ? link.b.site : link.a.site;
    passed.push(here);
  }
  return passed
    .map((code) => {
      const site = sites.value.get(code);
      return site ? shortName(site) : code;
    })
    .join(" → ");
}

export const ductName = (name: string): string => {
  const duct = county.value?.ducts.find((one) => one.name === name);
  return duct ? named(duct) : name;
};

/** What a fault is about, by its names: a link's two places, a device with its site. */
export function subjectWords(subject: string): string {
  if (links.value.has(subject)) return linkWords(subject);
  const host = subject.split("/")[0] ?? "";
  const site = sites.value.get(subject) ?? sites.value.get(county.value?.hosts.find((one) => one.name === host)?.site ?? "");
  if (county.value?.ducts.some((duct) => duct.name === subject)) return ductName(subject);
  return site ? (site.code === subject ? named(site) : `${named(site)} · ${subject}`) : subject;
}

export const percent = (ratio: number | null, digits = 1): string => (ratio === null ? "–" : `${(ratio * 100).toFixed(digits)} %`);
export const ms = (value: unknown): string => (typeof value === "number" ? `${value.toFixed(value < 10 ? 2 : 1)} ms` : "–");
export const bps = (value: unknown): string => (typeof value === "number" ? rate(value) : "–");

/** Octets of a day, in units of a thousand. */
export function octets(value: number): string {
  const [size, unit] = value >= 1e12 ? [1e12, "TB"] : value >= 1e9 ? [1e9, "GB"] : value >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  return `${(value / size).toFixed(value / size >= 100 ? 0 : 1)} ${unit}`;
}

/** Load in a bar with its figure. */
export const Bar = ({ ratio, full = 0.8 }: { ratio: number; full?: number }) => (
  <span class={`bar ${ratio >= full ? "down" : ratio >= full * 0.75 ? "degraded" : "up"}`}>
    <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="rail" width="100" height="6" />
      <rect class="fill" width={Math.min(100, ratio * 100)} height="6" />
      <path d={`M${full * 100} 0V6`} />
    </svg>
    <b class="figures">{percent(ratio, ratio < 0.1 ? 1 : 0)}</b>
  </span>
);

/** A line of a day, without axes: only its shape. */
export function Spark({ values, full = 0.8 }: { values: readonly number[]; full?: number }) {
  if (values.length < 2) return <span class="quiet">–</span>;
  const top = Math.max(...values, 0.01);
  const points = values.map((value, index) => `${((index / (values.length - 1)) * 100).toFixed(1)} ${(28 - (value / top) * 26).toFixed(1)}`);
  return (
    <svg class={`spark ${top >= full ? "down" : "up"}`} viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">
      <path d={`M${points.join("L")}`} />
    </svg>
  );
}

/** Faults of a link or a site, newest first. */
export function FaultHistory({ rows }: { rows: FaultRow[] }) {
  if (rows.length === 0) return <Empty words={t("noFaults")} />;
  return (
    <Table
      rows={rows}
      id={(row) => String(row.id)}
      empty={t("noFaults")}
      page={12}
      tone={(row) => (row.cleared_at === null ? (row.severity === "critical" ? "down" : "degraded") : "")}
      columns={[
        { head: t("when"), cell: (row) => <When at={row.opened_at} ago={false} />, sort: (row) => row.opened_at },
        {
          head: t("what"),
          cell: (row) => (
            <>
              {say(KINDS[row.kind] ?? [row.kind, row.kind])} <small>{subjectWords(row.subject)}</small>
            </>
          ),
        },
        {
          head: t("ended"),
          cell: (row) => (row.cleared_at === null ? <Badge tone="down" words={t("open")} /> : <When at={row.cleared_at} ago={false} />),
        },
      ]}
    />
  );
}

export const hallNames = (codes: readonly string[]): string =>
  list(
    codes.map((code) => {
      const hall = halls.value.get(code);
      return hall ? named(hall) : code;
    }),
    8,
  );
