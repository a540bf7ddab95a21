/** One link: its state, load, light, probes, what rides it, what its cut would mean, its ducts and its past. */
import { useState } from "preact/hooks";
import { say } from "../../shared/i18n";
import { linkName } from "../banner";
import { Chart } from "../chart";
import { duration, rate } from "../format";
import type { PageProps } from "../pages";
import { to } from "../shell/router";
import { clock, links, linkState, now } from "../store";
import { useDocument } from "../ui/data";
import { Badge, Card, Empty, Figure, Loading, PageHead } from "../ui/show";
import { LINK_KIND, STATE, t as common } from "../words";
import type { Link } from "../types";
import { LightPanel } from "./light-panel";
import { bps, ductName, FaultHistory, hallNames, LinkRef, ms, percent, serviceName, SiteRef, SiteRefs } from "./refs";
import type { LinkDocument } from "./types";
import { Consequences } from "./whatif";
import { t } from "./words";

const RANGES = [3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600] as const;
const RANGE_WORDS = [common("hour"), common("sixHours"), common("day"), "7 d"];

export default function LinkPage({ params }: PageProps) {
  const name = params["name"] ?? "";
  const link = links.value.get(name);
  if (!link) return <Empty words={t("noSuch", { name })} />;
  return <Known key={name} link={link} />;
}

function Known({ link }: { link: Link }) {
  const asked = useDocument<LinkDocument>(`/api/net/link/${link.name}`, 5);
  const [range, setRange] = useState<number>(RANGES[0]);
  const state = linkState(link.name);
  const seen = now.value?.links[link.name];
  const found = asked.value;
  const fibre = found !== null && found.optics.length > 0;
  return (
    <>
      <PageHead
        title={linkName(link)}
        sub={
          <>
            {link.name} · {say(LINK_KIND[link.kind] ?? ["", ""])} · <SiteRef code={link.a.site} /> {link.a.port} — <SiteRef code={link.b.site} /> {link.b.port}
          </>
        }
      >
        <Badge tone={state} words={STATE[state]} />
      </PageHead>
      <Loading from={asked} />
      {found?.silent.map((words) => (
        <p key={words} class="problem">
          {words}
        </p>
      ))}
      <div class="figures-row">
        <Figure name={common("state")} value={say(STATE[state])} tone={state} more={seen?.since ? t("since", { time: duration(clock.value - seen.since) }) : ""} />
        <Figure name={t("rate")} value={rate(link.rate_bps)} />
        <Figure name={t("loadNow")} value={seen?.load === undefined ? null : percent(seen.load)} more={seen?.bps === undefined ? "" : rate(seen.bps)} tone={(seen?.load ?? 0) > 0.8 ? "degraded" : ""} />
        {link.length_km > 0 && <Figure name={t("length")} value={common("km", { n: link.length_km })} more={link.ducts.map(ductName).join(" · ") || t("noDuct")} />}
        {fibre && <Margin found={found} />}
        {found?.probe && <Figure name={t("loss")} value={percent(number(found.probe["loss_ratio"]))} more={`${t("delay")} ${ms(found.probe["rtt_ms"])}`} tone={(number(found.probe["loss_ratio"]) ?? 0) > 0.01 ? "down" : "up"} />}
      </div>
      <div class="cards">
        <div class="stack">
          <Card
            title={t("load")}
            tools={
              <span class="ranges">
                {RANGES.map((one, index) => (
                  <button key={one} aria-pressed={range === one} onClick={() => setRange(one)}>
                    {RANGE_WORDS[index]}
                  </button>
                ))}
              </span>
            }
          >
            <Chart title={t("load")} series="link_traffic" link={link.name} range={range} factor={1e-6} unit="Mbit/s" label={end} />
          </Card>
          {fibre && <LightPanel ends={found.optics} limit={found.limit_dbm} range={range} link={link.name} />}
          {found && <Mates found={found} own={link.name} />}
        </div>
        <div class="stack">
          {found && <Rides found={found} />}
          <Consequences name={link.name} />
          {found?.probe && <Probe link={link} found={found} range={range} />}
          {found && (
            <Card title={t("faults")} count={found.faults.length}>
              <FaultHistory rows={found.faults} />
            </Card>
          )}
        </div>
      </div>
    </>
  );
}

const number = (value: unknown): number | null => (typeof value === "number" ? value : null);

const end = (labels: Record<string, string>): string => `${labels["host"] ?? ""} ${labels["direction"] === "in" ? t("in") : t("out")}`;

