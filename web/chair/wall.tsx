/** The venue wall: every venue with its picture or its state, its quality, and what the chair has decided about it. */
import { useEffect, useRef } from "preact/hooks";
import { named, say } from "../shared/i18n";
import type { Conference, VenueState } from "../shared/meet/conference";
import { Picture } from "./picture";
import { chosen, clock, inSight, lines, order, pictures, session, wall } from "./seat";
import { span } from "./time";
import type { Path, Quality } from "./types";
import { NET, STATE, t } from "./words";

export function Wall({ conference }: { conference: Conference }) {
  const place = useRef<HTMLUListElement>(null);
  const codes = order.value;
  useEffect(() => {
    const root = place.current;
    if (!root) return undefined;
    const seen = new Set<string>();
    const watcher = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const code = (target as HTMLElement).dataset["venue"] ?? "";
        if (isIntersecting) seen.add(code);
        else seen.delete(code);
      }
      inSight.value = new Set(seen);
    });
    for (const tile of root.querySelectorAll("[data-venue]")) watcher.observe(tile);
    return () => watcher.disconnect();
  }, [codes.join()]);
  return (
    <section class="wall-place" aria-label={t("wall")}>
      <ul ref={place} class={codes.length <= 4 ? "wall four" : codes.length <= 12 ? "wall few" : "wall"}>
        {codes.map((code) => (
          <Tile key={code} code={code} conference={conference} venue={conference.venues![code]!} />
        ))}
      </ul>
    </section>
  );
}

function stateOf(code: string, venue: VenueState & { since?: number | null }): string {
  if (venue.cut && !venue.present) return "cut";
  if (venue.present && !venue.admitted) return "waiting";
  if (!venue.present) return venue.since != null ? "left" : "absent";
  return session.peers.value.some((peer) => peer.hall === code && peer.silent) ? "silent" : "in";
}

function Tile({ code, venue, conference }: { code: string; venue: VenueState; conference: Conference }) {
  const state = stateOf(code, venue);
  const here = state === "in" || state === "silent";
  const hand = (conference.hands ?? []).findIndex((one) => one.venue === code) + 1;
  const floor = conference.floor?.includes(code) === true;
  const shown = conference.you.air?.show.includes(code) === true;
  const called = conference.roll?.venue === code;
  const line = lines.value?.venues[code];
  const net = wall.value?.venues[code];
  const marks: [boolean, string, string][] = [
    [conference.main === code, "main", say(["主", "M"])],
    [conference.chair === code, "chair", t("chair")],
    [conference.coChairs?.includes(code) === true, "co", say(["联", "Co"])],
    [called, "called", say(["点名", "Roll call"])],
    [!called && conference.roll?.called.includes(code) === true, "before", t("calledBefore")],
    [shown && !called, "air", say(["播", "Air"])],
    [conference.slides === code, "slides", say(["辅流", "Slides"])],
    [conference.you.watching === code, "watch", say(["选看", "Mine"])],
    [conference.viewers?.includes(code) === true, "viewer", say(["可选看", "May choose"])],
    [venue.muted, "muted", say(["静音", "Muted"])],
    [conference.speaker === code, "speaks", say(["声", "Voice"])],
  ];
  return (
    <li>
      <button
        class={`tile ${state} ${shown || called ? "shown" : ""} ${chosen.value === code ? "chosen" : ""} ${net?.state ?? ""}`}
        aria-pressed={chosen.value === code}
        data-venue={code}
        data-state={state}
        data-shown={shown || called}
        data-muted={venue.muted}
        data-hand={hand}
        data-floor={floor}
        data-heads={venue.signed?.heads ?? ""}
        data-line={line ? (line.ready ? "ready" : "failed") : ""}
        data-net={net?.state ?? ""}
        onFocus={() => (chosen.value = code)}
        onClick={() => (chosen.value = code)}
      >
        <span class="tile-picture">
          {here && pictures.value && inSight.value.has(code) && <Picture venue={code} />}
          {(!here || state === "silent") && <span class="tile-state">{say(STATE[state]!)}</span>}
          {here && !pictures.value && <span class="tile-state">{t("smallOff")}</span>}
          <span class="marks">
            {marks.map(([is, name, words]) => is && <i key={name} class={`mark ${name}`}>{words}</i>)}
          </span>
          {hand > 0 && <b class="hand figures">{t("handNumber", { n: hand })}</b>}
          {floor && <b class="hand floor figures">{t("speaks", { time: span(clock.value - (conference.floorAt?.[code] ?? clock.value)) })}</b>}
        </span>
        <span class="tile-name">{named(venue)}</span>
        <span class="tile-facts figures">
          <span class={line ? (line.ready ? "up" : "down") : "quiet"} title={line ? (line.ready ? t("lineGood") : t("lineBad")) : t("lineNone")}>
            {line ? (line.ready ? "✓" : "✗") : "○"}
          </span>
          {venue.signed && <span>{t("people", { n: venue.signed.heads })}</span>}
          {net && <span class={net.state === "cut" || net.state === "alone" ? "down" : "degraded"}>{say(NET[net.state]!)}{net.by.length > 0 && `：${net.by.join(" ")}`}</span>}
          <QualityWords of={here ? wall.value?.quality[code] : undefined} />
          <PathWords of={wall.value?.paths?.[code]} />
        </span>
      </button>
    </li>
  );
}

/** The network's own figures of the venue's path, beside what its media met with. */
function PathWords({ of: found }: { of: Path | undefined }) {
  if (!found) return null;
  const loss = Math.max(found.up.loss_ratio ?? 0, found.down.loss_ratio ?? 0) * 100;
  return (
    <span class="quality" data-path={loss}>
      <span class={loss > 2 ? "down" : loss > 0.5 ? "degraded" : "quiet"}>{t("pathLoss", { n: loss.toFixed(1), rtt: found.rtt_ms === null ? "–" : found.rtt_ms.toFixed(0) })}</span>
    </span>
  );
}

function QualityWords({ of: found }: { of: Quality | undefined }) {
  if (!found) return null;
  const lost = Math.max(found.up_lost_percent ?? 0, found.down_lost_percent ?? 0);
  const tone = lost > 5 ? "down" : lost > 1 ? "degraded" : "";
  return (
    <span class="quality" data-lost={lost}>
      <span class={tone}>{t("lost", { n: lost.toFixed(1) })}</span>
      {found.up_jitter_ms !== null && <span>{t("jitter", { n: Math.round(found.up_jitter_ms) })}</span>}
      {!!found.freezes && <span class="degraded">{t("frozen", { n: found.freezes })}</span>}
      {found.layer !== null && (
        <span class={found.layer < 0 ? "degraded" : ""}>{found.layer < 0 ? t("layerNone") : t("layer", { n: found.layer + 1 })}</span>
      )}
    </span>
  );
}
