/** Parts that several of the desk's pages share: a ticket's clock, its cards, its name. */
import { say } from "../../shared/i18n";
import { duration } from "../format";
import { clock } from "../store";
import type { Light, Ticket } from "./types";
import { clause, faultTitle } from "./sentence";
import { word } from "./words";
import { REQUEST, STATE, t } from "./words-ticket";

const LONGEST = 48; // characters of a title
const TONE: Record<Light, string> = { green: "up", yellow: "degraded", red: "down", off: "plain" };

/** Seconds until the ticket is overdue; negative when it is, null when its clock stands. */
export const left = (ticket: Ticket): number | null => (ticket.clock.due_at === null ? null : ticket.clock.due_at - clock.value);

/** The light at this moment: the page's own clock turns it, the server's next answer confirms it. */
export function light(ticket: Ticket): Light {
  const { clock: limit } = ticket;
  if (!limit.running || limit.due_at === null) return limit.light;
  if (clock.value >= limit.due_at) return "red";
  if (limit.yellow_at !== null && clock.value >= limit.yellow_at) return limit.light === "red" ? "red" : "yellow";
  return limit.light;
}

/** What is left of the time limit, in its colour. */
export function ClockBadge({ ticket }: { ticket: Ticket }) {
  const rest = left(ticket);
  const tone = rest === null ? "plain" : TONE[light(ticket)];
  if (rest === null) return <span class={`pill ${tone}`}>{ticket.parent !== null ? t("partOf", { id: ticket.parent }) : word(STATE, ticket.state)}</span>;
  return (
    <span class={`pill figures ${tone}`}>{rest >= 0 ? t("left", { time: duration(rest) }) : t("over", { time: duration(-rest) })}</span>
  );
}

/** How much of the limit is used, as a bar with its yellow mark. */
export function ClockBar({ ticket }: { ticket: Ticket }) {
  const { share, limit_s } = ticket.clock;
  if (share === null || !limit_s) return null;
  const used = Math.min(1, Math.max(0, share));
  return (
    <span class={`clock-bar ${TONE[light(ticket)]}`} role="img" aria-label={`${Math.round(share * 100)} %`}>
      <i style={{ width: `${used * 100}%` }} />
    </span>
  );
}

/** Yellow and red cards, the withdrawn ones crossed out. */
export const Cards = ({ ticket }: { ticket: Ticket }) => (
  <>
    {ticket.cards.map((card) => (
      <span key={card.kind} class={`supervision-card ${card.kind} ${card.withdrawn ? "withdrawn" : ""}`} title={t(card.kind)}>
        {t(card.kind)}
      </span>
    ))}
  </>
);

/** What a ticket is about: a fault by its kind, a request by what it asks for, a report by its words. */
export function titleOf(ticket: Ticket): string {
  if (ticket.kind === "fault") return "fault_detail" in ticket && isFault(ticket.fault_detail) ? faultTitle(ticket.fault_detail) : clause(say([ticket.subject, ticket.subject_en]));
  if (ticket.kind === "request") return `${word(REQUEST, ticket.request)} ${ticket.subject.replace(/^[^:：]*：/, "")}`; // its unit stands beside it
  const told = ticket.text.split("\n", 1)[0] ?? "";
  return told.length > LONGEST ? `${told.slice(0, LONGEST)}…` : told || ticket.subject;
}

const isFault = (value: unknown): value is { kind: string; subject: string } =>
  typeof value === "object" && value !== null && "kind" in value && "subject" in value;
