/** Documents of /api/net (dashboards/network/routes.py). Times are seconds UTC, rates bit/s, powers dBm. */
import type { Impact, Named } from "../types";

export interface FitLine {
  start: number;
  end: number;
  first: number;
  last: number;
  per_day: number;
}

export interface LightEnd {
  link: string;
  host: string;
  port: string;
  site: string;
  peer_site: string;
  length_km: number;
  rx_dbm: number | null;
  tx_dbm: number | null;
  loss_db: number | null;
  planned_dbm: number;
  margin_db: number | null;
  trend: FitLine | null;
  sure: boolean;
  days: number | null;
}

export interface Light {
  limit_dbm: number;
  weak_db: number;
  window_s: number;
  ends: LightEnd[];
}

export interface FaultRow {
  id: number;
  kind: string;
  subject: string;
  severity: string;
  opened_at: number;
  cleared_at: number | null;
  acknowledged_by: string | null;
  acknowledged_why: string | null;
}

export interface LinkDocument {
  name: string;
  planned_km: number;
  probe: Record<string, number | string | boolean | null> | null;
  halls: string[];
  services: string[];
  sites_cut: string[];
  sites_unprotected: string[];
  mates: (Named & { name: string; links: string[] })[];
  optics: LightEnd[];
  limit_dbm: number;
  faults: FaultRow[];
  silent: string[];
}

export interface WhatIf {
  cut: string;
  links_cut: string[];
  hosts_cut: string[];
  before: { sites_cut: string[]; sites_unprotected: string[] };
  impact: Impact;
}

export type Verdict = "good" | "weak" | "bad";

export interface HallOnNet {
  code: string;
  site: string;
  present: boolean;
  way: string[] | null;
  second: string[] | null;
  spare_bps: number | null;
  figures: { source: string; loss_ratio: number | null; rtt_ms: number | null; jitter_ms: number; mos: number | null } | null;
  why: string[];
  verdict: Verdict;
}

export interface MeetingOnNet {
  id: string;
  title: string;
  starts_at: number;
  ends_at: number;
  need_bps: number;
  halls: HallOnNet[];
  verdict: Verdict;
}

export interface LoadRow {
  link: string;
  kind: string;
  rate_bps: number;
  bps: number;
  load: number;
  peak: number;
  day: number[];
  trend: (FitLine & { sure: boolean }) | null;
  days: number | null;
}

export interface CapacityDocument {
  full_ratio: number;
  window_s: number;
  links: LoadRow[];
  measured: number;
}

export interface ExitLine extends Named {
  carrier: string;
  link: string;
  rate_bps: number;
  in_bps: number | null;
  out_bps: number | null;
}

export interface ExitUser {
  share: string;
  units: string[];
  up_bps: number;
  down_bps: number;
  up_octets: number;
  down_octets: number;
  held: number;
}

export interface ExitDocument {
  closed: boolean;
  lines: ExitLine[];
  users: ExitUser[];
}

export interface Version {
  commit: string;
  at: string;
  who: string;
  what: string;
  why: string;
  hosts: string[];
}

export interface PlanRow {
  id: string;
  made_at: string;
  author: string;
  why: string;
  hosts: string[];
  risk: string;
  approvals: { login: string; at: string }[];
  evidence: { kind: string; good: boolean; words: string }[];
  began_at: string;
  ended_at: string;
  result: string;
  steps?: { at: string; what: string; stage: string; host: string; words: string }[];
}

export interface Act {
  number: number;
  at: string;
  who: string;
  what: string;
  why: string;
  detail: Record<string, unknown>;
}

export interface ChangesDocument {
  versions: Version[];
  plans: PlanRow[];
  acts: Act[];
}

export interface Difference extends Version {
  device: string;
  diff: string;
  cut: boolean;
}
