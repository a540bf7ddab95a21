import { useEffect, useRef, useState } from "preact/hooks";
import { beGuest, pair, refused } from "./door";
import { Header } from "./Header";
import { t } from "./words";

function Refused() {
  const said = {
    badCode: t("badCode"),
    badPin: t("badPin"),
    wait: t("waitAMinute"),
    noServer: t("noServer"),
    unpaired: t("unpaired"),
  }[refused.value];
  return said ? (
    <p class="chip amber" role="alert">
      {said}
    </p>
  ) : null;
}

/** The code on the card makes this browser the hall's. */
export function Pair() {
  const [code, setCode] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <div class="notice-page">
      <Header title={t("pairTitle")} />
      <form
        class="notice"
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          void pair(code).finally(() => setBusy(false));
        }}
      >
        <label class="notice-big" for="code">
          {t("pairSay")}
        </label>
        <input
          id="code"
          ref={field}
          class="digits figures"
          inputMode="numeric"
          autocomplete="off"
          maxLength={11}
          value={code}
          onInput={(event) => {
            const digits = event.currentTarget.value.replace(/\D/g, "").slice(0, 10);
            setCode(digits.replace(/^(\d{5})(?=\d)/, "$1 "));
          }}
        />
        <Refused />
        <button class="big" disabled={busy || code.replace(/\D/g, "").length !== 10}>
          <kbd>OK</kbd> {t("pairDo")}
        </button>
      </form>
    </div>
  );
}

/** A guest says who it is, and the meeting's PIN. */
export function Guest() {
  const [pin, setPin] = useState("");
  const [name, setName] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <div class="notice-page">
      <Header title={t("guestTitle")} />
      <form
        class="notice"
        onSubmit={(event) => {
          event.preventDefault();
          void beGuest(pin, name.trim());
        }}
      >
        <label for="name">{t("guestName")}</label>
        <input id="name" ref={field} class="digits" maxLength={40} value={name} onInput={(e) => setName(e.currentTarget.value)} />
        <label for="pin">{t("guestPin")}</label>
        <input
          id="pin"
          class="digits figures"
          inputMode="numeric"
          autocomplete="off"
          maxLength={6}
          value={pin}
          onInput={(event) => setPin(event.currentTarget.value.replace(/\D/g, ""))}
        />
        <Refused />
        <button class="big" disabled={pin.length !== 6 || !name.trim()}>
          <kbd>OK</kbd> {t("guestDo")}
        </button>
      </form>
    </div>
  );
}
