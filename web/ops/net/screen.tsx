/**
 * The operations room's wall: scenes that take turns, nothing to press. A new fault is heard and shown at once. Left and right
 * turn, space holds a scene, "m" mutes, Escape leaves.
 */
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { named } from "../../shared/i18n";
import { Banner, hallName } from "../banner";
import { Icon } from "../ui/icon";
import { ICONS } from "../icons";
import { duration, list, rate, time, day } from "../format";
import { CountyMap } from "../map";
import { FaultRow } from "../panel";
import { go } from "../shell/router";
import { becomeScreen, person } from "../shell/session";
import { soundOn, switchSound, useChime } from "../sound";
import { clock, county, links, linkState, now, siteState } from "../store";
import { StatusStrip } from "../top";
import { useDocument } from "../ui/data";
import { Badge, Figure } from "../ui/show";
import { linkWords, percent } from "./refs";
import type { ExitDocument, MeetingOnNet } from "./types";
import { t, VERDICT } from "./words";
import "./screen.css";

const SCENES = ["map", "faults", "meetings", "figures"] as const;
const TURN_S = 20;
const FAULT_HOLD_S = 45; // how long the map stays when a fault came

const scene = signal(0);
const held = signal(false);

export default function ScreenPage() {
  const faults = now.value?.faults ?? null;
  useChime(faults);
  useTurns(faults?.map((fault) => fault.id).join() ?? "");
  useAwake();
  const shown = SCENES[scene.value % SCENES.length];
  return (
    <main class="screen" data-scene={shown}>
      <header class="screen-head">
        <h1>{county.value ? named(county.value) : ""}</h1>
        <nav aria-hidden="true">
          {SCENES.map((one) => (
            <i key={one} class={one === shown ? "here" : ""} />
          ))}
        </nav>
        <Alone />
        <Sound />
        <time class="figures">
          {day(clock.value)} {time(clock.value)}
        </time>
      </header>
      <StatusStrip />
      <Banner />
      {shown === "map" && <CountyMap selected="" open={(code) => go(`/site/${code}`)} />}
      {shown === "faults" && <Faults />}
      {shown === "meetings" && <Meetings />}
      {shown === "figures" && <Figures />}
    </main>
  );
}

/** Scenes take turns; a fault that was not there before brings the map, and holds it. */
function useTurns(faults: string): void {
  const [known, setKnown] = useState(faults);
  useEffect(() => {
    const fresh = faults.split(",").some((id) => id !== "" && !known.split(",").includes(id));
    setKnown(faults);
    if (fresh) scene.value = 0;
  }, [faults]);
  useEffect(() => {
    if (held.value) return;
    const stay = scene.value % SCENES.length === 0 && faults !== "" ? FAULT_HOLD_S : TURN_S;
    const timer = window.setTimeout(() => (scene.value += 1), stay * 1000);
    return () => window.clearTimeout(timer);
  }, [scene.value, held.value, faults]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape") go("/");
      else if (event.key === "ArrowRight") scene.value += 1;
      else if (event.key === "ArrowLeft") scene.value += SCENES.length - 1;
      else if (event.key === " ") held.value = !held.value;
      else if (event.key === "m") switchSound();
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    addEventListener("keydown", onKey, { capture: true });
    return () => removeEventListener("keydown", onKey, { capture: true });
  }, []);
}

/** The display does not go dark while the wall is shown, where the browser can see to it. */
function useAwake(): void {
  useEffect(() => {
    let lock: WakeLockSentinel | undefined;
    let gone = false;
    const ask = (): void => {
      if (document.hidden || !("wakeLock" in navigator)) return;
      navigator.wakeLock.request("screen").then(
        (given) => (gone ? void given.release() : (lock = given)),
        () => undefined, // a machine on battery may refuse: its own settings then decide
      );
    };
    ask();
    document.addEventListener("visibilitychange", ask);
    return () => {
      gone = true;
      document.removeEventListener("visibilitychange", ask);
      void lock?.release();
    };
  }, []);
}

/** Whether new faults are heard: a browser lets a page sound only after a key was pressed on it. */
function Sound() {
  const [allowed, setAllowed] = useState(navigator.userActivation?.hasBeenActive ?? true);
  useEffect(() => {
    const onPress = (): void => setAllowed(true);
    addEventListener("keydown", onPress);
    addEventListener("pointerdown", onPress);
    return () => {
      removeEventListener("keydown", onPress);
      removeEventListener("pointerdown", onPress);
    };
  }, []);
  const heard = soundOn.value && allowed;
  return (
    <button class={`sound ${heard ? "up" : "degraded"}`} onClick={switchSound}>
      <Icon path={heard ? ICONS.sound : ICONS.mute} /> {!soundOn.value ? t("muted") : heard ? t("soundOn") : t("soundOff")}
    </button>
  );
}

