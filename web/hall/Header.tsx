import { language, named, switchLanguage } from "../shared/i18n";
import { link } from "./session";
import { t } from "./words";

export function when(): string {
  const meeting = link.value?.meeting;
  if (!meeting) return "";
  const locale = language.value === "zh" ? "zh-CN" : "en-GB";
  const day = new Date(meeting.start).toLocaleDateString(locale, { month: "long", day: "numeric", weekday: "short" });
  const clock = (text: string): string =>
    new Date(text).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", hour12: false });
  return `${day} ${clock(meeting.start)}–${clock(meeting.end)}`;
}

/** The meeting's name and time, the hall's name, the language. */
export function Header() {
  const found = link.value;
  return (
    <header class="head">
      <div class="head-meeting">
        <h1>{found?.meeting.title ?? t("hall")}</h1>
        <p class="figures">{when()}</p>
      </div>
      <p class="head-hall">{found ? named(found.hall) : ""}</p>
      <button class="head-language" onClick={switchLanguage}>
        {t("language")}
      </button>
    </header>
  );
}
