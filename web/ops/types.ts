/** The operations API's documents (dashboards/api.py). Times are seconds UTC, rates bit/s. */

export interface Named {
  zh: string;
  en: string;
}

export interface Network extends Named {
  name: string;
  kind: "public" | "mgmt" | "closed";
}

export type SiteKind =
  | "centre"
  | "township"
  | "body"
  | "building"
  | "school"
  | "clinic"
  | "village"
  | "unit"
  | "subscribers"
  | "carrier"
  | "city"
  | "province"
  | "third-party";

export interface Site extends Named {
  code: string;
  kind: SiteKind;
  homes: string[];
  networks: string[];
  organisations: Named[];
  x: number;
  y: number;
  tunnel: string;
}

export interface LinkEnd {
  host: string;
  port: string;
  site: string;
}

export interface Link {
  name: string;
  kind: "ring" | "access" | "spur" | "lan" | "uplink" | "broadband" | "cable";
  a: LinkEnd;
  b: LinkEnd;
  rate_bps: number;
  length_km: number;
  ducts: string[];
}

export interface Host {
  name: string;
  site: string;
  role: string;
  appliance: boolean;
}

export interface Hall extends Named {
  code: string;
  site: string;
  seats: number;
}

export interface Service extends Named {
  name: string;
  network: string;
}

export interface County extends Named {
  name: string;
  networks: Network[];
  sites: Site[];
  links: Link[];
  hosts: Host[];
  halls: Hall[];
  services: Service[];
  ducts: (Named & { name: string })[];
}

export type State = "up" | "degraded" | "down" | "unknown";

export interface LinkState {
  state: State;
  since: number | null;
  bps?: number;
  load?: number;
}

export interface HostState {
  state: State;
  since: number | null;
}

export interface Count {
  expected: number;
  ok: number;
}

export interface Alert extends Named {
  id: string;
  name: string;
  severity: string;
  link: string;
  host: string;
  /** Number in the fault book; "" for what is no fault. */
  fault: string;
  since: string;
}

/** An open fault as every page lists it. */
export interface Fault extends Named {
  id: number;
  key: string;
  kind: string;
  subject: string;
  link: string;
  host: string;
  site: string;
  severity: string;
  opened_at: number;
  acknowledged_by: string | null;
  acknowledged_why: string | null;
  window: number | null;
}

export interface Meeting {
  id: string;
  title: string;
  starts_at: number;
  ends_at: number;
  halls: string[];
}

export interface Cause {
  kind: "site" | "host" | "link";
  name: string;
  site: string;
  links: string[];
}

export interface HallImpact {
  hall: string;
  state: "cut" | "alone" | "rerouted" | "degraded" | "unprotected";
  before: string[];
  after: string[];
  capacity_bps: number;
  spare_bps: number | null;
}

export interface MeetingImpact {
  meeting: string;
  title: string;
  halls: HallImpact[];
}

export interface ServiceImpact {
  service: string;
  usual: string;
  backend: string;
}

export interface Impact {
  causes: Cause[];
  links: string[];
  hosts: string[];
  centres_dead: string[];
  centres_apart: string[];
  sites_cut: string[];
  networks_cut: { site: string; network: string }[];
  sites_unprotected: string[];
  halls: HallImpact[];
  meetings: MeetingImpact[];
  services: ServiceImpact[];
}

export interface LiveDocument {
  seq: number;
  at: number;
  sources: Record<string, string>;
  links: Record<string, LinkState>;
  hosts: Record<string, HostState>;
  status: Record<string, unknown>;
  faults: Fault[];
  alerts: Alert[];
  meetings: Meeting[];
  impact: Impact;
  /** Grows with every step of a ticket. */
  desk?: number;
}

export type LiveMessage =
  | ({ type: "state" } & LiveDocument)
  | ({ type: "change" } & Partial<LiveDocument>)
  | { type: "beat"; at: number };
