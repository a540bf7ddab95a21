/** A unit's own tickets: how far each is, its clock, and what the unit thinks of it when it is done. */
import { useState } from "preact/hooks";
import { to } from "../shell/router";
import { may } from "../shell/session";
import { useDocument, wordsOf } from "../ui/data";
import { Card, Empty, Loading, When } from "../ui/show";
import { act } from "./actions";
import { deskWake } from "./common";
import { ClockBadge, titleOf } from "./parts";
import type { Action, Ticket, Tickets } from "./types";
import { word } from "./words";
import { t } from "./words-report";
import { STATE } from "./words-ticket";

const STEPS = ["opened", "accepted", "in-hand", "restored", "closed"] as const;

export function OwnTickets() {
  const tickets = useDocument<Tickets>("/api/desk/tickets?state=all&limit=20", 8, deskWake);
  return (
    <Card title={t(may("handle") ? "latest" : "own")} wide>
      <Loading from={tickets} />
      {tickets.value?.tickets.length === 0 && <Empty words={t("noOwn")} />}
      <ul class="own">
        {tickets.value?.tickets.map((ticket) => (
          <Own key={ticket.id} ticket={ticket} reload={tickets.reload} />
        ))}
      </ul>
    </Card>
  );
}

function Own({ ticket, reload }: { ticket: Ticket; reload: () => void }) {
  const [problem, setProblem] = useState("");
  const send = (action: Action, body: Record<string, unknown>): void => {
    act(ticket, action, body).then(reload, (error: unknown) => setProblem(wordsOf(error)));
  };
  const state = ticket.state === "waiting" || ticket.state === "reopened" ? "in-hand" : ticket.state;
  const reached = STEPS.findIndex((step) => step === state);
  return (
    <li class="own-ticket" data-ticket={ticket.id}>
      <p class="own-head">
        <a href={to(`/tickets/${ticket.id}`)}>
          <b>
            {ticket.id} {titleOf(ticket)}
          </b>
        </a>
        <ClockBadge ticket={ticket} />
      </p>
      <ol class="progress" aria-label={word(STATE, ticket.state)}>
        {STEPS.map((step, index) => (
          <li key={step} class={index < reached ? "past" : index === reached ? "here" : ""}>
            {word(STATE, index === reached ? ticket.state : step)}
          </li>
        ))}
      </ol>
      <small class="quiet">
        <When at={ticket.opened_at} />
      </small>
      {ticket.state === "restored" && ticket.may.includes("close") && (
        <p class="rate">
          {t("rate")}
          {[5, 4, 3, 2, 1].map((stars) => (
            <button key={stars} aria-label={t("stars", { n: stars })} onClick={() => send("close", { satisfaction: stars })}>
              {stars} ★
            </button>
          ))}
          {ticket.may.includes("reopen") && <button onClick={() => send("reopen", { why: t("notSolved") })}>{t("notSolved")}</button>}
        </p>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </li>
  );
}
