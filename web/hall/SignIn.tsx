import { signal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { named } from "../shared/i18n";
import { Refusal } from "../shared/meet/channel";
import { link } from "./door";
import { Key } from "./keys";
import { session } from "./meeting";
import { t } from "./words";

export const signing = signal(false);

/** How many people are in this hall: digits or up and down, then OK. */
export function SignIn() {
  const field = useRef<HTMLInputElement>(null);
  const [heads, setHeads] = useState(String(session.conference.value?.you.signed ?? ""));
  const [problem, setProblem] = useState("");
  useLayoutEffect(() => { // before anything is painted: the first digit is the field's already
    field.current?.focus();
    field.current?.select();
  }, []);
  const sign = async (): Promise<void> => {
    const hall = link.peek()?.hall;
    try {
      await session.act("signIn", { heads: Number(heads), name: hall ? named(hall) : "" });
      signing.value = false;
    } catch (error) {
      setProblem(error instanceof Refusal && error.zh ? error.zh : String(error));
    }
  };
  return (
    <div class="dialog" data-dialog role="dialog" aria-label={t("signIn")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void sign();
        }}
      >
        <label class="notice-big" for="heads">
          {t("howMany")}
        </label>
        <input
          id="heads"
          ref={field}
          class="digits figures"
          type="number"
          min={0}
          max={9999}
          required
          value={heads}
          onInput={(event) => setHeads(event.currentTarget.value)}
        />
        {problem && <p class="chip amber">{problem}</p>}
        <div class="pair-of-keys">
          <button class="key big" disabled={heads === ""}>
            <kbd>OK</kbd>
            <span>{t("signIn")}</span>
          </button>
          <Key k="Escape" onPress={() => (signing.value = false)}>
            {t("back")}
          </Key>
        </div>
      </form>
    </div>
  );
}
