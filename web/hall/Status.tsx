import { camera, microphone } from "./devices";
import { session, sharing } from "./meeting";
import { t } from "./words";

interface Word {
  text: string;
  colour: "red" | "amber" | "green" | "plain";
  name: string;
}

/** What this hall has to know about itself, the most urgent first. */
function words(): Word[] {
  const conference = session.conference.value;
  const found: Word[] = [];
  const say = (name: string, colour: Word["colour"], text: string): void => void found.push({ name, colour, text });
  if (session.trouble.value) say("trouble", "amber", t(session.trouble.value));
  if (!conference) return found;
  const { you, roll } = conference;
  const off = session.off.value;
  const called = roll?.venue === you.id;
  if (conference.alone) say("alone", "amber", t("onItsOwn"));
  if (called) say("called", "red", t("called"));
  else if (you.seen) say("seen", "red", t("onAir"));
  if (conference.slides === you.id && sharing.value) say("slides", "red", t("slidesOnAir"));
  else if (conference.slides === you.id) say("slidesWanted", "amber", t("slidesWanted"));
  if (you.floor) say("floor", "green", t("floor"));
  if (microphone.value === "missing" || microphone.value === "denied") say("noMic", "amber", t("micMissing"));
  else if (you.muted) say("muted", "amber", t("mutedByChair"));
  else if (off.has("microphone")) say("micOff", "amber", t("micIsOff"));
  else if (you.heard) say("heard", "green", t("heard"));
  else if (roll && !called) say("roll", "plain", t("rollOther"));
  if (you.hand) say("hand", "green", t("handUp", { n: you.hand }));
  if (camera.value !== "good" && camera.value !== "looking") say("noCamera", "amber", t("soundOnly"));
  if (conference.chair === "") say("noChair", "plain", t("noChair"));
  return found;
}

/** Big words about this hall's own state. */
export function Status() {
  return (
    <ul class="status" role="status">
      {words().map(({ name, colour, text }) => (
        <li key={name} class={`chip ${colour}`} data-word={name}>
          {text}
        </li>
      ))}
    </ul>
  );
}

/** The line that the chair shows in every venue. */
export function Banner() {
  const banner = session.conference.value?.banner;
  if (!banner) return null;
  return (
    <p class={`banner${banner.ticker ? " ticker" : ""}`} data-banner={banner.text}>
      <span>{banner.text}</span>
    </p>
  );
}
