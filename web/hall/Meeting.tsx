import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { language, named, switchLanguage } from "../shared/i18n";
import { Refusal } from "../shared/meet/channel";
import type { Source } from "../shared/meet/conference";
import { camera, local } from "./devices";
import { booked, clock, Duty, hallName, Recorded, timeOf } from "./Header";
import { Key } from "./keys";
import { Own } from "./Lobby";
import { leave, session, share, sharing } from "./meeting";
import { SignIn, signing } from "./SignIn";
import { Stage, Voices } from "./Stage";
import { Banner, Status } from "./Status";
import { t } from "./words";

const said = signal("");
const SAID_MS = 5_000;
let hiding: number | undefined;

/** Do it; what the server refuses is said in its own words. */
function attempt(work: Promise<unknown>): void {
  work.catch((error: unknown) => {
    if (error instanceof DOMException) return; // the person closed the browser's own question
    const text = error instanceof Refusal && error.zh && language.peek() === "zh" ? error.zh : (error as Error).message;
    said.value = text;
    window.clearTimeout(hiding);
    hiding = window.setTimeout(() => (said.value = ""), SAID_MS);
  });
}

function Leave() {
  const [sure, setSure] = useState(false);
  useEffect(() => {
    if (!sure) return undefined;
    const timer = window.setTimeout(() => setSure(false), 4_000);
    return () => window.clearTimeout(timer);
  }, [sure]);
  return (
    <Key k="0" kind="leave" data={{ "data-leave": "" }} onPress={() => (sure ? void leave() : setSure(true))}>
      {sure ? t("leaveSure") : t("leave")}
    </Key>
  );
}

function toggle(source: Source): void {
  session.setOff(source, !session.off.peek().has(source));
}

/** The next venue that this one may choose to watch; after the last one nobody in particular. */
function watchNext(): void {
  const venues = session.peers.peek().map((peer) => peer.hall);
  const at = venues.indexOf(session.conference.peek()?.you.watching ?? "");
  attempt(session.act("watch", { venue: venues[at + 1] ?? "" }));
}

function Keys() {
  const you = session.conference.value?.you;
  const off = session.off.value;
  const hand = (you?.hand ?? 0) > 0;
  const mayShare = sharing.value !== undefined || you?.seen || you?.floor || you?.id === session.conference.value?.main || you?.id === session.conference.value?.slides;
  const watching = you?.watching ? session.venues.value[you.watching] : undefined;
  return (
    <footer class="keys">
      <Key
        k="1"
        kind={hand ? "on" : ""}
        act={hand ? "lowerHand" : "raiseHand"}
        onPress={() => attempt(session.act(hand ? "lowerHand" : "raiseHand"))}
      >
        {hand ? t("lowerHand") : t("raiseHand")}
      </Key>
      <Key k="2" kind={off.has("microphone") ? "off" : "on"} onPress={() => toggle("microphone")}>
        {off.has("microphone") ? t("micOff") : t("micOn")}
      </Key>
      <Key k="3" kind={off.has("camera") ? "off" : "on"} disabled={camera.value !== "good"} onPress={() => toggle("camera")}>
        {off.has("camera") ? t("camOff") : t("camOn")}
      </Key>
      <Key k="4" act="signIn" kind={you?.signed == null ? "due" : ""} onPress={() => (signing.value = true)}>
        {you?.signed == null ? t("signIn") : t("signed", { n: you.signed })}
      </Key>
      {mayShare && (
        <Key k="5" act="slides" kind={sharing.value ? "on" : ""} onPress={() => attempt(share())}>
          {sharing.value ? t("slidesEnd") : t("slidesShare")}
        </Key>
      )}
      {you?.mayWatch && (
        <Key k="6" act="watch" onPress={watchNext}>
          {watching ? t("watching", { name: named(watching) }) : t("watch")}
        </Key>
      )}
      <Leave />
    </footer>
  );
}

/** What the chair's conference shows here, this hall's own state in big words, and the keys. */
export function Meeting() {
  const here = session.peers.value.length + 1;
  return (
    <div class="meeting-page">
      <Banner />
      <div class="screen">
        <Stage />
        <Status />
        {said.value && (
          <p class="refused chip amber" role="alert">
            {said.value}
          </p>
        )}
        {signing.value && <SignIn />}
      </div>
      <div class="foot">
        <div class="foot-words">
          <div class="bar">
            <strong>{booked()?.title}</strong>
            <Recorded />
            <span class="figures">
              {timeOf(clock.value)} · {t("halls", { n: here })}
            </span>
            <Duty />
            <Key k="9" kind="small" onPress={switchLanguage}>
              {t("language")}
            </Key>
          </div>
          <Keys />
        </div>
        <aside class="own" aria-label={t("me")}>
          {camera.value === "good" && !session.off.value.has("camera") ? (
            <Own stream={local.value} />
          ) : (
            <p>{t("peerNoPicture")}</p>
          )}
          <p class="tile-name">{hallName()}</p>
        </aside>
      </div>
      <Voices />
    </div>
  );
}
