/**
 * Where everything stands on the map. It is a schematic map: townships keep their bearing from the information centre but stand
 * evenly on an ellipse, the ring's centres in the middle, bodies in blocks beside the ring side that carries them, small sites as
 * dots around the township they are nearest to. So 200 sites never overlap, whatever the county's true shape. Pure.
 */
import type { County, Site } from "./types";

export type Shape = "centre" | "township" | "chip" | "dot" | "outside";

export interface Place {
  site: Site;
  shape: Shape;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Layout {
  width: number;
  height: number;
  narrow: boolean;
  places: Map<string, Place>;
  blocks: { x: number; y: number; width: number; height: number }[];
}

interface Sizes {
  width: number;
  height: number;
  rx: number;
  ry: number;
  centre: [number, number];
  township: [number, number];
  chip: [number, number];
  outside: [number, number];
  gap: number;
  dot: number;
  /** The ring's three centres, first the one at the top; as fractions of the width and height. */
  ring: [number, number][];
  /** Centres of the blocks of bodies, beside ring sides 1-2, 1-3, 2-3, with their number of columns. */
  blocks: { at: [number, number]; columns: number }[];
  outsideAt: number;
}

const WIDE: Sizes = {
  width: 1600,
  height: 1000,
  rx: 702,
  ry: 394,
  centre: [216, 74],
  township: [116, 48],
  chip: [120, 38],
  outside: [124, 36],
  gap: 8,
  dot: 13,
  ring: [
    [800, 348],
    [636, 566],
    [964, 566],
  ],
  blocks: [
    { at: [378, 490], columns: 2 },
    { at: [1222, 490], columns: 2 },
    { at: [800, 752], columns: 5 },
  ],
  outsideAt: 226,
};

const NARROW: Sizes = {
  width: 760,
  height: 1060,
  rx: 288,
  ry: 440,
  centre: [198, 74],
  township: [124, 50],
  chip: [26, 26],
  outside: [106, 40],
  gap: 8,
  dot: 15,
  ring: [
    [380, 372],
    [262, 660],
    [498, 660],
  ],
  blocks: [
    { at: [222, 505], columns: 4 },
    { at: [538, 505], columns: 4 },
    { at: [380, 790], columns: 7 },
  ],
  outsideAt: 232,
};

const BODIES = new Set(["body", "building"]);
const OUTSIDE = new Set(["carrier", "city", "province", "third-party"]);

export function layOut(county: County, narrow: boolean): Layout {
  const sizes = narrow ? NARROW : WIDE;
  const places = new Map<string, Place>();
  const put = (site: Site, shape: Shape, x: number, y: number, [width, height]: readonly [number, number]): void => {
    places.set(site.code, { site, shape, x, y, width, height });
  };
  const of = (kinds: Set<string>): Site[] => county.sites.filter((site) => kinds.has(site.kind));

  const centres = of(new Set(["centre"]));
  centres.forEach((site, index) => {
    const [x, y] = sizes.ring[index] ?? onEllipse(sizes, 0.3, (2 * Math.PI * index) / centres.length);
    put(site, "centre", x, y, sizes.centre);
  });

  const townships = of(new Set(["township"]));
  const origin = centres[0] ?? { x: 0, y: 0 };
  for (const [site, angle] of evenly(townships, (site) => Math.atan2(site.x - origin.x, site.y - origin.y))) {
    const [x, y] = onEllipse(sizes, 1, angle);
    put(site, "township", x, y, sizes.township);
  }

  const blocks = placeBodies(of(BODIES), centres, sizes, put);
  const outside = of(OUTSIDE);
  outside.forEach((site, index) => {
    const step = sizes.outside[0] + 14;
    put(site, "outside", sizes.width / 2 + (index - (outside.length - 1) / 2) * step, sizes.outsideAt, sizes.outside);
  });

  placeSmall(county, places, townships, centres, sizes, put);
  return { width: sizes.width, height: sizes.height, narrow, places, blocks };
}

type Put = (site: Site, shape: Shape, x: number, y: number, size: readonly [number, number]) => void;

/** Bearing `angle` clockwise from north on the ellipse shrunk by `scale`. */
function onEllipse(sizes: Sizes, scale: number, angle: number): [number, number] {
  return [sizes.width / 2 + Math.sin(angle) * sizes.rx * scale, sizes.height / 2 - Math.cos(angle) * sizes.ry * scale];
}

/** Equal steps in the order of the bearings, turned so that the sites stay as near to their own bearing as they can. */
function evenly(sites: Site[], bearing: (site: Site) => number): [Site, number][] {
  const step = (2 * Math.PI) / Math.max(1, sites.length);
  const sorted = [...sites].sort((a, b) => bearing(a) - bearing(b));
  let [sine, cosine] = [0, 0];
  sorted.forEach((site, index) => {
    sine += Math.sin(bearing(site) - index * step);
    cosine += Math.cos(bearing(site) - index * step);
  });
  // Snapped to half a step, so that the figure stands upright.
  const turn = Math.round(Math.atan2(sine, cosine) / (step / 2)) * (step / 2);
  return sorted.map((site, index) => [site, turn + index * step]);
}

function placeBodies(bodies: Site[], centres: Site[], sizes: Sizes, put: Put): Layout["blocks"] {
  const order = centres.map((centre) => centre.code);
  const groups: Site[][] = [[], [], []];
  for (const body of bodies) {
    const [low, high] = body.homes.map((home) => order.indexOf(home)).sort((a, b) => a - b);
    groups[high === undefined ? Math.max(0, (low ?? 0) - 1) : (low ?? 0) + high - 1]?.push(body);
  }
  const [width, height] = sizes.chip;
  const frames: Layout["blocks"] = [];
  groups.forEach((group, index) => {
    const block = sizes.blocks[index];
    if (!block || group.length === 0) return;
    const columns = Math.min(block.columns, group.length);
    const rows = Math.ceil(group.length / columns);
    const [stepX, stepY] = [width + sizes.gap, height + sizes.gap];
    group.forEach((site, at) => {
      const column = at % columns;
      const row = Math.floor(at / columns);
      put(site, "chip", block.at[0] + (column - (columns - 1) / 2) * stepX, block.at[1] + (row - (rows - 1) / 2) * stepY, sizes.chip);
    });
    const [w, h] = [columns * stepX + sizes.gap, rows * stepY + sizes.gap];
    frames.push({ x: block.at[0] - w / 2, y: block.at[1] - h / 2, width: w, height: h });
  });
  return frames;
}

/** Small sites: rows of dots on the outer side of a township, or under a centre. */
function placeSmall(county: County, places: Map<string, Place>, townships: Site[], centres: Site[], sizes: Sizes, put: Put): void {
  const fans = new Map<string, Site[]>();
  for (const site of county.sites) {
    if (places.has(site.code)) continue;
    const home = site.homes.find((code) => places.has(code) && places.get(code)?.shape !== "outside");
    const at = home ?? nearest(site, townships)?.code ?? centres[0]?.code;
    if (at) fans.set(at, [...(fans.get(at) ?? []), site]);
  }
  for (const [code, sites] of fans) {
    const base = places.get(code);
    if (!base) continue;
    const ordered = [...sites].sort((a, b) => a.kind.localeCompare(b.kind) || a.code.localeCompare(b.code));
    if (base.shape === "township") fan(base, ordered, sizes, put);
    else grid(base, ordered, sizes, put);
  }
}

function nearest(site: Site, among: Site[]): Site | undefined {
  const distance = (other: Site): number => (other.x - site.x) ** 2 + (other.y - site.y) ** 2;
  return [...among].sort((a, b) => distance(a) - distance(b))[0];
}

const FAN_ROW = 11;
const DOT_GAP = 6;

/** Rows of dots along the outline of the township's box, in the middle of its outer side. */
function fan(base: Place, sites: Site[], sizes: Sizes, put: Put): void {
  const out = Math.atan2((base.y - sizes.height / 2) / sizes.ry, (base.x - sizes.width / 2) / sizes.rx);
  const step = sizes.dot + DOT_GAP;
  for (let start = 0, row = 0; start < sites.length; start += FAN_ROW, row += 1) {
    const some = sites.slice(start, start + FAN_ROW);
    const [straight, radius] = [base.width - base.height, base.height / 2 + sizes.dot / 2 + 10 + row * step];
    const middle = towards(straight, radius, out);
    some.forEach((site, index) => {
      const [x, y] = outline(straight, radius, middle + (index - (some.length - 1) / 2) * step);
      put(site, "dot", base.x + x, base.y + y, [sizes.dot, sizes.dot]);
    });
  }
}

/** Point of a stadium (two half circles joined by straight lines) at distance `at` clockwise from its right end. */
function outline(straight: number, radius: number, at: number): [number, number] {
  const half = straight / 2;
  const arc = Math.PI * radius;
  const whole = 2 * arc + 2 * straight;
  let rest = ((at % whole) + whole) % whole;
  if (rest < arc / 2) return [half + radius * Math.cos(rest / radius), radius * Math.sin(rest / radius)];
  rest -= arc / 2;
  if (rest < straight) return [half - rest, radius];
  rest -= straight;
  if (rest < arc) return [-half - radius * Math.sin(rest / radius), radius * Math.cos(rest / radius)];
  rest -= arc;
  if (rest < straight) return [-half + rest, -radius];
  rest -= straight;
  return [half + radius * Math.sin(rest / radius), -radius * Math.cos(rest / radius)];
}

/** Where on the outline the direction `angle` from its centre meets it. */
function towards(straight: number, radius: number, angle: number): number {
  const whole = 2 * Math.PI * radius + 2 * straight;
  let [best, bestOff] = [0, Infinity];
  for (let at = 0; at < whole; at += whole / 360) {
    const [x, y] = outline(straight, radius, at);
    const off = Math.abs(Math.sin((Math.atan2(y, x) - angle) / 2));
    if (off < bestOff) [best, bestOff] = [at, off];
  }
  return best;
}

function grid(base: Place, sites: Site[], sizes: Sizes, put: Put): void {
  const columns = Math.floor(base.width / (sizes.dot + 6));
  sites.forEach((site, index) => {
    const inRow = Math.min(columns, sites.length - Math.floor(index / columns) * columns);
    const x = base.x + ((index % columns) - (inRow - 1) / 2) * (sizes.dot + 6);
    put(site, "dot", x, base.y + base.height / 2 + 16 + Math.floor(index / columns) * 19, [sizes.dot, sizes.dot]);
  });
}
