/** The menu: a column on wide screens, a bar at the foot of phones. Only pages that the person may see are in it. */
import { signal } from "@preact/signals";
import { named, say } from "../../shared/i18n";
import { ICONS } from "../icons";
import { PAGES, type PageRow } from "../pages";
import { Icon } from "../ui/icon";
import { helpOpen } from "./keys";
import { route, to } from "./router";
import { searchOpen } from "./search";
import { may, person } from "./session";
import { leave } from "./leave";
import { t } from "./words";

const ON_PHONE = 4; // pages in the bar at the foot; the others are behind "more"

const all = signal(false); // a phone shows the whole menu

/** The menu's pages in order. */
export const menuPages = (): PageRow[] => PAGES.filter((row) => row.menu !== false && may(row.right));

/** Where somebody begins. */
export const firstPage = (): PageRow | undefined => menuPages()[0];

export function Menu() {
  const pages = menuPages();
  const here = route.value.row;
  return (
    <nav class={all.value ? "menu open" : "menu"} aria-label={t("menu")}>
      <ul onClick={() => (all.value = false)}>
        {pages.map((row, index) => (
          <li key={row.path} class={index < ON_PHONE ? "first" : "rest"}>
            <a href={to(row.path)} aria-current={row === here ? "page" : undefined} title={index < 9 ? `${say(row.words)} (${index + 1})` : say(row.words)}>
              <Icon path={row.icon} />
              <span>{say(row.words)}</span>
            </a>
          </li>
        ))}
        <li class="tools">
          <button onClick={() => (searchOpen.value = true)} title={`${t("search")} (/)`}>
            <Icon path={ICONS.search} />
            <span>{t("search")}</span>
          </button>
        </li>
        <li class="tools rest">
          <button onClick={() => (helpOpen.value = true)} title={`${t("help")} (?)`}>
            <Icon path={ICONS.help} />
            <span>{t("help")}</span>
          </button>
        </li>
        <li class="tools rest">
          <button onClick={() => void leave()} title={t("signedInAs", { name: person.value ? named(person.value) : "" })}>
            <Icon path={ICONS.out} />
            <span>{t("signOut")}</span>
          </button>
        </li>
      </ul>
      <button class="more" aria-expanded={all.value} onClick={() => (all.value = !all.value)}>
        <Icon path={ICONS.more} />
        <span>{all.value ? t("close") : t("more")}</span>
      </button>
    </nav>
  );
}
