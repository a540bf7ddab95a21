/** Documents of /api/meet that the chair's page reads (docs/protocol.md). Times are seconds UTC. */
import type { Named } from "../shared/meet/conference";

export interface Quality {
  up_lost_percent: number | null;
  up_jitter_ms: number | null;
  up_bps: number | null;
  down_lost_percent: number | null;
  down_bps: number | null;
  layer: number | null;
  silent: boolean;
  /** Pictures that froze there, as its page counts. */
  freezes: number | null;
  freeze_ms: number | null;
}

export interface NetFault extends Named {
  kind: "link" | "host" | "site";
  name: string;
  venues: string[];
}

/** What the network's own probes measure of a venue's path. */
export interface Path {
  rtt_ms: number | null;
  mos: number | null;
  up: { loss_ratio: number | null; jitter_ms: number | null };
  down: { loss_ratio: number | null; jitter_ms: number | null };
}

export interface Wall {
  paths?: Record<string, Path>; // not from a township that is alone
  quality: Record<string, Quality>;
  faults: NetFault[];
  venues: Record<string, { state: "cut" | "alone" | "rerouted" | "degraded" | "unprotected"; by: string[] }>;
  silent: string;
}

export interface LineTest {
  at: number;
  ready: boolean;
  checks: ({ name: string; ok: boolean } & Named)[];
}

export interface LineTests {
  venues: Record<string, LineTest | null>;
}

export interface SheetLine {
  hall: string;
  zh: string;
  heads: number | null;
  name: string;
  signed: string | null;
  joined: string | null;
  left: string | null;
  stayed_s: number;
  stays: number;
}

export interface Sheet {
  meeting: { id: number; title: string; main: string };
  venues: SheetLine[];
}