/** Whether the wall may stay alone: as somebody's own session it ends after half an hour without a hand. */
function Alone() {
  if (!person.value) return null;
  if (person.value.screen) return <span class="quiet">{t("onlyLooks")}</span>;
  return (
    <button class="sound" title={t("stayMore")} onClick={() => void becomeScreen()}>
      {t("stay")}
    </button>
  );
}

function Faults() {
  const faults = now.value?.faults ?? [];
  return (
    <section class="scene">
      <h2>
        {t("openFaults")} <span class="count figures">{faults.length}</span>
      </h2>
      {faults.length === 0 && <p class="all-well">✓ {t("noOpenFaults")}</p>}
      <ul class="rows">
        {faults.slice(0, 8).map((fault) => (
          <FaultRow key={fault.id} fault={fault} />
        ))}
      </ul>
      {faults.length > 8 && <p class="quiet">+{faults.length - 8}</p>}
    </section>
  );
}

const TONE: Record<string, string> = { good: "up", weak: "degraded", bad: "down" };

function Meetings() {
  const asked = useDocument<{ meetings: MeetingOnNet[] }>("/api/net/meetings", 10, now);
  const meetings = asked.value?.meetings ?? [];
  return (
    <section class="scene">
      <h2>
        {t("meetingsTitle")} <span class="count figures">{meetings.length}</span>
      </h2>
      {asked.value && meetings.length === 0 && <p class="all-well">{t("noMeetings")}</p>}
      <ul class="rows">
        {meetings.slice(0, 6).map((meeting) => (
          <li key={meeting.id} class={`row ${TONE[meeting.verdict] ?? ""}`}>
            <b>
              {meeting.title} <Badge tone={TONE[meeting.verdict] ?? ""} words={VERDICT[meeting.verdict] ?? ["", ""]} />
            </b>
            <small class="figures">
              {day(meeting.starts_at)} {time(meeting.starts_at, false)}–{time(meeting.ends_at, false)} · {list(meeting.halls.map((hall) => hallName(hall.code)), 8)}
            </small>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Figures() {
  const exit = useDocument<ExitDocument>("/api/net/exit", 15);
  const sites = county.value?.sites.filter((site) => !["carrier", "city", "province", "third-party"].includes(site.kind)) ?? [];
  const inService = sites.filter((site) => ["up", "degraded"].includes(siteState(site.code))).length;
  const fibres = [...links.value.values()].filter((link) => link.kind === "ring" || link.kind === "access");
  const up = fibres.filter((link) => linkState(link.name) === "up").length;
  const loads = Object.entries(now.value?.links ?? {}).filter(([, one]) => one.load !== undefined);
  const busiest = loads.sort(([, a], [, b]) => (b.load ?? 0) - (a.load ?? 0))[0];
  const running = now.value?.meetings ?? [];
  const faults = now.value?.faults ?? [];
  const oldest = faults.length ? Math.min(...faults.map((fault) => fault.opened_at)) : 0;
  return (
    <section class="scene figures-scene">
      <Figure name={t("sitesUp")} value={`${inService}/${sites.length}`} tone={inService === sites.length ? "up" : "down"} />
      <Figure name={t("linksUp")} value={`${up}/${fibres.length}`} tone={up === fibres.length ? "up" : "degraded"} />
      <Figure name={t("openFaults")} value={faults.length} tone={faults.length ? "down" : "up"} more={faults.length ? t("since", { time: duration(clock.value - oldest) }) : ""} />
      <Figure name={t("meetingsNow")} value={running.length} more={`${t("hallsNow")} ${new Set(running.flatMap((meeting) => meeting.halls)).size}`} />
      {busiest && <Figure name={t("busiest")} value={percent(busiest[1].load ?? 0, 0)} tone={(busiest[1].load ?? 0) > 0.8 ? "degraded" : "up"} more={linkWords(busiest[0])} />}
      {exit.value?.lines.map((line) => (
        <Figure key={line.carrier} name={`${t("exit")} · ${named(line)}`} value={line.in_bps === null ? null : rate(line.in_bps)} more={`${t("up")} ${line.out_bps === null ? "–" : rate(line.out_bps)}`} />
      ))}
    </section>
  );
}
