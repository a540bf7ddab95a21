/** One site: its lines and ports, optical power, probes, services and meetings. */
import { useEffect, useState } from "preact/hooks";
import { ApiError, get } from "../shared/api";
import { named, say } from "../shared/i18n";
import { siteName } from "./banner";
import { Chart } from "./chart";
import { rate, shortPort } from "./format";
import { FaultHistory } from "./net/refs";
import { SiteService } from "./net/service";
import type { FaultRow } from "./net/types";
import { MeetingRow } from "./panel";
import { to } from "./shell/router";
import { useDocument } from "./ui/data";
import { county, halls, hostsOf, hostState, linkState, now, siteState } from "./store";
import type { Named, Site } from "./types";
import { KIND, LINK_KIND, ROLE, SITE_STATE, STATE, t } from "./words";

interface PortRow {
  host: string;
  port: string;
  label: string; // name on a vendor's box, "" on our own
  link: string;
  kind: string;
  peer_host: string;
  peer_site: string;
  rate_bps: number;
  rx_dbm: number | null;
  tx_dbm: number | null;
}

interface Details {
  ports: PortRow[];
  probes: { name: string; host: string; target: string; rtt_ms: number | null; loss_ratio: number | null; fresh: boolean }[];
  services: (Named & { name: string; backends: string[] })[];
  silent: string[];
}

const REFRESH_MS = 5_000;
const OUTSIDE: ReadonlySet<string> = new Set(["carrier", "city", "province", "third-party"]); // nobody answers for them here
const RANGES = [3600, 6 * 3600, 24 * 3600] as const;

export function SitePage({ site, open }: { site: Site; open: (code: string) => void }) {
  const [details, setDetails] = useState<Details | null>(null);
  const [problem, setProblem] = useState("");
  const [range, setRange] = useState<number>(RANGES[0]);
  useEffect(() => {
    let gone = false;
    const load = (): void =>
      void get<Details>(`/api/site/${site.code}`).then(
        (found) => !gone && (setDetails(found), setProblem("")),
        (error: unknown) => !gone && setProblem(error instanceof ApiError ? error.message : String(error)),
      );
    load();
    const timer = window.setInterval(load, REFRESH_MS);
    return () => {
      gone = true;
      window.clearInterval(timer);
    };
  }, [site.code]);

  const state = siteState(site.code);
  const watched = hostsOf(site.code).some((host) => host.appliance);
  return (
    <aside class="panel site" aria-label={named(site)}>
      <button class="back" onClick={() => open("")}>
        ← {t("back")}
      </button>
      <header class={`site-head ${state}`}>
        <div>
          <h2>{named(site)}</h2>
          <p>
            {say(KIND[site.kind] ?? ["", ""])} · {site.code}
            {site.homes.length > 0 && ` · ${t("homes")} ${site.homes.map(siteName).join(" / ")}`}
          </p>
        </div>
        <span class={`pill ${state}`}>{say(SITE_STATE[state])}</span>
      </header>
      {problem && <p class="quiet unknown">{problem}</p>}
      <Facts site={site} />
      {details && <Ports rows={details.ports} open={open} />}
      {details && <Probes rows={details.probes} />}
      {watched && (
        <section class="card">
          <h3 class="with-switch">
            {t("traffic")}
            <span class="ranges">
              {RANGES.map((one, index) => (
                <button key={one} aria-pressed={range === one} onClick={() => setRange(one)}>
                  {t((["hour", "sixHours", "day"] as const)[index] ?? "hour")}
                </button>
              ))}
            </span>
          </h3>
          <Chart title={t("traffic")} series="traffic" site={site.code} range={range} factor={1e-6} unit="Mbit/s" label={portLabel} />
          <Chart title={t("rxPower")} series="rx_power" site={site.code} range={range} unit="dBm" label={portLabel} />
          <Chart title={t("rtt")} series="probe_rtt" site={site.code} range={range} factor={1e3} unit="ms" label={pathLabel} />
          <Chart title={t("loss")} series="probe_loss" site={site.code} range={range} factor={100} unit="%" label={pathLabel} />
        </section>
      )}
      {details && details.services.length > 0 && <Services rows={details.services} site={site.code} />}
      <SiteMeetings site={site} />
      <SiteFaults code={site.code} />
      {!OUTSIDE.has(site.kind) && <SiteService code={site.code} />}
    </aside>
  );
}

const pathLabel = (labels: Record<string, string>): string => (labels["path"] ?? "").replace(/^(\w+-\w+)-/, "$1 → ");

function portLabel(labels: Record<string, string>): string {
  const direction = labels["direction"] ? ` ${labels["direction"] === "in" ? "↓" : "↑"}` : "";
  return `${labels["link"] || `${labels["host"] ?? ""} ${labels["port"] ?? ""}`}${direction}`;
}

