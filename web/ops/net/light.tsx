/** Light of every fibre: what is received, the margin that is left, and when its trend has used it up. */
import { useState } from "preact/hooks";
import { siteName } from "../banner";
import type { PageProps } from "../pages";
import { ask, to } from "../shell/router";
import { useDocument } from "../ui/data";
import { Card, Figure, Loading, PageHead } from "../ui/show";
import { Table, type Column } from "../ui/table";
import { LightPanel } from "./light-panel";
import { linkWords } from "./refs";
import type { Light, LightEnd } from "./types";
import { t } from "./words";

const RANGES = [86_400, 7 * 86_400, 14 * 86_400] as const;

export default function LightPage({ query }: PageProps) {
  const asked = useDocument<Light>("/api/net/optics", 15);
  const [range, setRange] = useState<number>(RANGES[1]);
  const found = asked.value;
  const chosen = query.get("link") ?? found?.ends[0]?.link ?? "";
  const ends = found?.ends ?? [];
  const weak = ends.filter((end) => (end.margin_db ?? 99) < (found?.weak_db ?? 0)).length;
  const falling = ends.filter((end) => end.days !== null).length;
  const worst = ends.length ? Math.min(...ends.map((end) => end.margin_db ?? 99)) : null;
  return (
    <>
      <PageHead title={t("lightTitle")} sub={found ? t("lightSub", { limit: found.limit_dbm }) : ""} />
      <Loading from={asked} />
      {found && (
        <>
          <div class="figures-row">
            <Figure name={t("fibresN")} value={ends.length} />
            <Figure name={t("worst")} value={worst === null ? null : worst.toFixed(1)} unit="dB" tone={worst === null ? "" : worst <= 0 ? "down" : worst < found.weak_db ? "degraded" : "up"} />
            <Figure name={t("weakN", { db: found.weak_db })} value={weak} tone={weak ? "degraded" : "up"} />
            <Figure name={t("fallingN")} value={falling} tone={falling ? "degraded" : "up"} />
          </div>
          <div class="cards">
            <Card title={t("fibre")} count={ends.length}>
              <Table
                rows={ends}
                columns={columns}
                id={(end) => `${end.link}/${end.host}`}
                open={(end) => ask({ link: end.link })}
                filter={(end) => `${end.link} ${linkWords(end.link)} ${end.host}`}
                tone={(end) => `${end.link === chosen ? "chosen" : ""} ${tone(end, found.weak_db)}`}
                empty={t("noLight")}
                page={15}
              />
            </Card>
            {chosen && (
              <div>
                <p class="chosen-link">
                  <a href={to(`/link/${chosen}`)}>{linkWords(chosen)}</a> <small>{chosen}</small>
                  <span class="ranges">
                    {RANGES.map((one) => (
                      <button key={one} aria-pressed={range === one} onClick={() => setRange(one)}>
                        {one / 86_400} d
                      </button>
                    ))}
                  </span>
                </p>
                <LightPanel key={chosen} link={chosen} ends={ends.filter((end) => end.link === chosen)} limit={found.limit_dbm} range={range} />
              </div>
            )}
          </div>
        </>
      )}
    </>
  );
}

function tone(end: LightEnd, weak: number): string {
  if ((end.margin_db ?? 0) <= 0) return "down";
  return (end.margin_db ?? 99) < weak || end.days !== null ? "degraded" : "";
}

const columns: Column<LightEnd>[] = [
  {
    get head() {
      return t("fibre");
    },
    cell: (end) => (
      <>
        {linkWords(end.link)} <small>{end.link}</small>
      </>
    ),
    sort: (end) => end.link,
  },
  {
    get head() {
      return t("atEnd");
    },
    cell: (end) => siteName(end.site),
  },
  {
    get head() {
      return t("received");
    },
    figures: true,
    cell: (end) => (end.rx_dbm === null ? "–" : end.rx_dbm < -35 ? t("dark") : `${end.rx_dbm.toFixed(1)} dBm`),
    sort: (end) => end.rx_dbm,
  },
  {
    get head() {
      return t("margin");
    },
    figures: true,
    cell: (end) => (end.margin_db === null ? "–" : `${end.margin_db.toFixed(1)} dB`),
    sort: (end) => end.margin_db,
  },
  {
    get head() {
      return t("until");
    },
    figures: true,
    cell: (end) => (end.days === 0 ? t("gone") : end.days !== null ? t("inDays", { n: Math.round(end.days) }) : end.trend ? "–" : t("tooYoung")),
    sort: (end) => end.days,
  },
];
