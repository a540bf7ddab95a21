/** One ticket: its clock, what is known, what was done, and what this person may do now. */
import { language, named, say } from "../../shared/i18n";
import { hallName } from "../banner";
import { duration } from "../format";
import type { PageProps } from "../pages";
import { to } from "../shell/router";
import { may } from "../shell/session";
import { clock } from "../store";
import { useDocument } from "../ui/data";
import { Card, Loading, PageHead, When } from "../ui/show";
import { Actions } from "./actions";
import { deskWake } from "./common";
import "./desk.css";
import { Cards, ClockBadge, ClockBar, titleOf } from "./parts";
import { consequences, faultTitle, lasting, measured, sinceWords } from "./sentence";
import type { Classes, Step, TicketDetail } from "./types";
import { word } from "./words";
import { CHANNEL, DETAIL, OUTCOME, REQUEST, STATE, STEP, t } from "./words-ticket";
import { TicketTable } from "./tickets";

export default function TicketPage({ params }: PageProps) {
  const ticket = useDocument<TicketDetail>(`/api/desk/tickets/${encodeURIComponent(params["id"] ?? "")}`, 5, deskWake);
  const classes = useDocument<Classes>("/api/desk/classes", 0);
  const found = ticket.value;
  return (
    <>
      <PageHead
        title={found ? titleOf(found) : t("ticketN", { id: params["id"] ?? "" })}
        sub={
          found && (
            <>
              {t("ticketN", { id: found.id })} · {language.value === "zh" ? found.class_zh : found.class_en} · {word(STATE, found.state)} <Cards ticket={found} />
            </>
          )
        }
      >
        {found && <ClockBadge ticket={found} />}
      </PageHead>
      <Loading from={ticket} />
      {found && (
        <>
          <Limit ticket={found} />
          <Actions key={found.id} ticket={found} classes={classes.value} done={ticket.reload} />
          <div class="cards">
            <Facts ticket={found} classes={classes.value} />
            <Card title={t("history")} count={found.history.length}>
              <ol class="steps">
                {found.history.toReversed().map((step) => (
                  <StepRow key={step.id} step={step} classes={classes.value} />
                ))}
              </ol>
            </Card>
            {found.linked.length > 0 && (
              <Card title={t("linked")} count={found.linked.length} wide>
                <TicketTable tickets={found.linked} />
              </Card>
            )}
          </div>
        </>
      )}
    </>
  );
}

/** The limit as a bar, with its dates. */
function Limit({ ticket }: { ticket: TicketDetail }) {
  const limit = ticket.clock;
  const answer = limit.respond_due_at;
  return (
    <section class="limit">
      <ClockBar ticket={ticket} />
      <p class="figures">
        {limit.limit_s !== null && (
          <span>
            {t("usedOf", { spent: duration(limit.spent_s), limit: duration(limit.limit_s) })}
            {limit.working && ` (${t("working")})`}
          </span>
        )}
        {limit.due_at !== null && (
          <span>
            {t("due")} <When at={limit.due_at} ago={false} />
          </span>
        )}
        {answer !== null && ticket.accepted_at === null && (
          <b class={answer < clock.value ? "late" : undefined}>
            {answer < clock.value ? t("respondOver", { time: duration(clock.value - answer) }) : t("respondLeft", { time: duration(answer - clock.value) })}
          </b>
        )}
        {ticket.state === "waiting" && <b>{t("waitingFor", { why: limit.waiting_why })}</b>}
        {ticket.escalations.map((one) => (
          <b key={one.step} class="late">
            {t("escalated", { n: one.step, to: one.to.join(", ") })}
          </b>
        ))}
      </p>
    </section>
  );
}