function Facts({ site }: { site: Site }) {
  const here = [...halls.value.values()].filter((hall) => hall.site === site.code);
  const nets = county.value?.networks.filter((network) => site.networks.includes(network.name)) ?? [];
  return (
    <section class="card facts">
      <dl>
        <dt>{t("devices")}</dt>
        <dd>
          {hostsOf(site.code).map((host) => (
            <span key={host.name} class={`tag ${host.appliance || host.role === "leaf" ? hostState(host.name) : "unknown"}`}>
              {say(ROLE[host.role] ?? ["", ""])} <small>{host.name}</small>
            </span>
          ))}
        </dd>
        <dt>{t("networks")}</dt>
        <dd>
          {nets.map((network) => (
            <span key={network.name} class={`tag net-${network.kind === "public" ? network.name : network.kind}`}>
              {named(network)}
            </span>
          ))}
        </dd>
        {here.length > 0 && <dt>{t("hallsHere")}</dt>}
        {here.length > 0 && <dd>{here.map((hall) => `${named(hall)} · ${t("seats", { n: hall.seats })}`).join(", ")}</dd>}
        {site.organisations.length > 0 && <dt>{t("organisations")}</dt>}
        {site.organisations.length > 0 && <dd class="many">{site.organisations.map(named).join(" · ")}</dd>}
      </dl>
    </section>
  );
}

function Ports({ rows, open }: { rows: PortRow[]; open: (code: string) => void }) {
  const order = (row: PortRow): number => (linkState(row.link) === "down" ? 0 : row.kind === "lan" ? 2 : 1);
  const sorted = [...rows].sort((a, b) => order(a) - order(b));
  return (
    <section class="card">
      <h3>
        {t("ports")} <span class="count figures">{rows.length}</span>
      </h3>
      <div class="scroll">
        <table class="ports figures">
          <thead>
            <tr>
              <th>{t("port")}</th>
              <th>{t("towards")}</th>
              <th>{t("state")}</th>
              <th>{t("rate")}</th>
              <th>{t("rxPower")}</th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((row) => (
              <PortLine key={`${row.host}/${row.port}`} row={row} open={open} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function PortLine({ row, open }: { row: PortRow; open: (code: string) => void }) {
  const state = linkState(row.link);
  const load = now.value?.links[row.link]?.load;
  return (
    <tr class={state}>
      <td>
        {row.host}{" "}
        <a class="ref" href={to(`/link/${row.link}`)} title={row.label || row.link}>
          <small>{shortPort(row.label || row.port)}</small>
        </a>
      </td>
      <td>
        <button class="chip" onClick={() => open(row.peer_site)}>
          {row.kind === "lan" ? row.peer_host : siteName(row.peer_site)}
        </button>{" "}
        <small class="link-kind">{say(LINK_KIND[row.kind] ?? ["", ""])}</small>
      </td>
      <td>
        <span class={`pill ${state}`}>{say(STATE[state])}</span>
      </td>
      <td>
        {rate(row.rate_bps).replace("bit/s", "")}
        {load !== undefined && <small> {Math.round(load * 100)} %</small>}
      </td>
      <td>{row.rx_dbm === null ? "" : `${row.rx_dbm.toFixed(1)} dBm`}</td>
    </tr>
  );
}

function Probes({ rows }: { rows: Details["probes"] }) {
  if (rows.length === 0) return null;
  return (
    <section class="card">
      <h3>
        {t("probes")} <span class="count figures">{rows.length}</span>
      </h3>
      <div class="scroll">
        <table class="figures">
          <thead>
            <tr>
              <th>{t("towards")}</th>
              <th>{t("rtt")}</th>
              <th>{t("loss")}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name} class={row.fresh && (row.loss_ratio ?? 1) < 0.5 ? "up" : "down"}>
                <td>
                  {row.host} → {row.target}
                </td>
                <td>{row.rtt_ms === null ? "–" : `${row.rtt_ms.toFixed(2)} ms`}</td>
                <td>{row.loss_ratio === null ? "–" : `${(row.loss_ratio * 100).toFixed(1)} %`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Services({ rows, site }: { rows: Details["services"]; site: string }) {
  return (
    <section class="card">
      <h3>{t("servicesHere")}</h3>
      <p>
        {rows.map((row) => (
          <span key={row.name} class="tag">
            {named(row)} <small>{row.backends[0]?.startsWith(`${site}-`) ? t("primary") : t("backupOf")}</small>
          </span>
        ))}
      </p>
    </section>
  );
}

function SiteFaults({ code }: { code: string }) {
  const asked = useDocument<{ faults: FaultRow[] }>(`/api/net/site/${code}`, 30, now);
  const rows = asked.value?.faults ?? [];
  return (
    <section class="card">
      <h3 class="with-switch">
        <span>
          {t("history")} <span class="count figures">{rows.length}</span>
        </span>
        <a href={to(`/cut/${code}`)}>{t("whatIf")}</a>
      </h3>
      <FaultHistory rows={rows} />
    </section>
  );
}

function SiteMeetings({ site }: { site: Site }) {
  const here = new Set([...halls.value.values()].filter((hall) => hall.site === site.code).map((hall) => hall.code));
  const meetings = now.value?.meetings.filter((meeting) => meeting.halls.some((hall) => here.has(hall))) ?? [];
  if (meetings.length === 0) return null;
  return (
    <section class="card">
      <h3>{t("meetings")}</h3>
      <ul class="rows">
        {meetings.map((meeting) => (
          <MeetingRow key={meeting.id} meeting={meeting} />
        ))}
      </ul>
    </section>
  );
}
