/** What may be done with a ticket now: the server says which actions, a form asks what each one needs. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import { named } from "../../shared/i18n";
import { wordsOf } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Field, Form, type Values } from "../ui/form";
import type { Action, Classes, Ticket, TicketDetail } from "./types";
import { word } from "./words";
import { ACTION, OUTCOME, t } from "./words-ticket";

/** Actions that need no words: one press. */
const AT_ONCE: readonly Action[] = ["take", "work", "resume"];
const FIRST: readonly Action[] = ["take", "work", "resume", "restore", "close"];

export const act = (ticket: Ticket, action: Action, body: Record<string, unknown> = {}): Promise<TicketDetail> =>
  post<TicketDetail>(`/api/desk/tickets/${ticket.id}/${action}`, body);

export function Actions({ ticket, classes, done }: { ticket: TicketDetail; classes: Classes | null; done: () => void }) {
  const [open, setOpen] = useState<Action | "">("");
  const [problem, setProblem] = useState("");
  const press = (action: Action): void => {
    setProblem("");
    if (!AT_ONCE.includes(action)) {
      setOpen(action);
      return;
    }
    act(ticket, action).then(done, (error: unknown) => setProblem(wordsOf(error)));
  };
  if (ticket.may.length === 0) return null;
  const order = Object.keys(ACTION) as Action[];
  return (
    <section class="actions">
      {order
        .filter((action) => ticket.may.includes(action))
        .map((action) => (
          <button key={action} data-action={action} class={FIRST.includes(action) ? "main" : action === "correct" ? "danger" : undefined} onClick={() => press(action)}>
            {word(ACTION, action)}
          </button>
        ))}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {open && (
        <Dialog title={`${word(ACTION, open)} · ${t("ticketN", { id: ticket.id })}`} close={() => setOpen("")}>
          <Form
            label={t("do")}
            danger={open === "correct"}
            send={(values) => act(ticket, open, bodyOf(values))}
            done={() => {
              setOpen("");
              done();
            }}
            cancel={() => setOpen("")}
          >
            <Fields action={open} ticket={ticket} classes={classes} />
          </Form>
        </Dialog>
      )}
    </section>
  );
}

/** Numbers as numbers, what was left empty left out. */
function bodyOf(values: Values): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) if (value !== "") body[name] = name === "satisfaction" || name === "parent" ? Number(value) : value;
  return body;
}

function Fields({ action, ticket, classes }: { action: Action; ticket: TicketDetail; classes: Classes | null }) {
  switch (action) {
    case "assign":
      return (
        <>
          <Field
            name="to"
            label={t("to")}
            required
            options={[
              ...(classes?.teams.map((team): [string, string] => [team.name, named(team)]) ?? []),
              ...(classes?.people.map((one): [string, string] => [one.login, named(one)]) ?? []),
            ]}
          />
          <Field name="why" label={t("why")} multi />
        </>
      );
    case "restore":
      return (
        <>
          {ticket.kind === "request" ? (
            <Field name="outcome" label={t("decision")} required options={["granted", "refused"].map((one): [string, string] => [one, word(OUTCOME, one)])} />
          ) : (
            <Field name="cause" label={t("found")} />
          )}
          <Field name="why" label={t("why")} multi focus />
        </>
      );
    case "close":
      return (
        <>
          <Field name="satisfaction" label={t("satisfaction")} options={[["", "–"], ...[5, 4, 3, 2, 1].map((n): [string, string] => [String(n), `${n} ${"★".repeat(n)}`])]} />
          <Field name="why" label={t("why")} multi />
        </>
      );
    case "comment":
      return <Field name="text" label={t("text")} required multi focus />;
    case "link":
      return <Field name="parent" label={t("parent")} required type="number" min={1} focus />;
    case "withdraw-card":
      return (
        <>
          <Field name="card" label={t("card")} required options={ticket.cards.filter((card) => !card.withdrawn).map((card): [string, string] => [card.kind, t(card.kind)])} />
          <Field name="why" label={t("whyNeeded")} required multi />
        </>
      );
    default:
      return <Field name="why" label={t("whyNeeded")} required multi focus />;
  }
}
