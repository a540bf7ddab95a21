/** Small parts that every page is made of. */
import type { ComponentChildren } from "preact";
import { language, say, type Pair } from "../../shared/i18n";
import { day, duration, time } from "../format";
import { clock } from "../store";
import type { Loaded } from "./data";
import { t } from "./words";

/** A page's heading, with buttons or figures at its right. */
export const PageHead = ({ title, sub, children }: { title: string; sub?: ComponentChildren; children?: ComponentChildren }) => (
  <header class="page-head">
    <div>
      <h2>{title}</h2>
      {sub && <p>{sub}</p>}
    </div>
    {children && <div class="page-tools">{children}</div>}
  </header>
);

export interface CardProps {
  title: string;
  count?: number;
  /** Stands at the right of the title: a switch, a link. */
  tools?: ComponentChildren;
  wide?: boolean;
  children: ComponentChildren;
}

/** A section with a title. Cards of a page stand in `<div class="cards">`, two beside each other where there is room. */
export const Card = ({ title, count, tools, wide, children }: CardProps) => (
  <section class={wide ? "card wide" : "card"}>
    <h3 class={tools ? "with-switch" : undefined}>
      <span>
        {title} {count !== undefined && <span class="count figures">{count}</span>}
      </span>
      {tools}
    </h3>
    {children}
  </section>
);

/** A state in its colour and its word: tone is "up", "degraded", "down", "unknown" or "plain". */
export const Badge = ({ tone, words }: { tone: string; words: string | Pair }) => (
  <span class={`pill ${tone}`}>{typeof words === "string" ? words : say(words)}</span>
);

/** One figure with its name; `href` explains it. */
export function Figure({ name, value, unit, tone, href, more }: {
  name: string;
  value: string | number | null;
  unit?: string;
  tone?: string;
  href?: string;
  more?: ComponentChildren;
}) {
  const inside = (
    <>
      <small>{name}</small>
      <b class="figures">
        {value ?? "–"}
        {unit && value !== null && <i> {unit}</i>}
      </b>
      {more && <small class="more-words">{more}</small>}
    </>
  );
  const classes = `figure ${tone ?? ""}`;
  return href ? (
    <a class={classes} href={href}>
      {inside}
    </a>
  ) : (
    <div class={classes}>{inside}</div>
  );
}

/** Nothing to show, said plainly. */
export const Empty = ({ words }: { words: string }) => <p class="quiet empty">{words}</p>;

/** What stands before a document has come, and the mark that it is old or that its source is silent. */
export function Loading({ from }: { from: Loaded<unknown> }) {
  if (from.problem)
    return (
      <p class="problem" role="alert">
        {from.value !== null ? t("stale", { time: time(from.at), why: from.problem }) : from.problem}
      </p>
    );
  return from.value === null ? <p class="quiet" aria-busy="true">{t("loading")}</p> : null;
}

/** A moment in local time: the time of today, else with the day; how long ago stands behind it. */
export function When({ at, ago = true }: { at: number | string | null; ago?: boolean }) {
  if (at === null || at === "") return <span class="quiet">–</span>;
  const seconds = typeof at === "string" ? Date.parse(at) / 1000 : at;
  if (!Number.isFinite(seconds)) return <span class="quiet">–</span>;
  const date = new Date(seconds * 1000);
  const today = new Date(clock.value * 1000).toDateString() === date.toDateString();
  const off = clock.value - seconds;
  const since = off >= 0 ? t("ago", { time: duration(off) }) : t("in", { time: duration(-off) });
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString(language.value === "zh" ? "zh-CN" : "en-GB")} class="figures">
      {today ? time(seconds) : `${day(seconds)} ${time(seconds, false)}`}
      {ago && <small> {since}</small>}
    </time>
  );
}
