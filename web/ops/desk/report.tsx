/** 报障: a unit's contact says what is wrong in three presses, and sees at once what is already known. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import { named, say } from "../../shared/i18n";
import type { PageProps } from "../pages";
import { ask } from "../shell/router";
import { may, person } from "../shell/session";
import { useDocument, wordsOf } from "../ui/data";
import { Loading, PageHead } from "../ui/show";
import { time } from "../format";
import "./desk.css";
import "./report.css";
import { deskWake } from "./common";
import { OwnTickets } from "./own";
import { RequestForm } from "./request";
import { quantity } from "./quantity";
import type { Classes, Known, TicketDetail, Unit } from "./types";
import { PROBLEMS, t } from "./words-report";

export interface Filed {
  ticket: TicketDetail;
  known: { ticket: unknown; zh: string; en: string } | null;
}

export default function ReportPage({ query }: PageProps) {
  const classes = useDocument<Classes>("/api/desk/classes", 0);
  const [site, setSite] = useState(query.get("site") ?? "");
  const [filed, setFiled] = useState<Filed | null>(null);
  const requesting = query.get("what") === "request";
  const units = classes.value?.units ?? [];
  const chosen = units.find((unit) => unit.site === site) ?? (units.length === 1 ? units[0] : undefined);
  return (
    <div class="report">
      <PageHead title={t("reportTitle")} sub={person.value && t("hello", { name: named(person.value) })}>
        <nav class="tabs">
          <button aria-pressed={!requesting} onClick={() => ask({ what: "" })}>
            {t("report")}
          </button>
          <button aria-pressed={requesting} onClick={() => ask({ what: "request" })}>
            {t("request")}
          </button>
        </nav>
      </PageHead>
      <Loading from={classes} />
      {filed && <Done filed={filed} again={() => setFiled(null)} />}
      {classes.value && units.length === 0 && <p class="problem">{t("unitGone")}</p>}
      {classes.value && !filed && units.length > 0 && (
        <>
          <Units units={units} chosen={chosen} choose={setSite} />
          {chosen && <KnownHere site={chosen.site} />}
          {chosen && <Served site={chosen.site} />}
          {chosen && !requesting && <ReportForm key={chosen.site} unit={chosen} classes={classes.value} done={setFiled} />}
          {chosen && requesting && <RequestForm key={chosen.site} unit={chosen} classes={classes.value} done={setFiled} />}
        </>
      )}
      <OwnTickets key={filed?.ticket.id ?? 0} />
    </div>
  );
}

/** One press for a few units; a list to choose from when the whole county is one's own. */
function Units({ units, chosen, choose }: { units: Unit[]; chosen: Unit | undefined; choose: (site: string) => void }) {
  return (
    <section class="ask">
      <h3>{t("whichUnit")}</h3>
      {units.length <= 12 ? (
        <div class="choices">
          {units.map((unit) => (
            <button key={unit.site} aria-pressed={unit.site === chosen?.site} onClick={() => choose(unit.site)}>
              {named(unit)}
            </button>
          ))}
        </div>
      ) : (
        <select class="unit" aria-label={t("whichUnit")} value={chosen?.site ?? ""} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="">–</option>
          {units.map((unit) => (
            <option key={unit.site} value={unit.site}>
              {named(unit)} ({unit.site})
            </option>
          ))}
        </select>
      )}
    </section>
  );
}

/** Whether the fault is known, since when, and how far it is: before anything is sent. */
function KnownHere({ site }: { site: string }) {
  const known = useDocument<Known>(`/api/desk/known?site=${encodeURIComponent(site)}`, 5, deskWake);
  const found = known.value;
  if (!found) return <Loading from={known} />;
  const first = found.tickets[0];
  if (!first || !named(found)) return <p class="known none">✓ {t("nothingKnown")}</p>;
  return (
    <section class="known found" role="status">
      <b>{t("known")}</b>
      <p>{named(found)}</p>
      <p>{t("knownSince", { time: time(first.opened_at, false) })}</p>
    </section>
  );
}

