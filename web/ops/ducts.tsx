/** Shared trenches on the map: a band around their lines and their names. A cut one is always drawn. */
import { signal } from "@preact/signals";
import { named } from "../shared/i18n";
import { press } from "../shared/focus";
import type { Layout } from "./layout";
import { curve } from "./links";
import { go } from "./shell/router";
import { county, links, linkState, now } from "./store";
import type { Link, Named } from "./types";
import { t } from "./words";

export const showDucts = signal(false);

interface Trench {
  duct: Named & { name: string };
  colour: number;
  cut: boolean;
  lines: { link: Link; path: string }[];
  at: [number, number];
}

const COLOURS = 6;

/** A duct is cut when the collector says so, or when all of several lines in it are down. */
function isCut(name: string, inside: Link[]): boolean {
  if (now.value?.faults.some((fault) => fault.kind === "duct-cut" && fault.subject === name)) return true;
  return inside.length > 1 && inside.every((link) => linkState(link.name) === "down");
}

function trenches(layout: Layout): Trench[] {
  const found: Trench[] = [];
  const ducts = county.value?.ducts ?? [];
  ducts.forEach((duct, index) => {
    const inside = [...links.value.values()].filter((link) => link.ducts.includes(duct.name));
    const cut = isCut(duct.name, inside);
    if (!cut && !showDucts.value) return;
    const lines = inside.flatMap((link) => {
      const [a, b] = [layout.places.get(link.a.site), layout.places.get(link.b.site)];
      if (!a || !b) return [];
      return [{ link, ...curve(a, b) }];
    });
    if (lines.length === 0) return;
    const mean = (axis: 0 | 1): number => lines.reduce((sum, line) => sum + line.middle[axis], 0) / lines.length;
    found.push({ duct, colour: index % COLOURS, cut, lines, at: [mean(0), mean(1)] });
  });
  return apart(found, layout);
}

const HEIGHT = 28;
const widthOf = (words: string): number => [...words].reduce((sum, one) => sum + (one > "\u2e80" ? 15 : 8.2), 22);

/** Names moved down until none lies over another or over a centre. */
function apart(all: Trench[], layout: Layout): Trench[] {
  const taken = [...layout.places.values()]
    .filter((place) => place.shape === "centre" || place.shape === "township")
    .map((place) => ({ x: place.x, y: place.y, w: place.width, h: place.height }));
  for (const trench of all) {
    const w = widthOf(named(trench.duct));
    const clash = (): boolean =>
      taken.some((box) => Math.abs(box.x - trench.at[0]) < (box.w + w) / 2 + 6 && Math.abs(box.y - trench.at[1]) < (box.h + HEIGHT) / 2 + 4);
    for (let tries = 0; tries < 12 && clash(); tries += 1) trench.at[1] += HEIGHT + 6;
    taken.push({ x: trench.at[0], y: trench.at[1], w, h: HEIGHT });
  }
  return all;
}

export const DuctBands = ({ layout }: { layout: Layout }) => (
  <g aria-hidden="true">
    {trenches(layout).flatMap(({ duct, colour, cut, lines }) =>
      lines.map(({ link, path }) => <path key={`${duct.name}/${link.name}`} d={path} class={`duct-band duct${colour} ${cut ? "cut" : ""}`} />),
    )}
  </g>
);

export const DuctNames = ({ layout }: { layout: Layout }) => (
  <g>
    {trenches(layout).map(({ duct, colour, cut, at: [x, y] }) => {
      const words = `${cut ? "✕ " : ""}${named(duct)}`;
      const width = widthOf(words);
      const open = (): void => go(`/cut/${duct.name}`);
      return (
        <g key={duct.name} class={`duct-name duct${colour} ${cut ? "cut" : ""}`} transform={`translate(${x} ${y})`} role="button" tabindex={0} aria-label={cut ? `${t("ductCut")} ${named(duct)}` : named(duct)} data-duct={duct.name} onClick={open} onKeyDown={press(open)}>
          <rect x={-width / 2} y={-HEIGHT / 2} width={width} height={HEIGHT} rx={HEIGHT / 2} />
          <text dy="0.36em">{words}</text>
        </g>
      );
    })}
  </g>
);
