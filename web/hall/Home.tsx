import { isKiosk } from "./door";
import { home, next } from "./door";
import { clock, dayOf, Duty, hallName, timeOf, when } from "./Header";
import { Key } from "./keys";
import { goesInAt, join, testing } from "./meeting";
import { camera, microphone } from "./devices";
import { switchLanguage } from "../shared/i18n";
import { t } from "./words";

function inWords(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  if (minutes < 60) return t("inMinutes", { n: minutes });
  if (minutes < 48 * 60) return t("inHours", { h: Math.floor(minutes / 60), m: minutes % 60 });
  return t("inDays", { n: Math.round(minutes / 1_440) });
}

/** A hall at home: the clock, the next meeting, and one key. */
export function Home() {
  const meeting = next.value;
  const later = home.value?.meetings.slice(1, 3) ?? [];
  const start = meeting ? Date.parse(meeting.start) : 0;
  const open = meeting?.state === "open";
  const poor = [
    ["missing", "denied", "busy"].includes(camera.value) ? t("noCamera") : "",
    ["missing", "denied"].includes(microphone.value) ? t("noMic") : "",
  ].filter(Boolean);
  return (
    <div class="home-page">
      <header class="home-head">
        <p class="home-hall">{hallName()}</p>
        <Duty />
      </header>
      <main class="home">
        <p class="home-clock figures">{timeOf(clock.value, true)}</p>
        <p class="home-day">{dayOf(clock.value)}</p>
        {meeting ? (
          <section class="home-next" data-next={meeting.id}>
            <p class="soft">{t("next")}</p>
            <h1>{meeting.title}</h1>
            <p class="home-when figures">{when(meeting)}</p>
            <p class="home-in" role="status">
              {clock.value < goesInAt(meeting.start)
                ? `${inWords(start - clock.value)} · ${t("byItself", { time: timeOf(goesInAt(meeting.start)) })}`
                : open
                  ? t("onNow")
                  : ""}
            </p>
          </section>
        ) : (
          <p class="home-none" role="status">
            {t("noMeeting")}
          </p>
        )}
        {later.map((one) => (
          <p class="home-later figures" key={one.id}>
            {when(one)} {one.title}
          </p>
        ))}
        {poor.length > 0 && <p class="chip amber">{poor.join(" · ")}</p>}
      </main>
      <footer class="keys">
        <Key k="1" kind="big" first disabled={!open} onPress={() => void join()} data={{ "data-join": "" }}>
          {open ? t("join") : t("notOpenYet")}
        </Key>
        <Key k="2" act="lineTest" onPress={() => (testing.value = isKiosk())}>
          {t("lineTest")}
        </Key>
        <Key k="9" onPress={switchLanguage}>
          {t("language")}
        </Key>
      </footer>
    </div>
  );
}
