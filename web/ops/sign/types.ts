/** Documents of dashboards/sign.py and dashboards/people.py. Times are seconds UTC. */
import type { Named } from "../types";

export interface Step {
  login: string;
  /** "in", or what is still asked for: "code", "password", "enrol", "release". */
  stage: string;
  recovery: string[];
}

export interface Ways {
  stage: string;
  login: string;
  oidc: Named | null;
  /** Port that asks for a certificate. */
  certificate: number | null;
}

export interface Enrolment {
  uri: string;
  secret: string;
  pending: string;
  qr: string;
}

export interface OwnSession {
  id: string;
  how: string;
  address: string;
  agent: string;
  created_at: number;
  seen_at: number;
  this: boolean;
}

export interface Own {
  login: string;
  strong: boolean;
  account: { password_at: number | null; password_until: number | null; second_factor: boolean; recovery_left: number } | null;
  duties: { role: string; units: string[]; given_by: string; until: number | null }[];
  sessions: OwnSession[];
}

export interface AccountState {
  password: boolean;
  invited: number | null;
  second_factor: boolean;
  released_by: string;
  locked_at: number | null;
  locked_why: string;
  waits_until: number | null;
  created_by: string;
  seen_at: number | null;
}

export interface Somebody extends Named {
  login: string;
  home: string[];
  strong: boolean;
  conflict: boolean;
  duties: { role: string; units: string[]; grant: number }[];
  account: AccountState | null;
}

export interface RoleGrant {
  id: number;
  login: string;
  role: string;
  units: string[];
  why: string;
  given_by: string;
  given_at: number;
  expires_at: number;
  ended_at: number | null;
  ended_by: string;
}

export interface Grants {
  /** Roles that one may hand out oneself. */
  roles: string[];
  units: string[];
  grants: RoleGrant[];
}

export interface AuditEntry {
  number: number;
  at: string;
  who: string;
  what: string;
  why: string;
  detail: Record<string, unknown>;
}
