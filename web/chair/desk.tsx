/** The desk: head, screens, wall, queues, and the keys of every action. */
import { say, switchLanguage } from "../shared/i18n";
import type { Conference } from "../shared/meet/conference";
import { press, ROWS, type Row } from "./actions";
import { box } from "./box";
import { Boxes } from "./boxes";
import { choose } from "./keys";
import { venueName, Voices } from "./picture";
import { Screens } from "./screens";
import { act, chosen, clock, doing, link, said, session, wall } from "./seat";
import { span, timeOf } from "./time";
import { Wall } from "./wall";
import { FAULT, NOT_RECORDING, t } from "./words";

export function Desk({ conference }: { conference: Conference }) {
  const trouble = session.trouble.value;
  return (
    <div class="desk" data-desk={conference.you.role} data-number={conference.number} data-trouble={trouble} data-busy={doing.value}>
      <Head conference={conference} />
      {trouble && (
        <p class="trouble" role="alert">
          {t(trouble)}
        </p>
      )}
      {conference.alone && <p class="trouble">{t("alone")}</p>}
      <Network />
      {conference.banner && (
        <p class="banner-now" data-banner={conference.banner.text}>
          <b>{t("bannerNow")}</b> {conference.banner.text}
        </p>
      )}
      <main class="floor-plan">
        <Screens conference={conference} />
        <Wall conference={conference} />
        <Queues conference={conference} />
      </main>
      <Bar conference={conference} />
      <Voices />
      {said.value && (
        <p class={`said-by ${said.value.bad ? "bad" : ""}`} role={said.value.bad ? "alert" : "status"} data-said={said.value.bad ? "refused" : "done"}>
          {said.value.bad ? say(said.value.words) : t("done", { what: say(said.value.words) })}
        </p>
      )}
      <Boxes conference={conference} />
    </div>
  );
}

function Head({ conference }: { conference: Conference }) {
  const { startsAt = 0, endsAt = 0, venues = {}, chair = "", chairAwayAt, undo } = conference;
  const heads = Object.values(venues).reduce((sum, venue) => sum + (venue.signed?.heads ?? 0), 0);
  const remains = endsAt - clock.value;
  return (
    <header class="head">
      <div class="head-title">
        <h1>{link.value?.meeting.title}</h1>
        <p>
          {t("chairIs", { name: venueName(chair) })}
          <Recorded conference={conference} />
          {conference.you.role === "coChair" && <b class="degraded"> · {t("coChair")}</b>}
          {chairAwayAt != null && <b class="down"> · {t("chairAway")}</b>}
          {undo && <span class="undo-words"> · {t("undoOf", { what: actionWords(undo.action), who: venueName(undo.who), time: timeOf(undo.at) })}</span>}
        </p>
      </div>
      <dl class="head-figures figures">
        <Count name={t("elapsed")} value={span(clock.value - startsAt)} id="elapsed" />
        <Count name={remains < 0 ? t("overrun") : t("remains")} value={span(Math.abs(remains))} tone={remains < 300 ? "degraded" : ""} id="remains" />
        <Count name={t("venuesIn")} value={`${conference.present ?? 0}/${Object.keys(venues).length}`} id="present" />
        <Count name={t("heads")} value={String(heads)} id="heads" />
      </dl>
      <button class="plain" onClick={switchLanguage}>
        {t("language")} <kbd>L</kbd>
      </button>
      <button class="plain" onClick={() => (box.value = { kind: "help", venue: "" })}>
        {t("keys")} <kbd>?</kbd>
      </button>
    </header>
  );
}

function Recorded({ conference }: { conference: Conference }) {
  const { recording } = conference;
  if (!recording) return null;
  const why = say(NOT_RECORDING[recording.problem] ?? NOT_RECORDING[""]!);
  return (
    <b class={recording.running ? "recorded" : "recorded not"} data-recording={recording.running ? "running" : recording.problem || "starting"}>
      {recording.running ? t("recording", { time: span(clock.value - recording.at) }) : t("notRecording", { why })}
    </b>
  );
}

const Count = ({ name, value, tone, id }: { name: string; value: string; tone?: string; id: string }) => (
  <div class={tone ?? ""} data-count={id}>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
);

const actionWords = (action: string): string => {
  const row = ROWS.find((one) => one.id === action);
  return row ? say(row.words).replace("…", "") : action;
};