interface Level {
  site: string;
  availability: number | null;
  target: number;
  met: boolean;
}

/** What the unit was promised this month, and what it got. */
function Served({ site }: { site: string }) {
  const levels = useDocument<{ sites: Level[] }>("/api/desk/sla", 60);
  const own = levels.value?.sites.find((one) => one.site === site);
  if (!own || own.availability === null) return null;
  const [got, promised] = [quantity(own.availability, "ratio")[0], quantity(own.target, "ratio")[0]];
  return <p class={own.met ? "served" : "served late"}>{t("served", { got, promised })}</p>;
}

function ReportForm({ unit, classes, done }: { unit: Unit; classes: Classes; done: (filed: Filed) => void }) {
  const [problem, setProblem] = useState<number | null>(null);
  const [refused, setRefused] = useState("");
  const [sending, setSending] = useState(false);
  const other = problem === PROBLEMS.length - 1;
  const phone = may("handle");
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const values = new FormData(event.currentTarget as HTMLFormElement);
    const word = (name: string): string => String(values.get(name) ?? "").trim();
    const pressed = problem === null ? undefined : PROBLEMS[problem];
    const text = [other || !pressed ? "" : say(pressed), word("text")].filter(Boolean).join(":");
    setSending(true);
    setRefused("");
    const body = { site: unit.site, text, service: word("service"), organisation: word("organisation"), contact: word("contact"), channel: phone ? "phone" : "page" };
    post<Filed>("/api/desk/reports", body).then(done, (error: unknown) => {
      setRefused(wordsOf(error));
      setSending(false);
    });
  };
  const contact = unit.contact ? `${unit.contact.name}, ${unit.contact.phone}` : person.value && !phone ? named(person.value) : "";
  return (
    <form class="form ask" onSubmit={submit}>
      <h3>{t("whatWrong")}</h3>
      <div class="choices">
        {PROBLEMS.map((pair, index) => (
          <button key={index} type="button" aria-pressed={problem === index} onClick={() => setProblem(index)}>
            {say(pair)}
          </button>
        ))}
      </div>
      {problem !== null && (
        <>
          <p class="field">
            <label for="report-text">{t(other ? "sayNeeded" : "say")}</label>
            <textarea id="report-text" name="text" rows={2} required={other} maxLength={1000} />
          </p>
          {problem === 3 && classes.services.length > 0 && (
            <p class="field">
              <label for="report-service">{t("whichService")}</label>
              <select id="report-service" name="service">
                <option value="">–</option>
                {classes.services.map((service) => (
                  <option key={service.name} value={service.name}>
                    {named(service)}
                  </option>
                ))}
              </select>
            </p>
          )}
          {unit.organisations.length > 0 && <Organisations unit={unit} />}
          <p class="field">
            <label for="report-contact">{t("whom")}</label>
            <input id="report-contact" name="contact" defaultValue={contact} maxLength={100} />
          </p>
          {refused && (
            <p class="problem" role="alert">
              {refused}
            </p>
          )}
          <button class="main large" type="submit" disabled={sending}>
            {t("press")}
          </button>
        </>
      )}
    </form>
  );
}

/** Which body of a shared building it is. */
export const Organisations = ({ unit }: { unit: Unit }) => (
  <p class="field">
    <label for="report-organisation">{t("organisation")}</label>
    <select id="report-organisation" name="organisation">
      <option value="">–</option>
      {unit.organisations.map((one) => (
        <option key={one.zh} value={one.zh}>
          {named(one)}
        </option>
      ))}
    </select>
  </p>
);

function Done({ filed, again }: { filed: Filed; again: () => void }) {
  return (
    <section class="known found filed" role="status">
      <b>✓ {t(filed.known ? "filedKnown" : "filed", { id: filed.ticket.id })}</b>
      {filed.known && <p>{named(filed.known)}</p>}
      <button onClick={again}>{t("another")}</button>
    </section>
  );
}
