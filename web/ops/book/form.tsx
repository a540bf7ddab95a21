/** The form of a booking: it says what it would run into while it is filled in. */
import { useEffect, useState } from "preact/hooks";
import { post } from "../../shared/api";
import { named, say } from "../../shared/i18n";
import { day, rate, time } from "../format";
import { wordsOf } from "../ui/data";
import { Field, Form, type Values } from "../ui/form";
import type { Asked, Booked, Checked, HallRow, Halls } from "./types";
import { REPEATS, t } from "./words";

const WAIT_MS = 500;
const SHOWN = 6;

export interface BookingFormProps {
  halls: Halls;
  /** What is changed; none: a new one. */
  meeting?: Booked;
  send: (asked: Asked, values: Values) => Promise<unknown>;
  done: () => void;
  cancel?: () => void;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** A moment as a field of local time has it. */
function local(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** The next full hour. */
function soon(): string {
  const at = new Date();
  at.setHours(at.getHours() + 1, 0, 0, 0);
  return local(at);
}

export function BookingForm({ halls, meeting, send, done, cancel }: BookingFormProps) {
  const [chosen, setChosen] = useState<string[]>(meeting?.halls ?? []);
  const [main, setMain] = useState(meeting?.main ?? "");
  const [title, setTitle] = useState(meeting?.title ?? "");
  const [start, setStart] = useState(meeting ? local(new Date(meeting.start)) : soon());
  const [minutes, setMinutes] = useState(meeting ? (Date.parse(meeting.end) - Date.parse(meeting.start)) / 60_000 : 120);
  const [rule, setRule] = useState("");
  const [times, setTimes] = useState(4);
  const [force, setForce] = useState(false);
  const asked: Asked = {
    title,
    start: new Date(start || soon()).toISOString(),
    minutes,
    halls: chosen,
    main: chosen.includes(main) ? main : (chosen[0] ?? ""),
    repeat: rule && times > 1 ? `${rule};COUNT=${times}` : "",
    force,
  };
  const { checked, problem } = useCheck(asked, meeting?.id);
  const turn = (codes: string[]): void => {
    const all = codes.every((code) => chosen.includes(code));
    setChosen(all ? chosen.filter((code) => !codes.includes(code)) : [...new Set([...chosen, ...codes])]);
  };
  return (
    <Form label={meeting ? t("change") : t("book")} send={(values) => send(asked, values)} done={done} keep {...(cancel ? { cancel } : {})}>
      <Field name="title" label={t("what")} value={title} onChange={setTitle} required maxLength={200} />
      <div class="book-when">
        <Field name="start" label={t("start")} type="datetime-local" value={start} onChange={setStart} required />
        <Field name="minutes" label={t("minutes")} type="number" value={String(minutes)} onChange={(value) => setMinutes(Number(value))} min={1} max={720} required />
        {!meeting && <Field name="repeat" label={t("repeat")} value={rule} onChange={setRule} options={REPEATS.map(([one, words]) => [one, say(words)] as const)} />}
        {!meeting && rule && <Field name="times" label={t("times")} type="number" value={String(times)} onChange={(value) => setTimes(Number(value))} min={2} max={104} required />}
      </div>
      <fieldset class="book-halls">
        <legend>{t("groups")}</legend>
        {halls.groups.map((group) => (
          <button key={group.name} type="button" class="chip" data-group={group.name} aria-pressed={group.halls.every((code) => chosen.includes(code))} onClick={() => turn(group.halls)}>
            {named(group)} <small class="figures">{group.halls.length}</small>
          </button>
        ))}
      </fieldset>
      <fieldset class="book-halls">
        <legend>
          {t("halls")} <small>{t("chosen", { n: chosen.length })}</small>
        </legend>
        {halls.halls.map((hall) => (
          <button key={hall.code} type="button" class="chip" data-hall={hall.code} aria-pressed={chosen.includes(hall.code)} onClick={() => turn([hall.code])}>
            {named(hall)}
          </button>
        ))}
      </fieldset>
      {chosen.length > 0 && (
        <p class="field">
          <label>
            {t("main")}
            <select name="main" value={asked.main} onChange={(event) => setMain(event.currentTarget.value)}>
              {chosen.map((code) => (
                <option key={code} value={code}>
                  {nameOf(halls.halls, code)}
                </option>
              ))}
            </select>
          </label>
        </p>
      )}
      {chosen.length > 0 && checked && <Found checked={checked} halls={halls.halls} />}
      {chosen.length > 0 && problem && <p class="problem">{problem}</p>}
      {checked && checked.clashes.length > 0 && (
        <label class="book-force">
          <input type="checkbox" name="force" checked={force} onChange={(event) => setForce(event.currentTarget.checked)} /> {t("force")}
        </label>
      )}
      {meeting?.series != null && (
        <label class="book-force">
          <input type="checkbox" name="series" /> {t("series")}
        </label>
      )}
    </Form>
  );
}

export const nameOf = (halls: HallRow[], code: string): string => {
  const found = halls.find((hall) => hall.code === code);
  return found ? named(found) : code;
};

/** What the server says of it as it stands, half a second after the last key. */
function useCheck(asked: Asked, but?: number): { checked: Checked | null; problem: string } {
  const [answer, setAnswer] = useState<{ checked: Checked | null; problem: string }>({ checked: null, problem: "" });
  const { title, start, minutes, halls, main, repeat } = asked;
  const body = JSON.stringify({ title: title || "…", start, minutes, halls, main, repeat });
  useEffect(() => {
    if (halls.length === 0 || !(minutes > 0)) return undefined;
    let gone = false;
    const timer = window.setTimeout(() => {
      post<Checked>("/api/meet/meetings/check", JSON.parse(body)).then(
        (checked) => !gone && setAnswer({ checked: { ...checked, clashes: checked.clashes.filter((one) => one.meeting !== but) }, problem: "" }),
        (refused: unknown) => !gone && setAnswer({ checked: null, problem: wordsOf(refused) }),
      );
    }, WAIT_MS);
    return () => {
      gone = true;
      window.clearTimeout(timer);
    };
  }, [body]);
  return answer;
}

function Found({ checked, halls }: { checked: Checked; halls: HallRow[] }) {
  const { starts, clashes, capacity } = checked;
  const shown = starts.slice(0, SHOWN).map((at) => `${day(Date.parse(at) / 1000)} ${time(Date.parse(at) / 1000, false)}`);
  return (
    <ul class="book-found" aria-live="polite" data-found={clashes.length ? "clash" : capacity.ok ? "good" : "short"}>
      {starts.length > 1 && <li>{t("firstTimes", { n: starts.length, times: shown.join(" · ") + (starts.length > SHOWN ? " …" : "") })}</li>}
      {clashes.length === 0 && <li class="up">✓ {t("free")}</li>}
      {clashes.slice(0, SHOWN).map((one) => (
        <li key={`${one.hall}-${one.meeting}`} class="down">
          ✗ {say([one.zh, one.en])}
        </li>
      ))}
      {capacity.words.length === 0 && <li class="up">✓ {t("carried", { rate: rate(Math.max(capacity.hall_up_bps, capacity.hall_down_bps)) })}</li>}
      {capacity.words.map((one) => (
        <li key={one.en} class={capacity.ok ? "degraded" : "down"} data-short={one.en}>
          {capacity.ok ? "△" : "✗"} {say([one.zh, one.en])}
        </li>
      ))}
      {Object.entries(capacity.single)
        .slice(0, SHOWN)
        .map(([link, codes]) => (
          <li key={link} class="degraded">
            △ {t("single", { link, names: codes.map((code) => nameOf(halls, code)).join("、") })}
          </li>
        ))}
    </ul>
  );
}
