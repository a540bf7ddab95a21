/** Faults: one card for one root cause, with what it means, what follows from it, and who looks after it; and their history. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import { named, say } from "../../shared/i18n";
import { time } from "../format";
import { ICONS } from "../icons";
import { linkName } from "../banner";
import type { PageProps } from "../pages";
import { ask, to } from "../shell/router";
import { may } from "../shell/session";
import { soundOn, switchSound } from "../sound";
import { links, now } from "../store";
import { useDocument } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Field, Form } from "../ui/form";
import { Icon } from "../ui/icon";
import { Badge, Card, Empty, Loading, PageHead, When } from "../ui/show";
import { Table } from "../ui/table";
import { Choice, faultWake } from "./common";
import "./desk.css";
import { consequences, faultTitle, lasting, measured, nextStep, sinceWords } from "./sentence";
import type { Fault, Ticket, Tickets } from "./types";
import { FAULT, SEVERITY, t, word } from "./words";
import { ClockBadge } from "./parts";
import { Limits } from "./limits";
import { Windows } from "./windows";

interface Faults {
  faults: Fault[];
  more: boolean;
}

export default function Alerts({ query }: PageProps) {
  const history = query.get("show") === "history";
  return (
    <>
      <PageHead title={t("alerts")}>
        <nav class="tabs">
          <button aria-pressed={!history} onClick={() => ask({ show: "" })}>
            {t("open")}
          </button>
          <button aria-pressed={history} onClick={() => ask({ show: "history" })}>
            {t("history")}
          </button>
        </nav>
        <button class="sound" aria-pressed={soundOn.value} onClick={switchSound}>
          <Icon path={soundOn.value ? ICONS.sound : ICONS.mute} /> {t(soundOn.value ? "soundOn" : "soundOff")}
        </button>
      </PageHead>
      {history ? <History query={query} /> : <Open />}
    </>
  );
}

function Open() {
  const faults = useDocument<Faults>("/api/faults?limit=200", 5, faultWake);
  const tickets = useDocument<Tickets>("/api/desk/tickets?state=active&kind=fault&limit=200", 10, faultWake);
  const [chosen, setChosen] = useState<Fault | null>(null);
  const ticket = (fault: Fault): Ticket | undefined => tickets.value?.tickets.find((one) => one.fault === fault.id);
  return (
    <>
      <Loading from={faults} />
      {faults.value?.faults.length === 0 && (
        <section class="card calm">
          <span class="tick" aria-hidden="true">
            ✓
          </span>
          <h3>{t("noFaults")}</h3>
        </section>
      )}
      <ul class="faults">
        {faults.value?.faults.toSorted(worstFirst).map((fault) => (
          <FaultCard key={fault.id} fault={fault} ticket={ticket(fault)} acknowledge={() => setChosen(fault)} />
        ))}
      </ul>
      <div class="cards">
        <Others />
        <Limits />
        <Windows />
      </div>
      {chosen && (
        <Dialog title={faultTitle(chosen)} close={() => setChosen(null)}>
          <Form
            label={t("acknowledge")}
            send={(values) => post<Fault>(`/api/faults/${chosen.id}/acknowledge`, { why: values["why"] ?? "" })}
            done={() => {
              setChosen(null);
              faults.reload();
            }}
            cancel={() => setChosen(null)}
          >
            <Field name="why" label={t("whatIsDone")} required multi focus maxLength={500} />
          </Form>
        </Dialog>
      )}
    </>
  );
}

const worstFirst = (a: Fault, b: Fault): number => a.severity.localeCompare(b.severity) || b.opened_at - a.opened_at;

function FaultCard({ fault, ticket, acknowledge }: { fault: Fault; ticket: Ticket | undefined; acknowledge: () => void }) {
  const children = childrenOf(fault);
  const seen = fault.acknowledged;
  return (
    <li class={`fault ${fault.severity === "critical" ? "down" : "degraded"} ${seen ? "seen" : ""}`} data-fault={fault.id}>
      <div class="fault-head">
        <p class="fault-title">
          <span class="figures">{sinceWords(fault)}</span> <b>{faultTitle(fault)}</b>
        </p>
        <p class="fault-side">
          <Badge tone={fault.severity === "critical" ? "down" : "degraded"} words={word(SEVERITY, fault.severity)} />
          <span class="figures">{lasting(fault)}</span>
        </p>
      </div>
      <ul class="consequences">
        {[...measured(fault), ...consequences(fault.impact)].map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      {!seen && nextStep(fault) && <p class="next-step">{t("nextStep", { words: nextStep(fault) })}</p>}
      <p class="fault-foot">
        {seen ? (
          <span class="quiet">{t("acknowledged", { who: seen.who, time: time(seen.at, false), why: seen.why })}</span>
        ) : (
          may("handle") && (
            <button class="main" onClick={acknowledge}>
              {t("acknowledge")}
            </button>
          )
        )}
        {ticket && (
          <a href={to(`/tickets/${ticket.id}`)}>
            {t("ticketN", { id: ticket.id })} <ClockBadge ticket={ticket} />
          </a>
        )}
        {fault.window !== null && <span class="pill plain">{t("inWindow")}</span>}
        {children.length > 0 && (
          <details>
            <summary>{t("children", { n: children.length })}</summary>
            <span class="quiet">{children.join(" · ")}</span>
          </details>
        )}
      </p>
    </li>
  );
}

/** What only follows from the fault, by name. */
function childrenOf(fault: Fault): string[] {
  const told = fault.detail["children"];
  if (!Array.isArray(told)) return [];
  return told.map((child: unknown) => {
    if (typeof child === "object" && child !== null) return String((child as { subject?: unknown }).subject ?? "");
    return String(child);
  });
}

