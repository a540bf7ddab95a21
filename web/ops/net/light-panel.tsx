/** Light at both ends of a fibre: powers, budget, and the received power over time with its fitted line. */
import { siteName } from "../banner";
import { Chart, type Line } from "../chart";
import { duration } from "../format";
import { Card } from "../ui/show";
import type { LightEnd } from "./types";
import { t } from "./words";

const AHEAD_DAYS = 30; // how far a trend is drawn beyond today, at most

/** The fitted line, drawn on towards the limit as far as a month. */
export function fittedLine(end: LightEnd, range: number): Line[] {
  if (!end.trend || range < 86_400) return [];
  const ahead = end.days === null ? 0 : Math.min(end.days, AHEAD_DAYS, range / 86_400);
  const until = end.trend.end + ahead * 86_400;
  return [
    {
      label: `${t("fitted")} ${siteName(end.site)}`,
      fitted: true,
      points: [
        [end.trend.start, end.trend.first],
        [end.trend.end, end.trend.last],
        ...(ahead > 0 ? ([[until, end.trend.last + end.trend.per_day * ahead]] as [number, number][]) : []),
      ],
    },
  ];
}

const db = (value: number | null, unit = ""): string => (value === null ? "–" : `${value.toFixed(1)}${unit}`);

export function trendWords(end: LightEnd): string {
  if (end.days !== null) return t("daysLeft", { time: duration(end.days * 86_400) });
  if (!end.trend) return t("tooYoung");
  return end.sure && end.trend.per_day < 0 ? t("perMonth", { db: (end.trend.per_day * 30).toFixed(2) }) : t("noLimitAhead");
}

export function LightPanel({ ends, limit, range, link }: { ends: LightEnd[]; limit: number; range: number; link: string }) {
  const rows: [string, (end: LightEnd) => string][] = [
    [t("received"), (end) => db(end.rx_dbm, " dBm")],
    [t("sent"), (end) => db(end.tx_dbm, " dBm")],
    [t("planned"), (end) => db(end.planned_dbm, " dBm")],
    [t("lineLoss"), (end) => db(end.loss_db, " dB")],
    [t("margin"), (end) => db(end.margin_db, " dB")],
    [t("trend"), trendWords],
  ];
  return (
    <Card title={t("light")}>
      <table class="small figures">
        <thead>
          <tr>
            <th />
            {ends.map((end) => (
              <th key={end.host}>
                {siteName(end.site)} <small>{end.port}</small>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, cell]) => (
            <tr key={name}>
              <td>{name}</td>
              {ends.map((end) => (
                <td key={end.host}>{cell(end)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <Chart
        title={t("received")}
        series="link_rx_power"
        link={link}
        range={range}
        unit="dBm"
        label={(labels) => labels["host"] ?? ""}
        limit={{ value: limit, label: t("receiverLimit") }}
        fitted={ends.flatMap((end) => fittedLine(end, range))}
      />
    </Card>
  );
}
