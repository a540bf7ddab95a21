/** The sites of the map. */
import { named, say } from "../shared/i18n";
import { press } from "../shared/focus";
import { shortName, twoLines } from "./format";
import type { Place } from "./layout";
import { halls, hostsOf, hostState, inNetwork, now, siteState } from "./store";
import type { Site, State } from "./types";
import { KIND, SITE_STATE, t } from "./words";

const GLYPH: Record<State, string> = { up: "", degraded: "!", down: "✕", unknown: "?" };

export interface NodeProps {
  place: Place;
  narrow: boolean;
  selected: boolean;
  open: (code: string) => void;
}

export function Node({ place, narrow, selected, open }: NodeProps) {
  const { site, shape, x, y } = place;
  const state: State = shape === "outside" ? outsideState(site.code) : siteState(site.code);
  const classes = ["node", shape, state];
  if (!inNetwork(site)) classes.push("faded");
  if (selected) classes.push("selected");
  const words = `${named(site)} · ${say(KIND[site.kind] ?? ["", ""])} · ${say(SITE_STATE[state])}`;
  return (
    <g
      class={classes.join(" ")}
      transform={`translate(${x} ${y})`}
      role="button"
      tabindex={shape === "dot" ? -1 : 0}
      aria-label={words}
      data-site={site.code}
      onClick={() => open(site.code)}
      onKeyDown={press(() => open(site.code))}
    >
      <title>{words}</title>
      {shape === "dot" ? <Dot place={place} state={state} /> : <Box place={place} state={state} narrow={narrow} />}
    </g>
  );
}

/** Nobody watches the outside world itself: it is as its lines are. */
const outsideState = (code: string): State => (siteState(code) === "down" ? "down" : siteState(code));

function Dot({ place: { site, width }, state }: { place: Place; state: State }) {
  const r = width / 2;
  if (state === "down") return <path class="frame" d={`M${-r} ${-r}L${r} ${r}M${r} ${-r}L${-r} ${r}`} />;
  switch (site.kind) {
    case "clinic":
      return <path class="frame" d={plus(r)} />;
    case "village":
      return <path class="frame" d={`M0 ${-r * 1.15}L${r * 1.15} 0L0 ${r * 1.15}L${-r * 1.15} 0Z`} />;
    case "subscribers":
      return <path class="frame" d={`M0 ${-r}L${r} ${r * 0.8}L${-r} ${r * 0.8}Z`} />;
    case "unit":
      return <rect class="frame" x={-r * 0.85} y={-r * 0.85} width={r * 1.7} height={r * 1.7} />;
    default:
      return <circle class="frame" r={r * 0.9} />;
  }
}

export function plus(r: number): string {
  const [a, b] = [r * 0.38, r];
  return `M${-a} ${-b}H${a}V${-a}H${b}V${a}H${a}V${b}H${-a}V${a}H${-b}V${-a}H${-a}Z`;
}

/** A mark for a state that calls for a look; whether another agency is there now is its own affair. */
const marked = (site: Site, state: State): boolean => GLYPH[state] !== "" && !(site.kind === "third-party" && state === "unknown");

function Box({ place: { site, shape, y, width, height }, state, narrow }: { place: Place; state: State; narrow: boolean }) {
  const labelled = !(narrow && shape === "chip");
  const centre = shape === "centre";
  const lines = centre ? [shortName(site)] : twoLines(shortName(site), 15);
  const shown = lines.length > 1 && /^[\u4e00-\u9fff]+$/.test(lines.join("")) ? [lines.join("")] : lines;
  const longest = Math.max(...shown.map((line) => (/[\u4e00-\u9fff]/.test(line) ? line.length * 1.9 : line.length)));
  const room = centre ? 17 : shape === "township" ? 7 : 10;
  // A township's small sites stand on its outer side: its mark goes to the inner one.
  const badgeY = shape === "township" && y < 500 ? height / 2 - 2 : -height / 2 + 2;
  const size = longest > room * 1.25 ? "small" : longest > room ? "medium" : "large";
  return (
    <>
      <rect class="frame" x={-width / 2} y={-height / 2} width={width} height={height} rx={shape === "township" ? height / 2 : 9} />
      {labelled && (
        <text class={`name ${size}`} y={centre ? -11 : 0}>
          {shown.map((line, index) => (
            <tspan key={index} x="0" dy={index === 0 ? (shown.length > 1 ? "-0.22em" : "0.36em") : "1.08em"}>
              {line}
            </tspan>
          ))}
        </text>
      )}
      {centre && <CentreLine code={site.code} state={state} />}
      {!labelled && <text dy="0.36em" class="name medium">{GLYPH[state]}</text>}
      {marked(site, state) && labelled && <Badge r={shape === "chip" ? 8 : 11} x={width / 2 - 2} y={badgeY} state={state} />}
      {shape === "township" && inMeeting(site.code) && <circle class="meeting" cx={-width / 2 + 6} cy={-height / 2 + 6} r={8} />}
    </>
  );
}

function CentreLine({ code, state }: { code: string; state: State }) {
  const hosts = hostsOf(code).filter((host) => host.appliance);
  const up = hosts.filter((host) => hostState(host.name) === "up").length;
  const words = state === "down" ? t("causeCentre") : `${t("devices")} ${up}/${hosts.length}`;
  return (
    <text class="detail" y={25}>
      {state === "up" || state === "unknown" ? words : `${say(SITE_STATE[state])} · ${words}`}
    </text>
  );
}

function Badge({ x, y, r, state }: { x: number; y: number; r: number; state: State }) {
  return (
    <g class="badge" transform={`translate(${x} ${y})`}>
      <circle r={r} />
      <text dy="0.36em" font-size={r * 1.4}>{GLYPH[state]}</text>
    </g>
  );
}

const inMeeting = (code: string): boolean => 
  now.value?.meetings.some((meeting) => meeting.halls.some((hall) => halls.value.get(hall)?.site === code)) ?? false;