/** Alerts of Alertmanager that are no faults: limits that are near, what watches the watchers. */
function Others() {
  const state = now.value;
  const others = state?.alerts.filter((alert) => !alert.fault) ?? [];
  return (
    <Card title={t("otherAlerts")} count={others.length}>
      {state && state.sources["alertmanager"] !== "ok" ? (
        <p class="quiet unknown">{t("alertsSilent")}</p>
      ) : others.length === 0 ? (
        <Empty words={t("noOther")} />
      ) : (
        <ul class="rows">
          {others.map((alert) => {
            const link = links.value.get(alert.link);
            return (
              <li key={alert.id} class={`row ${alert.severity === "critical" ? "down" : "degraded"}`}>
                <b>{named(alert)}</b>
                <small>
                  {link ? linkName(link) : alert.host || alert.name} · <When at={alert.since} />
                </small>
              </li>
            );
          })}
        </ul>
      )}
    </Card>
  );
}

const DAYS: Record<string, number> = { day: 1, week: 7, month: 31, year: 366 };

function History({ query }: { query: URLSearchParams }) {
  const [span, setSpan] = useState(() => query.get("span") ?? "week");
  const kind = query.get("kind") ?? "";
  const severity = query.get("severity") ?? "";
  const start = Math.floor(Date.now() / 60_000) * 60 - (DAYS[span] ?? 7) * 86_400;
  const asked = new URLSearchParams({ state: "all", limit: "200", start_at: String(start), kind, severity });
  const faults = useDocument<Faults>(`/api/faults?${asked}`, 30, faultWake);
  return (
    <>
      <p class="filters">
        <Choice label={t("period")} value={span} set={setSpan} options={(["day", "week", "month", "year"] as const).map((one) => [one, t(one)])} />
        <Choice
          label={t("kind")}
          value={kind}
          set={(value) => ask({ kind: value })}
          options={[["", t("all")], ...Object.keys(FAULT).map((one): [string, string] => [one, faultTitle({ kind: one, subject: "" })])]}
        />
        <Choice
          label={t("severity")}
          value={severity}
          set={(value) => ask({ severity: value })}
          options={[["", t("all")], ...Object.entries(SEVERITY).map(([one, pair]): [string, string] => [one, say(pair)])]}
        />
        {faults.value?.more && <span class="quiet">{t("moreThere", { n: 200 })}</span>}
      </p>
      <Loading from={faults} />
      {faults.value && (
        <Table
          rows={faults.value.faults}
          id={(fault) => String(fault.id)}
          empty={t("noHistory")}
          filter={(fault) => `${faultTitle(fault)} ${fault.subject} ${fault.site} ${consequences(fault.impact).join(" ")}`}
          tone={(fault) => (fault.cleared_at === null ? "down" : "")}
          columns={[
            { head: t("began"), cell: (fault) => <When at={fault.opened_at} ago={false} />, sort: (fault) => fault.opened_at },
            { head: t("fault"), cell: (fault) => faultTitle(fault), sort: (fault) => fault.subject },
            { head: t("severity"), cell: (fault) => word(SEVERITY, fault.severity), sort: (fault) => fault.severity },
            { head: t("state"), cell: (fault) => lasting(fault), sort: (fault) => (fault.cleared_at ?? Infinity) - fault.opened_at },
            { head: t("ended"), cell: (fault) => <When at={fault.cleared_at} ago={false} />, sort: (fault) => fault.cleared_at },
            { head: t("acknowledge"), cell: (fault) => (fault.acknowledged ? `${fault.acknowledged.who}:${fault.acknowledged.why}` : "–") },
          ]}
        />
      )}
    </>
  );
}
