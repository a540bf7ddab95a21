/** The column beside the map: impact, alerts, running meetings. */
import { named } from "../shared/i18n";
import { hallName, ImpactList, linkName } from "./banner";
import { duration, list, time } from "./format";
import { clock, county, halls, links, now, sites } from "./store";
import { to } from "./shell/router";
import type { Alert, Fault, Meeting } from "./types";
import { t } from "./words";

export function Panel({ open }: { open: (code: string) => void }) {
  return (
    <aside class="panel">
      <Calm />
      <Alerts open={open} />
      <ImpactList />
      <Meetings open={open} />
    </aside>
  );
}

function Calm() {
  const state = now.value;
  if (!state || state.sources["collector"] !== "ok" || state.impact.causes.length || state.faults.length || state.alerts.length) return null;
  return (
    <section class="card calm">
      <span class="tick" aria-hidden="true">
        ✓
      </span>
      <div>
        <h2>{t("allWell")}</h2>
        <p>{t("allWellMore")}</p>
      </div>
    </section>
  );
}

export function FaultRow({ fault }: { fault: Fault }) {
  const link = links.value.get(fault.link || (fault.kind.startsWith("link") ? fault.subject : ""));
  const duct = county.value?.ducts.some((one) => one.name === fault.subject);
  const path = link ? `/link/${link.name}` : duct ? `/cut/${fault.subject}` : fault.site ? `/site/${fault.site}` : "/";
  const site = sites.value.get(fault.site);
  return (
    <li>
      <a class={`row ${fault.severity === "critical" ? "down" : "degraded"}`} href={to(path)} data-fault={fault.key}>
        <b>{named(fault)}</b>
        <small class="figures">
          {link ? linkName(link) : site ? named(site) : fault.subject}
          {` · ${t("since", { time: duration(clock.value - fault.opened_at) })}`}
          {fault.acknowledged_by && ` · ${t("acknowledgedBy", { who: fault.acknowledged_by })}`}
          {fault.window !== null && ` · ${t("inWindow")}`}
        </small>
      </a>
    </li>
  );
}

function siteOf(alert: Alert): string {
  if (alert.host) return county.value?.hosts.find((host) => host.name === alert.host)?.site ?? "";
  const link = links.value.get(alert.link);
  if (!link) return "";
  return sites.value.get(link.a.site)?.kind === "centre" ? link.b.site : link.a.site;
}

/** All that calls for somebody, as the page of alerts has it: open faults first, then what shows in figures only. */
function Alerts({ open }: { open: (code: string) => void }) {
  const state = now.value;
  const faults = state?.faults ?? [];
  const silent = [state?.sources["collector"], state?.sources["alertmanager"]].some((said) => said !== "ok");
  const others = state?.alerts.filter((alert) => !alert.fault) ?? [];
  const count = faults.length + others.length;
  return (
    <section class="card" data-alerts={count}>
      <h2>
        {t("alerts")}
        {count > 0 && <span class="count figures">{count}</span>}
      </h2>
      {silent && <p class="quiet unknown">{t("alertsUnknown")}</p>}
      {!silent && count === 0 && <p class="quiet">{t("noAlerts")}</p>}
      <ul class="rows">
        {faults.slice(0, 12).map((fault) => (
          <FaultRow key={fault.id} fault={fault} />
        ))}
        {others.map((alert) => (
          <AlertRow key={alert.id} alert={alert} open={open} />
        ))}
      </ul>
    </section>
  );
}

function AlertRow({ alert, open }: { alert: Alert; open: (code: string) => void }) {
  const code = siteOf(alert);
  const link = links.value.get(alert.link);
  const age = clock.value - Date.parse(alert.since) / 1000;
  const body = (
    <>
      <b>{named(alert)}</b>
      <small class="figures">
        {link ? linkName(link) : alert.name}
        {Number.isFinite(age) && ` · ${t("since", { time: duration(age) })}`}
      </small>
    </>
  );
  const kind = alert.severity === "critical" ? "down" : "degraded";
  return (
    <li>
      {code ? (
        <button class={`row ${kind}`} onClick={() => open(code)}>
          {body}
        </button>
      ) : (
        <div class={`row ${kind}`}>{body}</div>
      )}
    </li>
  );
}

function Meetings({ open }: { open: (code: string) => void }) {
  const meetings = now.value?.meetings ?? [];
  return (
    <section class="card">
      <h2>
        {t("meetings")}
        {meetings.length > 0 && <span class="count figures">{meetings.length}</span>}
      </h2>
      {meetings.length === 0 ? (
        <p class="quiet">{t("noMeetings")}</p>
      ) : (
        <ul class="rows">
          {meetings.map((meeting) => (
            <MeetingRow key={meeting.id} meeting={meeting} open={open} />
          ))}
        </ul>
      )}
    </section>
  );
}

export function MeetingRow({ meeting, open }: { meeting: Meeting; open?: (code: string) => void }) {
  const concerned = now.value?.impact.meetings.find((one) => one.meeting === meeting.id);
  const cut = concerned?.halls.filter((hall) => hall.state === "cut").length ?? 0;
  const state = cut ? "down" : concerned ? "degraded" : "up";
  return (
    <li class={`row ${state}`}>
      <b>{meeting.title}</b>
      <small class="figures">
        {t("hallsN", { n: meeting.halls.length })} · {t("until", { time: time(meeting.ends_at, false) })}
        {concerned && ` · ${cut ? t("meetingLosesHalls", { n: cut }) : t("meetingGoesOn")}`}
      </small>
      <small>
        {open
          ? meeting.halls.slice(0, 8).map((hall) => (
              <button key={hall} class="chip" onClick={() => open(halls.value.get(hall)?.site ?? hall)}>
                {hallName(hall)}
              </button>
            ))
          : list(meeting.halls.map(hallName))}
      </small>
    </li>
  );
}
