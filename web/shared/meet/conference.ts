/** What the signalling tells a page (docs/protocol.md): the conference, the venues' streams, the welcome. */
import type { types } from "mediasoup-client";

export type Source = "camera" | "slides" | "microphone";
export type Role = "chair" | "coChair" | "venue" | "waiting" | "";

export interface Named {
  zh: string;
  en: string;
}

export interface RemoteStream {
  id: string;
  kind: "audio" | "video";
  source: Source;
  paused: boolean;
}

export interface RemotePeer extends Named {
  id: string;
  hall: string;
  silent: boolean;
  producers: RemoteStream[];
}

export interface View {
  layout: "single" | "pip" | "grid";
  show: string[];
  why: "roll" | "broadcast" | "poll" | "watch" | "display";
}

/** What a page is told about itself; a console has nothing after `watching`. */
export interface You {
  id: string;
  role: Role;
  view: View;
  /** What everybody is shown; told to chairs and co-chairs. */
  air?: View;
  slides: string;
  mayWatch: boolean;
  watching: string;
  heard?: boolean;
  muted?: boolean;
  seen?: boolean;
  cut?: boolean;
  hand?: number;
  floor?: boolean;
  signed?: number | null;
}

export interface VenueState extends Named {
  kind: "hall" | "guest" | "stream";
  present: boolean;
  admitted: boolean;
  cut: boolean;
  muted: boolean;
  signed: { heads: number; name: string; at: number } | null;
}

/** In the waiting room only the first five are there. */
export interface Conference {
  epoch: number;
  number: number;
  meeting: number;
  ended: boolean;
  /** A township that goes on without its county. */
  alone?: boolean;
  you: You;
  programmeNumber?: number;
  /** Since when what everybody is shown is so; this and all times are UNIX seconds. */
  programmeAt?: number;
  startsAt?: number;
  endsAt?: number;
  main?: string;
  owner?: string;
  chair?: string;
  chairAwayAt?: number | null;
  coChairs?: string[];
  roll?: { venue: string; called: string[] } | null;
  broadcast?: string;
  poll?: { scope: "all" | "chair"; venues: string[]; intervalS: number; venue: string; nextAt: number } | null;
  display?: { mode: "fixed" | "voice" | "grid" | "pip"; venues: string[] };
  slides?: string;
  banner?: { text: string; ticker: boolean; at: number } | null;
  /** The chair has the meeting recorded; told in the waiting room too. `problem` says why it is not `running`. */
  recording?: { number: number; by: string; at: number; running: boolean; problem: string } | null;
  hands?: { venue: string; at: number }[];
  floor?: string[];
  floorAt?: Record<string, number>;
  muteAll?: boolean;
  locked?: boolean;
  speaker?: string;
  present?: number;
  // the chair and co-chairs alone:
  venues?: Record<string, VenueState>;
  consoles?: Record<string, { name: string; present: boolean }>;
  waiting?: string[];
  watching?: Record<string, string>;
  viewers?: string[];
  undo?: { action: string; who: string; at: number } | null;
}

export interface Welcome {
  peer: string;
  hall: string;
  waiting: boolean;
  resumeKey: string;
  peers: RemotePeer[];
  transports: string[];
  layers: number;
  relay: boolean;
  conference: Conference;
  venues: Record<string, Named>;
  routerRtpCapabilities: types.RtpCapabilities;
}
