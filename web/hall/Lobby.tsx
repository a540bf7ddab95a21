import { useEffect, useRef, useState } from "preact/hooks";
import { Header } from "./Header";
import { camera, check, level, local, microphone, testSpeaker } from "./devices";
import { join, phase } from "./session";
import { t } from "./words";

/** A picture without sound: our own. */
export function Own({ stream }: { stream: MediaStream | undefined }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = stream ?? null;
  }, [stream]);
  return <video ref={video} autoplay muted playsInline class="own-picture" />;
}

function Level() {
  return (
    <div class="level" role="meter" aria-valuenow={Math.round(level.value * 100)} aria-label={t("microphone")}>
      <div style={{ transform: `scaleX(${level.value})` }} />
    </div>
  );
}

/** Check the devices, then one big JOIN. */
export function Lobby() {
  const button = useRef<HTMLButtonElement>(null);
  const [playing, setPlaying] = useState(false);
  useEffect(() => button.current?.focus(), []);
  const joining = phase.value === "joining";
  const cameraSaid = {
    looking: t("looking"),
    good: t("cameraGood"),
    missing: t("cameraMissing"),
    denied: t("cameraDenied"),
    busy: t("cameraBusy"),
  }[camera.value];
  const micSaid = {
    looking: t("looking"),
    good: t("micGood"),
    heard: t("micHeard"),
    missing: t("micMissing"),
    denied: t("micDenied"),
  }[microphone.value];
  const good = (yes: boolean, looking: boolean): string => (looking ? "waits" : yes ? "good" : "poor");
  return (
    <div class="lobby-page">
      <Header />
      <main class="lobby">
        <section class="preview" aria-label={t("camera")}>
          {camera.value === "good" ? <Own stream={local.value} /> : <p class="no-picture">{cameraSaid}</p>}
        </section>
        <section class="checks">
          <h2 class="said">{t("deviceCheck")}</h2>
          <div class={`check ${good(camera.value === "good", camera.value === "looking")}`}>
            <h3>{t("camera")}</h3>
            <p>{cameraSaid}</p>
          </div>
          <div
            class={`check ${good(microphone.value === "good" || microphone.value === "heard", microphone.value === "looking")}`}
          >
            <h3>{t("microphone")}</h3>
            <p>{micSaid}</p>
            <Level />
          </div>
          <div class="check">
            <h3>{t("speaker")}</h3>
            <button
              disabled={playing}
              onClick={() => {
                setPlaying(true);
                void testSpeaker().finally(() => setPlaying(false));
              }}
            >
              {playing ? t("speakerPlaying") : t("speakerTest")}
            </button>
          </div>
          <button ref={button} class="big" data-join disabled={joining} onClick={() => void join()}>
            {joining ? t("joining") : t("join")}
          </button>
          <button class="again" onClick={() => void check()}>
            {t("checkAgain")}
          </button>
        </section>
      </main>
    </div>
  );
}
