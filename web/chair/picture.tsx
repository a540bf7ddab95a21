/** A venue's picture, or words in its place. */
import { useEffect, useRef, useState } from "preact/hooks";
import { named } from "../shared/i18n";
import type { Source } from "../shared/meet/conference";
import { pictureKey } from "../shared/meet/media";
import { session } from "./seat";
import { t } from "./words";

export const venueName = (code: string): string => {
  const venue = session.conference.value?.venues?.[code] ?? session.venues.value[code];
  const desk = session.conference.value?.consoles?.[code];
  return venue ? named(venue) : (desk?.name ?? code);
};

export function Picture({ venue, source = "camera" }: { venue: string; source?: Exclude<Source, "microphone"> }) {
  const place = useRef<HTMLVideoElement>(null);
  const [seen, setSeen] = useState(false);
  const stream = session.pictures.value.get(pictureKey(venue, source));
  const sends = session.peers.value.some(
    (peer) => peer.hall === venue && peer.producers.some((one) => one.source === source && !one.paused),
  );
  useEffect(() => {
    const video = place.current;
    if (!video) return;
    video.srcObject = stream ?? null;
    if (!stream) setSeen(false);
    video.play().catch(() => undefined); // it has no sound: browsers let it play
  }, [stream]);
  return (
    <>
      <video ref={place} autoplay muted playsInline onResize={() => setSeen((place.current?.videoWidth ?? 0) > 0)} />
      {!(seen && sends) && <p class="in-place">{stream && sends ? t("receiving") : t("noPicture")}</p>}
    </>
  );
}

/** The loudest voices. */
export function Voices() {
  const place = useRef<HTMLDivElement>(null);
  const [held, setHeld] = useState(false);
  const voices = session.voices.value;
  const play = (): void => {
    for (const audio of place.current?.querySelectorAll("audio") ?? [])
      audio.play().then(
        () => setHeld(false),
        (error: unknown) => setHeld(error instanceof DOMException && error.name === "NotAllowedError"),
      );
  };
  useEffect(() => {
    place.current?.querySelectorAll("audio").forEach((audio, index) => (audio.srcObject = voices[index] ?? null));
    play();
  }, [voices]);
  return (
    <div ref={place} class="voices">
      {voices.map((voice) => (
        <audio key={voice.id} autoplay />
      ))}
      {held && (
        <button class="sound" onClick={play}>
          {t("soundOn")}
        </button>
      )}
    </div>
  );
}
