import { check } from "./devices";
import { hallToken, isKiosk, link, retry } from "./door";
import { Header, timeOf } from "./Header";
import { Key } from "./keys";
import { goHome, join, leave, screen, testing } from "./meeting";
import { t } from "./words";

/** One big sentence: loading, not open yet, waiting room, over, cut, a bad link, left. */
export function Notice() {
  const now = screen.value;
  const opens = link.value ? Date.parse(link.value.meeting.opens) : undefined;
  const said: Partial<Record<typeof now, string>> = {
    loading: t("loading"),
    noServer: t("noServer"),
    badLink: t("badLink"),
    notYet: t("notYet"),
    joining: t("joining"),
    waiting: t("waitingRoom"),
    over: t("over"),
    cancelled: t("cancelled"),
    left: t("left"),
    replaced: t("replaced"),
    cut: t("cut"),
  };
  const again = now === "left" || now === "replaced" || now === "cut";
  return (
    <div class="notice-page">
      <Header />
      <main class="notice">
        <p class="notice-big" role="status">
          {said[now] ?? ""}
        </p>
        {now === "badLink" && <p>{t("badLinkHelp")}</p>}
        {now === "waiting" && <p>{t("waitingHelp")}</p>}
        {now === "notYet" && opens !== undefined && <p class="figures">{t("opensAt", { time: timeOf(opens) })}</p>}
        {now === "notYet" && hallToken() && (
          <Key k="2" act="lineTest" onPress={() => (testing.value = true)}>
            {t("lineTest")}
          </Key>
        )}
        {again && (
          <Key k="1" kind="big" first data={{ "data-rejoin": "" }} onPress={() => void join()}>
            {now === "cut" ? t("askAgain") : t("rejoin")}
          </Key>
        )}
        {now === "badLink" && !isKiosk() && (
          <Key
            k="1"
            kind="big quiet"
            first
            onPress={() => {
              retry();
              void check();
            }}
          >
            {t("retry")}
          </Key>
        )}
        {now === "waiting" && (
          <Key k="0" onPress={() => void leave()}>
            {t("leave")}
          </Key>
        )}
        {isKiosk() && !["loading", "noServer", "waiting", "joining"].includes(now) && (
          <Key k="Escape" onPress={goHome}>
            {t("toHome")}
          </Key>
        )}
      </main>
    </div>
  );
}
