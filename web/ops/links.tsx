/** The lines of the map. State is told by colour, by the line's pattern and by a mark; load by brightness and width. */
import { say } from "../shared/i18n";
import { rate } from "./format";
import type { Layout, Place } from "./layout";
import { go } from "./shell/router";
import { linkState, network, now, sites } from "./store";
import type { Link } from "./types";
import { LINK_KIND, STATE } from "./words";

interface Line {
  link: Link;
  path: string;
  middle: [number, number];
  classes: string;
  order: number;
  backup: boolean;
}

/** Load in four steps, for the line's class. */
export function loadStep(load: number | undefined): number {
  if (load === undefined || load < 0.3) return 0;
  return load < 0.6 ? 1 : load < 0.85 ? 2 : 3;
}

export function curve(a: Place, b: Place): { path: string; middle: [number, number] } {
  const [from, to] = a.shape === "centre" ? [a, b] : [b, a];
  if (from.shape !== "centre" || to.shape !== "chip") {
    return { path: `M${a.x} ${a.y}L${b.x} ${b.y}`, middle: [(a.x + b.x) / 2, (a.y + b.y) / 2] };
  }
  // Lines to a block of bodies leave the centre together and part in front of the block.
  const sideways = Math.abs(to.x - from.x) > Math.abs(to.y - from.y);
  const [cx, cy] = sideways ? [(from.x + to.x * 2) / 3, to.y] : [to.x, (from.y + to.y * 2) / 3];
  return {
    path: `M${from.x} ${from.y}Q${cx} ${cy} ${to.x} ${to.y}`,
    middle: [(from.x + 2 * cx + to.x) / 4, (from.y + 2 * cy + to.y) / 4],
  };
}

function carries(link: Link, wanted: string): boolean {
  if (wanted === "") return true;
  return [link.a.site, link.b.site].every((code) => {
    const site = sites.value.get(code);
    return site?.kind === "centre" || site?.networks.includes(wanted);
  });
}

/** Links that a hall of a running meeting uses now because its usual way is down. */
function backups(): Set<string> {
  const inMeeting = new Set(now.value?.impact.meetings.flatMap((meeting) => meeting.halls.map((hall) => hall.hall)));
  const rerouted = now.value?.impact.halls.filter((hall) => hall.state === "rerouted" && inMeeting.has(hall.hall)) ?? [];
  return new Set(rerouted.flatMap((hall) => hall.after));
}

function lines(all: Link[], layout: Layout): Line[] {
  const backup = backups();
  const causes = failed();
  const found: Line[] = [];
  for (const link of all) {
    const [a, b] = [layout.places.get(link.a.site), layout.places.get(link.b.site)];
    if (!a || !b || a === b) continue;
    const state = linkState(link.name);
    const over = link.kind === "broadband" || link.kind === "cable";
    if (over && state !== "down") continue; // they ride a carrier's network: drawn only when they matter
    const load = loadStep(now.value?.links[link.name]?.load);
    const inBackup = backup.has(link.name);
    const classes = ["line", link.kind, state, `load${load}`, `to-${a.shape === "centre" ? b.shape : a.shape}`];
    if (state === "down" && !causes.has(link.name)) classes.push("follows");
    if (!carries(link, network.value)) classes.push("faded");
    const order = state === "down" ? 3 : state === "up" && !inBackup ? (link.kind === "ring" ? 1 : 0) : 2;
    found.push({ link, ...curve(a, b), classes: classes.join(" "), order, backup: inBackup });
  }
  return found.sort((x, y) => x.order - y.order);
}

export function Lines({ all, layout }: { all: Link[]; layout: Layout }) {
  const drawn = lines(all, layout);
  return (
    <g aria-hidden="true">
      {drawn.map(({ link, path }) => (
        <path key={link.name} d={path} class="hit" onClick={() => go(`/link/${link.name}`)}>
          <title>{`${link.name} · ${say(LINK_KIND[link.kind] ?? ["", ""])} · ${say(STATE[linkState(link.name)])}`}</title>
        </path>
      ))}
      {drawn.map(({ link, path, classes }) => (
        <path key={link.name} d={path} class={classes} />
      ))}
      {drawn
        .filter((line) => line.backup)
        .map(({ link, path }) => (
          <path key={link.name} d={path} class="backup" />
        ))}
      {drawn.map(({ link, middle, classes }) =>
        link.kind === "ring" && linkState(link.name) !== "down" ? (
          <RingLabel key={link.name} link={link} at={middle} faded={classes.includes("faded")} />
        ) : null,
      )}
    </g>
  );
}

/** Names of the links that failed by themselves: what a dead host took with it gets no mark of its own. */
const failed = (): Set<string> =>
  new Set(now.value?.impact.causes.filter((cause) => cause.kind === "link").map((cause) => cause.name));

/** Crosses on lines that failed, above everything else. */
export function Marks({ all, layout }: { all: Link[]; layout: Layout }) {
  const causes = failed();
  return (
    <g aria-hidden="true">
      {lines(all, layout)
        .filter(({ link, classes }) => causes.has(link.name) && !classes.includes("faded"))
        .map(({ link, middle: [x, y] }) => {
          const size = link.kind === "ring" ? 17 : link.kind === "access" ? 11 : 7;
          const arm = size * 0.45;
          return (
            <g key={link.name} class="cross" transform={`translate(${x} ${y})`}>
              <circle r={size} />
              <path d={`M${-arm} ${-arm}L${arm} ${arm}M${arm} ${-arm}L${-arm} ${arm}`} stroke-width={size / 4.5} />
            </g>
          );
        })}
    </g>
  );
}

function RingLabel({ link, at: [x, y], faded }: { link: Link; at: [number, number]; faded: boolean }) {
  const load = now.value?.links[link.name]?.load;
  const words = load === undefined ? rate(link.rate_bps) : `${Math.round(load * 100)} %`;
  return (
    <g class={faded ? "ring-label faded" : "ring-label"} transform={`translate(${x} ${y})`}>
      <rect x={-words.length * 5 - 8} y={-13} width={words.length * 10 + 16} height={26} rx={13} />
      <text dy="0.36em">{words}</text>
    </g>
  );
}
