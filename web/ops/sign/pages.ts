/** Pages about people: accounts, roles, audit, one's own account. */
import { ICONS } from "../icons";
import type { PageRow } from "../pages";

export const signPages: readonly PageRow[] = [
  {
    path: "/accounts",
    icon: ICONS.people,
    words: ["账户", "Accounts"],
    right: ["accounts", "grant", "audit"],
    load: () => import("./accounts"),
  },
  { path: "/roles", icon: ICONS.board, words: ["授权", "Roles"], right: ["grant", "audit"], load: () => import("./roles") },
  { path: "/audit", icon: ICONS.audit, words: ["审计", "Audit"], right: "audit", load: () => import("./audit") },
  { path: "/own", icon: ICONS.people, words: ["我的账户", "My account"], right: null, load: () => import("./own") },
];
