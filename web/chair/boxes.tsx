/** Boxes that ask for what an action needs. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { named, say } from "../shared/i18n";
import type { Conference } from "../shared/meet/conference";
import { Dialog } from "../ops/ui/dialog";
import { press, type Row } from "./actions";
import { box, close, keepPolled, polled } from "./box";
import { venueName } from "./picture";
import { act, order } from "./seat";
import { counted, Find, Guests, Help, Lines, SheetBox } from "./shows";
import { t } from "./words";

export function Boxes({ conference }: { conference: Conference }) {
  const open = box.value;
  if (!open) return null;
  const words = open.row ? say(open.row.words).replace("…", "") : "";
  const title = { help: t("keys"), find: t("find"), lines: t("linesReady", counted()), sheet: t("sheetTitle") }[open.kind as string] ?? words;
  return (
    <Dialog key={open.kind} title={title} close={close} wide={open.kind === "sheet" || open.kind === "help"}>
      {open.kind === "confirm" && <Confirm row={open.row!} venue={open.venue} />}
      {open.kind === "poll" && <Poll conference={conference} row={open.row!} />}
      {open.kind === "display" && <Display conference={conference} row={open.row!} />}
      {open.kind === "banner" && <Banner conference={conference} row={open.row!} />}
      {open.kind === "extend" && <Extend row={open.row!} />}
      {open.kind === "signIn" && <SignIn conference={conference} row={open.row!} venue={open.venue} />}
      {open.kind === "lines" && <Lines />}
      {open.kind === "sheet" && <SheetBox />}
      {open.kind === "guests" && <Guests />}
      {open.kind === "help" && <Help />}
      {open.kind === "find" && <Find />}
    </Dialog>
  );
}

function Confirm({ row, venue }: { row: Row; venue: string }) {
  const asked = { cut: "confirmCut", handOver: "confirmHandOver", end: "confirmEnd" } as const;
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        close();
        press(row, true);
      }}
    >
      <p>{t(asked[row.id as keyof typeof asked], { name: venueName(venue) })}</p>
      <End words={t("sure")} danger focus />
    </form>
  );
}

const End = ({ words, danger, focus }: { words: string; danger?: boolean; focus?: boolean }) => (
  <div class="form-end">
    <button class={danger ? "main danger" : "main"} autoFocus={focus ?? false} data-apply>
      {words}
    </button>
    <button type="button" onClick={close}>
      {t("cancel")}
    </button>
  </div>
);

/** A form that sends one action; it stays open when the server refuses. */
function Ask({ row, action, args, children }: { row: Row; action: string; args: (form: FormData) => Record<string, unknown>; children: ComponentChildren }) {
  const place = useRef<HTMLFormElement>(null);
  useEffect(() => place.current?.querySelector<HTMLElement>("input, select")?.focus(), []);
  return (
    <form
      ref={place}
      class="form"
      onKeyDown={(event) => {
        if (event.key !== "Enter" || !(event.target instanceof HTMLSelectElement)) return;
        event.preventDefault();
        event.currentTarget.requestSubmit(); // as in every other field
      }}
      onSubmit={(event) => {
        event.preventDefault();
        void act(action, args(new FormData(event.currentTarget)), [row.words[0].replace("…", ""), row.words[1].replace("…", "")], action === "poll" || action === "display").then((done) => done && close());
      }}
    >
      {children}
      <End words={t("apply")} />
    </form>
  );
}

/** Venues to tick; what is ticked first comes first. */
function Venues({ conference, name, picked }: { conference: Conference; name: string; picked: string[] }) {
  const [chosen, setChosen] = useState(picked);
  const turn = (code: string): void => setChosen(chosen.includes(code) ? chosen.filter((one) => one !== code) : [...chosen, code]);
  return (
    <fieldset class="ticks">
      <legend>{name}</legend>
      <input type="hidden" name="venues" value={chosen.join(" ")} />
      {order.value.map((code) => (
        <label key={code}>
          <input type="checkbox" data-tick={code} checked={chosen.includes(code)} onChange={() => turn(code)} />
          {conference.venues?.[code] ? named(conference.venues[code]) : code}
          {chosen.includes(code) && <small class="figures"> {chosen.indexOf(code) + 1}</small>}
        </label>
      ))}
    </fieldset>
  );
}

