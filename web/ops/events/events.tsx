/** Everything that happened, newest first: searched by words, by kind, by link or host, over up to six months. */
import { useEffect, useState } from "preact/hooks";
import { get } from "../../shared/api";
import type { PageProps } from "../pages";
import { ask } from "../shell/router";
import { useDocument, wordsOf } from "../ui/data";
import { Card, Loading, PageHead, When } from "../ui/show";
import { Table } from "../ui/table";
import { now } from "../store";
import "./events.css";
import { KINDS, kindOf, stateOf, t } from "./words";

interface Event {
  number: number;
  at: number;
  kind: string;
  subject: string;
  state: string;
  detail: { repeated?: number; severity?: number; reason?: string };
}

interface Events {
  events: Event[];
  more: boolean;
}

const SPANS = { hour: 3600, day: 86_400, week: 604_800, month: 2_678_400, half: 15_811_200 } as const;
type Span = keyof typeof SPANS;
const BAD = new Set(["down", "opened", "found"]);

const spanOf = (text: string | null): Span => (text && text in SPANS ? (text as Span) : "day");

function address(query: URLSearchParams, before = 0): string {
  const wanted = new URLSearchParams();
  const since = new Date(Date.now() - SPANS[spanOf(query.get("span"))] * 1000);
  since.setUTCSeconds(0, 0); // the same question within a minute is the same address
  wanted.set("since", since.toISOString());
  for (const name of ["kind", "subject", "text"]) {
    const value = query.get(name);
    if (value) wanted.set(name, value);
  }
  if (before) wanted.set("before", String(before));
  return `/api/events?${wanted}`;
}

export default function EventsPage({ query }: PageProps) {
  const asked = query.toString();
  const path = address(query);
  const found = useDocument<Events>(path, 10, now);
  const [older, setOlder] = useState<{ asked: string; events: Event[]; more: boolean } | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => setOlder(null), [asked]);
  const newest = found.value?.events ?? [];
  const last = older?.events.at(-1) ?? newest.at(-1);
  const rows = [...newest, ...(older?.events ?? [])];
  const more = older ? older.more : (found.value?.more ?? false);
  const goOn = (): void => {
    if (!last) return;
    get<Events>(address(query, last.number)).then(
      (answer) => setOlder({ asked, events: [...(older?.events ?? []), ...answer.events], more: answer.more }),
      (error: unknown) => setProblem(wordsOf(error)),
    );
  };
  return (
    <>
      <PageHead title={t("title")} sub={t("sub")} />
      <form class="event-search" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          {t("words")}
          <input type="search" value={query.get("text") ?? ""} onChange={(event) => ask({ text: event.currentTarget.value })} />
        </label>
        <label>
          {t("subject")}
          <input type="search" value={query.get("subject") ?? ""} onChange={(event) => ask({ subject: event.currentTarget.value.trim() })} />
        </label>
        <label>
          {t("kind")}
          <select value={query.get("kind") ?? ""} onChange={(event) => ask({ kind: event.currentTarget.value })}>
            <option value="">{t("all")}</option>
            {KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {kindOf(kind)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t("span")}
          <select value={spanOf(query.get("span"))} onChange={(event) => ask({ span: event.currentTarget.value })}>
            {(Object.keys(SPANS) as Span[]).map((span) => (
              <option key={span} value={span}>
                {t(span)}
              </option>
            ))}
          </select>
        </label>
      </form>
      <Card title={t("title")} count={rows.length} wide>
        <Loading from={found} />
        <Table
          rows={rows}
          id={(row) => String(row.number)}
          tone={(row) => (BAD.has(row.state) || (row.detail.severity ?? 9) <= 3 ? "down" : "")}
          empty={found.value ? t("none") : ""}
          columns={[
            { head: t("at"), cell: (row) => <When at={row.at} ago={false} />, sort: (row) => row.number },
            { head: t("kind"), cell: (row) => kindOf(row.kind), sort: (row) => row.kind },
            { head: t("subject"), cell: (row) => row.subject, sort: (row) => row.subject },
            {
              head: t("what"),
              cell: (row) => (
                <span class="event-words">
                  {stateOf(row.state)}
                  {row.detail.reason && <small> {row.detail.reason}</small>}
                  {row.detail.repeated && <small> {t("repeated", { n: row.detail.repeated })}</small>}
                </span>
              ),
            },
          ]}
        />
        {more && (
          <button type="button" class="main" onClick={goOn}>
            {t("more")}
          </button>
        )}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
      </Card>
    </>
  );
}
