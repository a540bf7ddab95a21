import { useEffect } from "preact/hooks";
import { named } from "../shared/i18n";
import { testSpeaker } from "./devices";
import { Header } from "./Header";
import { Key } from "./keys";
import { failed, heardTone, measured, progress, testLine, tone, verdict, type Way } from "./line";
import { Devices, Preview } from "./Lobby";
import { testing } from "./meeting";
import { t } from "./words";

const percent = (ratio: number | null | undefined): string => (ratio == null ? "—" : `${(ratio * 100).toFixed(1)} %`);
const millis = (ms: number | null | undefined): string => (ms == null ? "—" : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`);
const rate = (bps: number | null | undefined): string => (bps == null ? "—" : `${(bps / 1e6).toFixed(1)} Mbit/s`);

function Row({ name, way, rtt }: { name: string; way: Way | undefined; rtt: number | null | undefined }) {
  return (
    <tr>
      <th>{name}</th>
      <td>{percent(way?.loss_ratio)}</td>
      <td>{millis(way?.jitter_ms)}</td>
      <td>{rate(way?.rate_bps)}</td>
      <td>{millis(rtt)}</td>
    </tr>
  );
}

/** The test room: always open, needs no meeting. */
export function LineTest() {
  useEffect(() => void testLine(), []);
  const running = progress.value;
  const found = verdict.value;
  const network = found?.network;
  return (
    <div class="lobby-page" data-line={running !== undefined ? "running" : found ? (found.ready ? "ready" : "poor") : failed.value === "server" ? "failed" : "idle"}>
      <Header title={t("lineTest")} />
      <main class="lobby line">
        <section class="line-left">
          <Preview />
          {running !== undefined && (
            <div class="level" role="progressbar">
              <div style={{ transform: `scaleX(${Math.min(1, running)})` }} />
            </div>
          )}
          <p class={`line-word ${running !== undefined ? "" : found?.ready ? "good" : found ? "poor" : ""}`} role="status">
            {running !== undefined ? t("testing") : found ? (found.ready ? t("ready") : t("notReady")) : failed.value === "server" ? t("noServer") : t("looking")}
          </p>
          {found?.checks
            .filter((one) => !one.ok)
            .map((one) => (
              <p class="chip amber" key={one.name}>
                {named(one)}
              </p>
            ))}
        </section>
        <section class="checks">
          <Devices />
          <table class="figures">
            <thead>
              <tr>
                <th>{t("path")}</th>
                <th>{t("loss")}</th>
                <th>{t("jitter")}</th>
                <th>{t("rate")}</th>
                <th>{t("rtt")}</th>
              </tr>
            </thead>
            <tbody>
              <Row name={t("up")} way={measured.value?.up} rtt={measured.value?.rtt_ms} />
              <Row name={t("down")} way={measured.value?.down} rtt={undefined} />
              {network && <Row name={t("networkUp")} way={network.up} rtt={network.rtt_ms} />}
              {network && <Row name={t("networkDown")} way={network.down} rtt={undefined} />}
            </tbody>
          </table>
        </section>
      </main>
      <footer class="keys">
        <Key k="Escape" onPress={() => (testing.value = false)}>
          {t("back")}
        </Key>
        <Key k="1" first disabled={running !== undefined} onPress={() => void testLine()}>
          {t("testAgain")}
        </Key>
        <Key k="5" kind={tone.value === true ? "on" : ""} onPress={() => void heardTone(true)}>
          {t("toneHeard")}
        </Key>
        <Key
          k="6"
          kind={tone.value === false ? "off" : ""}
          onPress={() => {
            void heardTone(false);
            void testSpeaker();
          }}
        >
          {t("toneNot")}
        </Key>
      </footer>
    </div>
  );
}
