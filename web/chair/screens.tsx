/** What all are shown, and beside it what the chair alone has chosen to watch. */
import { say } from "../shared/i18n";
import type { Conference, View } from "../shared/meet/conference";
import { Picture, venueName } from "./picture";
import { clock } from "./seat";
import { span } from "./time";
import { t, WHY } from "./words";

export function Screens({ conference }: { conference: Conference }) {
  const { you, poll } = conference;
  const mine = you.view.why === "watch" || (you.view.why === "poll" && poll?.scope === "chair") ? you.view : undefined;
  return (
    <div class="screens">
      <Screen name="air" title={t("air")} view={you.air} slides={conference.slides ?? ""}>
        {conference.programmeAt !== undefined && conference.programmeAt > 0 && (
          <span class="figures">{t("since", { time: span(clock.value - conference.programmeAt) })}</span>
        )}
      </Screen>
      {poll && (
        <p class="polling figures" data-poll={poll.venue}>
          {t("polling", { name: venueName(poll.venue), n: poll.intervalS })}
          {" · "}
          {t("next", { time: span(poll.nextAt - clock.value) })}
          {poll.scope === "chair" && ` · ${t("pollMine")}`}
        </p>
      )}
      <Screen name="mine" title={t("mine")} view={mine} slides="" />
    </div>
  );
}

interface ScreenProps {
  name: string;
  title: string;
  view: View | undefined;
  slides: string;
  children?: preact.ComponentChildren;
}

function Screen({ name, title, view, slides, children }: ScreenProps) {
  const show = view?.show ?? [];
  const columns = view?.layout === "grid" ? Math.ceil(Math.sqrt(Math.max(1, show.length))) : 1;
  return (
    <section class={`screen ${name}`} data-screen={name} data-layout={view?.layout ?? ""} data-why={view?.why ?? ""} data-show={show.join(" ")} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {view && <b>{say(WHY[view.why] ?? ["", ""])}</b>}
        <span class="screen-names">{show.map(venueName).join(" · ")}</span>
        {children}
      </header>
      <div class={`stage ${view?.layout ?? ""} ${slides ? "with-slides" : ""}`} style={{ "--columns": columns }}>
        {slides && (
          <figure class="of-slides" data-slides={slides}>
            <Picture key={slides} venue={slides} source="slides" />
            <figcaption>{t("slidesOf", { name: venueName(slides) })}</figcaption>
          </figure>
        )}
        <div class="cameras">
          {show.map((venue) => (
            <figure key={venue} data-picture={venue}>
              <Picture venue={venue} />
              <figcaption>{venueName(venue)}</figcaption>
            </figure>
          ))}
          {show.length === 0 && <p class="in-place">{name === "mine" ? t("mineNone") : t("nobody")}</p>}
        </div>
      </div>
    </section>
  );
}
