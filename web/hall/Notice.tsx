import { useEffect, useRef } from "preact/hooks";
import { Header } from "./Header";
import { check } from "./devices";
import { join, link, load, phase } from "./session";
import { t } from "./words";

/** One big sentence: loading, not open yet, over, a bad link, left. */
export function Notice() {
  const button = useRef<HTMLButtonElement>(null);
  const now = phase.value;
  useEffect(() => button.current?.focus(), [now]);
  const opens = link.value ? new Date(link.value.meeting.opens) : undefined;
  const said = {
    loading: t("loading"),
    noServer: t("noServer"),
    badLink: t("badLink"),
    notYet: t("notYet"),
    over: t("over"),
    cancelled: t("cancelled"),
    left: t("left"),
    replaced: t("replaced"),
    lobby: "",
    joining: "",
    in: "",
  }[now];
  return (
    <div class="notice-page">
      <Header />
      <main class="notice">
        <p class="notice-big" role="status">
          {said}
        </p>
        {now === "badLink" && <p>{t("badLinkHelp")}</p>}
        {now === "notYet" && opens && (
          <p class="figures">
            {t("opensAt", { time: opens.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false }) })}
          </p>
        )}
        {(now === "left" || now === "replaced") && (
          <button
            ref={button}
            class="big"
            onClick={() => {
              void join();
            }}
          >
            {t("rejoin")}
          </button>
        )}
        {now === "badLink" && (
          <button
            ref={button}
            class="big quiet"
            onClick={() => {
              phase.value = "loading";
              void load();
              void check();
            }}
          >
            {t("retry")}
          </button>
        )}
      </main>
    </div>
  );
}
