/** The queue: what is due first stands first. */
import { language, say } from "../../shared/i18n";
import type { PageProps } from "../pages";
import { ask, to } from "../shell/router";
import { may, person } from "../shell/session";
import { useDocument } from "../ui/data";
import { Loading, PageHead, When } from "../ui/show";
import { Table } from "../ui/table";
import { Choice, deskWake } from "./common";
import "./desk.css";
import { Cards, ClockBadge, light, titleOf } from "./parts";
import type { Ticket, Tickets } from "./types";
import { word } from "./words";
import { KIND, STATE, t } from "./words-ticket";

const STATES = ["active", "waiting", "restored", "closed", "all"] as const;
const MOST = 200;

export default function TicketQueue({ query }: PageProps) {
  const state = STATES.find((one) => one === query.get("state")) ?? "active";
  const [lit, kind, mine] = [query.get("light") ?? "", query.get("kind") ?? "", query.get("mine") === "1"];
  const asked = new URLSearchParams({ state, limit: String(MOST), light: lit, kind, assignee: mine ? (person.value?.login ?? "") : "" });
  const tickets = useDocument<Tickets>(`/api/desk/tickets?${asked}`, 5, deskWake);
  const counts = tickets.value?.counts;
  return (
    <>
      <PageHead title={t("tickets")}>
        {may(["handle", "report"]) && (
          <a class="button main" href={to("/report")}>
            {t("onBehalf")}
          </a>
        )}
      </PageHead>
      <p class="filters">
        <nav class="tabs">
          {STATES.map((one) => (
            <button key={one} aria-pressed={state === one} onClick={() => ask({ state: one === "active" ? "" : one })}>
              {t(one)} {counts && one in counts && <span class="count figures">{counts[one as keyof typeof counts]}</span>}
            </button>
          ))}
        </nav>
        <Choice
          label={t("light")}
          value={lit}
          set={(value) => ask({ light: value })}
          options={[["", t("all")], ["yellow", `${t("yellow")} ${counts?.yellow ?? ""}`], ["red", `${t("red")} ${counts?.red ?? ""}`]]}
        />
        <Choice
          label={t("kind")}
          value={kind}
          set={(value) => ask({ kind: value })}
          options={[["", t("all")], ...Object.entries(KIND).map(([one, pair]): [string, string] => [one, say(pair)])]}
        />
        {may("handle") && (
          <label>
            <input type="checkbox" checked={mine} onChange={(event) => ask({ mine: event.currentTarget.checked ? "1" : "" })} /> {t("mine")}{" "}
            {counts && <span class="count figures">{counts.mine}</span>}
          </label>
        )}
      </p>
      <Loading from={tickets} />
      {tickets.value && <TicketTable tickets={tickets.value.tickets} byDue={state !== "closed" && state !== "all"} />}
      {tickets.value?.more && <p class="quiet">{t("moreThere")}</p>}
    </>
  );
}

/** Tickets with their clocks; a press opens one. */
export function TicketTable({ tickets, byDue = true }: { tickets: readonly Ticket[]; byDue?: boolean }) {
  const site = (ticket: Ticket): string => (language.value === "zh" ? ticket.site_zh : ticket.site_en) || ticket.site;
  return (
    <Table
      rows={tickets}
      id={(ticket) => String(ticket.id)}
      href={(ticket) => to(`/tickets/${ticket.id}`)}
      empty={t("noTickets")}
      filter={(ticket) => `${ticket.id} ${titleOf(ticket)} ${ticket.text} ${site(ticket)} ${ticket.organisation} ${ticket.assignee} ${ticket.class_zh} ${ticket.class_en}`}
      tone={(ticket) => `lit-${light(ticket)}`}
      {...(byDue && { sorted: 0 })}
      columns={[
        {
          head: t("clock"),
          cell: (ticket) => <ClockBadge ticket={ticket} />,
          sort: (ticket) => ticket.clock.due_at,
        },
        { head: t("number"), cell: (ticket) => ticket.id, sort: (ticket) => ticket.id },
        { head: t("matter"), cell: (ticket) => <b>{titleOf(ticket)}</b>, sort: titleOf },
        { head: t("site"), cell: site, sort: site },
        { head: t("class"), cell: (ticket) => (language.value === "zh" ? ticket.class_zh : ticket.class_en), sort: (ticket) => ticket.class },
        { head: t("state"), cell: (ticket) => word(STATE, ticket.state), sort: (ticket) => ticket.state },
        { head: t("handler"), cell: (ticket) => ticket.assignee || <span class="quiet">{t("nobody")}</span>, sort: (ticket) => ticket.assignee },
        { head: t("opened"), cell: (ticket) => <When at={ticket.opened_at} />, sort: (ticket) => ticket.opened_at },
        { head: t("cards"), cell: (ticket) => <Cards ticket={ticket} /> },
      ]}
    />
  );
}
