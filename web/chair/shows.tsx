/** Boxes that only show: line tests, the sign-in sheet, finding a venue, the list of keys. */
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../shared/api";
import { named, say, type Pair } from "../shared/i18n";
import { KeyLine } from "../ops/ui/keyline";
import { ROWS, type Row } from "./actions";
import { close } from "./box";
import { choose } from "./keys";
import { venueName } from "./picture";
import { askGuests, downloadReport, lines, order, readSheet, tell, testLines } from "./seat";
import { timeOf } from "./time";
import type { Sheet } from "./types";
import { t } from "./words";

export function counted(): { all: number; ready: number } {
  const found = Object.values(lines.value?.venues ?? {});
  return { all: found.length, ready: found.filter((one) => one?.ready).length };
}

const ASKED: Pair = ["试线已下达", "test of all lines"];

/** Line tests of all halls: how many are ready, and of the others why not. */
export function Lines() {
  const found = Object.entries(lines.value?.venues ?? {});
  const rest = found.filter(([, test]) => !test?.ready);
  const ask = async (): Promise<void> => {
    try {
      await testLines();
      tell(ASKED);
    } catch (problem) {
      const words = problem instanceof ApiError ? problem.message : String(problem);
      tell([words, words], true);
    }
  };
  return (
    <div class="lines" data-ready={counted().ready} data-all={counted().all}>
      <p class="lines-sum">{rest.length === 0 && found.length > 0 ? t("linesAll") : `${t("linesReady", counted())}${rest.length ? `；${t("linesRest")}：` : ""}`}</p>
      <ul>
        {rest.map(([code, test]) => (
          <li key={code} data-line-of={code}>
            <b>{venueName(code)}</b>{" "}
            {test ? (
              <>
                {test.checks.filter((one) => !one.ok).map((one) => named(one)).join("；")} <small class="figures">{timeOf(test.at)}</small>
              </>
            ) : (
              t("linesNone")
            )}
          </li>
        ))}
      </ul>
      <button class="main" autoFocus onClick={() => void ask()}>
        {t("linesAsk")}
      </button>
    </div>
  );
}

export function SheetBox() {
  const [sheet, setSheet] = useState<Sheet>();
  const [making, setMaking] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    readSheet().then(setSheet, (error: unknown) => setProblem(String(error)));
  }, []);
  if (problem) return <p class="problem">{problem}</p>;
  if (!sheet) return <p class="quiet">…</p>;
  const at = (text: string | null): string => (text ? timeOf(Date.parse(text) / 1000) : "—");
  const came = sheet.venues.filter((line) => line.joined).length;
  const heads = sheet.venues.reduce((sum, line) => sum + (line.heads ?? 0), 0);
  return (
    <div class="sheet">
      <h3 class="on-paper">
        {t("sheetTitle")} · {sheet.meeting.title}
      </h3>
      <p class="figures">{t("sheetSum", { came, all: sheet.venues.length, heads })}</p>
      <table class="figures">
        <thead>
          <tr>
            {[t("sheetVenue"), t("headCount"), t("signer"), t("sheetJoined"), t("sheetLeft"), t("sheetStay")].map((head) => (
              <th key={head}>{head}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sheet.venues.map((line) => (
            <tr key={line.hall} data-sheet={line.hall}>
              <td>{venueName(line.hall) === line.hall ? line.zh : venueName(line.hall)}</td>
              <td>{line.heads ?? "—"}</td>
              <td>{line.name || "—"}</td>
              <td>{at(line.joined)}</td>
              <td>{line.left ? at(line.left) : line.joined ? t("stillIn") : t("absent")}</td>
              <td>{line.stays ? t("min", { n: Math.round(line.stayed_s / 60) }) : "—"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <button class="main no-paper" autoFocus onClick={() => window.print()}>
        {t("print")}
      </button>{" "}
      <button
        class="no-paper"
        data-do="report"
        disabled={making}
        onClick={() => {
          setMaking(true);
          downloadReport()
            .catch((refused: unknown) => tell([String(refused), String(refused)], true))
            .finally(() => setMaking(false));
        }}
      >
        {t("report")}
      </button>
    </div>
  );
}

/** Phones and notebooks: one link for all of them, a PIN that goes another way, then the waiting room. */
export function Guests() {
  const [pin, setPin] = useState("");
  const [link, setLink] = useState("");
  const ask = (on: boolean): void => {
    askGuests(on).then(
      (found) => {
        setPin(found.pin ?? "");
        setLink(found.guest_link ?? "");
      },
      (problem: unknown) => tell([String(problem), String(problem)], true),
    );
  };
  if (!pin)
    return (
      <button class="main" autoFocus onClick={() => ask(true)}>
        {t("guestsAsk")}
      </button>
    );
  return (
    <div class="guests">
      <p>{t("guestsPin")}</p>
      <p class="pin figures" data-pin={pin}>
        {pin}
      </p>
      <label>
        {t("guestsLink")}
        <input readOnly value={link} data-link onFocus={(event) => event.currentTarget.select()} />
      </label>
      <button onClick={() => ask(false)}>{t("guestsStop")}</button>
    </div>
  );
}

export function Find() {
  const [words, setWords] = useState("");
  const found = order.value.filter((code) => `${code} ${venueName(code)}`.toLowerCase().includes(words.toLowerCase())).slice(0, 12);
  const take = (code: string | undefined): void => {
    if (!code) return;
    close();
    // after the box has given the focus back
    window.setTimeout(() => choose(code));
  };
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        take(found[0]);
      }}
    >
      <input autoFocus aria-label={t("find")} autocomplete="off" value={words} onInput={(event) => setWords(event.currentTarget.value)} />
      <ul class="found">
        {found.map((code) => (
          <li key={code}>
            <button type="button" onClick={() => take(code)}>
              {venueName(code)} <small>{code}</small>
            </button>
          </li>
        ))}
      </ul>
    </form>
  );
}

const shown = (key: string): string[] => (key.toLowerCase() === key ? [key.toUpperCase()] : ["Shift", key]);

export function Help() {
  const group = (of: Row["of"], title: string) => (
    <section>
      <h3>{title}</h3>
      <dl>
        {ROWS.filter((row) => row.of === of).map((row) => (
          <KeyLine key={row.id} keys={shown(row.key)} words={say(row.words)} />
        ))}
      </dl>
    </section>
  );
  return (
    <div class="keys" data-help>
      {group("venue", t("forVenue", { name: "▣" }))}
      {group("all", t("forAll"))}
      <section>
        <h3>{t("keys")}</h3>
        <dl>
          <KeyLine keys={["←", "↑", "→", "↓"]} words={t("keyMove")} />
          <KeyLine keys={["[", "]"]} words={t("keyPrevious")} />
          <KeyLine keys={["/"]} words={t("find")} />
          <KeyLine keys={["R"]} words={t("keyPictures")} />
          <KeyLine keys={["L"]} words={t("keyLanguage")} />
          <KeyLine keys={["?"]} words={t("keyHelp")} />
          <KeyLine keys={["Esc"]} words={t("keyClose")} />
        </dl>
      </section>
    </div>
  );
}
