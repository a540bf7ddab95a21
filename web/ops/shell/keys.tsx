/** Keys that work on every page, and the list of them. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { say, switchLanguage } from "../../shared/i18n";
import { PAGES } from "../pages";
import { Dialog } from "../ui/dialog";
import { KeyLine } from "../ui/keyline";
import { menuPages } from "./menu";
import { go } from "./router";
import { searchOpen } from "./search";
import { may, phase } from "./session";
import { t } from "./words";

export const helpOpen = signal(false);

const G_MS = 1500; // how long after "g" its letter may come

export const typing = (event: KeyboardEvent): boolean => {
  const target = event.target;
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
};

export function useKeys(): void {
  useEffect(() => {
    let g = -G_MS;
    const onKey = (event: KeyboardEvent): void => {
      if (phase.value !== "in" || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
      if (typing(event) || document.querySelector("dialog[open]")) return;
      const afterG = event.timeStamp - g < G_MS; // when they were pressed, however late the page hears of them
      g = -G_MS;
      if (afterG) {
        const row = PAGES.find((one) => one.key === event.key && may(one.right));
        if (row) go(row.path);
        return;
      }
      switch (event.key) {
        case "g":
          g = event.timeStamp;
          break;
        case "/":
          searchOpen.value = true;
          break;
        case "b":
          if (may("watch")) go("/screen");
          break;
        case "?":
          helpOpen.value = true;
          break;
        case "l":
          switchLanguage();
          break;
        default: {
          const row = /^[1-9]$/.test(event.key) ? menuPages()[Number(event.key) - 1] : undefined;
          if (!row) return;
          go(row.path);
        }
      }
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

export function Help() {
  if (!helpOpen.value) return null;
  const keyed = PAGES.filter((row) => row.key && may(row.right));
  return (
    <Dialog title={t("help")} close={() => (helpOpen.value = false)}>
      <div class="keys">
        <section>
          <h3>{t("helpAnywhere")}</h3>
          <dl>
            <KeyLine keys={["/"]} words={t("keySearch")} />
            <KeyLine keys={["?"]} words={t("keyHelp")} />
            {may("watch") && <KeyLine keys={["b"]} words={t("keyScreen")} />}
            <KeyLine keys={["l"]} words={t("keyLanguage")} />
            <KeyLine keys={["←", "↑", "→", "↓"]} words={t("keyArrows")} />
            <KeyLine keys={["Enter"]} words={t("keyEnter")} />
            <KeyLine keys={["Esc"]} words={t("keyBack")} />
          </dl>
        </section>
        <section>
          <h3>{t("helpPages")}</h3>
          <dl>
            <KeyLine keys={["1", "…", "9"]} words={t("keyNumber")} />
            {keyed.map((row) => (
              <KeyLine key={row.path} keys={["g", row.key ?? ""]} words={say(row.words)} />
            ))}
          </dl>
        </section>
        <section>
          <h3>{t("helpTables")}</h3>
          <dl>
            <KeyLine keys={["f"]} words={t("keyFilter")} />
            <KeyLine keys={["Enter"]} words={t("keyEnter")} />
          </dl>
        </section>
      </div>
    </Dialog>
  );
}
