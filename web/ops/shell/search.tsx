/** Search: "/" from anywhere. What the page holds already is searched as one types. */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { say, type Pair } from "../../shared/i18n";
import { county } from "../store";
import { PAGES } from "../pages";
import { Dialog } from "../ui/dialog";
import { go } from "./router";
import { may } from "./session";
import { FOUND, t } from "./words";

export const searchOpen = signal(false);

export interface Found {
  kind: string;
  name: string;
  words: Pair;
  path: string;
}

const MOST = 30;

/** Everything of the county that has a page, once. */
function known(): Found[] {
  const pages: Found[] = PAGES.filter((row) => row.menu !== false && may(row.right)).map((row) => ({
    kind: "page",
    name: row.path,
    words: row.words,
    path: row.path,
  }));
  const model = county.value;
  if (!model) return pages;
  const pair = (one: { zh: string; en: string }): Pair => [one.zh, one.en];
  const site = new Map(model.sites.map((one) => [one.code, one]));
  const between = (a: string, b: string): Pair => [
    `${site.get(a)?.zh ?? a} — ${site.get(b)?.zh ?? b}`,
    `${site.get(a)?.en ?? a} — ${site.get(b)?.en ?? b}`,
  ];
  return [
    ...pages,
    ...model.sites.map((one): Found => ({ kind: "site", name: one.code, words: pair(one), path: `/site/${one.code}` })),
    ...model.halls.map((one): Found => ({ kind: "hall", name: one.code, words: pair(one), path: `/site/${one.site}` })),
    ...model.sites.flatMap((one) =>
      one.organisations.map((body): Found => ({ kind: "organisation", name: one.code, words: pair(body), path: `/site/${one.code}` })),
    ),
    ...model.hosts.map((one): Found => {
      const at = site.get(one.site);
      return { kind: "host", name: one.name, words: at ? pair(at) : ["", ""], path: `/site/${one.site}` };
    }),
    ...model.links
      .filter((one) => one.kind !== "lan")
      .map((one): Found => ({ kind: "link", name: one.name, words: between(one.a.site, one.b.site), path: `/link/${one.name}` })),
  ];
}

/** Every word must be in the name, the code or either language; earlier and shorter finds come first. */
export function find(all: readonly Found[], asked: string): Found[] {
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const ranked: [number, Found][] = [];
  for (const one of all) {
    const text = `${one.name} ${one.words[0]} ${one.words[1]}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    const exact = one.name.toLowerCase() === asked.trim().toLowerCase() ? -1000 : 0;
    ranked.push([exact + text.indexOf(words[0] ?? "") + text.length / 100, one]);
  }
  return ranked
    .sort((a, b) => a[0] - b[0])
    .slice(0, MOST)
    .map(([, one]) => one);
}

export function SearchBox() {
  if (!searchOpen.value) return null;
  return <Opened />;
}

function Opened() {
  const [asked, setAsked] = useState("");
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const [all] = useState(known);
  useEffect(() => input.current?.focus(), []);
  const found = find(all, asked);
  const close = (): void => void (searchOpen.value = false);
  const open = (one: Found | undefined): void => {
    if (!one) return;
    close();
    go(one.path);
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setAt(Math.min(at + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (event.key === "Enter") open(found[at]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title={t("search")} close={close} top>
      <input
        ref={input}
        class="search-field"
        type="search"
        aria-controls="found"
        aria-label={t("search")}
        placeholder={t("searchHint")}
        value={asked}
        onInput={(event) => {
          setAsked(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKey}
      />
      <ul id="found" class="found" role="listbox">
        {found.map((one, index) => (
          <li key={`${one.kind}/${one.name}/${one.words[0]}`} role="option" aria-selected={index === at}>
            <button tabIndex={-1} onClick={() => open(one)}>
              <span class="kind">{say(FOUND[one.kind] ?? ["", ""])}</span>
              <b>{say(one.words) || one.name}</b>
              <small class="figures">{one.kind === "page" ? "" : one.name}</small>
            </button>
          </li>
        ))}
      </ul>
      {asked.trim() !== "" && found.length === 0 && <p class="quiet">{t("nothingFound", { words: asked.trim() })}</p>}
    </Dialog>
  );
}
