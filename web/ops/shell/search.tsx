/** Search: "/" from anywhere. Pages are found here, everything of the county by the server. */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../../shared/api";
import { say } from "../../shared/i18n";
import { PAGES } from "../pages";
import { wordsOf } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { go } from "./router";
import { may } from "./session";
import { FOUND, t } from "./words";

export const searchOpen = signal(false);

interface Found {
  kind: string;
  name: string;
  zh: string;
  en: string;
  path: string;
}

const SETTLE_MS = 120; // typing goes on

/** The menu's pages whose name holds what was typed. */
function pagesOf(asked: string): Found[] {
  const words = asked.trim().toLowerCase();
  return PAGES.filter((row) => row.menu !== false && may(row.right) && row.words.some((name) => name.toLowerCase().includes(words))).map((row) => ({
    kind: "page",
    name: row.path,
    zh: row.words[0],
    en: row.words[1],
    path: row.path,
  }));
}

/** What fits the words, the best first; [] while the server has not answered. */
function useFound(asked: string): { found: Found[]; waiting: boolean; problem: string } {
  const [answer, setAnswer] = useState<{ asked: string; found: Found[]; problem: string }>({ asked: "", found: [], problem: "" });
  const wanted = asked.trim();
  useEffect(() => {
    if (wanted === "" || !may("watch")) return;
    let gone = false;
    const timer = window.setTimeout(() => {
      get<{ found: Found[] }>(`/api/search?q=${encodeURIComponent(wanted)}`).then(
        ({ found }) => !gone && setAnswer({ asked: wanted, found, problem: "" }),
        (error: unknown) => !gone && setAnswer({ asked: wanted, found: [], problem: wordsOf(error) }),
      );
    }, SETTLE_MS);
    return () => {
      gone = true;
      window.clearTimeout(timer);
    };
  }, [wanted]);
  if (wanted === "") return { found: [], waiting: false, problem: "" };
  const mine = answer.asked === wanted;
  return { found: [...pagesOf(wanted), ...answer.found], waiting: !mine && may("watch"), problem: mine ? answer.problem : "" };
}

export function SearchBox() {
  if (!searchOpen.value) return null;
  return <Opened />;
}

function Opened() {
  const [asked, setAsked] = useState("");
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const { found, waiting, problem } = useFound(asked);
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
          <li key={`${one.kind}/${one.name}/${one.zh}`} role="option" aria-selected={index === at}>
            <button tabIndex={-1} onClick={() => open(one)}>
              <span class="kind">{say(FOUND[one.kind] ?? ["", ""])}</span>
              <b>{say([one.zh, one.en]) || one.name}</b>
              <small class="figures">{one.kind === "page" ? "" : one.name}</small>
            </button>
          </li>
        ))}
      </ul>
      {problem && <p class="problem">{problem}</p>}
      {asked.trim() !== "" && found.length === 0 && !waiting && !problem && <p class="quiet">{t("nothingFound", { words: asked.trim() })}</p>}
    </Dialog>
  );
}
