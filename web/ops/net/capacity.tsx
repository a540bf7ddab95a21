/** Capacity: the busiest links with their trends, the shared exit and who uses it. */
import { named } from "../../shared/i18n";
import { duration, rate } from "../format";
import { to } from "../shell/router";
import { useDocument } from "../ui/data";
import { Badge, Card, Figure, Loading, PageHead } from "../ui/show";
import { Table, type Column } from "../ui/table";
import { Bar, kindOf, linkWords, octets, SiteRefs, Spark } from "./refs";
import type { CapacityDocument, ExitDocument, ExitUser, LoadRow } from "./types";
import { t } from "./words";

export default function CapacityPage() {
  const asked = useDocument<CapacityDocument>("/api/net/capacity", 15);
  const exit = useDocument<ExitDocument>("/api/net/exit", 5);
  return (
    <>
      <PageHead title={t("capacityTitle")}>{exit.value?.closed && <Badge tone="down" words={t("exitClosed")} />}</PageHead>
      <Loading from={exit} />
      {exit.value && <Exit found={exit.value} />}
      <Loading from={asked} />
      {asked.value && (
        <Card title={t("linksByLoad")} wide tools={<small class="quiet">{t("measuredN", { n: asked.value.measured, m: asked.value.links.length })}</small>}>
          <Table
            rows={asked.value.links}
            columns={columns(asked.value.full_ratio)}
            id={(row) => row.link}
            href={(row) => to(`/link/${row.link}`)}
            filter={(row) => `${row.link} ${linkWords(row.link)} ${kindOf(row.link)}`}
            empty={t("notMeasured")}
            page={20}
          />
        </Card>
      )}
    </>
  );
}

function columns(full: number): Column<LoadRow>[] {
  return [
    {
      head: t("link"),
      cell: (row) => (
        <>
          {linkWords(row.link)} <small>{row.link}</small>
        </>
      ),
      sort: (row) => row.link,
    },
    { head: t("rate"), cell: (row) => rate(row.rate_bps), sort: (row) => row.rate_bps, figures: true },
    { head: t("loadNow"), cell: (row) => <Bar ratio={row.load} full={full} />, sort: (row) => row.load },
    { head: t("peak"), cell: (row) => <Bar ratio={row.peak} full={full} />, sort: (row) => row.peak },
    { head: t("lastDay"), cell: (row) => <Spark values={row.day} full={full} /> },
    { head: t("trend"), cell: (row) => <TrendWords row={row} full={full} />, sort: (row) => row.days },
  ];
}

function TrendWords({ row, full }: { row: LoadRow; full: number }) {
  const percent = Math.round(full * 100);
  if (row.days === 0) return <span class="down">{t("fullNow", { percent })}</span>;
  if (row.days !== null) return <span class="degraded">{t("fullIn", { time: duration(row.days * 86_400), percent })}</span>;
  if (!row.trend) return <span class="quiet">{t("tooYoung")}</span>;
  const perDay = row.trend.per_day * 100;
  if (!row.trend.sure || Math.abs(perDay) < 0.05) return <span class="quiet">{t("steady")}</span>;
  return <span class="quiet">{perDay > 0 ? t("growing", { percent: perDay.toFixed(1) }) : t("falling")}</span>;
}

function Exit({ found }: { found: ExitDocument }) {
  return (
    <div class="stack">
      <div class="figures-row">
        {found.lines.map((line) => {
          const busiest = Math.max(line.in_bps ?? 0, line.out_bps ?? 0) / line.rate_bps;
          return (
            <Figure
              key={line.carrier}
              name={`${t("exit")} · ${named(line)}`}
              value={line.in_bps === null ? null : rate(line.in_bps)}
              tone={busiest > 0.8 ? "down" : busiest > 0.6 ? "degraded" : "up"}
              href={to(`/link/${line.link}`)}
              more={`${t("up")} ${line.out_bps === null ? "–" : rate(line.out_bps)} · ${t("rate")} ${rate(line.rate_bps)}`}
            />
          );
        })}
      </div>
      <Card title={t("users")} count={found.users.length} wide>
        <p class="quiet">{t("usersWhy")}</p>
        <Table rows={found.users} columns={userColumns(found)} id={(user) => user.share} empty={t("noUsers")} page={10} filter={(user) => user.units.join(" ")} />
      </Card>
    </div>
  );
}

function userColumns(found: ExitDocument): Column<ExitUser>[] {
  const whole = Math.max(1, ...found.lines.map((line) => line.rate_bps));
  return [
    { head: t("unit"), cell: (user) => <SiteRefs codes={user.units} most={5} /> },
    { head: t("down"), cell: (user) => rate(user.down_bps), sort: (user) => user.down_bps, figures: true },
    { head: t("up"), cell: (user) => rate(user.up_bps), sort: (user) => user.up_bps, figures: true },
    { head: "%", cell: (user) => <Bar ratio={(user.up_bps + user.down_bps) / whole} /> },
    { head: t("today"), cell: (user) => `↓ ${octets(user.down_octets)} ↑ ${octets(user.up_octets)}`, sort: (user) => user.down_octets + user.up_octets, figures: true },
    { head: t("held"), cell: (user) => (user.held > 0 ? <span class="degraded">{user.held}</span> : "0"), sort: (user) => user.held, figures: true },
  ];
}
