import { useEffect, useRef, useState } from "preact/hooks";
import { named } from "../shared/i18n";
import { pictureKey } from "../shared/meet/media";
import { watch } from "./measure";
import { columnsOf, session } from "./meeting";
import { t } from "./words";

/** One venue's camera, or its slides, as it arrives. */
function Picture({ venue, source }: { venue: string; source: "camera" | "slides" }) {
  const video = useRef<HTMLVideoElement>(null);
  const [there, setThere] = useState(false);
  const stream = session.pictures.value.get(pictureKey(venue, source));
  const peer = session.peers.value.find((one) => one.hall === venue);
  const sends = peer?.producers.some((one) => one.source === source && !one.paused) ?? false;
  const name = session.venues.value[venue];
  useEffect(() => {
    const element = video.current;
    if (!element) return undefined;
    element.srcObject = stream ?? null;
    if (!stream) {
      setThere(false);
      return undefined;
    }
    void element.play().catch(() => undefined);
    return watch(pictureKey(venue, source), element);
  }, [stream, venue, source]);
  const silent = peer?.silent ?? false;
  const said = !peer ? t("venueAway") : silent ? t("peerSilent") : !sends ? t("peerNoPicture") : there ? "" : t("peerWaiting");
  return (
    <div class={`tile ${source}${silent ? " silent" : ""}`} {...{ [source === "camera" ? "data-show" : "data-slides"]: venue }}>
      <video ref={video} autoplay muted playsInline onResize={() => setThere((video.current?.videoWidth ?? 0) > 0)} />
      {said && <p class={`tile-words${silent || !peer ? " lost" : ""}`}>{said}</p>}
      <p class="tile-name">
        {name ? named(name) : venue}
        {source === "slides" ? ` · ${t("slidesOf")}` : ""}
      </p>
    </div>
  );
}

/** One voice's place. */
function Voice({ stream, blocked }: { stream: MediaStream; blocked: () => void }) {
  const audio = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    const element = audio.current;
    if (!element) return undefined;
    element.srcObject = stream;
    const play = (): void =>
      void element.play().catch((error: unknown) => {
        if (error instanceof DOMException && error.name === "NotAllowedError") blocked();
      });
    play();
    for (const event of ["keydown", "pointerdown"]) document.addEventListener(event, play);
    return () => {
      for (const event of ["keydown", "pointerdown"]) document.removeEventListener(event, play);
    };
  }, [stream]);
  return <audio ref={audio} autoplay />;
}

/** Whoever is loudest, three at most. */
export function Voices() {
  const [blocked, setBlocked] = useState(false);
  useEffect(() => {
    if (!blocked) return undefined;
    const free = (): void => setBlocked(false);
    for (const event of ["keydown", "pointerdown"]) document.addEventListener(event, free, { once: true });
    return () => {
      for (const event of ["keydown", "pointerdown"]) document.removeEventListener(event, free);
    };
  }, [blocked]);
  return (
    <>
      {session.voices.value.map((stream) => (
        <Voice key={stream.id} stream={stream} blocked={() => setBlocked(true)} />
      ))}
      {blocked && (
        <p class="sound-blocked chip amber" role="alert">
          {t("soundBlocked")}
        </p>
      )}
    </>
  );
}

/** Exactly what the server says this screen shows: single, picture in picture or grid; slides beside the cameras. */
export function Stage() {
  const conference = session.conference.value;
  if (!conference) return <div class="stage" />;
  const { view, slides } = conference.you;
  if (view.show.length === 0 && !slides) return <p class="alone">{t("alone")}</p>;
  const columns = slides ? 1 : view.layout === "grid" ? columnsOf(view.show.length) : 1;
  return (
    <div class={`stage ${view.layout}${slides ? " beside" : ""}`}>
      {slides && <Picture key={`slides ${slides}`} venue={slides} source="slides" />}
      <div class="cameras" style={{ "--columns": columns }}>
        {view.show.map((venue) => (
          <Picture key={venue} venue={venue} source="camera" />
        ))}
      </div>
    </div>
  );
}