function Margin({ found }: { found: LinkDocument }) {
  const lit = found.optics.filter((one) => one.margin_db !== null);
  const worst = lit.sort((a, b) => (a.margin_db ?? 0) - (b.margin_db ?? 0))[0];
  if (!worst) return <Figure name={t("margin")} value={null} />;
  const margin = worst.margin_db ?? 0;
  const more = worst.days !== null ? t("daysLeft", { time: duration(worst.days * 86_400) }) : worst.trend ? t("noLimitAhead") : t("tooYoung");
  return <Figure name={t("margin")} value={margin.toFixed(1)} unit="dB" tone={margin <= 0 ? "down" : margin < 3 || worst.days !== null ? "degraded" : "up"} more={more} />;
}

function Probe({ link, found, range }: { link: Link; found: LinkDocument; range: number }) {
  const probe = found.probe ?? {};
  const rows: [string, string, string][] = [
    [t("loss"), percent(number(probe["loss_forward_ratio"])), percent(number(probe["loss_backward_ratio"]))],
    [t("jitter"), ms(probe["forward_jitter_ms"]), ms(probe["backward_jitter_ms"])],
  ];
  return (
    <Card title={t("probe")}>
      <table class="small figures">
        <thead>
          <tr>
            <th />
            <th>{t("forward")}</th>
            <th>{t("backward")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, there, back]) => (
            <tr key={name}>
              <td>{name}</td>
              <td>{there}</td>
              <td>{back}</td>
            </tr>
          ))}
          <tr>
            <td>{t("bottleneck")}</td>
            <td colSpan={2}>{probe["bottleneck_bps"] === null ? t("fasterThan") : bps(probe["bottleneck_bps"])}</td>
          </tr>
          <tr>
            <td>{t("delay")}</td>
            <td colSpan={2}>
              {ms(probe["rtt_ms"])} · {t("voice")} {number(probe["mos"])?.toFixed(2) ?? "–"}
            </td>
          </tr>
        </tbody>
      </table>
      <Chart title={t("delay")} series="link_rtt" link={link.name} range={range} factor={1e3} unit="ms" label={() => t("delay")} />
      <Chart title={t("loss")} series="link_loss" link={link.name} range={range} factor={100} unit="%" label={() => t("loss")} />
    </Card>
  );
}

function Rides({ found }: { found: LinkDocument }) {
  const meetings = now.value?.meetings.filter((meeting) => meeting.halls.some((hall) => found.halls.includes(hall))) ?? [];
  return (
    <Card title={t("rides")} count={found.halls.length}>
      <dl class="told">
        <dt>{t("hallsOver")}</dt>
        <dd>{found.halls.length ? hallNames(found.halls) : t("nothingRides")}</dd>
        {meetings.length > 0 && (
          <>
            <dt>{t("meetingsOver")}</dt>
            <dd>{meetings.map((meeting) => meeting.title).join(" · ")}</dd>
          </>
        )}
        {found.services.length > 0 && (
          <>
            <dt>{t("servicesOver")}</dt>
            <dd>{found.services.map(serviceName).join(" · ")}</dd>
          </>
        )}
        {found.sites_cut.length > 0 && (
          <>
            <dt>{t("sitesLost")}</dt>
            <dd>
              <SiteRefs codes={found.sites_cut} />
            </dd>
          </>
        )}
        {found.sites_unprotected.length > 0 && (
          <>
            <dt>{t("sitesWeak")}</dt>
            <dd>
              <SiteRefs codes={found.sites_unprotected} />
            </dd>
          </>
        )}
      </dl>
    </Card>
  );
}

function Mates({ found, own }: { found: LinkDocument; own: string }) {
  return (
    <Card title={t("mates")}>
      {found.mates.length === 0 && <Empty words={t("alone")} />}
      {found.mates.map((duct) => (
        <dl key={duct.name} class="told">
          <dt>
            <a href={to(`/cut/${duct.name}`)}>{ductName(duct.name)}</a>
          </dt>
          <dd>
            {duct.links
              .filter((name) => name !== own)
              .map((name, index) => (
                <span key={name} class={linkState(name)}>
                  {index > 0 && " · "}
                  <LinkRef name={name} />
                </span>
              ))}
            {duct.links.length === 1 && t("alone")}
          </dd>
        </dl>
      ))}
      {found.mates.length > 0 && <p class="quiet">{t("matesWhy")}</p>}
    </Card>
  );
}