function Facts({ ticket, classes }: { ticket: TicketDetail; classes: Classes | null }) {
  const team = classes?.teams.find((one) => one.name === ticket.team);
  const fault = ticket.fault_detail;
  const asked = Object.entries(ticket.request_detail);
  return (
    <Card title={t("facts")}>
      <dl class="facts-list">
        {fault && (
          <Fact name={t("fault")}>
            <b>
              {sinceWords(fault)} {faultTitle(fault)}
            </b>{" "}
            <span class="quiet">{lasting(fault)}</span>
            <ul class="consequences">
              {[...measured(fault), ...consequences(fault.impact)].map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ul>
          </Fact>
        )}
        {ticket.text && !fault && <Fact name={t("told")}>{ticket.text}</Fact>}
        {ticket.request && <Fact name={t("wanted")}>{word(REQUEST, ticket.request)}</Fact>}
        {asked.map(([name, value]) => (
          <Fact key={name} name={word(DETAIL, name)}>
            {name === "start_at" ? <When at={Number(value)} ago={false} /> : name === "halls" && Array.isArray(value) ? value.map((hall) => hallName(String(hall))).join(", ") : Array.isArray(value) ? value.join(", ") : String(value)}
          </Fact>
        ))}
        <Fact name={t("site")}>
          {may("watch") && ticket.site ? <a href={to(`/site/${ticket.site}`)}>{siteWords(ticket)}</a> : siteWords(ticket)}
        </Fact>
        {ticket.contact && <Fact name={t("contact")}>{ticket.contact}</Fact>}
        <Fact name={t("channel")}>
          {word(CHANNEL, ticket.channel)}
          {ticket.channel !== "monitor" && ` · ${nameOf(classes, ticket.opened_by)}`}
        </Fact>
        <Fact name={t("handler")}>
          {nameOf(classes, ticket.assignee) || t("nobody")} {team && <span class="quiet">{named(team)}</span>}
        </Fact>
        <Fact name={t("opened")}>
          <When at={ticket.opened_at} />
        </Fact>
        {ticket.accepted_at !== null && (
          <Fact name={t("accepted")}>
            <When at={ticket.accepted_at} />
          </Fact>
        )}
        {ticket.restored_at !== null && (
          <Fact name={t("restoredAt")}>
            <When at={ticket.restored_at} />
          </Fact>
        )}
        {ticket.closed_at !== null && (
          <Fact name={t("closedAt")}>
            <When at={ticket.closed_at} />
          </Fact>
        )}
        {ticket.outcome && <Fact name={t("outcome")}>{word(OUTCOME, ticket.outcome)}</Fact>}
        {ticket.cause && <Fact name={t("cause")}>{ticket.cause}</Fact>}
        {ticket.satisfaction !== null && <Fact name={t("satisfaction")}>{"★".repeat(ticket.satisfaction)}</Fact>}
        {ticket.parent !== null && (
          <Fact name={t("linked")}>
            <a href={to(`/tickets/${ticket.parent}`)}>{t("parentOf", { id: ticket.parent })}</a>
          </Fact>
        )}
      </dl>
    </Card>
  );
}

const Fact = ({ name, children }: { name: string; children: preact.ComponentChildren }) => (
  <>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </>
);

const siteWords = (ticket: TicketDetail): string =>
  [(language.value === "zh" ? ticket.site_zh : ticket.site_en) || ticket.site, ticket.organisation].filter(Boolean).join(" · ");

/** A person's name; the login of one whom the county does not name. */
export function nameOf(classes: Classes | null, login: string): string {
  if (login === "collect") return t("system");
  const known = classes?.people.find((one) => one.login === login);
  return known ? named(known) : login;
}

export function StepRow({ step, classes }: { step: Step; classes: Classes | null }) {
  const more = ["to", "outcome", "cause", "done", "satisfaction"].map((name) => step.detail[name]).filter((value) => typeof value === "string" || typeof value === "number");
  return (
    <li class={`step ${step.what}`}>
      <When at={step.at} ago={false} />
      <p>
        <b>{word(STEP, step.what)}</b> <span class="quiet">{nameOf(classes, step.who)}</span>
        {step.why && <span> {step.why}</span>}
        {more.length > 0 && <small class="quiet"> {more.map((value) => (OUTCOME[String(value)] ? say(OUTCOME[String(value)] as readonly [string, string]) : nameOf(classes, String(value)))).join(" · ")}</small>}
      </p>
    </li>
  );
}
