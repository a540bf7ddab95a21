/** The desk's documents: /api/desk/*, /api/faults, /api/figures. Times `_at` are seconds UTC, durations `_s`, shares 0 to 1. */
import type { HallImpact, MeetingImpact, Named, ServiceImpact } from "../types";

export interface FaultImpact {
  sites_cut?: string[];
  networks_cut?: { site: string; network: string }[];
  sites_unprotected?: string[];
  halls?: HallImpact[];
  meetings?: (MeetingImpact & { starts_at?: number | null })[];
  services?: ServiceImpact[];
}

export interface Fault {
  id: number;
  key: string;
  kind: string;
  subject: string;
  site: string;
  severity: "critical" | "warning";
  opened_at: number;
  cleared_at: number | null;
  detail: Record<string, unknown>;
  impact: FaultImpact;
  acknowledged: { who: string; at: number; why: string } | null;
  window: number | null;
}

export type Light = "green" | "yellow" | "red" | "off";

export interface Clock {
  light: Light;
  running: boolean;
  working: boolean;
  waiting_why: string;
  respond_due_at: number | null;
  yellow_at: number | null;
  due_at: number | null;
  spent_s: number;
  limit_s: number | null;
  share: number | null;
}

export interface Card {
  kind: "late-response" | "yellow" | "red";
  at: number;
  due_at: number | null;
  withdrawn: { who: string; at: number; why: string } | null;
}

export type Action =
  | "take"
  | "assign"
  | "work"
  | "wait"
  | "resume"
  | "restore"
  | "close"
  | "reopen"
  | "comment"
  | "link"
  | "correct"
  | "withdraw-card"
  | "withdraw";

export interface Ticket {
  id: number;
  kind: "fault" | "report" | "request";
  request: string;
  class: string;
  class_zh: string;
  class_en: string;
  /** In Chinese; of a fault also in English. */
  subject: string;
  subject_en: string;
  text: string;
  site: string;
  site_zh: string;
  site_en: string;
  organisation: string;
  fault: number | null;
  parent: number | null;
  children: number;
  channel: string;
  contact: string;
  state: string;
  outcome: string;
  opened_by: string;
  opened_at: number;
  team: string;
  assignee: string;
  accepted_at: number | null;
  restored_at: number | null;
  closed_at: number | null;
  changed_at: number;
  clock: Clock;
  cards: Card[];
  satisfaction: number | null;
  may: Action[];
}

export interface Step {
  id: number;
  at: number;
  who: string;
  what: string;
  why: string;
  detail: Record<string, unknown>;
  ticket?: number;
  subject?: string;
}

export interface TicketDetail extends Ticket {
  history: Step[];
  linked: Ticket[];
  request_detail: Record<string, unknown>;
  cause: string;
  fault_detail: Fault | null;
  escalations: { step: number; at: number; to: string[] }[];
  corrections: { at: number; who: string; why: string }[];
}

export interface Tickets {
  tickets: Ticket[];
  more: boolean;
  counts: Record<"active" | "waiting" | "restored" | "yellow" | "red" | "mine", number>;
}

export interface Unit extends Named {
  site: string;
  organisations: Named[];
  contact: { name: string; phone: string } | null;
}

export interface Classes {
  classes: (Named & { name: string; kind: string; request: string; team: string; respond: string; restore: string; source: string })[];
  teams: (Named & { name: string; members: string[] })[];
  people: (Named & { login: string })[];
  units: Unit[];
  halls: (Named & { code: string; site: string })[];
  services: (Named & { name: string })[];
}

export interface Known extends Named {
  site: string;
  tickets: Ticket[];
}

export interface Shift extends Named {
  id: number;
  login: string;
  began_at: number;
  ended_at: number | null;
  handed_to: string;
  handed_text: string;
  taken_at: number | null;
  notes: { id: number; at: number; who: string; text: string; ticket: number | null }[];
  open_tickets: number[];
}

export interface ShiftNow {
  current: Shift | null;
  mine: boolean;
  handover: Shift | null;
  open: Ticket[];
}

interface Load {
  active: number;
  yellow: number;
  red: number;
}

export interface Board {
  now_at: number;
  counts: Record<"active" | "waiting" | "yellow" | "red" | "late_response" | "restored" | "deemed_today" | "closed_today", number>;
  red: Ticket[];
  yellow: Ticket[];
  next: Ticket[];
  waiting: Ticket[];
  by_class: (Named & Load & { class: string })[];
  by_unit: (Named & Load & { site: string })[];
  by_team: (Named & Load & { team: string })[];
  recent: Step[];
  corrections: { ticket: number; at: number; who: string; why: string }[];
  clock: { at: number | null; settling: boolean; calendar_ends: string; warning: string };
}

export interface Score extends Named {
  name: string;
  tickets: number;
  finished: number;
  on_time: number;
  on_time_share: number | null;
  yellow: number;
  red: number;
  reopened: number;
  corrections: number;
  slow_answers: number;
  satisfaction: number | null;
  rated: number;
  score: number | null;
  lines: (Named & { points: number })[];
}

export interface ScoreMonth {
  month: string;
  units: Score[];
  teams: Score[];
}

export interface Scores extends ScoreMonth {
  published: { at: number; who: string } | null;
}

export interface FigureInput extends Named {
  name: string;
  value: number | null;
  unit: string;
  source: Named;
  at: number | null;
  items: Named[];
  why: Named | null;
}

export interface LeadFigure extends Named {
  key: string;
  value: number | null;
  unit: string;
  tone: "plain" | "up" | "degraded" | "unknown";
  expression: string;
  inputs: FigureInput[];
  note: Named;
  /** Why there is no value. */
  why: Named | null;
  /** When measuring began, where that is less than its name tells. */
  since: number | null;
}

export interface LeadFigures {
  at: number;
  month: string;
  groups: { key: "state" | "use" | "quality" | "cost"; figures: LeadFigure[] }[];
}
