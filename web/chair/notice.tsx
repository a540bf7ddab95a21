/** One sentence while nothing is to be chaired; before the meeting also the line tests of its halls. */
import { switchLanguage } from "../shared/i18n";
import { Lines } from "./shows";
import { begin, lines, link, session, shut } from "./seat";
import { timeOf } from "./time";
import { t } from "./words";

export function Notice() {
  const phase = session.phase.value;
  const opens = link.value ? Date.parse(link.value.meeting.opens) / 1000 : 0;
  const ended = phase === "over" || phase === "cancelled" || phase === "replaced" || phase === "badLink" || phase === "left";
  const why = ended ? phase : phase === "cut" ? "over" : shut.value;
  return (
    <main class="notice" data-notice={why || phase}>
      <h1>{link.value?.meeting.title ?? t("desk")}</h1>
      <p class="notice-words" role="status">
        {why === "" ? t(phase === "idle" ? "loading" : "joining") : t(why, { time: timeOf(opens) })}
      </p>
      {(why === "replaced" || why === "left") && (
        <button class="main" autoFocus onClick={() => void begin()}>
          {t("again")}
        </button>
      )}
      {why === "early" && lines.value && <Lines />}
      <button class="plain" onClick={switchLanguage}>
        {t("language")} <kbd>L</kbd>
      </button>
    </main>
  );
}
