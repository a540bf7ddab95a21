/** 电子监察: every running clock, worst first; read from across the room. */
import { language, named } from "../../shared/i18n";
import { go, to } from "../shell/router";
import { useDocument } from "../ui/data";
import { Card, Empty, Figure, Loading, PageHead, When } from "../ui/show";
import { Table } from "../ui/table";
import { deskWake } from "./common";
import "./board.css";
import "./desk.css";
import { Cards, ClockBadge, ClockBar, titleOf } from "./parts";
import { clause } from "./sentence";
import type { Board, Ticket } from "./types";
import { word } from "./words";
import { t } from "./words-lead";
import { STEP } from "./words-ticket";

export default function BoardPage() {
  const board = useDocument<Board>("/api/desk/board", 5, deskWake);
  const found = board.value;
  return (
    <div class="board">
      <PageHead title={t("board")} />
      <Loading from={board} />
      {found && (
        <>
          {found.clock.settling && <p class="problem">{t("settling")}</p>}
          {found.clock.warning && <p class="problem">{t("calendar", { day: found.clock.calendar_ends, warning: found.clock.warning })}</p>}
          <Counts board={found} />
          <div class="board-lists">
            <List title={t("overdue")} tone="down" tickets={found.red} />
            <List title={t("near")} tone="degraded" tickets={found.yellow} />
            <List title={t("next")} tone="up" tickets={found.next.filter((ticket) => ticket.clock.light === "green")} />
          </div>
          <div class="cards">
            <Card title={t("byUnit")}>
              <Loads rows={found.by_unit} head={t("unit")} id={(row) => row.site} />
            </Card>
            <Card title={t("byClass")}>
              <Loads rows={found.by_class} head={t("class")} id={(row) => row.class} />
            </Card>
            <Card title={t("recent")}>
              <Recent board={found} />
            </Card>
            <Card title={t("corrections")} count={found.corrections.length}>
              {found.corrections.length === 0 ? (
                <Empty words={t("noCorrections")} />
              ) : (
                <ul class="rows">
                  {found.corrections.map((one) => (
                    <li key={`${one.ticket}/${one.at}`} class="row down">
                      <a href={to(`/tickets/${one.ticket}`)}>
                        #{one.ticket} {one.why}
                      </a>
                      <small>
                        {one.who} · <When at={one.at} />
                      </small>
                    </li>
                  ))}
                </ul>
              )}
            </Card>
          </div>
        </>
      )}
    </div>
  );
}

function Counts({ board }: { board: Board }) {
  const { counts } = board;
  return (
    <div class="figures-row board-counts">
      <Figure name={t("red")} value={counts.red} tone={counts.red ? "down" : "up"} />
      <Figure name={t("yellow")} value={counts.yellow} tone={counts.yellow ? "degraded" : "up"} />
      <Figure name={t("lateResponse")} value={counts.late_response} tone={counts.late_response ? "degraded" : "up"} />
      <Figure name={t("active")} value={counts.active} />
      <Figure name={t("waiting")} value={counts.waiting} />
      <Figure name={t("deemed")} value={counts.deemed_today} />
      <Figure name={t("closedToday")} value={counts.closed_today} />
    </div>
  );
}

function List({ title, tone, tickets }: { title: string; tone: string; tickets: Ticket[] }) {
  return (
    <section class={`clocks ${tone}`}>
      <h3>
        {title} <span class="count figures">{tickets.length}</span>
      </h3>
      {tickets.length === 0 && <Empty words={t("none")} />}
      <ul>
        {tickets.slice(0, 12).map((ticket) => (
          <li key={ticket.id}>
            <button class="running" onClick={() => go(`/tickets/${ticket.id}`)}>
              <span class="running-head">
                <b>{titleOf(ticket)}</b>
                <ClockBadge ticket={ticket} />
              </span>
              <small>
                #{ticket.id} · {(language.value === "zh" ? ticket.site_zh : ticket.site_en) || ticket.site || "–"} ·{" "}
                {language.value === "zh" ? ticket.class_zh : ticket.class_en}
                {ticket.assignee && ` · ${ticket.assignee}`} <Cards ticket={ticket} />
              </small>
              <ClockBar ticket={ticket} />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface LoadRow {
  zh: string;
  en: string;
  active: number;
  yellow: number;
  red: number;
}

function Loads<R extends LoadRow>({ rows, head, id }: { rows: readonly R[]; head: string; id: (row: R) => string }) {
  return (
    <Table
      rows={rows}
      id={id}
      empty={t("none")}
      tone={(row) => (row.red ? "lit-red" : row.yellow ? "lit-yellow" : "lit-off")}
      columns={[
        { head, cell: (row) => named(row) || id(row) || "–", sort: (row) => named(row) },
        { head: t("active"), cell: (row) => row.active, sort: (row) => row.active, figures: true },
        { head: t("yellow"), cell: (row) => row.yellow, sort: (row) => row.yellow, figures: true },
        { head: t("red"), cell: (row) => row.red, sort: (row) => row.red, figures: true },
      ]}
    />
  );
}

const Recent = ({ board }: { board: Board }) => (
  <ol class="steps">
    {board.recent.slice(0, 12).map((step) => (
      <li key={step.id} class={`step ${step.what}`}>
        <When at={step.at} ago={false} />
        <p>
          <b>{word(STEP, step.what)}</b> <a href={to(`/tickets/${step.ticket ?? ""}`)}>#{step.ticket}</a> {clause(step.subject ?? "")} <span class="quiet">{step.who === "collect" ? "" : step.who}</span>
        </p>
      </li>
    ))}
  </ol>
);