const listOf = (form: FormData): string[] => String(form.get("venues") ?? "").split(" ").filter(Boolean);

function Poll({ conference, row }: { conference: Conference; row: Row }) {
  const { poll } = conference;
  return (
    <Ask
      row={row}
      action="poll"
      args={(form) => {
        keepPolled(listOf(form));
        return { venues: listOf(form), intervalS: Number(form.get("interval")), scope: form.get("scope") };
      }}
    >
      <label class="field">
        {t("pollEvery")}
        <input name="interval" type="number" min="5" max="600" step="1" required defaultValue={String(poll?.intervalS ?? 20)} />
      </label>
      <label class="field">
        {t("pollScope")}
        <select name="scope">
          <option value="all">{t("pollAll")}</option>
          <option value="chair" selected={poll?.scope === "chair"}>
            {t("pollChair")}
          </option>
        </select>
      </label>
      <Venues conference={conference} name={t("pollVenues")} picked={poll?.venues ?? polled().filter((code) => code in (conference.venues ?? {}))} />
    </Ask>
  );
}

function Display({ conference, row }: { conference: Conference; row: Row }) {
  const [mode, setMode] = useState(conference.display?.mode ?? "grid");
  return (
    <Ask row={row} action="display" args={(form) => ({ mode, venues: mode === "voice" ? [] : listOf(form) })}>
      <label class="field">
        {t("mode")}
        <select name="mode" value={mode} onChange={(event) => setMode(event.currentTarget.value as typeof mode)}>
          {(["fixed", "voice", "grid", "pip"] as const).map((one) => (
            <option key={one} value={one}>
              {t(one)}
            </option>
          ))}
        </select>
      </label>
      {mode !== "voice" && <Venues conference={conference} name={t("displayVenues")} picked={conference.display?.venues ?? []} />}
    </Ask>
  );
}

function Banner({ conference, row }: { conference: Conference; row: Row }) {
  return (
    <Ask row={row} action="banner" args={(form) => ({ text: String(form.get("text") ?? ""), ticker: form.get("ticker") !== null })}>
      <label class="field">
        {t("bannerText")}
        <input name="text" maxLength={200} autocomplete="off" defaultValue={conference.banner?.text ?? ""} />
      </label>
      <label>
        <input name="ticker" type="checkbox" defaultChecked={conference.banner?.ticker ?? false} /> {t("ticker")}
      </label>
    </Ask>
  );
}

const Extend = ({ row }: { row: Row }) => (
  <Ask row={row} action="extend" args={(form) => ({ minutes: Number(form.get("minutes")) })}>
    <label class="field">
      {t("minutes")}
      <input name="minutes" type="number" min="1" max="240" required defaultValue="15" />
    </label>
  </Ask>
);

function SignIn({ conference, row, venue }: { conference: Conference; row: Row; venue: string }) {
  const signed = conference.venues?.[venue]?.signed;
  return (
    <Ask row={row} action="signIn" args={(form) => ({ venue, heads: Number(form.get("heads")), name: String(form.get("name") ?? "") })}>
      <p>{venueName(venue)}</p>
      <label class="field">
        {t("headCount")}
        <input name="heads" type="number" min="0" max="9999" required defaultValue={String(signed?.heads ?? "")} />
      </label>
      <label class="field">
        {t("signer")}
        <input name="name" maxLength={40} autocomplete="off" defaultValue={signed?.name ?? ""} />
      </label>
    </Ask>
  );
}
