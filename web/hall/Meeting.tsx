import { useEffect, useRef, useState } from "preact/hooks";
import { named } from "../shared/i18n";
import { when } from "./Header";
import { Own } from "./Lobby";
import { camera, local } from "./devices";
import { watch } from "./measure";
import type { RemotePeer } from "./media";
import { camOn, leave, link, micOn, peers, setPaused, streams, trouble } from "./session";
import { t } from "./words";

/** One hall's picture and sound. */
function Tile({ peer }: { peer: RemotePeer }) {
  const video = useRef<HTMLVideoElement>(null);
  const [picture, setPicture] = useState(false);
  const [blocked, setBlocked] = useState(false);
  const stream = streams.value.get(peer.id);
  const sends = peer.producers.some((producer) => producer.kind === "video" && !producer.paused);
  const tracks = stream?.getTracks().map((track) => track.id).join();
  useEffect(() => {
    const element = video.current;
    if (!element) return undefined;
    // a fresh object each time, so that the element notices tracks that came later
    element.srcObject = stream ? new MediaStream(stream.getTracks()) : null;
    if (!stream) setPicture(false);
    element.play().then(
      () => setBlocked(false),
      (error: unknown) => setBlocked(error instanceof DOMException && error.name === "NotAllowedError"),
    );
    return watch(peer.id, element);
  }, [stream, tracks, peer.id]);
  return (
    <div class={`tile${peer.silent ? " silent" : ""}`}>
      <video ref={video} autoplay playsInline onResize={() => setPicture((video.current?.videoWidth ?? 0) > 0)} />
      {!(picture && sends) && <p class="tile-words">{sends ? t("peerWaiting") : t("peerNoPicture")}</p>}
      {peer.silent && <p class="tile-words lost">{t("peerSilent")}</p>}
      <p class="tile-name">{named(peer)}</p>
      {blocked && (
        <button class="tile-sound" onClick={() => void video.current?.play().then(() => setBlocked(false))}>
          {t("soundBlocked")}
        </button>
      )}
    </div>
  );
}

function Leave() {
  const [sure, setSure] = useState(false);
  useEffect(() => {
    if (!sure) return undefined;
    const timer = window.setTimeout(() => setSure(false), 4_000);
    return () => window.clearTimeout(timer);
  }, [sure]);
  return (
    <button class="leave" data-leave onClick={() => (sure ? void leave() : setSure(true))}>
      {sure ? t("leaveSure") : t("leave")}
    </button>
  );
}

/** Everybody's picture, ours small, what is wrong in big words, and three keys. */
export function Meeting() {
  const others = peers.value;
  const columns = Math.ceil(Math.sqrt(Math.max(1, others.length)));
  const found = link.value;
  return (
    <div class="meeting-page">
      <div class="grid" style={{ "--columns": columns }}>
        {others.map((peer) => (
          <Tile key={peer.id} peer={peer} />
        ))}
        {others.length === 0 && <p class="alone">{t("alone")}</p>}
      </div>
      {trouble.value && (
        <p class="trouble" role="alert">
          {t(trouble.value)}
        </p>
      )}
      <aside class="own" aria-label={t("me")}>
        {camera.value === "good" && camOn.value ? <Own stream={local.value} /> : <p>{t("peerNoPicture")}</p>}
        <p class="tile-name">{found ? named(found.hall) : ""}</p>
      </aside>
      <footer class="bar">
        <div class="bar-words">
          <strong>{found?.meeting.title}</strong>
          <span class="figures">
            {when()} · {t("halls", { n: others.length + 1 })}
          </span>
        </div>
        <button class={micOn.value ? "on" : "off"} onClick={() => setPaused("audio", micOn.value)}>
          {micOn.value ? t("micOn") : t("micOff")}
        </button>
        <button
          class={camOn.value ? "on" : "off"}
          disabled={camera.value !== "good"}
          onClick={() => setPaused("video", camOn.value)}
        >
          {camOn.value ? t("camOn") : t("camOff")}
        </button>
        <Leave />
      </footer>
    </div>
  );
}
