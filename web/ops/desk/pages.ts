/** The service desk's pages, in the order that a shift uses them. */
import { ICONS } from "../icons";
import type { PageRow } from "../pages";

/** Where a leader begins; nobody else has it. */
export const leadPages: readonly PageRow[] = [
  { path: "/leaders", icon: ICONS.leader, words: ["领导视图", "Overview"], right: "lead", load: () => import("./leaders"), key: "o" },
];

export const deskPages: readonly PageRow[] = [
  { path: "/alerts", icon: ICONS.alert, words: ["告警", "Alerts"], right: "watch", load: () => import("./alerts"), key: "a" },
  {
    path: "/tickets",
    icon: ICONS.ticket,
    words: ["工单", "Tickets"],
    right: ["watch", "handle", "supervise"],
    load: () => import("./tickets"),
    key: "t",
  },
  {
    path: "/tickets/:id",
    icon: ICONS.ticket,
    words: ["工单", "Ticket"],
    right: ["watch", "handle", "supervise", "report"],
    load: () => import("./ticket"),
    menu: false,
  },
  { path: "/report", icon: ICONS.phone, words: ["报障", "Report"], right: ["report", "handle"], load: () => import("./report"), key: "r" },
  { path: "/shift", icon: ICONS.shift, words: ["值班", "Duty"], right: ["watch", "handle", "supervise"], load: () => import("./shift"), key: "d" },
  {
    path: "/board",
    icon: ICONS.board,
    words: ["电子监察", "Supervision"],
    right: ["watch", "supervise", "lead"],
    load: () => import("./board"),
    key: "s",
  },
  {
    path: "/monthly",
    icon: ICONS.report,
    words: ["月报", "Monthly"],
    right: ["watch", "supervise", "lead"],
    load: () => import("./monthly"),
    key: "y",
  },
  { path: "/scores", icon: ICONS.score, words: ["考核公示", "Scores"], right: null, load: () => import("./scores"), key: "p" },
];
