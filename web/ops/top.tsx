/** Heading, network switch, clock, and the strip that says whether everything the model expects is there. */
import { language, named, switchLanguage } from "../shared/i18n";
import { clock, connection, county, network, now } from "./store";
import { day, time } from "./format";
import type { Count } from "./types";
import { t } from "./words";

/** `networks`: with the choice of one network, where a page looks at it. */
export function Top({ networks }: { networks: boolean }) {
  return (
    <header class="top">
      <div class="brand">
        <h1>{county.value ? named(county.value) : ""}</h1>
        <p>{t("product")}</p>
      </div>
      {networks && <NetworkSwitch />}
      <div class="right">
        <button class="language" lang={language.value === "zh" ? "en" : "zh-CN"} onClick={switchLanguage}>
          {t("otherLanguage")}
        </button>
        <time class="clock figures">
          <small>{day(clock.value)}</small> {time(clock.value)}
        </time>
      </div>
    </header>
  );
}

function NetworkSwitch() {
  const all = county.value?.networks.filter((one) => one.kind === "public") ?? [];
  const closed = county.value?.networks.filter((one) => one.kind === "closed") ?? [];
  const inClosed = closed.some((one) => one.name === network.value);
  const choose = (name: string): void => void (network.value = name);
  return (
    <nav class="networks" aria-label={t("network")}>
      {[{ name: "", zh: "全部", en: "All" }, ...all].map((one) => (
        <button
          key={one.name}
          class={`net ${one.name}`}
          aria-pressed={network.value === one.name}
          onClick={() => choose(one.name)}
        >
          {one.name === "" ? t("allNetworks") : named(one).replace(/ network$/, "")}
        </button>
      ))}
      {closed.length > 0 && (
        <select
          class={inClosed ? "net closed chosen" : "net closed"}
          aria-label={t("closedGroups")}
          value={inClosed ? network.value : ""}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          <option value="">{t("closedGroups")}</option>
          {closed.map((one) => (
            <option key={one.name} value={one.name}>
              {named(one)}
            </option>
          ))}
        </select>
      )}
    </nav>
  );
}

const PARTS = ["hosts", "services", "ospf", "bfd", "tunnels", "targets", "relay"] as const;

const isCount = (part: unknown): part is Count =>
  typeof part === "object" && part !== null && "expected" in part && "ok" in part;

export function StatusStrip() {
  const status = now.value?.status ?? {};
  const known = typeof status["ready"] === "boolean";
  const ready = status["ready"] === true;
  return (
    <section class="strip" aria-label={t("ready")}>
      <span class={`verdict ${known ? (ready ? "up" : "down") : "unknown"}`}>
        <i aria-hidden="true">{known ? (ready ? "✓" : "✕") : "?"}</i>
        {known && ready ? t("ready") : known ? t("notReady") : t("connecting")}
      </span>
      {PARTS.map((name) => {
        const part = status[name];
        if (!isCount(part)) return null;
        const good = part.ok === part.expected;
        return (
          <span key={name} class={`part ${good ? "up" : "down"}`}>
            <i aria-hidden="true">{good ? "✓" : "✕"}</i>
            {t(name)}{" "}
            <b class="figures">
              {part.ok}
              <small>/{part.expected}</small>
            </b>
          </span>
        );
      })}
      <Feed />
    </section>
  );
}

function Feed() {
  const state = now.value;
  if (connection.value !== "live") {
    return <span class="feed down">{state ? t("lost", { time: time(state.at) }) : t("connecting")}</span>;
  }
  if (state && state.sources["collector"] !== "ok") return <span class="feed down">{t("collectorSilent")}</span>;
  return (
    <span class="feed up">
      <i aria-hidden="true" class="pulse" /> {t("live")}
    </span>
  );
}
