/** What the page knows: the county once, and its state as the live feed tells it. */
import { computed, effect, signal } from "@preact/signals";
import { ApiError, get, live, type Live } from "../shared/api";
import { may, phase, signedOut } from "./shell/session";
import type { County, Host, LiveDocument, LiveMessage, Link, Site, State } from "./types";

export type Connection = "connecting" | "live" | "lost";

export const connection = signal<Connection>("connecting");
export const county = signal<County | null>(null);
export const now = signal<LiveDocument | null>(null);
/** The network that is looked at; "" shows all. */
export const network = signal("");
/** The clock of the page, seconds; it moves once a second. */
export const clock = signal(Date.now() / 1000);

window.setInterval(() => (clock.value = Date.now() / 1000), 1000);

const NOT_SIGNED_IN = 4401;
const RETRY_MS = 2_000;

let feed: Live | undefined;
let retry: number | undefined;

/** Load the county and follow its state, from when somebody who may see it is signed in until nobody is. */
effect(() => {
  const watching = phase.value === "in" && may("watch");
  window.clearTimeout(retry);
  feed?.close();
  feed = undefined;
  if (watching) void load();
  else if (phase.value === "out") county.value = now.value = null;
});

async function load(): Promise<void> {
  try {
    county.value = await get<County>("/api/county");
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 401) return signedOut();
    connection.value = "lost";
    retry = window.setTimeout(() => void load(), RETRY_MS);
    return;
  }
  if (phase.value !== "in" || feed) return;
  feed = live<LiveMessage>("/api/live", receive, (up, code) => {
    if (code === NOT_SIGNED_IN) signedOut();
    else connection.value = up ? "connecting" : "lost";
  });
}

function receive(message: LiveMessage): void {
  if (message.type === "state") {
    const { type: _, ...document } = message;
    now.value = document;
    connection.value = "live";
  } else if (message.type === "change" && now.value) {
    const { type: _, links, hosts, ...rest } = message;
    const old = now.value;
    now.value = { ...old, ...rest, links: { ...old.links, ...links }, hosts: { ...old.hosts, ...hosts } };
  }
}

export const sites = computed(() => new Map(county.value?.sites.map((site) => [site.code, site]) ?? []));
export const links = computed(() => new Map(county.value?.links.map((link) => [link.name, link]) ?? []));
export const halls = computed(() => new Map(county.value?.halls.map((hall) => [hall.code, hall]) ?? []));
export const services = computed(() => new Map(county.value?.services.map((service) => [service.name, service]) ?? []));

const hostsBySite = computed(() => {
  const found = new Map<string, Host[]>();
  for (const host of county.value?.hosts ?? []) found.set(host.site, [...(found.get(host.site) ?? []), host]);
  return found;
});

const linksBySite = computed(() => {
  const found = new Map<string, Link[]>();
  for (const link of county.value?.links ?? [])
    for (const code of new Set([link.a.site, link.b.site])) found.set(code, [...(found.get(code) ?? []), link]);
  return found;
});

export const linksOf = (code: string): Link[] => linksBySite.value.get(code) ?? [];
export const hostsOf = (code: string): Host[] => hostsBySite.value.get(code) ?? [];

export const linkState = (name: string): State => now.value?.links[name]?.state ?? "unknown";
export const hostState = (name: string): State => now.value?.hosts[name]?.state ?? "unknown";

const GATEWAYS = ["core", "access", "cpe", "partner", "headend", "leaf", "outside"];

const siteStates = computed(() => {
  const state = now.value;
  const found = new Map<string, State>();
  if (!state) return found;
  const cut = new Set([...state.impact.sites_cut, ...state.impact.networks_cut.map((one) => one.site)]);
  const weak = new Set([...state.impact.sites_unprotected, ...state.impact.centres_apart]);
  for (const site of county.value?.sites ?? []) {
    const gateway = GATEWAYS.map((role) => hostsOf(site.code).find((host) => host.role === role)).find(Boolean);
    const own = gateway ? hostState(gateway.name) : "unknown";
    const lines = linksOf(site.code).map((link) => linkState(link.name));
    if (cut.has(site.code) || own === "down") found.set(site.code, "down");
    else if (weak.has(site.code)) found.set(site.code, "degraded");
    else if (own === "unknown" && !lines.includes("up")) found.set(site.code, lines.includes("down") ? "down" : "unknown");
    else found.set(site.code, "up");
  }
  return found;
});

export const siteState = (code: string): State => siteStates.value.get(code) ?? "unknown";

/** True when the site is in the network that is looked at. */
export const inNetwork = (site: Site): boolean =>
  network.value === "" || site.kind === "centre" || site.networks.includes(network.value);