/** Faults of the network, each with the venues it concerns. */
function Network() {
  const found = wall.value;
  if (!found) return null;
  if (found.silent) return <p class="network silent" data-network="silent">{t("networkSilent", { why: found.silent })}</p>;
  if (found.faults.length === 0) return null;
  return (
    <ul class="network" data-network="faults" aria-live="polite">
      {found.faults.map((fault) => (
        <li key={fault.name} class={fault.venues.some((venue) => found.venues[venue]?.state === "cut") ? "serious" : ""}>
          <b>
            {say(FAULT[fault.kind] ?? ["", ""])} {say([fault.zh, fault.en])}
          </b>{" "}
          <small>{fault.name}</small>{" "}
          {fault.venues.length ? t("faultConcerns", { names: fault.venues.map(venueName).join("、") }) : t("faultNone")}
        </li>
      ))}
    </ul>
  );
}

function Queues({ conference }: { conference: Conference }) {
  const { hands = [], floor = [], waiting = [] } = conference;
  return (
    <aside class="queues">
      <section data-queue="hands">
        <h2>
          {t("hands")} <b class="figures">{hands.length}</b>
        </h2>
        <ol>
          {hands.map((hand) => (
            <li key={hand.venue}>
              <button class="plain name" onClick={() => choose(hand.venue)}>
                {venueName(hand.venue)} <small class="figures">{span(clock.value - hand.at)}</small>
              </button>
              <Do row="grant" venue={hand.venue} action="grant" />
            </li>
          ))}
        </ol>
        {hands.length === 0 && <p class="quiet">{t("noHands")}</p>}
      </section>
      <section data-queue="floor">
        <h2>{t("floor")}</h2>
        <ol>
          {floor.map((venue) => (
            <li key={venue}>
              <button class="plain name" onClick={() => choose(venue)}>
                {venueName(venue)} <small class="figures">{span(clock.value - (conference.floorAt?.[venue] ?? clock.value))}</small>
              </button>
              <Do row="grant" venue={venue} action="endFloor" on />
            </li>
          ))}
        </ol>
      </section>
      <section data-queue="waiting">
        <h2>
          {t("waiting")} <b class="figures">{waiting.length}</b>
        </h2>
        <ol>
          {waiting.map((venue) => (
            <li key={venue}>
              <button class="plain name" onClick={() => choose(venue)}>
                {venueName(venue)}
              </button>
              <Do row="admit" venue={venue} action="admit" />
              <Do row="cut" venue={venue} action="cut" />
            </li>
          ))}
        </ol>
        {waiting.length === 0 && <p class="quiet">{t("noneWaiting")}</p>}
      </section>
    </aside>
  );
}

/** One click for one venue of a queue. */
function Do({ row, venue, action, on = false }: { row: string; venue: string; action: string; on?: boolean }) {
  const found = ROWS.find((one) => one.id === row)!;
  return (
    <button class={on ? "on" : ""} data-do={action} onClick={() => void act(action, { venue }, found.words)}>
      {on ? t("endFloor") : say(found.words)}
    </button>
  );
}

function Bar({ conference }: { conference: Conference }) {
  const venue = chosen.value;
  const named = conference.venues?.[venue] ? venueName(venue) : "";
  return (
    <footer class="bar">
      <div class="keys-of" role="toolbar" aria-label={t("forVenue", { name: named })}>
        <h2>{named ? t("forVenue", { name: named }) : t("chooseVenue")}</h2>
        <div>
          {ROWS.filter((row) => row.of === "venue").map((row) => (
            <Key key={row.id} row={row} conference={conference} venue={venue} off={!named} />
          ))}
        </div>
      </div>
      <div class="keys-of" role="toolbar" aria-label={t("forAll")}>
        <h2>{t("forAll")}</h2>
        <div>
          {ROWS.filter((row) => row.of === "all").map((row) => (
            <Key key={row.id} row={row} conference={conference} venue="" off={false} />
          ))}
        </div>
      </div>
    </footer>
  );
}

function Key({ row, conference, venue, off }: { row: Row; conference: Conference; venue: string; off: boolean }) {
  const on = row.on?.(conference, venue);
  return (
    <button
      class={`act ${on ? "on" : ""} ${row.danger ? "danger" : ""}`}
      data-act={row.id}
      aria-pressed={row.on ? on === true : undefined}
      aria-keyshortcuts={row.key.toLowerCase() === row.key ? row.key : `Shift+${row.key}`}
      disabled={off}
      onClick={() => press(row)}
    >
      {say(row.words)} <kbd>{row.key.toLowerCase() === row.key ? row.key.toUpperCase() : `⇧${row.key}`}</kbd>
    </button>
  );
}
