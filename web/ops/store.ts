/** What the page knows: the county once, and its state as the live feed tells it. */
import { computed, signal } from "@preact/signals";
import { ApiError, get, live, post } from "../shared/api";
import type { County, Host, LiveDocument, LiveMessage, Link, Site, State } from "./types";

export type Connection = "signing-in" | "refused" | "connecting" | "live" | "lost";

export const connection = signal<Connection>("connecting");
export const refusal = signal("");
export const county = signal<County | null>(null);
export const now = signal<LiveDocument | null>(null);
/** The network that is looked at; "" shows all. */
export const network = signal("");
/** The clock of the page, seconds; it moves once a second. */
export const clock = signal(Date.now() / 1000);

const NOT_SIGNED_IN = 4401;

/** Sign in with the one-time token of the link when there is one, then load the county and follow its state. */
export async function start(): Promise<void> {
  window.setInterval(() => (clock.value = Date.now() / 1000), 1000);
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    connection.value = "signing-in";
    // Out of the address bar and the history first: the link works once, and must not be read over a shoulder.
    history.replaceState(null, "", location.pathname);
    await post("/api/session", { token }).catch((problem: unknown) => {
      refusal.value = problem instanceof ApiError ? problem.message : String(problem);
    });
  }
  await load();
}

async function load(): Promise<void> {
  try {
    county.value = await get<County>("/api/county");
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 401) {
      connection.value = "refused";
      return;
    }
    connection.value = "lost";
    window.setTimeout(() => void load(), 2_000);
    return;
  }
  const feed = live<LiveMessage>("/api/live", receive, (up, code) => {
    if (code === NOT_SIGNED_IN) {
      connection.value = "refused";
      feed.close();
    } else connection.value = up ? "connecting" : "lost";
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
