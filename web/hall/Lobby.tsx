import { useEffect, useRef, useState } from "preact/hooks";
import { camera, check, level, local, microphone, testSpeaker } from "./devices";
import { hallToken } from "./door";
import { Header } from "./Header";
import { Key } from "./keys";
import { join, session, testing } from "./meeting";
import { t } from "./words";

/** A picture without sound: our own. */
export function Own({ stream }: { stream: MediaStream | undefined }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = stream ?? null;
  }, [stream]);
  return <video ref={video} autoplay muted playsInline class="own-picture" />;
}

export function Level() {
  return (
    <div class="level" role="meter" aria-valuenow={Math.round(level.value * 100)} aria-label={t("microphone")}>
      <div style={{ transform: `scaleX(${level.value})` }} />
    </div>
  );
}

export const cameraSaid = (): string =>
  ({
    looking: t("looking"),
    good: t("cameraGood"),
    missing: t("cameraMissing"),
    denied: t("cameraDenied"),
    busy: t("cameraBusy"),
  })[camera.value];

const micSaid = (): string =>
  ({
    looking: t("looking"),
    good: t("micGood"),
    heard: t("micHeard"),
    missing: t("micMissing"),
    denied: t("micDenied"),
  })[microphone.value];

/** What was found of camera and microphone, and a sound to hear. */
export function Devices() {
  const [playing, setPlaying] = useState(false);
  const good = (yes: boolean, looking: boolean): string => (looking ? "waits" : yes ? "good" : "poor");
  const heard = microphone.value === "good" || microphone.value === "heard";
  return (
    <>
      <h2 class="said">{t("deviceCheck")}</h2>
      <div class={`check ${good(camera.value === "good", camera.value === "looking")}`} data-check="camera">
        <h3>{t("camera")}</h3>
        <p>{cameraSaid()}</p>
      </div>
      <div class={`check ${good(heard, microphone.value === "looking")}`} data-check="microphone">
        <h3>{t("microphone")}</h3>
        <p>{micSaid()}</p>
        <Level />
      </div>
      <div class="check">
        <h3>{t("speaker")}</h3>
        <Key
          k="4"
          disabled={playing}
          onPress={() => {
            setPlaying(true);
            void testSpeaker().finally(() => setPlaying(false));
          }}
        >
          {playing ? t("speakerPlaying") : t("speakerTest")}
        </Key>
      </div>
    </>
  );
}

export function Preview() {
  return (
    <section class="preview" aria-label={t("camera")}>
      {camera.value === "good" ? <Own stream={local.value} /> : <p class="no-picture">{cameraSaid()}</p>}
    </section>
  );
}

/** Check the devices, then one big JOIN. */
export function Lobby() {
  const joining = session.phase.value === "joining";
  return (
    <div class="lobby-page">
      <Header />
      <main class="lobby">
        <Preview />
        <section class="checks">
          <Devices />
          <Key k="1" kind="big" first disabled={joining} onPress={() => void join()} data={{ "data-join": "" }}>
            {joining ? t("joining") : t("join")}
          </Key>
          <div class="pair-of-keys">
            {hallToken() && (
              <Key k="2" act="lineTest" onPress={() => (testing.value = true)}>
                {t("lineTest")}
              </Key>
            )}
            <Key k="3" onPress={() => void check()}>
              {t("checkAgain")}
            </Key>
          </div>
        </section>
      </main>
    </div>
  );
}
