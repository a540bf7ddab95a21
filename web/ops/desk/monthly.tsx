/** The monthly report: the same tables as the printed one, each with where its figures come from. */
import { named } from "../../shared/i18n";
import { day, duration, rate, time } from "../format";
import type { PageProps } from "../pages";
import { ask } from "../shell/router";
import { useDocument } from "../ui/data";
import { Card, Empty, Loading, PageHead } from "../ui/show";
import { Table, type Column } from "../ui/table";
import { Choice } from "./common";
import "./board.css";
import "./desk.css";
import { limitWords, quantity } from "./quantity";
import { lastMonths } from "./scores";
import { t, unitWords } from "./words-lead";
import type { Named } from "../types";

type Cell = null | number | string | Named;

interface Section extends Named {
  key: string;
  source: Named;
  columns: (Named & { unit: string })[];
  rows: Cell[][];
  note: Named | null;
  missing: Named | null;
}

interface Report {
  month: string;
  running: boolean;
  from_at: number;
  to_at: number;
  made_at: number;
  sections: Section[];
}

export default function MonthlyReport({ query }: PageProps) {
  const months = lastMonths();
  const month = query.get("month") ?? months[0] ?? "";
  const report = useDocument<Report>(`/api/desk/report/${encodeURIComponent(month)}`, 60);
  const found = report.value;
  return (
    <>
      <PageHead
        title={`${t("report")} · ${month}`}
        sub={found?.running && t("soFar", { to: `${day(found.to_at)} ${time(found.to_at, false)}` })}
      >
        <Choice label={t("month")} value={month} set={(value) => ask({ month: value })} options={months.map((one): [string, string] => [one, one])} />
        <a class="button" href={`/api/desk/report/${encodeURIComponent(month)}.html`} target="_blank" rel="noopener">
          {t("print")}
        </a>
        <a class="button" href={`/api/desk/report/${encodeURIComponent(month)}.pdf`} download={`${month}.pdf`}>
          PDF
        </a>
      </PageHead>
      <Loading from={report} />
      <div class="month">
        {found?.sections.map((section) => (
          <SectionCard key={section.key} section={section} />
        ))}
      </div>
    </>
  );
}

function SectionCard({ section }: { section: Section }) {
  const columns = section.columns.map(
    (column, index): Column<Cell[]> => ({
      head: named(column),
      cell: (row) => shown(row[index] ?? null, column.unit),
      sort: (row) => key(row[index] ?? null),
      figures: section.rows.some((row) => typeof row[index] === "number"),
    }),
  );
  return (
    <Card title={named(section)} wide>
      {section.missing ? (
        <p class="problem">{named(section.missing)}</p>
      ) : section.rows.length === 0 ? (
        <Empty words={t("none")} />
      ) : (
        <Table rows={section.rows} columns={columns} id={(row) => String(section.rows.indexOf(row))} empty={t("none")} page={20} filter={(row) => row.map((cell) => (typeof cell === "object" && cell !== null ? `${cell.zh} ${cell.en}` : String(cell ?? ""))).join(" ")} />
      )}
      {section.note && <p class="quiet">{named(section.note)}</p>}
      <p class="quiet source">{t("source", { words: named(section.source) })}</p>
    </Card>
  );
}

const key = (cell: Cell): string | number | null => (typeof cell === "object" && cell !== null ? named(cell) : cell);

/** A cell in its column's unit; null is unknown, never nothing. */
function shown(cell: Cell, unit: string): string {
  if (cell === null) return "–";
  if (typeof cell === "string") return limitWords(cell);
  if (typeof cell === "object") return named(cell);
  switch (unit) {
    case "share":
      return `${(cell * 100).toFixed(cell > 0.99 && cell < 1 ? 3 : cell === 1 || cell === 0 ? 0 : 1)} %`;
    case "s":
      return duration(cell);
    case "at":
      return `${day(cell)} ${time(cell, false)}`;
    case "bit/s":
      return rate(cell);
    case "CNY":
      return quantity(cell, "CNY").join(" ");
    default: {
      const text = Number.isInteger(cell) ? String(cell) : cell.toFixed(2).replace(/\.?0+$/, "");
      return unit ? `${text} ${unitWords(unit)}` : text;
    }
  }
}
