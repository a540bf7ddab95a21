/** 值班: who is on duty, what he writes down, and handing over with what is open, signed by both. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import { named } from "../../shared/i18n";
import { day, time } from "../format";
import { to } from "../shell/router";
import { may, person } from "../shell/session";
import { useDocument, wordsOf, type Loaded } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Field, Form } from "../ui/form";
import { Card, Empty, Loading, PageHead, When } from "../ui/show";
import { deskWake } from "./common";
import "./desk.css";
import "./report.css";
import { ClockBadge, titleOf } from "./parts";
import { nameOf } from "./ticket";
import type { Classes, Shift, ShiftNow, Ticket } from "./types";
import { t } from "./words-report";

const moment = (at: number): string => `${day(at)} ${time(at, false)}`;

export default function ShiftPage() {
  const shift = useDocument<ShiftNow>("/api/desk/shift", 10, deskWake);
  const earlier = useDocument<{ shifts: Shift[] }>("/api/desk/shifts?limit=30", 60, deskWake);
  const classes = useDocument<Classes>("/api/desk/classes", 0);
  const found = shift.value;
  const reload = (): void => {
    shift.reload();
    earlier.reload();
  };
  return (
    <>
      <PageHead title={t("shift")} />
      <Loading from={shift} />
      {found && (
        <>
          <OnDuty now={found} classes={classes.value} done={reload} />
          <div class="cards">
            <Matters tickets={found.open} />
            <Log now={found} classes={classes.value} done={reload} />
          </div>
        </>
      )}
      <Earlier shifts={earlier} classes={classes.value} />
    </>
  );
}

function OnDuty({ now, classes, done }: { now: ShiftNow; classes: Classes | null; done: () => void }) {
  const [handing, setHanding] = useState(false);
  const [problem, setProblem] = useState("");
  const send = (what: "on" | "off"): void => {
    setProblem("");
    post(`/api/desk/shift/${what}`, {}).then(done, (error: unknown) => setProblem(wordsOf(error)));
  };
  const { current, handover } = now;
  const mine = handover !== null && handover.handed_to === person.value?.login;
  return (
    <section class={`duty ${current ? "up" : "degraded"}`}>
      {current ? (
        <p class="duty-name">
          {t("onDuty")} <b>{named(current)}</b> <span class="quiet figures">{t("since", { time: moment(current.began_at) })}</span>
        </p>
      ) : (
        <p class="duty-name">
          <b>{t("nobody")}</b>
        </p>
      )}
      {handover && (
        <p class="handed">{t("handedBy", { name: named(handover), to: nameOf(classes, handover.handed_to), text: handover.handed_text || "–" })}</p>
      )}
      {may("handle") && (
        <p class="actions">
          {!now.mine && (
            <button class="main" data-action="on" onClick={() => send("on")}>
              {t(mine ? "takeOver" : "begin")}
            </button>
          )}
          {now.mine && (
            <>
              <button class="main" data-action="handover" onClick={() => setHanding(true)}>
                {t("handOver")}
              </button>
              <button data-action="off" onClick={() => send("off")}>
                {t("end")}
              </button>
            </>
          )}
        </p>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {handing && (
        <Dialog title={t("handOver")} close={() => setHanding(false)}>
          <Form
            label={t("signHand")}
            send={(values) => post("/api/desk/shift/handover", { to: values["to"], text: values["text"] ?? "" })}
            done={() => {
              setHanding(false);
              done();
            }}
            cancel={() => setHanding(false)}
          >
            <MatterList tickets={now.open} />
            <Field
              name="to"
              label={t("to")}
              required
              options={(classes?.people ?? []).filter((one) => one.login !== person.value?.login).map((one): [string, string] => [one.login, named(one)])}
            />
            <Field name="text" label={t("tell")} multi focus />
          </Form>
        </Dialog>
      )}
    </section>
  );
}

const Matters = ({ tickets }: { tickets: Ticket[] }) => (
  <Card title={t("openMatters")} count={tickets.length}>
    <MatterList tickets={tickets} />
  </Card>
);

function MatterList({ tickets }: { tickets: Ticket[] }) {
  if (tickets.length === 0) return <Empty words={t("noMatters")} />;
  return (
    <ul class="matters">
      {tickets.map((ticket) => (
        <li key={ticket.id}>
          <a href={to(`/tickets/${ticket.id}`)}>
            {ticket.id} {titleOf(ticket)}
          </a>
          <ClockBadge ticket={ticket} />
        </li>
      ))}
    </ul>
  );
}

function Log({ now, classes, done }: { now: ShiftNow; classes: Classes | null; done: () => void }) {
  const notes = now.current?.notes ?? [];
  return (
    <Card title={t("log")} count={notes.length}>
      {now.mine && (
        <Form label={t("note")} send={(values) => post("/api/desk/shift/note", { text: values["text"] })} done={done}>
          <Field name="text" label={t("noteText")} required multi maxLength={2000} />
        </Form>
      )}
      <Notes shift={now.current} classes={classes} />
    </Card>
  );
}

function Notes({ shift, classes }: { shift: Shift | null; classes: Classes | null }) {
  if (!shift || shift.notes.length === 0) return <Empty words={t("noNotes")} />;
  return (
    <ol class="steps">
      {shift.notes.toReversed().map((note) => (
        <li key={note.id} class="step">
          <When at={note.at} ago={false} />
          <p>
            {note.text} <span class="quiet">{nameOf(classes, note.who)}</span>{" "}
            {note.ticket !== null && <a href={to(`/tickets/${note.ticket}`)}>#{note.ticket}</a>}
          </p>
        </li>
      ))}
    </ol>
  );
}

function Earlier({ shifts, classes }: { shifts: Loaded<{ shifts: Shift[] }>; classes: Classes | null }) {
  const past = (shifts.value?.shifts ?? []).filter((shift) => shift.ended_at !== null);
  return (
    <Card title={t("earlier")} wide>
      <Loading from={shifts} />
      {shifts.value && past.length === 0 && <Empty words={t("noEarlier")} />}
      {past.map((shift) => (
        <details key={shift.id} class="turn-of-duty">
          <summary>
            <b>{named(shift)}</b> <span class="figures">{t("turn", { from: moment(shift.began_at), to: shift.ended_at === null ? t("now") : moment(shift.ended_at) })}</span>
          </summary>
          {shift.handed_to && (
            <p>
              {shift.taken_at === null
                ? t("unsigned", { from: named(shift), to: nameOf(classes, shift.handed_to) })
                : t("signed", { from: named(shift), to: nameOf(classes, shift.handed_to), time: moment(shift.taken_at) })}
              {shift.handed_text && `:${shift.handed_text}`}
            </p>
          )}
          {shift.open_tickets.length > 0 && <p class="quiet">{t("left", { ids: shift.open_tickets.join(", ") })}</p>}
          <Notes shift={shift} classes={classes} />
        </details>
      ))}
    </Card>
  );
}
