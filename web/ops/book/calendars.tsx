/** Calendars to subscribe to, and one to take in. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import { named, say } from "../../shared/i18n";
import { person } from "../shell/session";
import { wordsOf } from "../ui/data";
import { Card } from "../ui/show";
import type { HallRow } from "./types";
import { DONE, t } from "./words";

interface Taken {
  events: { uid: string; done: string; meetings: { id: number; title: string }[] }[];
}

export function Calendars({ halls, changed }: { halls: HallRow[]; changed: () => void }) {
  const [of, setOf] = useState(`@${person.value?.login ?? ""}`);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState("");
  const tell = (work: Promise<string>): void => {
    work.then(
      (words) => {
        setSaid(words);
        setProblem("");
      },
      (refused: unknown) => setProblem(wordsOf(refused)),
    );
  };
  const address = async (): Promise<string> => (await post<{ url: string }>("/api/meet/feeds", { of })).url;
  const revoke = async (): Promise<string> => t("revoked", { n: (await post<{ revoked: number }>("/api/meet/feeds/revoke", { of })).revoked });
  return (
    <Card title={t("calendar")}>
      <p class="quiet">{t("calendarSub")}</p>
      <p class="field">
        <label>
          {t("whose")}
          <select name="of" value={of} onChange={(event) => setOf(event.currentTarget.value)}>
            <option value={`@${person.value?.login ?? ""}`}>{t("mine")}</option>
            <option value="county">{t("county")}</option>
            {halls.map((hall) => (
              <option key={hall.code} value={hall.code}>
                {named(hall)}
              </option>
            ))}
          </select>
        </label>
      </p>
      <p class="book-do">
        <button data-feed="make" onClick={() => tell(address())}>
          {t("address")}
        </button>
        <button data-feed="revoke" onClick={() => tell(revoke())}>
          {t("revoke")}
        </button>
      </p>
      <p class="field">
        <label>
          {t("take")}
          <input
            type="file"
            accept=".ics,text/calendar"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              if (file) tell(take(file).finally(changed));
              event.currentTarget.value = "";
            }}
          />
        </label>
      </p>
      {said && (
        <p class="book-said" role="status" data-said="calendar">
          {said}
        </p>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </Card>
  );
}

/** The server reads it; what it did with each event is shown. */
async function take(file: File): Promise<string> {
  const { events } = await post<Taken>("/api/meet/calendar", { ics: await file.text() });
  return t("taken", {
    words: events.map((one) => `${say(DONE[one.done] ?? [one.done, one.done])} ${one.meetings.map((each) => `${each.title} (${each.id})`).join("、")}`).join("; "),
  });
}
