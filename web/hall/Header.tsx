import { signal } from "@preact/signals";
import { language, named, switchLanguage } from "../shared/i18n";
import { type Booked, home, link, next, now } from "./door";
import { Key } from "./keys";
import { session } from "./meeting";
import { t } from "./words";

const locale = (): string => (language.value === "zh" ? "zh-CN" : "en-GB");

/** The server's time of day, drawn again every second. */
export const clock = signal(now());
window.setInterval(() => (clock.value = now()), 1_000);

export const timeOf = (ms: number, seconds = false): string =>
  new Date(ms).toLocaleTimeString(locale(), {
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
    ...(seconds ? { second: "2-digit" } : {}),
  });

export const dayOf = (ms: number): string =>
  new Date(ms).toLocaleDateString(locale(), { month: "long", day: "numeric", weekday: "long" });

export const booked = (): Booked | undefined => link.value?.meeting ?? next.value;
export const hallName = (): string => {
  const hall = home.value?.hall ?? link.value?.hall;
  return hall ? named(hall) : "";
};

export function when(meeting = booked()): string {
  if (!meeting) return "";
  const start = Date.parse(meeting.start);
  return `${dayOf(start)} ${timeOf(start)}–${timeOf(Date.parse(meeting.end))}`;
}

/** Whom to call, always in sight. */
export function Duty() {
  const known = home.value ?? link.value;
  if (!known) return null;
  const { duty } = known;
  return (
    <p class="duty" data-duty>
      {duty ? (
        <>
          {t("duty")} <strong class="figures">{duty.phone}</strong>
        </>
      ) : (
        t("noDuty")
      )}
    </p>
  );
}

/** Nobody is recorded without knowing, in the waiting room either. */
export function Recorded() {
  if (!session.conference.value?.recording) return null;
  return (
    <p class="recorded" role="status" data-recording>
      {t("recorded")}
    </p>
  );
}

/** The meeting's name and time, the hall's name, the duty telephone, the language. */
export function Header({ title = "" }: { title?: string }) {
  return (
    <header class="head">
      <div class="head-meeting">
        <h1>{title || (booked()?.title ?? t("hall"))}</h1>
        <p class="figures">{title ? "" : when()}</p>
      </div>
      <Recorded />
      <div class="head-hall">
        <p>{hallName()}</p>
        <Duty />
      </div>
      <Key k="9" kind="head-language" onPress={switchLanguage}>
        {t("language")}
      </Key>
    </header>
  );
}
